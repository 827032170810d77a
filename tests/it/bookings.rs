//! Bookings through the front door: one effect for one trigger, and the truth about what is not known.

use frontdesk::{
    flow::{Clock, witness::witness},
    model::{seller::Sellers, trust::Trust},
};
use futures_util::future::join_all;
use http::Method;
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use sim::{Endpoint, Fault, FaultOrder, Target, WebhookMode};
use std::{collections::BTreeSet, sync::Arc};
use system_tests::shop::{API_KEY, POPIN_KEY, POPIN_TOKEN, Reply, STANDARD_SECRET, Shop, lead, sellers};

fn calls(shop: &Shop, endpoint: Endpoint) -> usize {
    shop.world.sim.calls().iter().filter(|call| call.endpoint == endpoint).count()
}

fn at(mut body: Value, start: &str, if_taken: &str) -> Value {
    body["call"] = json!({"start_at": start, "if_taken": if_taken});
    body
}

fn id(reply: &Reply) -> String {
    reply.body["id"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_gets_a_scheduled_call_and_the_offered_spelling_goes_back() {
    let shop = Shop::open().await;
    let offered = shop.slots("?limit=1").await.body["slots"][0].clone();
    let reply = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!((reply.status.as_u16(), reply.header("preference-applied")), (201, "wait=10"));
    assert_eq!(
        (&reply.body["state"], &reply.body["confirmed_by"], &reply.body["slot"]),
        (&json!("scheduled"), &json!("reply"), &offered)
    );
    assert!(reply.body["join_url"].as_str().unwrap().starts_with("https://live.popin.to/"));
    assert_eq!((&reply.body["start_at"], &reply.body["start_local"]), (&offered["start"], &offered["local"]));
    let states: Vec<_> =
        reply.body["history"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["requested", "captured", "slot_held", "scheduling", "scheduled"]);
    let schedules = shop.world.sim.schedules();
    assert_eq!((schedules.len(), schedules[0].time.as_str()), (1, offered["vendor_time"].as_str().unwrap()));
    assert_eq!(schedules[0].mobile, "+919000000001");
    assert_eq!((calls(&shop, Endpoint::Capture), calls(&shop, Endpoint::Schedule)), (1, 1));
    // What is held by our own booking is offered to nobody else, and Popin's webhook then bears witness.
    shop.advance(1);
    assert_ne!(shop.slots("?limit=1").await.body["slots"][0], offered);
    shop.settle().await;
    let seen = shop.booking(&id(&reply)).await;
    assert!(seen.body["witnessed_at"].is_string(), "{seen:?}");
    assert_eq!(
        (calls(&shop, Endpoint::Capture), calls(&shop, Endpoint::Schedule)),
        (1, 1),
        "our own echo starts nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn the_stream_runs_a_booking_that_nobody_waits_for() {
    let shop = Shop::open().await;
    let reply = shop.book("k1", None, &lead(1)).await;
    assert_eq!((reply.status.as_u16(), reply.body["state"].as_str()), (202, Some("requested")));
    assert_eq!(reply.header("location"), format!("/v1/bookings/acme/{}", id(&reply)));
    shop.settle().await;
    let booking = shop.booking(&id(&reply)).await;
    assert_eq!((booking.status.as_u16(), booking.body["state"].as_str()), (200, Some("scheduled")));
    assert!(booking.body["witnessed_at"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_standard_webhook_is_a_trigger_and_the_same_message_again_makes_nothing_new() {
    let shop = Shop::open().await;
    let wrapped = json!({"type": "lead.stage_changed", "timestamp": "2026-11-23T03:00:00Z", "data": lead(1)});
    let first = shop.trigger("msg_1", &wrapped).await;
    assert_eq!(first.status, 202);
    shop.advance(60);
    let again = shop.trigger("msg_1", &wrapped).await;
    assert_eq!((again.status.as_u16(), id(&again)), (202, id(&first)));
    shop.settle().await;
    assert_eq!(shop.booking(&id(&first)).await.body["state"], "scheduled");
    assert_eq!(shop.world.sim.schedules().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unproven_trigger_is_a_401_for_every_reason_alike() {
    let shop = Shop::open().await;
    let body = lead(1).to_string();
    let now = shop.clock_seconds();
    let sign = |at: i64| system_tests::shop::sign(STANDARD_SECRET, "msg_1", &at.to_string(), &body);
    let unconfigured = shop.send(Method::POST, "/v1/crm/acme/hubspot", &[], body.clone()).await;
    for (seller, at, signature) in [
        ("acme", now - 301, sign(now - 301)),
        ("acme", now + 301, sign(now + 301)),
        ("acme", now, sign(now - 1)),
        ("acme", now, String::new()),
        ("nobody", now, sign(now)),
    ] {
        let at = at.to_string();
        let headers =
            [("webhook-id", "msg_1"), ("webhook-timestamp", at.as_str()), ("webhook-signature", signature.as_str())];
        let reply = shop.send(Method::POST, &format!("/v1/crm/{seller}/standard"), &headers, body.clone()).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (401, &unconfigured.body), "{seller} {at}");
    }
    assert!(shop.world.items("bookings").is_empty());
}

#[tokio::test(start_paused = true)]
async fn fifty_requests_with_one_key_have_one_effect_and_equal_answers() {
    let shop = Shop::open().await;
    let body = lead(1);
    let replies = join_all((0..50).map(|_| shop.book("k1", Some(10), &body))).await;
    let done: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert!(!done.is_empty() && done.iter().all(|reply| reply.body == done[0].body));
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!((reply.status.as_u16(), reply.code(), reply.header("retry-after")), (409, "still_running", "1"));
    }
    let again = shop.book("\"k1\"", Some(10), &body).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &done[0].body), "the quoted key is the same key");
    let second = lead(2);
    let ids: BTreeSet<_> = join_all((0..50).map(|_| shop.book("k2", None, &second))).await.iter().map(id).collect();
    shop.settle().await;
    assert_eq!((ids.len(), shop.world.sim.schedules().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn forty_bookings_at_once_with_capacity_one_get_forty_slots() {
    let shop = Shop::open().await;
    let bodies: Vec<_> = (1..=40).map(lead).collect();
    let keys: Vec<_> = (1..=40).map(|n| format!("k{n}")).collect();
    let replies = join_all(keys.iter().zip(&bodies).map(|(key, body)| shop.book(key, Some(20), body))).await;
    for reply in &replies {
        assert_eq!(reply.body["state"], "scheduled", "{reply:?}");
    }
    let slots: BTreeSet<_> = replies.iter().map(|reply| reply.body["start_at"].as_str().unwrap()).collect();
    assert_eq!((slots.len(), shop.world.sim.schedules().len()), (40, 40));
}

#[tokio::test(start_paused = true)]
async fn a_slot_takes_as_many_bookings_as_its_capacity() {
    let shop = Shop::with(sellers(|seller| seller["slots"] = json!({"capacity": 2}))).await;
    shop.world.sim.add_seller(sim::SellerAccount { capacity: 2, ..sim::SellerAccount::new(POPIN_TOKEN, POPIN_KEY) });
    shop.tick("slot-cache").await;
    let start = "2026-11-23T05:00:00Z";
    let bodies: Vec<_> = (1..=3).map(|n| at(lead(n), start, "refuse")).collect();
    let replies = join_all(["a", "b", "c"].iter().zip(&bodies).map(|(key, body)| shop.book(key, Some(10), body))).await;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 409]);
}

#[tokio::test(start_paused = true)]
async fn the_one_slot_asked_for_is_had_or_refused_with_three_alternatives() {
    let shop = Shop::open().await;
    let start = "2026-11-23T05:00:00Z";
    let first = shop.book("k1", Some(10), &at(lead(1), start, "refuse")).await;
    assert_eq!((first.status.as_u16(), &first.body["start_at"]), (201, &json!(start)));
    for (key, start) in [("k2", start), ("k3", "2026-11-23T05:01:00Z")] {
        let reply = shop.book(key, Some(10), &at(lead(2), start, "refuse")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code(), reply.header("content-type")),
            (409, "slot_taken", "application/problem+json")
        );
        let booking = shop.booking(reply.body["booking_id"].as_str().unwrap()).await;
        assert_eq!((&booking.body["state"], &booking.body["reason"]), (&json!("refused"), &json!("slot_taken")));
        let alternatives: Vec<_> =
            reply.body["alternatives"].as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap()).collect();
        assert_eq!(alternatives, ["2026-11-23T05:15:00Z", "2026-11-23T05:30:00Z", "2026-11-23T05:45:00Z"]);
    }
    let next = shop.book("k4", Some(10), &at(lead(3), start, "next")).await;
    assert_eq!((next.status.as_u16(), &next.body["start_at"]), (201, &json!("2026-11-23T05:15:00Z")));
    assert_eq!(shop.world.sim.schedules().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_kept_to_and_one_without_a_slot_ends_with_the_join_link() {
    let shop = Shop::open().await;
    let mut body = lead(1);
    body["call"] = json!({"from": "2026-11-24T06:00:00Z", "to": "2026-11-24T06:15:00Z"});
    let reply = shop.book("k1", Some(10), &body).await;
    assert_eq!((reply.status.as_u16(), &reply.body["start_at"]), (201, &json!("2026-11-24T06:00:00Z")));
    body["lead"]["mobile"] = json!("+919000000002");
    let reply = shop.book("k2", Some(10), &body).await;
    assert_eq!((reply.status.as_u16(), &reply.body["state"]), (201, &json!("no_slot")));
    assert!(reply.body["join_url"].is_string() && reply.body["slot"].is_null());
}

#[tokio::test(start_paused = true)]
async fn bad_input_has_its_code_and_stores_nothing() {
    let shop = Shop::open().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = lead(1);
        change(&mut body);
        body
    };
    let rows = [
        (with(&|b| b["lead"]["name"] = json!(" ")), "lead_name_missing"),
        (with(&|b| b["lead"]["mobile"] = Value::Null), "lead_mobile_missing"),
        (with(&|b| b["lead"]["mobile"] = json!("call me")), "lead_mobile_invalid"),
        (with(&|b| b["lead"]["country"] = json!("Atlantis")), "lead_country_invalid"),
        (with(&|b| b["call"] = json!({"start_at": "2026-11-22T10:30:00+05:30"})), "start_at_in_past"),
        (with(&|b| b["call"] = json!({"start_at": "2026-11-24T10:30:00"})), "start_at_without_offset"),
        (with(&|b| b["call"] = json!({"start_at": "tomorrow"})), "start_at_invalid"),
        (with(&|b| b["call"] = json!({"start_at": 5})), "start_at_invalid"),
        (with(&|b| b["call"] = json!({"to": "2026-11-22T10:30:00Z"})), "window_in_past"),
        (with(&|b| b["call"] = json!({"from": "2026-11-25T10:30:00Z", "to": "2026-11-24T10:30:00Z"})), "window_empty"),
        (
            with(&|b| b["call"] = json!({"start_at": "2026-11-24T10:30:00Z", "from": "2026-11-24T10:30:00Z"})),
            "call_ambiguous",
        ),
        (with(&|b| b["call"] = json!({"if_taken": "perhaps"})), "if_taken_invalid"),
        (with(&|b| b["url"] = json!("javascript:alert(1)")), "url_invalid"),
        (with(&|b| b["url"] = json!("http://shop.example.com/call")), "url_invalid"),
        (with(&|b| b["url"] = json!("https://shop.example.com@evil.example/call")), "url_invalid"),
        (with(&|b| b["url"] = json!("https://127.0.0.1/call")), "url_invalid"),
        (with(&|b| b["url"] = json!("https://localhost:7700/")), "url_invalid"),
        (with(&|b| b["url"] = json!("https://2852039166/latest")), "url_invalid"),
        (with(&|b| b["url"] = json!("https://")), "url_invalid"),
        (json!({}), "lead_name_missing"),
        (json!([]), "lead_name_missing"),
    ];
    for (body, code) in rows {
        let reply = shop.book("k1", None, &body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, code), "{body}");
        assert_eq!(reply.body["problems"][0]["code"], code);
    }
    let authorization = format!("Bearer {API_KEY}");
    let good = lead(1).to_string();
    for (headers, body, status, code) in [
        (vec![("authorization", authorization.as_str())], good.as_str(), 400, "idempotency_key_missing"),
        (
            vec![("authorization", authorization.as_str()), ("idempotency-key", "\"\"")],
            good.as_str(),
            400,
            "idempotency_key_invalid",
        ),
        (vec![("authorization", authorization.as_str()), ("idempotency-key", "k")], "{nope", 400, "not_json"),
        (
            vec![("authorization", "Bearer wrong-key-wrong-key"), ("idempotency-key", "k")],
            good.as_str(),
            401,
            "not_authenticated",
        ),
        (vec![("idempotency-key", "k")], good.as_str(), 401, "not_authenticated"),
    ] {
        let reply = shop.send(Method::POST, "/v1/bookings/acme", &headers, body.to_owned()).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{headers:?}");
    }
    assert!(shop.world.items("bookings").is_empty());
    assert!(shop.world.sim.customers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_is_for_one_body_and_a_body_under_another_key_is_another_request() {
    let shop = Shop::open().await;
    let first = shop.book("k1", None, &lead(1)).await;
    let reused = shop.book("k1", None, &lead(2)).await;
    assert_eq!((reused.status.as_u16(), reused.code()), (422, "idempotency_key_reused"));
    let spelled = shop
        .send(
            Method::POST,
            "/v1/bookings/acme",
            &[("authorization", &format!("Bearer {API_KEY}")), ("idempotency-key", "k1")],
            format!(" {} ", lead(1)),
        )
        .await;
    assert_eq!((spelled.status.as_u16(), id(&spelled)), (202, id(&first)), "white space is no other body");
    // The same body under another key is another request, once the window in which a person joins their booking is over.
    shop.advance(601);
    let other = shop.book("k2", None, &lead(1)).await;
    assert_eq!(other.status, 202);
    assert_ne!(id(&other), id(&first));
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_is_answered_again_even_when_its_slot_has_passed() {
    let shop = Shop::open().await;
    let body = at(lead(1), "2026-11-23T05:00:00Z", "refuse");
    let first = shop.book("k1", Some(10), &body).await;
    shop.advance(3 * 3600);
    let again = shop.book("k1", Some(10), &body).await;
    assert_eq!((again.status.as_u16(), again.body), (201, first.body));
}

#[tokio::test(start_paused = true)]
async fn a_lead_that_popin_refuses_is_a_422_with_popins_message() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Capture, Fault::Unprocessable));
    let reply = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (422, "refused"));
    assert!(!reply.body["detail"].as_str().unwrap().is_empty());
    let again = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!((again.status.as_u16(), again.body), (422, reply.body));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_popin_refuses_leaves_the_diary_and_the_next_one_is_taken() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Refuse));
    let offered = shop.slots("?limit=2").await.body["slots"].clone();
    let reply = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["slot"]), (201, &offered[1]));
    shop.advance(1);
    let free = shop.slots("?limit=1").await.body["slots"][0].clone();
    assert!(free != offered[0] && free != offered[1], "{free}");
    shop.advance(301);
    shop.tick("slot-cache").await;
    assert_eq!(shop.slots("?limit=1").await.body["slots"][0], offered[0], "a newer list offers it again");
}

#[tokio::test(start_paused = true)]
async fn second_refusal_of_a_person_in_a_row_hides_no_slot_from_others() {
    for insists in [false, true] {
        let shop = Shop::open().await;
        let order = FaultOrder { times: 3, ..FaultOrder::new(Target::Schedule, Fault::Refuse) };
        shop.world.sim.add_fault(order);
        let offered = shop.slots("?limit=4").await.body["slots"].clone();
        if insists {
            for n in 0..3 {
                let wanted = at(lead(1), offered[n]["start"].as_str().unwrap(), "refuse");
                assert_eq!(shop.book(&format!("k{n}"), Some(10), &wanted).await.code(), "slot_taken");
                shop.advance(2);
                let first = usize::from(n == 0);
                assert_eq!(shop.slots("?limit=1").await.body["slots"][0], offered[first], "after {n}");
            }
        } else {
            assert_eq!(shop.book("k1", Some(10), &lead(1)).await.body["slot"], offered[3]);
            shop.advance(2);
            assert_eq!(shop.slots("?limit=3").await.body["slots"], json!([offered[0], offered[1], offered[2]]));
        }
        // Another person's refusal hides the slot as ever, and only that one.
        shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Refuse));
        let other = at(lead(2), offered[1]["start"].as_str().unwrap(), "refuse");
        assert_eq!(shop.book("other", Some(10), &other).await.code(), "slot_taken");
        shop.advance(2);
        assert_eq!(shop.slots("?limit=2").await.body["slots"], json!([offered[0], offered[2]]));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_insists_on_a_slot_that_popin_refuses_is_offered_others_noted_or_not() {
    for noted in [true, false] {
        let shop = Shop::open().await;
        shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Refuse));
        shop.world.db.set_fault(Some(Arc::new(move |operation, request| {
            let note = operation == "PutItem" && request.to_string().contains("phantom#");
            if note && !noted { DbFault::Unreachable } else { DbFault::None }
        })));
        let reply = shop.book("k1", Some(10), &at(lead(1), "2026-11-23T05:00:00Z", "refuse")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (409, "slot_taken"), "{noted}");
        let alternatives: Vec<_> =
            reply.body["alternatives"].as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap()).collect();
        assert_eq!(alternatives, ["2026-11-23T05:15:00Z", "2026-11-23T05:30:00Z", "2026-11-23T05:45:00Z"], "{noted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_nobody_answered_is_in_doubt_until_popins_webhook_bears_witness() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
    let reply = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!((reply.status.as_u16(), reply.body["state"].as_str()), (202, Some("in_doubt")));
    let held = reply.body["start_at"].as_str().unwrap().to_owned();
    assert_ne!(shop.slots("?limit=1").await.body["slots"][0]["start"], held, "a slot in doubt stays held");
    shop.settle().await;
    let booking = shop.booking(&id(&reply)).await.body;
    assert_eq!(
        (&booking["state"], &booking["confirmed_by"], &booking["start_at"]),
        (&json!("scheduled"), &json!("webhook"), &json!(held))
    );
    assert_eq!((shop.world.sim.schedules().len(), calls(&shop, Endpoint::Schedule)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_past_its_time_is_gone_before_the_table_cleans_up() {
    let shop = Shop::open().await;
    let first = id(&shop.book("k1", Some(10), &lead(1)).await);
    let (day, items) = (24 * 3600, shop.world.items("bookings").len());
    shop.advance(7 * day - 1);
    assert_eq!(id(&shop.book("k1", None, &lead(1)).await), first);
    shop.advance(2);
    assert_ne!(id(&shop.book("k1", None, &lead(1)).await), first, "a key lives for 7 days");
    shop.advance(83 * day - 10);
    assert_eq!(shop.booking(&first).await.status, 200);
    shop.advance(20);
    assert_eq!(shop.booking(&first).await.status, 404, "a booking lives for 90 days");
    assert_eq!(shop.resolve(&first, &json!({"outcome": "scheduled"})).await.status, 404);
    assert!(shop.world.items("bookings").len() > items, "the table has kept them all");
}

#[tokio::test(start_paused = true)]
async fn silence_asks_a_person_who_settles_it_once() {
    for (decision, state, schedules) in [
        (json!({"outcome": "scheduled"}), "scheduled", 1),
        (json!({"outcome": "not_scheduled"}), "refused", 1),
        (json!({"outcome": "not_scheduled", "retry": true}), "scheduled", 2),
    ] {
        let shop = Shop::open().await;
        shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
        shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
        let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
        assert_eq!((shop.resolve(&booking, &decision).await.status.as_u16()), 409, "nobody is asked yet");
        shop.advance(899);
        shop.tick("booking-worker").await;
        assert_eq!(shop.booking(&booking).await.body["state"], "in_doubt");
        shop.advance(2);
        shop.tick("booking-worker").await;
        let asked = shop.booking(&booking).await.body;
        assert_eq!((&asked["state"], &asked["reason"]), (&json!("needs_human"), &json!("outcome_unknown")));
        let settled = shop.resolve(&booking, &decision).await;
        assert_eq!(settled.status, 200, "{settled:?}");
        shop.tick("slot-cache").await;
        shop.tick("booking-worker").await;
        let end = shop.booking(&booking).await.body;
        assert_eq!(end["state"], state, "{end}");
        assert_eq!(shop.world.sim.schedules().len(), schedules);
        let again = shop.resolve(&booking, &decision).await;
        assert_eq!((again.status.as_u16(), again.code()), (409, "already_settled"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_says_scheduled_and_it_is_confirmed_by_human() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Hang));
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    shop.advance(901);
    shop.tick("booking-worker").await;
    for bad in [json!({"outcome": "maybe"}), json!({"outcome": "scheduled", "retry": true})] {
        assert_eq!(shop.resolve(&booking, &bad).await.code(), "bad_outcome");
    }
    let body = shop.resolve(&booking, &json!({"outcome": "scheduled"})).await.body;
    assert_eq!((&body["state"], &body["confirmed_by"]), (&json!("scheduled"), &json!("human")));
    assert_eq!(
        shop.resolve("018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a", &json!({"outcome": "scheduled"})).await.status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn a_seller_who_prefers_a_second_call_gets_one_and_no_more_than_the_bound() {
    let shop = Shop::with(sellers(|seller| {
        seller["booking"] = json!({"webhooks_wired": true, "on_silence": "retry", "max_attempts": 3});
    }))
    .await;
    shop.tick("slot-cache").await;
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Schedule, Fault::Hang) });
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    for _ in 0..6 {
        shop.advance(901);
        shop.tick("booking-worker").await;
    }
    let end = shop.booking(&booking).await.body;
    assert_eq!((&end["state"], &end["reason"]), (&json!("needs_human"), &json!("max_attempts")));
    assert_eq!(calls(&shop, Endpoint::Schedule), 3);
}

#[tokio::test(start_paused = true)]
async fn what_popin_did_not_do_is_tried_again_and_given_up_in_the_end() {
    let shop = Shop::with(sellers(|seller| seller["booking"] = json!({"give_up_seconds": 3600}))).await;
    shop.tick("slot-cache").await;
    shop.world.sim.add_fault(FaultOrder { times: 3, ..FaultOrder::new(Target::Schedule, Fault::RateLimited) });
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    for _ in 0..6 {
        shop.advance(60);
        shop.tick("booking-worker").await;
    }
    assert_eq!(shop.booking(&booking).await.body["state"], "scheduled");
    assert_eq!((calls(&shop, Endpoint::Schedule), shop.world.sim.schedules().len()), (4, 1));

    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Any, Fault::RateLimited) });
    let booking = id(&shop.book("k2", Some(10), &lead(2)).await);
    for _ in 0..70 {
        shop.advance(60);
        shop.tick("booking-worker").await;
    }
    let end = shop.booking(&booking).await.body;
    assert_eq!((&end["state"], &end["reason"]), (&json!("needs_human"), &json!("popin_unavailable")));
}

#[tokio::test(start_paused = true)]
async fn booking_whose_time_ran_out_in_a_pause_gets_one_more_try() {
    for (works, ends) in [(true, "scheduled"), (false, "needs_human")] {
        let shop = Shop::with(sellers(|seller| seller["booking"] = json!({"give_up_seconds": 300}))).await;
        shop.tick("slot-cache").await;
        let pause =
            FaultOrder { seconds: Some(7200), ..FaultOrder::new(Target::Capture, Fault::UnavailableRetryAfter) };
        shop.world.sim.add_fault(pause.clone());
        let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
        // Another one finds the circuit breaker open.
        let other = id(&shop.book("k2", Some(10), &lead(2)).await);
        for _ in 0..119 {
            shop.advance(60);
            shop.tick("booking-worker").await;
        }
        for booking in [&booking, &other] {
            assert_eq!(shop.booking(booking).await.body["state"], "requested");
        }
        assert_eq!(calls(&shop, Endpoint::Capture), 1);
        if !works {
            shop.world.sim.add_fault(FaultOrder { times: 0, ..pause });
        }
        for _ in 0..40 {
            shop.advance(60);
            shop.tick("slot-cache").await;
            shop.tick("booking-worker").await;
        }
        for booking in [&booking, &other] {
            assert_eq!(shop.booking(booking).await.body["state"], ends);
        }
        let tries = calls(&shop, Endpoint::Capture);
        assert!(if works { tries == 3 } else { (2..=3).contains(&tries) }, "{tries}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept_to() {
    let shop = Shop::open().await;
    shop.world
        .sim
        .add_fault(FaultOrder { seconds: Some(600), ..FaultOrder::new(Target::Capture, Fault::UnavailableRetryAfter) });
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    shop.advance(599);
    shop.tick("booking-worker").await;
    assert_eq!(calls(&shop, Endpoint::Capture), 1);
    shop.advance(2);
    shop.tick("slot-cache").await;
    shop.tick("booking-worker").await;
    assert_eq!(shop.booking(&booking).await.body["state"], "scheduled");
}

#[tokio::test(start_paused = true)]
async fn nothing_a_browser_says_starts_or_settles_a_booking() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
    let booking = shop.book("k1", Some(10), &lead(1)).await;
    let claim = json!({"event": "popin_scheduled_created", "full_phone_number": "+919000000001", "properties": {"scheduled_date": "23-Nov-2026", "scheduled_time": "10:00 AM"}});
    let events = json!([
        {"id": system_tests::shop::page_id(1), "source": "popin", "name": "popin_schedule_created", "data": {"uid": "u", "time": "x"}},
        {"id": system_tests::shop::page_id(2), "source": "popin", "name": "popin_scheduled_created", "data": claim},
        {"id": system_tests::shop::page_id(3), "source": "popin", "name": "popin_captured", "data": {"uid": "u", "mobile": "9000000009", "name": "X"}}
    ]);
    assert_eq!(shop.collect(events).await.body["accepted"], 3);
    shop.settle().await;
    assert_eq!(shop.booking(&id(&booking)).await.body["state"], "in_doubt");
    assert_eq!(
        (
            shop.world.items("bookings").iter().filter(|item| item["sk"] == "booking").count(),
            shop.world.sim.customers().len()
        ),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_witness_needs_to_be_proven_wherever_it_came_in() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    let data = json!({"event": "popin_scheduled_created", "full_phone_number": "+919000000001", "properties": {"scheduled_date": "23-Nov-2026", "scheduled_time": "10:00 AM"}});
    let bookings = shop.bookings_table();
    let document = Sellers::parse(sellers(|_| {}).to_string().as_bytes()).unwrap();
    let acme = document.get("acme").unwrap();
    for (trust, state) in [(Trust::Claimed, "in_doubt"), (Trust::Bearer, "scheduled")] {
        witness(&bookings, acme, trust, &data.to_string(), "writer", shop.clock.now()).await.unwrap();
        assert_eq!(shop.booking(&booking).await.body["state"], state);
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_for_a_booking_nobody_here_made_is_only_an_event() {
    let shop = Shop::open().await;
    let body = json!({"event": "popin_scheduled_created", "user_id": "1", "full_phone_number": "+919000000099", "timestamp": "1795400000", "properties": {"scheduled_date": "23-Nov-2026", "scheduled_time": "10:00 AM"}});
    assert_eq!(shop.popin_webhook(body.to_string()).await.body["stored"], true);
    shop.settle().await;
    assert!(shop.world.items("bookings").is_empty());
}

#[tokio::test(start_paused = true)]
async fn both_date_spellings_and_both_versions_bear_witness() {
    for mode in [
        WebhookMode { date_spelling: sim::DateSpelling::Numeric, ..WebhookMode::default() },
        WebhookMode { version: 1, ..WebhookMode::default() },
        WebhookMode { copies: 2, ..WebhookMode::default() },
    ] {
        let shop = Shop::open().await;
        shop.world.sim.set_webhooks(mode);
        shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::ErrorAfter));
        let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
        shop.settle().await;
        assert_eq!(shop.booking(&booking).await.body["state"], "scheduled");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pincode_goes_out_as_the_seller_spells_it_and_the_sellers_defaults_go_along() {
    for field in ["pincode", "pin_code"] {
        let shop = Shop::with(sellers(|seller| {
            seller["popin"]["pin_field"] = json!(field);
            seller["booking"] =
                json!({"group": "5211", "agent": 210, "native": false, "url": "https://shop.example.com/call"});
        }))
        .await;
        shop.tick("slot-cache").await;
        let mut body = lead(1);
        body["lead"]["pincode"] = json!(221_007);
        body["lead"]["campaign"] = json!({"utm_source": "google"});
        assert_eq!(shop.book("k1", Some(10), &body).await.status, 201);
        let sent: Vec<_> = shop
            .world
            .sim
            .calls()
            .into_iter()
            .filter(|call| call.endpoint != Endpoint::Slots)
            .map(|call| call.request)
            .collect();
        let capture = json!({"name": "Asha Example", "mobile": "9000000001", "country": "91", "email": "asha@example.com", "group": "5211", "agent": 210, field: "221007", "campaign": {"utm_source": "google"}, "native": false});
        assert_eq!(sent[0], capture);
        let schedule = json!({"customer_id": sent[1]["customer_id"], "time": "Mon, 23 Nov 2026 10:00 AM", "agent": 210, "native": false, "url": "https://shop.example.com/call"});
        assert_eq!(sent[1], schedule);
    }
}

#[tokio::test(start_paused = true)]
async fn a_booking_is_read_by_its_own_seller_only() {
    let shop = Shop::open().await;
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    let unknown = shop.send(Method::GET, &format!("/v1/bookings/acme/{booking}"), &[], "").await;
    assert_eq!(unknown.status, 401);
    assert_eq!(shop.booking("018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a").await.status, 404);
    assert_eq!(shop.booking("nonsense").await.status, 404);
}
