//! Rows that nobody can read, and work that never comes to an end, cost their own seller and nobody else.

use jiff::SignedDuration;
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use std::sync::Arc;
use system_tests::{
    overheard,
    poison::{Queue, SELLER, plant, with_poisonous},
    shop::{Shop, lead},
    written_back::NOTIFY_SECRET,
};

/// More than a sweep used to take of all sellers, and more than a page of the index.
const MANY: u32 = 600;

async fn open() -> Shop {
    let shop = Shop::with(with_poisonous(|seller| {
        seller["notify"] = json!({"url": "https://crm.test/crm/receiver/frontdesk", "secrets": [NOTIFY_SECRET]});
    }))
    .await;
    shop.tick("slot-cache").await;
    shop
}

fn rows(shop: &Shop) -> Vec<Value> {
    let items = shop.world.items("bookings");
    items.into_iter().filter(|item| item["pk"].as_str().unwrap().starts_with(&format!("{SELLER}#"))).collect()
}

fn finished(shop: &Shop) -> usize {
    rows(shop).iter().filter(|item| item.get("unreadable_at").is_some() && item.get("due").is_none()).count()
}

/// A lead whose record of the stream is lost: only the sweep can find it.
async fn left_to_the_sweep(shop: &Shop, number: u32) {
    let id = shop.trigger(&format!("msg_{number}"), &lead(number)).await.body["id"].as_str().unwrap().to_owned();
    shop.world.db.set_fault(Some(Arc::new(|_: &str, _: &Value| DbFault::Unreachable)));
    shop.world.pump().await;
    shop.world.db.set_fault(None);
    assert_eq!(shop.booking(&id).await.body["state"], "requested", "nothing was done about it yet");
}

fn state(shop: &Shop) -> Value {
    shop.world.items("bookings").iter().find(|item| item["sk"] == "booking" && item["doc"] != "{\"lead\":").unwrap()
        ["state"]
        .clone()
}

#[tokio::test(start_paused = true)]
async fn unreadable_rows_of_one_seller_delay_no_other_and_are_finished_once() {
    for kind in Queue::ALL {
        overheard::keep();
        let shop = open().await;
        for number in 0..MANY {
            plant(&shop.world.db, kind, number, shop.clock_now() - SignedDuration::from_mins(10));
        }
        left_to_the_sweep(&shop, 1).await;
        shop.advance(61);
        shop.tick("booking-worker").await;
        assert_eq!(state(&shop), "scheduled", "{kind:?}: behind {MANY} rows that are due since longer");
        let messages = shop.world.sim.crms().messages();
        assert_eq!(messages.len(), 1, "{kind:?}: its end is told in the same sweep");
        for _ in 0..10 {
            shop.advance(61);
            shop.tick("booking-worker").await;
        }
        assert_eq!(finished(&shop), MANY as usize, "{kind:?}");
        let told = overheard::kept();
        let metrics = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let counted: u64 = metrics.filter_map(|line| line["RecordsUnreadable"].as_u64()).sum();
        assert_eq!(counted, u64::from(MANY), "{kind:?}: each is counted once");
        shop.world.db.reset_calls();
        shop.advance(61);
        shop.tick("booking-worker").await;
        let calls = shop.world.db.calls();
        assert!(calls.iter().all(|call| call.operation == "Query"), "{kind:?}: nobody looks at them again: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unreadable_rows_hold_up_nothing_behind_them_in_the_stream() {
    let shop = open().await;
    for (number, kind) in (0..210).zip([Queue::Trigger, Queue::Booking].into_iter().cycle()) {
        plant(&shop.world.db, kind, number, shop.clock_now() + SignedDuration::from_secs(45));
    }
    shop.trigger("msg_1", &lead(1)).await;
    shop.world.pump().await;
    assert_eq!(state(&shop), "scheduled");
    assert_eq!(finished(&shop), 210);
}

/// The table takes nothing that is written about one seller.
fn refuses(operation: &str, body: &Value) -> DbFault {
    let writes = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"].contains(&operation);
    if writes && body.to_string().contains(&format!("{SELLER}#")) { DbFault::Throttle } else { DbFault::None }
}

#[tokio::test(start_paused = true)]
async fn work_that_cannot_even_be_rescheduled_delays_no_other_seller() {
    for kind in Queue::ALL {
        let shop = open().await;
        for number in 0..MANY {
            plant(&shop.world.db, kind, number, shop.clock_now() - SignedDuration::from_mins(10));
        }
        left_to_the_sweep(&shop, 1).await;
        shop.world.db.set_fault(Some(Arc::new(refuses)));
        shop.advance(61);
        shop.tick("booking-worker").await;
        assert_eq!(state(&shop), "scheduled", "{kind:?}");
        assert_eq!(finished(&shop), 0, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_record_of_one_seller_holds_up_nobody_behind_it_in_the_stream() {
    let shop = open().await;
    for number in 0..30 {
        plant(&shop.world.db, Queue::Booking, number, shop.clock_now());
    }
    shop.trigger("msg_1", &lead(1)).await;
    shop.world.db.set_fault(Some(Arc::new(refuses)));
    shop.world.pump().await;
    assert_eq!(state(&shop), "scheduled");
}

/// No try comes to an end, whatever the reason: each was counted before the record was looked at.
#[tokio::test(start_paused = true)]
async fn work_that_comes_to_no_end_is_looked_at_less_and_less_often() {
    for kind in [Queue::Booking, Queue::Trigger] {
        let shop = open().await;
        plant(&shop.world.db, kind, 1, shop.clock_now());
        shop.world.db.set_fault(Some(Arc::new(|_: &str, body: &Value| {
            if body.to_string().contains("unreadable_at") { DbFault::Unreachable } else { DbFault::None }
        })));
        let row = |shop: &Shop| rows(shop)[0].clone();
        let mut looks = 0;
        for _ in 0..60 {
            let before = row(&shop)["tries"].clone();
            drop(shop.world.tick("booking-worker").await);
            looks += usize::from(row(&shop)["tries"] != before);
            shop.advance(60);
        }
        assert!((5..25).contains(&looks), "{kind:?}: {looks} looks in an hour");
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_of_an_unreadable_booking_is_an_event_and_blocks_no_stream() {
    let shop = open().await;
    let number = |mobile: &str| {
        json!({"event": "popin_scheduled_created", "user_id": "9", "country_code": "+91", "full_phone_number": mobile,
        "properties": {"scheduled_date": "23-Nov-2026", "scheduled_time": "10:00 AM"}})
    };
    let id = shop.book("k1", None, &lead(1)).await.body["id"].as_str().unwrap().to_owned();
    let spoil = json!({"TableName": "frontdesk-bookings", "Key": {"pk": {"S": format!("acme#{id}")}, "sk": {"S": "booking"}},
        "UpdateExpression": "SET doc = :doc", "ExpressionAttributeValues": {":doc": {"S": "{"}}});
    shop.world.db.call("UpdateItem", &spoil).unwrap();
    shop.popin_webhook(number("+919000000001").to_string()).await;
    shop.book("k2", None, &lead(2)).await;
    shop.settle().await;
    let items = shop.world.items("bookings");
    let states: Vec<_> =
        items.iter().filter(|item| item["sk"] == "booking").map(|item| (&item["state"], item.get("due"))).collect();
    assert!(states.contains(&(&json!("scheduled"), None)), "{states:?}");
    assert!(states.contains(&(&json!("requested"), None)), "the other one is finished: {states:?}");
}
