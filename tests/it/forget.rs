//! Forgetting a person: whatever they came in, whatever fails meanwhile, and nobody else.

use http::Method;
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use sim::WebhookMode;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use system_tests::{
    canary::{EMAIL, NAME, NUMBER, erased, forget, forget_by_all, traces},
    shop::{Shop, page_id, sellers},
};

/// A page's event of the canary's.
fn captured(number: u32, data: &Value) -> Value {
    json!({"id": page_id(number), "source": "popin", "name": "popin_captured", "data": data})
}

async fn chili_piper(shop: &Shop, body: &str) {
    let path = "/v1/webhooks/acme/chili-piper/chili-path-secret-0123";
    assert_eq!(shop.send(Method::POST, path, &[], body.to_owned()).await.body["stored"], true, "{body}");
}

#[tokio::test(start_paused = true)]
async fn whatever_the_canary_stands_in_is_found_by_number_or_address() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(130), "]".repeat(130));
    let bodies = [
        r#"{"a":"\ud800","x":"9000054321"}"#.to_owned(),
        r#"{"a":1e400,"x":"canary.person@example.com"}"#.to_owned(),
        deep(r#""9000054321""#),
        deep(r#"{"\u0063anary.person@example.com":1}"#),
        json!({"contact": NUMBER}).to_string(),
        json!({"fields": {"Cell": "90000 54321"}}).to_string(),
        json!({"fields": [["+91-90000-54321"]]}).to_string(),
        json!(NUMBER).to_string(),
        json!([9_000_054_321_u64]).to_string(),
        json!({"primaryGuestDataFields": {"a": {"b": "tel:+919000054321"}}}).to_string(),
        json!({"phone": "9000054321 ext 2"}).to_string(),
        json!({NUMBER: true}).to_string(),
        json!({"meetingDescription": "Canary Example, call 09000054321 before noon"}).to_string(),
        json!({"url": "https://shop.example.com/p?mobile=%2B91+90000+54321"}).to_string(),
        json!({"url": "https://shop.example.com/p?email=canary.person%40example.com"}).to_string(),
        json!({"country": "+1", "mobile": NUMBER, "name": NAME}).to_string(),
        json!({"to": "Canary Example <canary.person@example.com>"}).to_string(),
        json!({"to": "a@example.org, canary.person@example.com"}).to_string(),
        json!({"to": "mailto:canary.person@example.com"}).to_string(),
        json!({"guests": (0..40).map(|n| format!("a{n:02}@example.org")).collect::<Vec<_>>(), "x": NUMBER}).to_string(),
        json!({"guests": (0..40).map(|n| format!("a{n:02}@example.org")).collect::<Vec<_>>(), "x": "z.canary.person@example.com canary.person@example.com"}).to_string(),
        // More than one transaction can index: the event is stored all the same, and numbers come first.
        json!({"guests": (0..150).map(|n| format!("guest{n:03}@example.org")).collect::<Vec<_>>(), "x": NUMBER}).to_string(),
        json!({"remark": NUMBER, "big": "x".repeat(800_000), "more": EMAIL}).to_string(),
    ];
    let shop = Shop::with(sellers(|_| {})).await;
    for body in &bodies {
        chili_piper(&shop, body).await;
    }
    let pages = [
        captured(1, &json!({"uid": NUMBER})),
        captured(2, &json!({"uid": EMAIL, "name": NAME})),
        captured(3, &json!({"uid": "x".repeat(300), "n": NUMBER})),
        json!({"id": page_id(4), "source": "popin", "name": format!("call {NUMBER}"), "data": {"uid": "u-4"}}),
        json!({"id": page_id(5), "source": "popin", "name": "popin_open", "data": {"uid": "u-5"}, "page": format!("https://shop.example.com/{NUMBER}")}),
    ];
    let count = bodies.len() + pages.len();
    assert_eq!(shop.collect(json!(pages)).await.body["accepted"], pages.len());
    let in_keys = |item: &Value| item["pk"].to_string().contains(NUMBER) || item["pk"].to_string().contains("canary");
    assert!(!shop.world.items("events").iter().any(in_keys), "a key tells of the canary");
    let (events, _) = forget_by_all(&shop).await;
    assert_eq!(traces(&shop), [""; 0]);
    assert_eq!(events, count as u64);
    let tombstone = |item: &&Value| item["sk"] == "tombstone";
    let items = shop.world.items("events");
    assert_eq!(items.iter().filter(|item| !tombstone(item)).count(), count, "an entry or a part is left");
    assert!(shop.events().iter().all(|item| item["data"] == "{}" && item.get("page").is_none()));
}

#[tokio::test(start_paused = true)]
async fn what_tells_of_nobody_costs_one_write_and_has_no_entry() {
    let shop = Shop::with(sellers(|_| {})).await;
    shop.world.db.reset_calls();
    let data = json!({"uid": "9b0f6f0e-3c55-4a0e-9c59-0a6f6a5b1c11", "at": 1_795_400_000, "ms": "1795400000123", "price": "₹ 1,29,900.00", "pin_code": "682001", "callId": "28844"});
    shop.collect(json!([captured(1, &data)])).await;
    shop.popin_webhook(
        json!({"event": "popin_call_missed", "user_id": "58559", "timestamp": "1795400000"}).to_string(),
    )
    .await;
    let calls: Vec<_> = shop.world.db.calls().iter().map(|call| (call.operation.clone(), call.consumed)).collect();
    // The vendor's id of a person is looked up among those who were forgotten.
    let expected = [("PutItem", 1.0), ("GetItem", 0.5), ("PutItem", 1.0)];
    assert_eq!(calls, expected.map(|(operation, units)| (operation.to_owned(), Some(units))));
    assert_eq!(shop.world.items("events").len(), 2);
}

/// One person whom Popin knows by both: what has the other, or neither, is theirs as well.
async fn tell_of_one_person(shop: &Shop) {
    let webhook = |body: Value| shop.popin_webhook(body.to_string());
    let at = |second: u32| format!("17954000{second:02}");
    webhook(json!({"event": "popin_user_captured", "user_id": "58559", "email": EMAIL, "full_phone_number": format!("+91{NUMBER}"), "timestamp": at(1)})).await;
    webhook(json!({"event": "popin_call_remark_added", "user_id": "58559", "timestamp": at(2), "properties": {"remark": NAME}})).await;
    let agent = json!({"email": "agent@example.org", "name": "Demo Agent"});
    let outgoing = |stage: &str, session: &str, user: Value| json!({"event": format!("popin_outgoing_call_{stage}"), "session_id": session, "user": user, "agent": agent, "timestamp": at(3)});
    let mut initiated = outgoing("initiated", "s-1", json!({"email": EMAIL, "name": NAME}));
    initiated["user_id"] = json!(58559);
    webhook(initiated).await;
    // The same call, without the person's id; another call, with nothing but it.
    webhook(outgoing("ringing", "s-1", json!({"name": NAME}))).await;
    let mut other = outgoing("missed", "s-2", json!({"name": NAME}));
    other["user_id"] = json!("58559");
    webhook(other).await;
}

/// Somebody else with the same agent.
async fn tell_of_somebody_else(shop: &Shop) {
    let body = json!({"event": "popin_outgoing_call_initiated", "session_id": "s-9", "user_id": 7, "user": {"email": "asha@example.com", "name": "Asha Example"}, "agent": {"email": "agent@example.org"}, "timestamp": 1_795_400_000});
    shop.popin_webhook(body.to_string()).await;
    let body = json!({"event": "popin_call_remark_added", "user_id": 7, "timestamp": 1_795_400_001, "properties": {"remark": "Asha Example"}});
    shop.popin_webhook(body.to_string()).await;
}

fn of_somebody_else(shop: &Shop) -> usize {
    shop.events().iter().filter(|item| item["data"].to_string().contains("Asha")).count()
}

#[tokio::test(start_paused = true)]
async fn by_either_name_the_whole_person_is_forgotten_and_nobody_else() {
    for who in [json!({"phone": NUMBER}), json!({"email": EMAIL})] {
        let shop = Shop::with(sellers(|_| {})).await;
        tell_of_one_person(&shop).await;
        tell_of_somebody_else(&shop).await;
        assert_eq!(forget(&shop, &who).await.body, erased(5, 0));
        assert_eq!(traces(&shop), [""; 0], "{who}");
        assert_eq!(of_somebody_else(&shop), 2);
        assert_eq!(forget_by_all(&shop).await, (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn from_a_call_that_names_popins_id_of_a_person_their_own_thread_is_found() {
    let shop = Shop::with(sellers(|_| {})).await;
    let call = json!({"event": "popin_outgoing_call_initiated", "session_id": "s-1", "user_id": 58559, "user": {"email": EMAIL}, "timestamp": 1_795_400_000});
    shop.popin_webhook(call.to_string()).await;
    let remark = json!({"event": "popin_call_remark_added", "user_id": "58559", "timestamp": 1_795_400_001, "properties": {"remark": NAME}});
    shop.popin_webhook(remark.to_string()).await;
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body["events"], 2);
    assert_eq!(traces(&shop), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_became_confirmed_is_forgotten_with_its_thread() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    let lead = json!({"lead": {"name": "Asha Example", "mobile": NUMBER}});
    assert_eq!(shop.book("k1", Some(10), &lead).await.body["slot"]["vendor_time"], "Mon, 23 Nov 2026 10:00 AM");
    let user = shop.world.sim.customers()[0].user_id.to_string();
    let created = json!({"event": "popin_scheduled_created", "user_id": user, "full_phone_number": format!("+91{NUMBER}"), "timestamp": shop.clock_seconds().to_string(),
        "properties": {"scheduled_date": "23-Nov-2026", "scheduled_time": "10:00 AM"}});
    shop.popin_webhook(created.to_string()).await;
    let captured = json!({"event": "popin_user_captured", "user_id": user, "email": EMAIL, "timestamp": 1_795_400_000});
    shop.popin_webhook(captured.to_string()).await;
    shop.settle().await;
    assert!(shop.events().iter().any(|event| event["trust"] == "confirmed"));
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body["events"], 2);
    assert!(shop.events().iter().all(|event| event["data"] == "{}"));
}

#[tokio::test(start_paused = true)]
async fn an_agent_who_is_forgotten_does_not_take_every_customer_along() {
    let shop = Shop::with(sellers(|_| {})).await;
    tell_of_somebody_else(&shop).await;
    // The agent is in one of the two events; the other is the customer's alone.
    assert_eq!(forget(&shop, &json!({"email": "agent@example.org"})).await.body["events"], 1);
    assert_eq!(of_somebody_else(&shop), 1);
}

#[tokio::test(start_paused = true)]
async fn no_browser_has_a_webhooks_events_forgotten() {
    let shop = Shop::with(sellers(|_| {})).await;
    tell_of_somebody_else(&shop).await;
    let forged = captured(1, &json!({"uid": "7", "user_id": 7, "session_id": "s-9", "mobile": NUMBER}));
    let innocent = json!({"id": page_id(2), "source": "popin", "name": "popin_open", "data": {"uid": "7"}});
    shop.collect(json!([forged, innocent])).await;
    // Both of the page's thread, which is all that a page can vouch for.
    assert_eq!(forget(&shop, &json!({"phone": NUMBER})).await.body["events"], 2);
    assert_eq!(of_somebody_else(&shop), 2);
}

#[tokio::test(start_paused = true)]
async fn no_subject_of_an_event_reaches_the_entries_of_an_index() {
    let shop = Shop::with(sellers(|_| {})).await;
    shop.collect(json!([captured(1, &json!({"uid": "u-1", "mobile": NUMBER}))])).await;
    shop.popin_webhook(json!({"event": "popin_brand_new", "user_id": "1", "timestamp": 1_795_400_000}).to_string())
        .await;
    let entries: Vec<_> = shop.world.items("events").into_iter().filter(|item| item.get("vendor").is_none()).collect();
    let mut subjects: BTreeSet<String> =
        ["quarantine", "#quarantine", "person", "#person#acme", "#"].map(str::to_owned).into();
    for entry in &entries {
        let pk = entry["pk"].as_str().unwrap();
        // As it is, without its sign, and as a seller's own partition once was spelled.
        let hash = pk.rsplit('#').next().unwrap();
        subjects.extend([pk.to_owned(), pk[1..].to_owned(), pk.replace("#acme", ""), format!("person#{hash}")]);
    }
    for (number, subject) in (2..).zip(&subjects) {
        shop.collect(json!([captured(number, &json!({"uid": subject}))])).await;
        let body = json!({"event": "popin_call_missed", "user_id": subject, "timestamp": 1_795_400_000 + number});
        assert_eq!(shop.popin_webhook(body.to_string()).await.body["stored"], true);
    }
    assert_eq!(shop.events().len(), 2 + 2 * subjects.len());
    let partitions: BTreeSet<_> = entries.iter().map(|entry| entry["pk"].to_string()).collect();
    assert!(shop.events().iter().all(|item| !partitions.contains(&item["pk"].to_string())));
    // This release has read the one that waits, and nothing else is there.
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 0, "still_unknown": 0, "failed": 0}));
    assert_eq!(forget(&shop, &json!({"phone": NUMBER})).await.body, erased(1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_entry_or_an_event_that_cannot_be_read_stands_in_nobodys_way() {
    let shop = Shop::with(sellers(|_| {})).await;
    for user in 1..=2 {
        let body = json!({"event": "popin_brand_new", "user_id": user, "timestamp": 1_795_400_000, "email": EMAIL});
        shop.popin_webhook(body.to_string()).await;
    }
    let put = |item: Value| {
        let attributes: Value =
            item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!({"S": value}))).collect();
        shop.world.db.call("PutItem", &json!({"TableName": "frontdesk-events", "Item": attributes})).unwrap();
    };
    let partitions: BTreeSet<String> = (shop.world.items("events").iter())
        .map(|item| item["pk"].as_str().unwrap().to_owned())
        .filter(|pk| pk.starts_with('#'))
        .collect();
    assert_eq!(partitions.len(), 2);
    for pk in &partitions {
        put(json!({"pk": pk, "sk": "!first"}));
        put(json!({"pk": pk, "sk": "~last"}));
        put(json!({"pk": pk, "sk": "!second", "event_pk": "acme#broken", "event_sk": "broken"}));
    }
    put(json!({"pk": "acme#broken", "sk": "broken", "kind": "unknown", "data": NUMBER}));
    // What this release had read when it came in is not looked at again.
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 0, "still_unknown": 0, "failed": 1}));
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body, erased(3, 0));
    assert_eq!(traces(&shop), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_person_with_many_bookings_and_events_is_forgotten_page_by_page() {
    let shop = Shop::with(sellers(|seller| seller["booking"]["join_window_seconds"] = json!(0))).await;
    for n in 0..60 {
        let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL, "external_id": n}});
        assert_eq!(shop.book(&format!("k{n}"), None, &lead).await.status, 202);
    }
    for n in 0..250 {
        let body = json!({"event": "popin_call_missed", "user_id": n, "timestamp": 1_795_400_000 + n, "email": EMAIL});
        shop.popin_webhook(body.to_string()).await;
    }
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body, erased(250, 60));
    assert_eq!(traces(&shop), [""; 0]);
}

/// Everything that is stored of the canary: events that lead to one another, parts, quarantine, bookings.
async fn tell_everything(shop: &Shop) {
    tell_of_one_person(shop).await;
    let remark = json!({"event": "popin_brand_new", "user_id": "58559", "timestamp": 1_795_400_009, "text": NAME, "big": "x".repeat(400_000)});
    shop.popin_webhook(remark.to_string()).await;
    let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL}});
    assert_eq!(shop.book("k1", None, &lead).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_on_the_way_the_same_request_again_leaves_nothing() {
    for fault in [DbFault::Unreachable, DbFault::LoseReply] {
        for who in [json!({"phone": NUMBER}), json!({"email": EMAIL})] {
            let mut healthy = 0;
            loop {
                let shop = Shop::with(sellers(|_| {})).await;
                tell_everything(&shop).await;
                let seen = Arc::new(AtomicUsize::new(0));
                let count = seen.clone();
                shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
                    match count.fetch_add(1, Ordering::Relaxed) {
                        n if n < healthy => DbFault::None,
                        // The last call may have been done; after it, nothing gets through.
                        n if n == healthy => fault,
                        _ => DbFault::Unreachable,
                    }
                })));
                let first = forget(&shop, &who).await;
                shop.world.db.set_fault(None);
                // Where nothing more could be written, the first run's lease has to end.
                shop.advance(61);
                let again = forget(&shop, &who).await;
                assert_eq!(again.status, 200, "{fault:?} after {healthy} calls: {again:?}");
                assert_eq!(traces(&shop), [""; 0], "{fault:?} after {healthy} calls, {who}");
                let left = |item: &Value| {
                    item["sk"] != "tombstone" && item["pk"].as_str().is_some_and(|pk| pk.starts_with('#'))
                };
                assert!(!shop.world.items("events").iter().any(left), "{fault:?} after {healthy} calls, {who}");
                let finds_them = |item: &&Value| item["sk"] == "email" || item["sk"] == "recent";
                let found = shop.world.items("bookings").iter().filter(finds_them).count();
                assert_eq!(found, 0, "{fault:?} after {healthy} calls, {who}");
                if seen.load(Ordering::Relaxed) <= healthy {
                    assert_eq!(first.status, 200);
                    break;
                }
                healthy += 1;
            }
            assert!(healthy >= 20, "only {healthy} calls to break");
        }
    }
}
