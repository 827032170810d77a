//! Erasure as a piece of work: it outlives the request, a kill at any moment and a hundred thousand events.

use frontdesk::edge::env::variable;
use frontdesk::model::{
    event::{Event, Vendor},
    seller::Sellers,
    trust::Trust,
};
use http::Method;
use jiff::SignedDuration;
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use std::{collections::BTreeMap, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Instant};
use system_tests::{
    canary::{EMAIL, NAME, NUMBER, erased, forget, traces},
    shop::{API_KEY, Reply, Shop, lead, page_id, sellers},
};

async fn read(shop: &Shop, location: &str) -> Reply {
    let authorization = format!("Bearer {API_KEY}");
    shop.send(Method::GET, location, &[("authorization", &authorization)], "").await
}

/// From now on each call of the database takes so many milliseconds of the shop's clock.
fn slow_database(shop: &Shop, millis: i64) {
    let clock = shop.clock.clone();
    shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
        clock.advance(SignedDuration::from_millis(millis));
        DbFault::None
    })));
}

/// Whether nothing of any erasure is left to be looked at.
fn leads(shop: &Shop) -> usize {
    shop.world.items("bookings").iter().filter(|item| item["sk"].to_string().contains("lead#")).count()
}

/// Page events with one number, each of a visitor of its own.
async fn flood(shop: &Shop, count: u32) {
    for first in (0..count).step_by(100) {
        let event = |n: u32| json!({"id": page_id(n), "source": "popin", "name": "popin_captured", "data": {"uid": format!("u-{n}"), "mobile": NUMBER}});
        let batch: Vec<_> = (first..count.min(first + 100)).map(event).collect();
        assert_eq!(shop.collect(json!(batch)).await.body["accepted"], batch.len());
        // As much as a page may write.
        shop.advance(1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_request_cannot_finish_is_carried_on() {
    let shop = Shop::with(sellers(|_| {})).await;
    flood(&shop, 1000).await;
    slow_database(&shop, 15);
    let first = forget(&shop, &json!({"phone": NUMBER})).await;
    assert_eq!((first.status.as_u16(), &first.body["state"]), (202, &json!("running")), "{first:?}");
    let so_far = first.body["events"].as_u64().unwrap();
    assert!((100..1000).contains(&so_far), "{first:?}");
    let location = first.header("location").to_owned();
    assert!(location.starts_with("/v1/people/acme/erasures/") && !location.contains(NUMBER), "{location}");
    assert_eq!(shop.send(Method::GET, &location, &[], "").await.status, 401);
    assert_eq!(read(&shop, &format!("{location}0")).await.status, 404);
    let seen = read(&shop, &location).await;
    assert_eq!((seen.status.as_u16(), &seen.body), (200, &first.body));
    let mut sweeps = 0;
    while read(&shop, &location).await.body["state"] == "running" {
        shop.tick("booking-worker").await;
        sweeps += 1;
        assert!(sweeps < 10, "{:?}", read(&shop, &location).await);
    }
    assert_eq!(read(&shop, &location).await.body, erased(1000, 0));
    assert_eq!((traces(&shop), leads(&shop)), (Vec::new(), 0));
    // What came in while it ran is found by a second look, which is the last.
    shop.advance(61);
    assert_eq!(shop.tick("booking-worker").await["due"], 1);
    shop.advance(3600);
    assert_eq!(shop.tick("booking-worker").await["due"], 0);
}

#[tokio::test(start_paused = true)]
async fn repeated_request_joins_the_one_that_runs() {
    let shop = Shop::with(sellers(|_| {})).await;
    flood(&shop, 200).await;
    slow_database(&shop, 50);
    // The first has the lease, and is cut off with it.
    assert!(killed_after(12, forget(&shop, &json!({"phone": NUMBER}))).await.is_none());
    shop.world.db.set_fault(None);
    let second = forget(&shop, &json!({"phone": format!("+91 {NUMBER}")})).await;
    assert_eq!((second.status.as_u16(), &second.body["state"]), (202, &json!("running")), "{second:?}");
    assert_eq!(shop.tick("booking-worker").await["due"], 0);
    shop.advance(61);
    let third = forget(&shop, &json!({"phone": NUMBER})).await;
    assert_eq!((third.status.as_u16(), &third.body["state"]), (200, &json!("done")), "{third:?}");
    assert_eq!(read(&shop, second.header("location")).await.body, third.body);
    assert_eq!(traces(&shop), [""; 0]);
}

/// As a process that is killed after so many polls.
async fn killed_after<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut left) = (pin!(work), polls);
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// Threads and a vendor's id that lead to events without a number, a payload of two items, a quarantine, bookings and a
/// parked trigger.
async fn tell_everything(shop: &Shop) {
    let webhook = |body: Value| shop.popin_webhook(body.to_string());
    webhook(json!({"event": "popin_user_captured", "user_id": "58559", "email": EMAIL, "full_phone_number": format!("+91{NUMBER}"), "timestamp": 1_795_400_001})).await;
    webhook(json!({"event": "popin_call_remark_added", "user_id": "58559", "timestamp": 1_795_400_002, "properties": {"remark": NAME}})).await;
    webhook(json!({"event": "popin_outgoing_call_initiated", "session_id": "s-1", "user_id": 58559, "user": {"email": EMAIL, "name": NAME}, "timestamp": 1_795_400_003})).await;
    webhook(json!({"event": "popin_outgoing_call_ringing", "session_id": "s-1", "user": {"name": NAME}, "timestamp": 1_795_400_003})).await;
    webhook(json!({"event": "popin_outgoing_call_missed", "session_id": "s-2", "user_id": "58559", "user": {"name": NAME}, "timestamp": 1_795_400_003})).await;
    webhook(json!({"event": "popin_brand_new", "user_id": "58559", "timestamp": 1_795_400_009, "text": NAME, "big": "x".repeat(400_000)})).await;
    let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL}});
    assert_eq!(shop.book("k1", None, &lead).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn kill_at_any_await_leaves_nothing_of_the_person() {
    for who in [json!({"phone": NUMBER}), json!({"email": EMAIL})] {
        let mut polls = 1;
        loop {
            let shop = Shop::with(sellers(|_| {})).await;
            tell_everything(&shop).await;
            let finished = killed_after(polls, forget(&shop, &who)).await.is_some();
            // The worker that takes it up dies as far on its way; the next one does not.
            shop.advance(61);
            killed_after(polls, shop.tick("booking-worker")).await;
            shop.advance(61);
            shop.tick("booking-worker").await;
            if shop.world.items("bookings").iter().all(|item| item["sk"] != "erasure") {
                // It died before it was written down: nothing was promised.
                assert_eq!(forget(&shop, &who).await.status, 200);
            }
            let what = format!("killed after {polls} polls, {who}");
            assert_eq!(traces(&shop), [""; 0], "{what}");
            let entry = |item: &Value| item["pk"].as_str().is_some_and(|pk| pk.starts_with("#person"));
            assert!(!shop.world.items("events").iter().any(entry), "{what}");
            assert!(shop.events().iter().all(|event| event["data"] == "{}"), "{what}");
            let finds_them = |item: &&Value| item["sk"] == "email" || item["sk"] == "recent";
            assert_eq!(shop.world.items("bookings").iter().filter(finds_them).count(), 0, "{what}");
            assert_eq!(leads(&shop), 0, "{what}");
            if finished {
                assert!(polls > 40, "only {polls} polls to die after");
                break;
            }
            polls += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bookings_and_triggers_do_not_wait_for_the_events_that_anybody_can_write() {
    let shop = Shop::with(sellers(|_| {})).await;
    flood(&shop, 300).await;
    let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL}});
    assert_eq!(shop.book("k1", None, &lead).await.status, 202);
    // No event can be erased.
    shop.world.db.set_fault(Some(Arc::new(|operation: &str, body: &Value| {
        let event = operation == "TransactWriteItems" && body.to_string().contains("acme#");
        let erases = event && body.to_string().contains("erased_at");
        if erases { DbFault::Unreachable } else { DbFault::None }
    })));
    let first = forget(&shop, &json!({"phone": NUMBER})).await;
    assert_eq!((first.status.as_u16(), &first.body["bookings"]), (202, &json!(1)), "{first:?}");
    assert_eq!(first.body["events"], 0, "the fault was met");
    assert_eq!(shop.bookings(), Vec::<Value>::new());
    shop.world.db.set_fault(None);
    shop.advance(31);
    shop.tick("booking-worker").await;
    assert_eq!(traces(&shop), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn row_that_cannot_be_erased_keeps_no_other_from_it() {
    let shop = Shop::with(sellers(|_| {})).await;
    flood(&shop, 30).await;
    shop.world.db.set_fault(Some(Arc::new(|operation: &str, body: &Value| {
        let poison = operation == "TransactWriteItems" && body.to_string().contains(&page_id(7));
        if poison { DbFault::Unreachable } else { DbFault::None }
    })));
    let first = forget(&shop, &json!({"phone": NUMBER})).await;
    assert_eq!((first.status.as_u16(), &first.body["events"]), (202, &json!(29)), "{first:?}");
    shop.advance(31);
    assert_eq!(shop.tick("booking-worker").await["failed"], 1);
    shop.world.db.set_fault(None);
    shop.advance(31);
    shop.tick("booking-worker").await;
    assert_eq!(read(&shop, first.header("location")).await.body, erased(30, 0));
    assert_eq!(traces(&shop), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn answer_names_the_calls_that_popin_still_has() {
    let shop = Shop::open().await;
    let booked = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!(booked.status, 201);
    let start = booked.body["slot"]["start"].clone();
    // One that is captured and no more is none of them.
    assert_eq!(shop.book("k2", None, &lead(2)).await.status, 202);
    let done = forget(&shop, &json!({"phone": "9000000001"})).await;
    assert_eq!(done.body["still_at_popin"], json!([{"start_at": start}]), "{done:?}");
    let done = forget(&shop, &json!({"phone": "9000000002"})).await;
    assert_eq!(done.body, erased(0, 1));
}

/// `ERASED_EVENTS=100000` makes it the measurement of tests/PERFORMANCE.md.
#[tokio::test(start_paused = true)]
async fn events_of_one_person_are_erased_however_many_they_are() {
    let count: u32 = variable("ERASED_EVENTS").map_or(2000, |count| count.parse().unwrap());
    let shop = Shop::with(sellers(|_| {})).await;
    let table = shop.events_table();
    let document = Sellers::parse(sellers(|_| {}).to_string().as_bytes()).unwrap();
    let seller = document.get("acme").unwrap();
    let person = [seller.1.person(&format!("+91{NUMBER}"))];
    for n in 0..count {
        let body = json!({"event": "popin_call_missed", "user_id": n, "full_phone_number": format!("+91{NUMBER}"), "timestamp": 1_795_400_000});
        let draft = frontdesk::vendors::read_webhook(Vendor::Popin, body.to_string().as_bytes()).unwrap();
        let event = Event::of(seller, Trust::Bearer, shop.clock_now(), None, draft);
        table.put(&event, &person).await.unwrap();
    }
    shop.world.db.reset_calls();
    // As one call of sixteen that are under way at once, 5 ms each.
    let clock = shop.clock.clone();
    let calls = std::sync::atomic::AtomicU64::new(0);
    let units = Arc::new(std::sync::Mutex::new(BTreeMap::<String, (u64, f64)>::new()));
    shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
        if calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(16) {
            clock.advance(SignedDuration::from_millis(5));
        }
        DbFault::None
    })));
    let count_units = |shop: &Shop| {
        for call in shop.world.db.calls() {
            let mut units = units.lock().unwrap();
            let sum = units.entry(call.operation.clone()).or_default();
            *sum = (sum.0 + 1, sum.1 + call.consumed.unwrap_or_default());
        }
        shop.world.db.reset_calls();
    };
    let (began, wall) = (shop.clock_now(), Instant::now());
    // Killed on its way, and then the worker twice.
    let polls = usize::try_from(count).unwrap() / 20;
    assert!(killed_after(polls, forget(&shop, &json!({"phone": NUMBER}))).await.is_none());
    count_units(&shop);
    for factor in [1, 3] {
        shop.advance(61);
        killed_after(polls * factor, shop.tick("booking-worker")).await;
        count_units(&shop);
    }
    shop.advance(61);
    let mut sweeps = 0;
    while !shop.events().iter().all(|event| event["data"] == "{}") {
        shop.tick("booking-worker").await;
        count_units(&shop);
        sweeps += 1;
        assert!(sweeps < 100, "it does not end");
    }
    shop.advance(61);
    let took = shop.clock_now().duration_since(began);
    println!(
        "{count} events: {took:#} on the clock, {sweeps} sweeps, {:?} here; {:?}",
        wall.elapsed(),
        units.lock().unwrap()
    );
    shop.world.db.set_fault(None);
    let done = forget(&shop, &json!({"phone": NUMBER})).await;
    assert_eq!(done.body, erased(0, 0));
    assert_eq!((traces(&shop), leads(&shop)), (Vec::new(), 0));
}
