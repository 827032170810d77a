//! Sweeps that break every step in turn: whatever fails, and wherever a worker dies, there is one effect at most.

use local::dynamodb::DbFault;
use serde_json::{Value, json};
use sim::{Fault, FaultOrder, Target, WebhookMode};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use system_tests::{
    crash,
    shop::{Shop, lead},
};

/// Time passes, schedules tick and webhooks arrive, until the booking rests; a bound keeps a bug from hanging the test.
async fn until_at_rest(shop: &Shop) -> Vec<Value> {
    for _ in 0..60 {
        shop.settle().await;
        shop.tick("slot-cache").await;
        shop.tick("booking-worker").await;
        let bookings: Vec<_> =
            shop.world.items("bookings").into_iter().filter(|item| item["sk"] == "booking").collect();
        if bookings.iter().all(|item| item.get("due").is_none()) {
            return bookings;
        }
        shop.advance(61);
    }
    panic!("a booking never came to rest: {:?}", shop.world.items("bookings"));
}

fn claims(items: &[Value]) -> usize {
    items.iter().filter(|item| item["sk"].as_str().unwrap().starts_with("claim#")).count()
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_popins_at_every_call_has_at_most_one_effect() {
    const FAULTS: [Fault; 18] = [
        Fault::Refuse,
        Fault::Unprocessable,
        Fault::Unauthorized,
        Fault::Hang,
        Fault::HangAfter,
        Fault::Error,
        Fault::ErrorAfter,
        Fault::BadGatewayAfter,
        Fault::RateLimited,
        Fault::RateLimitedRetryAfter,
        Fault::Unavailable,
        Fault::UnavailableRetryAfter,
        Fault::Html,
        Fault::Truncated,
        Fault::Reset,
        Fault::StatusText,
        Fault::Empty,
        Fault::Slow,
    ];
    for webhooks in [true, false] {
        for target in [Target::Capture, Target::Schedule] {
            for fault in FAULTS {
                for times in [1, 3] {
                    let shop = Shop::open().await;
                    shop.world.sim.set_webhooks(WebhookMode { on: webhooks, ..WebhookMode::default() });
                    shop.world.sim.add_fault(FaultOrder { times, ..FaultOrder::new(target, fault) });
                    let told = format!("{target:?} {fault:?} x{times}, webhooks {webhooks}");
                    let reply = shop.book("k1", Some(5), &lead(1)).await;
                    assert!(matches!(reply.status.as_u16(), 201 | 202 | 422), "{told}: {reply:?}");
                    let bookings = until_at_rest(&shop).await;
                    let (state, effects) = (bookings[0]["state"].as_str().unwrap(), shop.world.sim.schedules().len());
                    let held = claims(&shop.world.items("slots"));
                    assert!(effects <= 1, "{told}: {effects} effects");
                    match state {
                        "scheduled" => assert_eq!((effects, held), (1, 1), "{told}"),
                        "refused" => assert_eq!((effects, held), (0, 0), "{told}"),
                        "needs_human" => assert_eq!(held, 1, "{told}: the claim stays while Popin may have the call"),
                        other => panic!("{told} ended {other}"),
                    }
                    if webhooks && effects == 1 {
                        assert_eq!(state, "scheduled", "{told}: the webhook was seen");
                    }
                }
            }
        }
    }
}

/// From the `k`-th call of the database on, nothing gets through: the process is as good as dead.
fn die_at(k: usize, last_took_place: bool) -> (Arc<AtomicUsize>, impl Fn(&str, &Value) -> DbFault) {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let fault = move |_: &str, _: &Value| match count.fetch_add(1, Ordering::Relaxed) {
        n if n < k => DbFault::None,
        n if n == k && last_took_place => DbFault::LoseReply,
        _ => DbFault::Unreachable,
    };
    (seen, fault)
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_any_write_leaves_one_effect_and_no_booking_behind() {
    for webhooks in [true, false] {
        for last_took_place in [false, true] {
            let mut points = 0;
            loop {
                let shop = Shop::open().await;
                shop.world.sim.set_webhooks(WebhookMode { on: webhooks, ..WebhookMode::default() });
                let (seen, fault) = die_at(points, last_took_place);
                shop.world.db.set_fault(Some(Arc::new(fault)));
                let reply = shop.book("k1", Some(10), &lead(1)).await;
                shop.world.db.set_fault(None);
                let told = format!("died at call {points}, took place: {last_took_place}, webhooks: {webhooks}");
                let bookings = until_at_rest(&shop).await;
                let effects = shop.world.sim.schedules().len();
                assert!(effects <= 1, "{told}: {effects} effects");
                if reply.status.is_success() {
                    assert_eq!(bookings.len(), 1, "{told}: acknowledged and gone");
                }
                for booking in &bookings {
                    let state = booking["state"].as_str().unwrap();
                    // Dead between the intent and the call, nobody can know that nothing left: a person is asked.
                    match (webhooks, effects) {
                        (true, 1) => assert_eq!(state, "scheduled", "{told}"),
                        (_, 0) => assert_eq!(state, "needs_human", "{told}"),
                        _ => assert!(matches!(state, "scheduled" | "needs_human"), "{told}: {state}"),
                    }
                }
                // The same request again finds what there is, and has no second effect.
                let again = shop.book("k1", Some(10), &lead(1)).await;
                assert!(again.status.is_success(), "{told}: {again:?}");
                until_at_rest(&shop).await;
                assert!(shop.world.sim.schedules().len() <= 1, "{told}: the same key had a second effect");
                if seen.load(Ordering::Relaxed) <= points {
                    break;
                }
                points += 1;
            }
            assert!(points >= 6, "the sweep found only {points} points to die at");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_witness_that_comes_while_the_worker_waits_for_popin_settles_the_booking() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { delay_ms: 0, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Held));
    let body = lead(1);
    let booking = shop.book("k1", Some(10), &body);
    let witness = async {
        while shop.world.sim.schedules().is_empty() {
            tokio::task::yield_now().await;
        }
        shop.world.deliver_webhooks().await;
        shop.world.pump().await;
        shop.world.sim.release();
    };
    let (reply, ()) = futures_util::future::join(booking, witness).await;
    assert_eq!((reply.status.as_u16(), &reply.body["state"]), (201, &json!("scheduled")));
    assert!(reply.body["witnessed_at"].is_string(), "{reply:?}");
    assert_eq!(shop.world.sim.schedules().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_record_repeated_and_a_sweep_beside_it_run_a_booking_once() {
    let shop = Shop::open().await;
    let reply = shop.book("k1", None, &lead(1)).await;
    assert_eq!(reply.status, 202);
    let pump = shop.world.pump();
    let sweep = shop.tick("booking-worker");
    futures_util::future::join(pump, sweep).await;
    shop.tick("booking-worker").await;
    assert_eq!(shop.world.sim.schedules().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_bookings_silent_popin_does_not_hold_up_another() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Capture, Fault::Hang));
    for n in 1..=4 {
        assert_eq!(shop.book(&format!("k{n}"), None, &lead(n)).await.status, 202);
    }
    let look = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        shop.world.sim.schedules().len()
    };
    let (_, done) = futures_util::future::join(shop.world.pump(), look).await;
    assert_eq!(done, 3, "three go on while the first waits for Popin");
}

#[test]
fn killed_at_every_await_of_the_saga_it_keeps_its_promises() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sweep = crash::sweep(threads);
    println!("{sweep}");
    let violations = sweep.violations();
    assert!(violations.is_empty(), "{} promises broken:\n{}", violations.len(), violations.join("\n"));
    let pauses = sweep.pauses();
    assert_eq!(pauses.len(), 1, "which of them a kill meets is told by the file: {pauses:?}");
    let missed = sweep.missed();
    assert!(missed.is_empty(), "nobody was killed at:\n{}", missed.join("\n"));
}
