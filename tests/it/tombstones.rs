//! What arrives after a person was forgotten: late, it is blanked; asked for by the person, it is new.

use frontdesk::{
    flow::Clock as _,
    model::{ids::SellerId, seller::Sellers},
};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use local::dynamodb::DbFault;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use system_tests::{
    canary::{EMAIL, NAME, NUMBER, erased, forget, forget_by_all, traces},
    crm_ways::{ORGANIZATION, Way},
    shop::{API_KEY, Shop, lead, page_id, sellers},
};

const USER: &str = "58559";

fn missed(at: u32, who: &Value) -> String {
    let mut body =
        json!({"event": "popin_call_missed", "timestamp": 1_795_400_000 + at, "properties": {"customer_name": NAME}});
    body.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
    body.to_string()
}

/// Popin knows one person by a number, an address and an id.
async fn forgotten(shop: &Shop) {
    let all = json!({"user_id": USER, "full_phone_number": format!("+91{NUMBER}"), "email": EMAIL});
    shop.popin_webhook(missed(0, &all)).await;
    assert_eq!(forget(shop, &json!({"phone": NUMBER})).await.body, erased(1, 0));
}

fn in_clear(shop: &Shop) -> usize {
    shop.events().iter().filter(|event| event["data"] != "{}").count()
}

#[tokio::test(start_paused = true)]
async fn late_webhook_about_a_forgotten_person_is_blanked() {
    let shop = Shop::with(sellers(|_| {})).await;
    forgotten(&shop).await;
    for (at, who) in (1..).zip([
        json!({"full_phone_number": format!("+91{NUMBER}")}),
        json!({"email": EMAIL}),
        json!({"user_id": 58559}),
        json!({"user_id": USER, "event": "popin_brand_new"}),
    ]) {
        assert_eq!(shop.popin_webhook(missed(at, &who)).await.body["stored"], true, "{who}");
        // A copy of it is still recognized.
        assert_eq!(shop.popin_webhook(missed(at, &who)).await.body["stored"], false, "{who}");
    }
    let captured = json!({"id": page_id(1), "source": "popin", "name": format!("call {NUMBER}"), "data": {"uid": "u", "mobile": NUMBER}, "page": format!("https://shop.example.com/{NUMBER}")});
    assert_eq!(shop.collect(json!([captured])).await.body["accepted"], 1);
    assert_eq!((in_clear(&shop), shop.events().len(), traces(&shop)), (0, 6, Vec::new()));
    // They stand in no index, so that a later request finds nothing.
    assert_eq!(forget(&shop, &json!({"phone": NUMBER})).await.body, erased(0, 0));
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body, erased(0, 0));
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 0, "still_unknown": 0, "failed": 0}));
    // Nobody else.
    shop.popin_webhook(missed(9, &json!({"user_id": 7, "email": "asha@example.com"}))).await;
    assert_eq!(in_clear(&shop), 1);
    // After a week nothing is late any more.
    shop.advance(7 * 24 * 3600 + 1);
    shop.popin_webhook(missed(10, &json!({"user_id": USER, "email": EMAIL}))).await;
    assert_eq!(in_clear(&shop), 2);
}

/// A payload with the canary's number or address anywhere: under any key, in text, in a list, in a URL, as a key, in JSON
/// within text, behind an escape.
fn hidden(random: &mut fastrand::Rng) -> Value {
    let who = [NUMBER.to_owned(), format!("+91 {NUMBER}"), EMAIL.to_owned(), EMAIL.to_uppercase()];
    let mut value = json!(who[random.usize(..who.len())]);
    for _ in 0..random.usize(..4) {
        value = match random.u8(..6) {
            0 => json!([1, value, {"role": "Demo"}]),
            1 => json!({"properties": {"remark": value}}),
            2 => json!(format!("call {} back", value.to_string().replace('"', ""))),
            3 => json!(value.to_string()),
            4 => json!({ value.to_string(): true }),
            _ => json!({"a": {"mobile": value, "name": NAME}}),
        };
    }
    value
}

/// Whatever arrives late, by a page or a vendor, known or not: nothing of the person is in any table.
#[tokio::test(start_paused = true)]
async fn late_event_leaves_nothing_of_the_person_wherever_it_names_them() {
    let shop = Shop::with(sellers(|_| {})).await;
    forget_by_all(&shop).await;
    let mut random = fastrand::Rng::with_seed(11);
    for number in 1..=300 {
        let (text, name) = (hidden(&mut random), ["popin_call_missed", "popin_brand_new"][random.usize(..2)]);
        if random.bool() {
            let mut body = Map::from_iter([("event".to_owned(), json!(name)), ("text".to_owned(), text.clone())]);
            if random.bool() {
                body.insert("timestamp".to_owned(), json!(1_795_400_000 + number));
            }
            assert_eq!(shop.popin_webhook(json!(body).to_string()).await.status, 200, "{text}");
        } else {
            let event =
                json!({"id": page_id(number), "source": "popin", "name": name, "data": {"uid": "u", "text": text}});
            assert_eq!(shop.collect(json!([event])).await.body["accepted"], 1, "{text}");
        }
        shop.advance(1);
        assert_eq!(traces(&shop), [""; 0], "{text}");
    }
    assert!(in_clear(&shop) == 0 && shop.events().len() > 200);
}

#[tokio::test(start_paused = true)]
async fn event_that_names_nobody_is_looked_up_nowhere() {
    let shop = Shop::with(sellers(|_| {})).await;
    forgotten(&shop).await;
    shop.world.db.reset_calls();
    let event = json!({"id": page_id(1), "source": "popin", "name": "popin_open", "data": {"uid": "u-1"}});
    shop.collect(json!([event])).await;
    shop.popin_webhook(
        json!({"event": "popin_outgoing_call_ringing", "session_id": "s-1", "timestamp": 1_795_400_000}).to_string(),
    )
    .await;
    let calls: Vec<_> = shop.world.db.calls().iter().map(|call| call.operation.clone()).collect();
    assert_eq!(calls, ["PutItem", "PutItem"]);
}

/// What cannot be looked up is not stored in clear: whoever sent it is asked to send it again.
#[tokio::test(start_paused = true)]
async fn event_that_cannot_be_looked_up_is_not_stored() {
    let shop = Shop::with(sellers(|_| {})).await;
    forgotten(&shop).await;
    shop.world.db.set_fault(Some(Arc::new(
        |operation: &str, _: &Value| {
            if operation == "GetItem" { DbFault::Unreachable } else { DbFault::None }
        },
    )));
    let event = json!({"id": page_id(1), "source": "popin", "name": "popin_captured", "data": {"mobile": NUMBER}});
    let batch = shop.collect(json!([event])).await;
    assert_eq!((batch.status.as_u16(), &batch.body["not_stored"]), (503, &json!(1)));
    assert_eq!(shop.popin_webhook(missed(1, &json!({"user_id": USER}))).await.status, 503);
    assert_eq!(shop.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn forgotten_agent_takes_no_customers_event_along() {
    let shop = Shop::with(sellers(|_| {})).await;
    let call = |session: &str| json!({"event": "popin_outgoing_call_initiated", "session_id": session, "user_id": 7, "user": {"email": "asha@example.com"}, "agent": {"email": "agent@example.org"}, "timestamp": 1_795_400_000});
    shop.popin_webhook(call("s-1").to_string()).await;
    assert_eq!(forget(&shop, &json!({"email": "agent@example.org"})).await.body, erased(1, 0));
    shop.popin_webhook(call("s-2").to_string()).await;
    assert_eq!(in_clear(&shop), 1);
}

/// A family has one address: who is forgotten by their number takes none of the others along.
#[tokio::test(start_paused = true)]
async fn person_with_the_same_address_is_not_forgotten_along() {
    let shop = Shop::open().await;
    forgotten(&shop).await;
    let other = json!({"user_id": 7, "full_phone_number": "+919000000007", "email": EMAIL});
    shop.popin_webhook(missed(1, &other)).await;
    assert_eq!(in_clear(&shop), 1);
    // Nor does their call make the forgotten one known again.
    let body = json!({"lead": {"name": "Asha Example", "mobile": "9000000007", "email": EMAIL}});
    assert_eq!(shop.book("k1", None, &body).await.status, 202);
    shop.popin_webhook(missed(2, &json!({"user_id": USER}))).await;
    shop.popin_webhook(missed(3, &json!({"email": EMAIL}))).await;
    assert_eq!(in_clear(&shop), 1);
    // Who is forgotten by the address itself is whoever has it.
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body, erased(1, 1));
    shop.popin_webhook(missed(4, &other)).await;
    assert_eq!(in_clear(&shop), 0);
}

#[tokio::test(start_paused = true)]
async fn new_request_of_a_forgotten_person_makes_them_known_again() {
    let shop = Shop::open().await;
    forgotten(&shop).await;
    // By the address as well, of which nothing is left to find.
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body, erased(0, 0));
    shop.advance(1);
    let body = json!({"lead": {"name": NAME, "mobile": NUMBER}});
    let booked = shop.book("k1", Some(10), &body).await;
    assert_eq!(booked.status, 201);
    shop.settle().await;
    // By Popin's id and the address too, which the request did not name.
    shop.popin_webhook(missed(5, &json!({"user_id": USER, "email": EMAIL}))).await;
    let before = in_clear(&shop);
    assert!(before >= 2, "{:?}", shop.events());
    // The second looks at the erasures take nothing of it.
    shop.advance(61);
    assert!(shop.tick("booking-worker").await["due"].as_u64() >= Some(1));
    let id = booked.body["id"].as_str().unwrap();
    let booking = shop.booking(id).await.body;
    assert!(booking["state"] == "scheduled" && booking["witnessed_at"].is_string(), "{booking:?}");
    assert_eq!(in_clear(&shop), before);
    // Forgotten once more, they are so by Popin's id as well.
    let done = forget(&shop, &json!({"phone": NUMBER})).await;
    assert_eq!((&done.body["bookings"], &done.body["state"]), (&json!(1), &json!("done")), "{done:?}");
    assert_eq!(done.body["still_at_popin"].as_array().unwrap().len(), 1);
    assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body, erased(1, 0));
    shop.popin_webhook(missed(6, &json!({"user_id": USER}))).await;
    assert_eq!((in_clear(&shop), traces(&shop)), (0, Vec::new()));
}

/// Of the second request nothing leads to Popin's id: it is the first erasure's, whose tombstones stand again.
#[tokio::test(start_paused = true)]
async fn who_is_forgotten_again_is_so_by_all_that_they_were_known_by() {
    let shop = Shop::open().await;
    forgotten(&shop).await;
    shop.advance(1);
    let body = json!({"lead": {"name": NAME, "mobile": NUMBER}});
    assert_eq!(shop.book("k1", None, &body).await.status, 202);
    shop.popin_webhook(missed(1, &json!({"session_id": "s-1"}))).await;
    shop.advance(1);
    assert_eq!(forget(&shop, &json!({"phone": NUMBER})).await.body, erased(0, 1));
    shop.popin_webhook(missed(2, &json!({"user_id": USER}))).await;
    assert_eq!(in_clear(&shop), 1, "the one that names nobody");
}

#[tokio::test(start_paused = true)]
async fn trigger_that_waited_for_its_crm_books_nobody_who_was_forgotten() {
    let shop = Shop::with_crms().await;
    let thin = Way::HubSpotApp;
    for number in [1, 2] {
        thin.keep_record(&shop, number);
    }
    shop.world.sim.fail_records(&sim::RecordFault::Status(503), 2);
    for number in [1, 2] {
        thin.send(&shop, &thin.body(number)).await;
    }
    shop.settle().await;
    assert_eq!(shop.parked().len(), 2);
    // Nothing in the trigger says so: its CRM will.
    assert_eq!(forget(&shop, &json!({"phone": "9000000001"})).await.body, erased(0, 0));
    shop.advance(600);
    shop.tick("booking-worker").await;
    let booked: Vec<_> = shop.bookings().iter().map(|booking| booking["doc"].to_string()).collect();
    assert_eq!((booked.len(), shop.parked().len()), (1, 0), "{booked:?}");
    assert!(booked[0].contains("+919000000002"), "{booked:?}");
}

#[tokio::test(start_paused = true)]
async fn parked_trigger_with_a_name_alone_goes_with_the_record_it_is_of() {
    let shop = Shop::with_crms().await;
    let about = |record: &str, at: u32, mobile: &str| {
        json!({"record_id": record, "name": NAME, "mobile": mobile, "stage": "Qualified", "updated_at": format!("2026-11-23T02:59:{at:02}Z")}).to_string()
    };
    Way::Freshsales.send(&shop, &about("41", 0, NUMBER)).await;
    shop.advance(1);
    Way::Freshsales.send(&shop, &about("41", 1, "")).await;
    Way::Freshsales.send(&shop, &about("42", 2, "")).await;
    assert_eq!((shop.bookings().len(), shop.parked().len()), (1, 2));
    let done = forget(&shop, &json!({"phone": NUMBER})).await;
    assert_eq!((&done.body["bookings"], &done.body["triggers"]), (&json!(1), &json!(1)), "{done:?}");
    let left = shop.parked();
    assert_eq!(left.len(), 1);
    assert!(left[0]["doc"].as_str().unwrap().contains("42"), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn parked_body_that_cannot_be_read_is_kept_for_a_week() {
    let shop = Shop::with_crms().await;
    Way::PipedrivePerson.send(&shop, "Canary wrote no JSON").await;
    Way::Freshsales.send(&shop, &json!({"record_id": "7", "name": NAME, "updated_at": "t"}).to_string()).await;
    let mut kept: Vec<_> = shop
        .parked()
        .iter()
        .map(|parked| (parked["expires_at"].as_i64().unwrap() - shop.clock_seconds()) / 86_400)
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, [7, 30]);
}

#[tokio::test(start_paused = true)]
async fn no_key_tells_whom_a_vendor_or_a_page_means() {
    let shop = Shop::with(sellers(|_| {})).await;
    shop.popin_webhook(missed(1, &json!({"user_id": "customer-777001"}))).await;
    let event = json!({"id": page_id(1), "source": "popin", "name": "popin_open", "data": {"uid": "visitor-777002"}});
    shop.collect(json!([event])).await;
    let keys = |item: &Value| format!("{} {} {}", item["pk"], item["sk"], item["people"]);
    let keys: Vec<_> = shop.world.items("events").iter().map(keys).collect();
    assert!(!keys.iter().any(|keys| keys.contains("77700")), "{keys:?}");
}

/// An event as releases before 2026-12 stored it, under the vendor's own word for its thread.
fn store_as_before(shop: &Shop, thread: &str, id: &str, trust: &str, data: &Value, person: Option<&str>) {
    let put = |item: Value| {
        let typed: Map<String, Value> =
            item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!({"S": value}))).collect();
        shop.world.db.call("PutItem", &json!({"TableName": "frontdesk-events", "Item": typed})).unwrap();
    };
    let pk = format!("acme#{thread}");
    put(
        json!({"pk": pk, "sk": id, "vendor": "popin", "name": "popin_call_missed", "kind": "call.missed", "trust": trust,
        "time": "2026-11-23T02:00:00.000Z", "received_at": "2026-11-23T02:00:00.000Z", "data": data.to_string()}),
    );
    if let Some(person) = person {
        let document = Sellers::parse(sellers(|_| {}).to_string().as_bytes()).unwrap();
        let hash = document.get(SellerId::parse("acme").unwrap().as_str()).unwrap().1.person(person);
        put(
            json!({"pk": format!("#person#acme#{hash}"), "sk": format!("{id}#{thread}"), "event_pk": pk, "event_sk": id}),
        );
    }
}

/// Threads that began before their words were hashed: an erasure finds either half from the other one.
#[tokio::test(start_paused = true)]
async fn thread_is_followed_across_the_release_that_hashed_its_key() {
    let call = |who: Value| {
        let mut body = json!({"event": "popin_outgoing_call_ringing", "session_id": "s-1", "user": {"name": NAME}, "timestamp": 1_795_400_000});
        body.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        body
    };
    let number = format!("+91{NUMBER}");
    let page = |number: u32, data: Value| json!({"id": page_id(number), "source": "popin", "name": "popin_open", "data": data});
    // From the newer half to the older one: a call, a person of Popin's, and a page's visitor.
    let shop = Shop::with(sellers(|_| {})).await;
    store_as_before(&shop, "s-1", "a1", "bearer", &call(json!({})), None);
    store_as_before(&shop, USER, "a2", "confirmed", &json!({"user_id": USER, "name": NAME}), None);
    store_as_before(&shop, "u-1", "a3", "claimed", &json!({"uid": "u-1", "name": NAME}), None);
    store_as_before(&shop, "u-2", "a4", "claimed", &json!({"uid": "u-2", "name": "Asha Example"}), None);
    shop.popin_webhook(call(json!({"user_id": USER, "full_phone_number": number})).to_string()).await;
    shop.collect(json!([page(1, json!({"uid": "u-1", "mobile": NUMBER}))])).await;
    assert_eq!(forget(&shop, &json!({"phone": NUMBER})).await.body, erased(5, 0));
    assert_eq!((traces(&shop), in_clear(&shop)), (Vec::new(), 1));
    // And from the older half to the newer one.
    let shop = Shop::with(sellers(|_| {})).await;
    let named = call(json!({"user_id": USER, "full_phone_number": number}));
    store_as_before(&shop, "s-1", "a1", "bearer", &named, Some(&number));
    store_as_before(&shop, "u-1", "a3", "claimed", &json!({"uid": "u-1", "mobile": NUMBER}), Some(&number));
    shop.popin_webhook(call(json!({})).to_string()).await;
    shop.popin_webhook(missed(1, &json!({"user_id": USER}))).await;
    shop.collect(json!([page(1, json!({"uid": "u-1", "name": NAME})), page(2, json!({"uid": "u-2"}))])).await;
    assert_eq!(forget(&shop, &json!({"phone": NUMBER})).await.body, erased(5, 0));
    assert_eq!((traces(&shop), in_clear(&shop)), (Vec::new(), 1));
}

/// A bus's event in a dead-letter queue is sent again as it was.
#[tokio::test(start_paused = true)]
async fn redriven_event_of_a_bus_books_nobody_who_was_forgotten_since() {
    let shop = Shop::with_crms().await;
    let sent_at = shop.clock.now();
    shop.advance(60);
    forget(&shop, &json!({"phone": "9000000001"})).await;
    shop.advance(60);
    for mobile in ["+919000000001", "call 9000000001"] {
        // The second one would be parked: it has no number that is one.
        assert_eq!(of_bus(&shop, sent_at, mobile).await["taken"], 1);
        assert_eq!((shop.bookings().len(), shop.parked().len()), (0, 0), "{mobile}");
    }
    // What the person asks for now is new.
    assert_eq!(of_bus(&shop, shop.clock.now(), "+919000000001").await["taken"], 1);
    assert_eq!(shop.bookings().len(), 1);
}

async fn of_bus(shop: &Shop, sent_at: Timestamp, mobile: &str) -> Value {
    let payload = json!({"Lead_Id__c": "00Q000000000001AAA", "Name__c": "Asha Example", "Mobile__c": mobile, "EventUuid": format!("u-{mobile}")});
    let event = json!({"version": "0", "id": "e-1", "source": format!("aws.partner/salesforce.com/{ORGANIZATION}/0YL000000000001"), "detail-type": "VideoCall_Request__e",
        "account": "000000000000", "time": sent_at.to_string(), "region": "ap-south-1", "resources": [],
        "detail": {"payload": payload, "schemaId": "s", "id": "d-1"}});
    shop.world.functions.event("crm-intake", event).await.expect("the event is taken")
}

#[tokio::test(start_paused = true)]
async fn answer_lists_no_call_that_is_over() {
    let shop = Shop::open().await;
    assert_eq!(shop.book("k1", Some(10), &lead(1)).await.status, 201);
    shop.clock.advance(SignedDuration::from_hours(24 * 8));
    let authorization = format!("Bearer {API_KEY}");
    let who = json!({"phone": "9000000001"}).to_string();
    let done = shop.send(Method::DELETE, "/v1/people/acme", &[("authorization", &authorization)], who).await;
    assert_eq!(done.body, erased(0, 1));
}
