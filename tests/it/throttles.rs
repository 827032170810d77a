//! A throttled database: what is sent to us once waits for it, what is sent again does not.

use local::dynamodb::{DbFault, FaultHook};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use system_tests::shop::{Shop, lead, page_id};
use tokio::time::Instant;

/// Every write fails for so long; the count is of those that failed.
fn throttled(fault: DbFault, long: Duration) -> (FaultHook, Arc<AtomicUsize>) {
    let (began, failed) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let count = failed.clone();
    let hook: FaultHook = Arc::new(move |operation: &str, _: &_| {
        if operation == "Query" || operation == "GetItem" || began.elapsed() >= long {
            return DbFault::None;
        }
        count.fetch_add(1, Ordering::Relaxed);
        fault
    });
    (hook, failed)
}

const FAULTS: [DbFault; 3] = [DbFault::Throttle, DbFault::CancelThrottled, DbFault::Conflict];

fn missed() -> String {
    json!({"event": "popin_call_missed", "user_id": "58559", "phone_number": "9000000001", "country_code": "+91", "timestamp": "1795400000"})
        .to_string()
}

#[tokio::test(start_paused = true)]
async fn a_webhook_waits_for_a_throttled_table_since_popin_sends_it_once() {
    for fault in FAULTS {
        let shop = Shop::open().await;
        let (hook, failed) = throttled(fault, Duration::from_secs(8));
        shop.world.db.set_fault(Some(hook));
        let reply = shop.popin_webhook(missed()).await;
        assert_eq!((reply.status.as_u16(), &reply.body["stored"]), (200, &json!(true)), "{fault:?}");
        // 25 ms at most, then twice as long each time, up to a second.
        assert!((10..60).contains(&failed.load(Ordering::Relaxed)), "{fault:?} {failed:?}");
        assert_eq!(shop.events().len(), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_nine_seconds_it_says_that_it_is_not_stored() {
    for fault in FAULTS {
        let shop = Shop::open().await;
        let began = Instant::now();
        shop.world.db.set_fault(Some(throttled(fault, Duration::from_mins(1)).0));
        assert_eq!(shop.popin_webhook(missed()).await.status, 503, "{fault:?}");
        assert!((8..10).contains(&began.elapsed().as_secs()), "{fault:?} {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_at_once_and_sends_again() {
    for fault in FAULTS {
        let shop = Shop::open().await;
        let (hook, failed) = throttled(fault, Duration::from_secs(8));
        shop.world.db.set_fault(Some(hook));
        let events =
            json!([{"id": page_id(1), "source": "popin", "name": "popin_open", "data": {"phone": "+91 90000 00001"}}]);
        let began = Instant::now();
        assert_eq!(shop.collect(events).await.status, 503, "{fault:?}");
        assert_eq!(failed.load(Ordering::Relaxed), 4, "{fault:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{fault:?} {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_booking_outlasts_six_refusals_in_a_row() {
    for fault in FAULTS {
        let shop = Shop::open().await;
        shop.tick("slot-cache").await;
        let calls = AtomicUsize::new(0);
        shop.world.db.set_fault(Some(Arc::new(move |operation: &str, _: &_| {
            let write = operation == "TransactWriteItems";
            if write && calls.fetch_add(1, Ordering::Relaxed) < 6 { fault } else { DbFault::None }
        })));
        let reply = shop.book("key-1", None, &lead(1)).await;
        assert_eq!(reply.status, 202, "{fault:?} {:?}", reply.body);
    }
}
