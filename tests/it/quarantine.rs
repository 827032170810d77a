//! The quarantine: what was unknown gets its kind after a release that knows it, once, and nobody waits for nobody.

use bytes::Bytes;
use frontdesk::{
    flow::requarantine::{Reread, requarantine},
    model::{
        event::{Draft, Event, UnknownReason, Vendor},
        ids::{PageEventId, SellerId, TableVersion},
        kind::Kind,
        seller::Sellers,
        trust::Trust,
    },
    vendors::{self, Read},
};
use futures_util::join;
use http::Method;
use jiff::SignedDuration;
use local::dynamodb::DbFault;
use serde_json::{Value, json, value::RawValue};
use sim::{Fault, FaultOrder, Target, WebhookMode};
use std::sync::Arc;
use system_tests::{
    canary::{EMAIL, forget, traces},
    shop::{Shop, TestClock, lead, page_id, sellers, thread},
};

/// As an older release stored it, whose table did not have the name.
async fn store_as_unknown(shop: &Shop, mut event: Event) {
    event.draft.kind = Kind::Unknown;
    event.draft.reason = Some(UnknownReason::Name);
    event.draft.read_by = TableVersion::parse("0123456789abcdef").unwrap();
    shop.events_table().put(&event, &[]).await.unwrap();
}

fn event_of(seller: &str, trust: Trust, draft: Draft) -> Event {
    let mut document = sellers(|_| {});
    document[seller] = document["acme"].clone();
    let sellers = Sellers::parse(document.to_string().as_bytes()).unwrap();
    Event::of(sellers.get(seller).unwrap(), trust, "2026-11-23T03:00:00Z".parse().unwrap(), None, draft)
}

fn webhook_of(seller: &str, body: &Value) -> Event {
    event_of(seller, Trust::Bearer, vendors::read_webhook(Vendor::Popin, body.to_string().as_bytes()).unwrap())
}

/// Under which the canary's events are found.
fn person_hash() -> Option<String> {
    let document = Sellers::parse(sellers(|_| {}).to_string().as_bytes()).unwrap();
    document.get("acme").map(|(_, seller)| seller.person(EMAIL))
}

fn missed(user: u32) -> Value {
    json!({"event": "popin_call_missed", "user_id": user, "timestamp": "1795400000"})
}

/// A name that this release does not have either.
fn future(user: u32) -> Value {
    json!({"event": "popin_from_the_future", "user_id": user, "timestamp": "1795400000"})
}

fn kinds(shop: &Shop, seller: &str) -> Vec<String> {
    let of = format!("{seller}#");
    let events = shop.events().into_iter().filter(|item| item["pk"].as_str().unwrap().starts_with(&of));
    let mut kinds: Vec<_> = events.map(|item| item["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds
}

fn entries(shop: &Shop) -> usize {
    shop.world.items("events").iter().filter(|item| item["pk"].as_str().unwrap().starts_with("#quarantine#")).count()
}

/// One second of the clock for each call of the database from now on.
fn a_second_a_call(shop: &Shop) {
    let clock = shop.clock.clone();
    shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
        clock.advance(SignedDuration::from_secs(1));
        DbFault::None
    })));
}

#[tokio::test(start_paused = true)]
async fn after_a_release_that_knows_more_an_event_gets_its_kind_in_place_and_once() {
    let shop = Shop::open().await;
    store_as_unknown(&shop, webhook_of("acme", &missed(1))).await;
    let remark = json!({"event": "popin_call_remark_added", "user_id": 2, "timestamp": "1795400000", "properties": {"remark": "x".repeat(400_000)}});
    store_as_unknown(&shop, webhook_of("acme", &remark)).await;
    store_as_unknown(&shop, webhook_of("acme", &future(3))).await;
    let before = shop.events();
    assert_eq!(kinds(&shop, "acme"), ["unknown"; 3]);
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 2, "still_unknown": 1, "failed": 0}));
    assert_eq!(kinds(&shop, "acme"), ["call.missed", "call.remarked", "unknown"]);
    for (before, after) in before.iter().zip(shop.events()) {
        // In place: nothing else of it changed.
        assert_eq!((&before["pk"], &before["sk"], &before["data"]), (&after["pk"], &after["sk"], &after["data"]));
        assert_eq!(after.get("reason").is_some(), after["kind"] == "unknown");
    }
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 0, "still_unknown": 0, "failed": 0}));
}

#[tokio::test(start_paused = true)]
async fn a_pages_event_gets_its_kind_too() {
    let shop = Shop::open().await;
    let page = PageEventId::parse(page_id(1)).unwrap();
    let data: Box<RawValue> = serde_json::from_str(r#"{"uid":"u-1"}"#).unwrap();
    let Read::Event(draft) = vendors::read_page(Vendor::Popin, "popin_open", Some(&data), &page, None) else {
        panic!("it is no chatter")
    };
    store_as_unknown(&shop, event_of("acme", Trust::Claimed, draft)).await;
    assert_eq!(shop.tick("event-intake").await["known_now"], 1);
    assert_eq!(kinds(&shop, "acme"), ["widget.opened"]);
}

#[tokio::test(start_paused = true)]
async fn what_this_release_has_read_in_vain_is_not_read_again() {
    let shop = Shop::open().await;
    for user in 0..150 {
        store_as_unknown(&shop, webhook_of("acme", &future(user))).await;
    }
    // Known by this release to be unknown, from the moment it came in.
    assert_eq!(shop.popin_webhook(future(150).to_string()).await.body["stored"], true);
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 0, "still_unknown": 150, "failed": 0}));
    assert_eq!(entries(&shop), 151);
    shop.world.db.reset_calls();
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 0, "still_unknown": 0, "failed": 0}));
    let calls: Vec<_> = shop.world.db.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["Query", "Query"], "what waits behind what was read and before it");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_early_is_gone_on_with_and_what_stays_unknown_hides_nothing() {
    let shop = Shop::open().await;
    for user in 0..60 {
        store_as_unknown(&shop, webhook_of("acme", &future(user))).await;
    }
    let mut last = webhook_of("acme", &missed(1000));
    last.received_at += SignedDuration::from_secs(60);
    store_as_unknown(&shop, last).await;
    // 20 s are 20 calls: some ten events a run, and the one that is known by now stands behind sixty that are not.
    a_second_a_call(&shop);
    let (mut unknown, mut runs) = (0, 0);
    loop {
        let run = shop.tick("event-intake").await;
        runs += 1;
        unknown += run["still_unknown"].as_u64().unwrap();
        assert!(run["still_unknown"].as_u64().unwrap() <= 15, "{run}");
        if run["known_now"] == 1 {
            break;
        }
        assert!(runs < 20, "{unknown} events were looked at, and none behind them");
    }
    assert_eq!(unknown, 60, "each was looked at once");
    assert!(runs >= 5, "the clock moved during a run");
}

#[tokio::test(start_paused = true)]
async fn one_sellers_flood_leaves_the_others_their_share_of_the_time() {
    let mut document = sellers(|_| {});
    for seller in ["beta", "zeta"] {
        document[seller] = document["acme"].clone();
    }
    let shop = Shop::with(document).await;
    for user in 0..100 {
        store_as_unknown(&shop, webhook_of("acme", &future(user))).await;
        store_as_unknown(&shop, webhook_of("beta", &future(user))).await;
    }
    a_second_a_call(&shop);
    for hour in 0..3 {
        // Whoever is the first in this hour.
        store_as_unknown(&shop, webhook_of("zeta", &missed(hour))).await;
        let run = shop.tick("event-intake").await;
        assert_eq!(run["known_now"], 1, "{run}");
        assert!(run["still_unknown"].as_u64().unwrap() >= 4, "{run}");
        shop.advance(3600);
    }
    assert_eq!(kinds(&shop, "zeta"), ["call.missed"; 3]);
}

#[tokio::test(start_paused = true)]
async fn where_the_time_does_not_do_for_all_nobody_is_always_the_last() {
    let names: Vec<_> = (0..12).map(|n| format!("shop-{n:02}")).collect();
    let mut document = sellers(|_| {});
    for name in &names {
        document[name] = document["acme"].clone();
    }
    let shop = Shop::with(document).await;
    for name in &names {
        store_as_unknown(&shop, webhook_of(name, &missed(1))).await;
    }
    a_second_a_call(&shop);
    let mut known = 0;
    for _ in 0..13 {
        known += shop.tick("event-intake").await["known_now"].as_u64().unwrap();
        shop.advance(3600);
    }
    assert_eq!(known, 12);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_holds_up_neither_its_seller_nor_the_others() {
    let mut document = sellers(|_| {});
    document["zeta"] = document["acme"].clone();
    let shop = Shop::with(document).await;
    for seller in ["acme", "zeta"] {
        for user in [1, 2] {
            store_as_unknown(&shop, webhook_of(seller, &missed(user))).await;
        }
    }
    shop.world.db.set_fault(Some(Arc::new(|operation: &str, body: &Value| {
        let hit = operation == "GetItem" && body["Key"]["pk"]["S"] == thread("1");
        if hit { DbFault::Unreachable } else { DbFault::None }
    })));
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 3, "still_unknown": 0, "failed": 1}));
    shop.world.db.set_fault(Some(Arc::new(|operation: &str, body: &Value| {
        let hit = operation == "Query" && body.to_string().contains("#quarantine#acme");
        if hit { DbFault::Unreachable } else { DbFault::None }
    })));
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 0, "still_unknown": 0, "failed": 1}));
    shop.world.db.set_fault(None);
    assert_eq!(shop.tick("event-intake").await["known_now"], 1);
}

#[tokio::test(start_paused = true)]
async fn entries_that_cannot_be_read_hold_up_nothing_behind_them() {
    let shop = Shop::open().await;
    // More than a page of them, before and behind what can be read.
    for n in 0..150 {
        for sk in [format!("!{n}"), format!("~{n}")] {
            let item = json!({"pk": {"S": "#quarantine#acme"}, "sk": {"S": sk}});
            shop.world.db.call("PutItem", &json!({"TableName": "frontdesk-events", "Item": item})).unwrap();
        }
    }
    store_as_unknown(&shop, webhook_of("acme", &missed(1))).await;
    assert_eq!(shop.tick("event-intake").await, json!({"known_now": 1, "still_unknown": 0, "failed": 0}));
}

#[tokio::test(start_paused = true)]
async fn who_is_forgotten_leaves_the_quarantine_whichever_release_has_read_their_events() {
    let person = |user: u32| {
        let mut body = future(user);
        body["email"] = json!(EMAIL);
        body
    };
    for reread in [false, true] {
        let shop = Shop::open().await;
        let people = Vec::from_iter(person_hash());
        for (user, version) in [(1, "0123456789abcdef"), (2, "zz"), (3, "0a")] {
            let mut event = webhook_of("acme", &person(user));
            event.draft.read_by = TableVersion::parse(version).unwrap();
            shop.events_table().put(&event, &people).await.unwrap();
        }
        assert_eq!(shop.popin_webhook(person(4).to_string()).await.body["stored"], true);
        store_as_unknown(&shop, webhook_of("acme", &future(5))).await;
        if reread {
            assert_eq!(shop.tick("event-intake").await["still_unknown"], 4);
        }
        assert_eq!(entries(&shop), 5);
        assert_eq!(forget(&shop, &json!({"email": EMAIL})).await.body["events"], 4);
        assert_eq!(entries(&shop), 1, "somebody else's");
        assert_eq!(traces(&shop), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_once_give_each_kind_once() {
    let shop = Shop::open().await;
    for user in 0..40 {
        store_as_unknown(&shop, webhook_of("acme", &missed(user))).await;
        store_as_unknown(&shop, webhook_of("acme", &future(user))).await;
    }
    let (events, seller, clock) =
        (shop.events_table(), SellerId::parse("acme").unwrap(), TestClock::at("2026-11-23T03:00:00Z"));
    let until = "2026-11-23T04:00:00Z".parse().unwrap();
    let run = || requarantine(&events, &seller, &*clock, until);
    let (one, other) = join!(run(), run());
    let (one, other): (Reread, Reread) = (one.unwrap(), other.unwrap());
    let both = (one.known_now + other.known_now, one.still_unknown + other.still_unknown, one.failed + other.failed);
    assert_eq!(both, (40, 40, 0), "{one:?} {other:?}");
    let tries = shop.world.db.calls().iter().filter(|call| call.operation == "UpdateItem").count();
    assert!(tries > 40, "they ran side by side");
    let kinds = kinds(&shop, "acme");
    assert_eq!(kinds.iter().filter(|kind| *kind == "call.missed").count(), 40);
    assert_eq!((kinds.len(), entries(&shop)), (80, 40), "what is known has left the quarantine");
    assert_eq!(shop.tick("event-intake").await["still_unknown"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_beside_an_identical_delivery_gives_the_kind_once() {
    let shop = Shop::open().await;
    for user in 0..20 {
        store_as_unknown(&shop, webhook_of("acme", &missed(user))).await;
    }
    let deliveries = async {
        let mut stored = 0;
        for user in (0..20).rev() {
            stored += usize::from(shop.popin_webhook(missed(user).to_string()).await.body["stored"] == true);
        }
        stored
    };
    let (run, stored) = join!(shop.tick("event-intake"), deliveries);
    assert_eq!((run, stored), (json!({"known_now": 20, "still_unknown": 0, "failed": 0}), 0));
    assert_eq!((kinds(&shop, "acme"), entries(&shop)), (vec!["call.missed".to_owned(); 20], 0));
}

#[tokio::test(start_paused = true)]
async fn a_booking_in_doubt_is_settled_by_a_witness_that_is_known_only_later() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
    let booked = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!(booked.body["state"], "in_doubt");
    let id = booked.body["id"].as_str().unwrap();
    // Popin's word came in, and that release did not know it.
    let slot = booked.body["slot"]["vendor_time"].as_str().unwrap().to_owned();
    let (date, time) = spelled(&slot);
    let body = json!({"event": "popin_scheduled_created", "user_id": 1, "full_phone_number": "+919000000001", "timestamp": "1795400000",
        "properties": {"scheduled_date": date, "scheduled_time": time}});
    store_as_unknown(&shop, webhook_of("acme", &body)).await;
    shop.settle().await;
    assert_eq!(shop.booking(id).await.body["state"], "in_doubt", "nobody could read it");
    assert_eq!(shop.tick("event-intake").await["known_now"], 1);
    shop.settle().await;
    let settled = shop.booking(id).await.body;
    assert_eq!((&settled["state"], &settled["confirmed_by"]), (&json!("scheduled"), &json!("webhook")));
    assert_eq!(shop.events()[0]["trust"], "confirmed");
    // The note at the event woke nobody.
    assert_eq!(shop.world.pump().await, 0);
}

/// `Mon, 23 Nov 2026 10:30 AM` as a webhook has it: `23-Nov-2026` and `10:30 AM`.
fn spelled(slot: &str) -> (String, String) {
    let words: Vec<_> = slot.split(' ').collect();
    (words[1..4].join("-"), words[4..].join(" "))
}

#[tokio::test(start_paused = true)]
async fn nobody_but_the_schedule_can_have_the_quarantine_read_again() {
    let shop = Shop::open().await;
    assert_eq!(shop.send(Method::POST, "/v1/schedule/requarantine", &[], Bytes::from_static(b"{}")).await.status, 404);
}
