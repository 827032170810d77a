//! How far an event is proven: what each action asks for where it is taken, and how an event comes to be confirmed.

use frontdesk::{
    flow::request_booking::{RequestError, Trigger, request_booking},
    model::trust::Trust,
};
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use sim::{Fault, FaultOrder, Target, WebhookMode};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use system_tests::{
    back_room::BackRoom,
    shop::{Shop, lead, sellers},
};

fn created(shop: &Shop) -> Vec<Value> {
    shop.events().into_iter().filter(|event| event["kind"] == "booking.created").collect()
}

#[tokio::test(start_paused = true)]
async fn a_booking_asks_for_a_proven_caller_in_the_flow_that_makes_it() {
    let shop = Shop::open().await;
    let room = BackRoom::of(&shop, &sellers(|_| {}), 1);
    let desk = room.desk();
    for (number, trust) in (1..).zip(Trust::ALL) {
        let wanted = frontdesk::crm::request::parse(&lead(number), desk.seller, desk.clock.now());
        let key = trust.as_str().to_owned();
        let trigger = Trigger {
            connector: "bookings",
            trust,
            key,
            fingerprint: "f".to_owned(),
            replayable: false,
            origin: None,
            wanted,
        };
        let made = request_booking(&desk, trigger, None).await;
        match trust {
            Trust::Claimed => {
                assert!(matches!(made, Err(RequestError::NotProven(_))), "{made:?}");
                assert_eq!(shop.world.items("bookings"), Vec::<Value>::new());
            }
            Trust::Bearer | Trust::Signed | Trust::Confirmed => assert!(made.unwrap().new, "{trust:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_matches_a_booking_of_ours_is_confirmed_and_wakes_nobody() {
    let shop = Shop::open().await;
    assert_eq!(shop.book("k1", Some(10), &lead(1)).await.status, 201);
    shop.world.pump().await;
    shop.advance(1);
    shop.world.deliver_webhooks().await;
    assert_eq!(created(&shop)[0]["trust"], "bearer");
    assert_eq!(shop.world.pump().await, 1, "one witness");
    assert_eq!(created(&shop)[0]["trust"], "confirmed");
    assert_eq!(shop.world.pump().await, 0, "the note at the event is no witness");
    // What Popin told of our capture matches no booking's slot.
    assert!(shop.events().iter().any(|event| event["kind"] == "lead.captured" && event["trust"] == "bearer"));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_settles_a_booking_in_doubt_is_confirmed() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
    assert_eq!(shop.book("k1", Some(10), &lead(1)).await.body["state"], "in_doubt");
    shop.settle().await;
    assert_eq!(created(&shop)[0]["trust"], "confirmed");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_matches_no_booking_of_ours_stays_as_it_came() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { wrong_slot: true, ..WebhookMode::default() });
    assert_eq!(shop.book("k1", Some(10), &lead(1)).await.status, 201);
    shop.settle().await;
    assert_eq!(created(&shop)[0]["trust"], "bearer");
}

/// The one write that notes it fails, after the booking was marked: the record comes again, and finds its booking marked.
#[tokio::test(start_paused = true)]
async fn a_note_that_was_not_written_is_written_when_the_record_comes_again() {
    for fault in [DbFault::Unreachable, DbFault::LoseReply] {
        let shop = Shop::open().await;
        assert_eq!(shop.book("k1", Some(10), &lead(1)).await.status, 201);
        shop.world.pump().await;
        shop.advance(1);
        shop.world.deliver_webhooks().await;
        let (tried, failed) = (Arc::new(AtomicUsize::new(0)), AtomicBool::new(false));
        let seen = tried.clone();
        shop.world.db.set_fault(Some(Arc::new(move |operation: &str, body: &Value| {
            if operation != "UpdateItem" || body["TableName"] != "frontdesk-events" {
                return DbFault::None;
            }
            // As often as the SDK itself tries.
            let down = seen.fetch_add(1, Ordering::Relaxed) < 4;
            failed.fetch_or(down, Ordering::Relaxed);
            if down { fault } else { DbFault::None }
        })));
        shop.world.pump().await;
        assert!(tried.load(Ordering::Relaxed) >= 2, "it was tried again");
        assert_eq!(created(&shop)[0]["trust"], "confirmed", "{fault:?}");
        let booking = shop.world.items("bookings").into_iter().find(|item| item["sk"] == "booking").unwrap();
        let document: Value = serde_json::from_str(booking["doc"].as_str().unwrap()).unwrap();
        assert_ne!(document["witnessed_at"], json!(null));
        shop.world.db.set_fault(None);
        assert_eq!(shop.world.pump().await, 0);
    }
}
