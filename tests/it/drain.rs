//! When Popin is down the bookings wait, none is lost, and they come back one after the other.

use bytes::Bytes;
use frontdesk::popin::{Transport, TransportError};
use futures_util::future::{BoxFuture, join};
use http::Request;
use local::world::SimTransport;
use serde_json::{Value, json};
use sim::{Endpoint, Fault, FaultOrder, Target};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use system_tests::shop::{Shop, TestClock, lead, sellers};

fn states(shop: &Shop) -> Vec<Value> {
    shop.world
        .items("bookings")
        .into_iter()
        .filter(|item| item["sk"] == "booking")
        .map(|item| item["state"].clone())
        .collect()
}

/// Counts how many calls are under way at once, each of which takes a while.
#[derive(Default)]
struct Crowd {
    way: OnceLock<SimTransport>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Transport for Crowd {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
            let reply = self.way.get().unwrap().send(request, timeout).await;
            self.now.fetch_sub(1, Ordering::Relaxed);
            reply
        })
    }
}

/// A shop whose calls to Popin are counted.
async fn crowded(rules: Value) -> (Shop, Arc<Crowd>) {
    let crowd = Arc::new(Crowd::default());
    let document = sellers(|seller| seller["booking"] = rules);
    let shop = Shop::over(document, TestClock::at("2026-11-23T03:00:00Z"), Some(crowd.clone())).await;
    assert!(crowd.way.set(SimTransport { sim: shop.world.sim.clone() }).is_ok());
    shop.tick("slot-cache").await;
    (shop, crowd)
}

#[tokio::test(start_paused = true)]
async fn a_sellers_bookings_are_at_popin_so_many_at_once_by_whatever_door_they_come() {
    let (shop, crowd) = crowded(json!({"max_at_once": 3})).await;
    for n in 0..24 {
        assert_eq!(shop.book(&format!("k{n}"), None, &lead(n)).await.status, 202);
    }
    // The stream and two sweeps at the same time, each of which sees all of them due.
    join(shop.world.pump(), join(shop.tick("booking-worker"), shop.tick("booking-worker"))).await;
    for _ in 0..10 {
        shop.advance(61);
        shop.tick("booking-worker").await;
    }
    assert!(states(&shop).iter().all(|state| state == "scheduled"), "{:?}", states(&shop));
    assert_eq!((shop.world.sim.schedules().len(), crowd.most.load(Ordering::Relaxed)), (24, 3));
}

#[tokio::test(start_paused = true)]
async fn popin_down_for_six_hours_loses_no_booking_and_sees_no_stampede() {
    let (shop, crowd) = crowded(json!({"max_at_once": 4})).await;
    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Any, Fault::Unavailable) });
    for n in 0..60 {
        assert_eq!(shop.book(&format!("k{n}"), None, &lead(n)).await.status, 202);
    }
    shop.world.pump().await;
    for _ in 0..6 * 60 {
        shop.advance(60);
        shop.tick("slot-cache").await;
        shop.tick("booking-worker").await;
    }
    let calls = |endpoint| shop.world.sim.calls().iter().filter(|call| call.endpoint == endpoint).count();
    let (asked, expected) = (calls(Endpoint::Capture), 60 + 6 * 60);
    assert!(asked <= expected, "Popin was asked {asked} times in six hours, by 60 bookings");
    assert_eq!(states(&shop).len(), 60);
    shop.world.sim.clear_faults();
    let mut minutes = 0;
    while states(&shop).iter().any(|state| state != "scheduled") {
        minutes += 1;
        assert!(minutes <= 20, "twenty minutes after Popin came back: {:?}", states(&shop));
        shop.advance(60);
        shop.tick("slot-cache").await;
        shop.tick("booking-worker").await;
    }
    assert_eq!(shop.world.sim.schedules().len(), 60);
    assert!(crowd.most.load(Ordering::Relaxed) <= 5, "four bookings and the diary");
}

#[tokio::test(start_paused = true)]
async fn what_popin_asks_of_one_booking_is_kept_to_by_all_of_the_seller() {
    let (shop, _) = crowded(json!({})).await;
    let order = FaultOrder { seconds: Some(300), ..FaultOrder::new(Target::Capture, Fault::RateLimitedRetryAfter) };
    shop.world.sim.add_fault(order);
    assert_eq!(shop.book("k1", Some(5), &lead(1)).await.body["state"], "requested");
    let asked = shop.world.sim.calls().len();
    // Neither another booking, nor a caller who waits, nor a sweep asks before the time is over.
    assert_eq!(shop.book("k2", Some(5), &lead(2)).await.body["state"], "requested");
    for _ in 0..4 {
        shop.advance(60);
        shop.tick("booking-worker").await;
    }
    assert_eq!(shop.world.sim.calls().len(), asked);
    for _ in 0..3 {
        shop.advance(60);
        shop.tick("booking-worker").await;
    }
    assert_eq!(states(&shop), ["scheduled", "scheduled"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_died_at_popin_gives_the_place_up_with_the_lease() {
    let (shop, _) = crowded(json!({"max_at_once": 1})).await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Capture, Fault::Hang));
    shop.book("k1", None, &lead(1)).await;
    {
        // Cut off in the middle of the call.
        let run = std::pin::pin!(shop.world.pump());
        assert!(tokio::time::timeout(Duration::from_millis(500), run).await.is_err());
    }
    shop.book("k2", None, &lead(2)).await;
    shop.advance(61);
    for _ in 0..3 {
        shop.tick("booking-worker").await;
        shop.advance(61);
    }
    assert_eq!(states(&shop), ["scheduled", "scheduled"]);
}
