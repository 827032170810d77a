//! A worker of bookings, seen from the back room: its lease, its waits, its turn at Popin, and what it writes down.

use frontdesk::{
    flow::{
        Clock, Desk,
        advance_booking::{Advanced, Patience, advance_booking},
    },
    model::{
        booking::{Booking, Lease},
        diary::Slot,
        ids::{BookingId, CustomerId, SellerId},
        seller::OnSilence,
        state::{Customer, Held, Outcome},
    },
    store::{
        self, Bookings,
        bookings::{Saved, Taken},
        gate::Entry,
        keys,
    },
};
use jiff::{SignedDuration, Timestamp};
use local::dynamodb::DbFault;
use serde_json::json;
use sim::{Endpoint, Fault, FaultOrder, Target};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use system_tests::{
    back_room::{BackRoom, Meanwhile},
    shop::{Shop, lead, sellers},
};

/// Nobody waits for it, and it waits for nobody.
const PATIENT: Patience = Patience { begin_until: None, ends: None, urgent: false };

async fn booked(shop: &Shop, number: u32) -> BookingId {
    let reply = shop.book(&format!("k{number}"), None, &lead(number)).await;
    BookingId::parse(reply.body["id"].as_str().unwrap()).unwrap()
}

async fn try_advance(desk: &Desk<'_>, id: &BookingId, patience: Patience) -> Result<Booking, store::Error> {
    let advanced = advance_booking(desk, id, patience).await?;
    let Advanced::Worked { booking, .. } = advanced else { panic!("{advanced:?}") };
    Ok(*booking)
}

async fn advance(desk: &Desk<'_>, id: &BookingId) -> Booking {
    try_advance(desk, id, PATIENT).await.unwrap()
}

fn calls(shop: &Shop, endpoint: Endpoint) -> usize {
    shop.world.sim.calls().iter().filter(|call| call.endpoint == endpoint).count()
}

#[tokio::test(start_paused = true)]
async fn no_call_leaves_that_could_not_be_heard_out() {
    let shop = Shop::open().await;
    let room = BackRoom::of(&shop, &sellers(|_| {}), 1);
    let desk = room.desk();
    let id = booked(&shop, 1).await;
    // Popin's own time and three seconds to write down what it said.
    let enough = shop.clock.now() + desk.seller.popin.timeout + SignedDuration::from_secs(3);
    for (ends, state, calls) in [(enough - SignedDuration::from_millis(1), "slot_held", 0), (enough, "scheduled", 1)] {
        let booking = try_advance(&desk, &id, Patience { ends: Some(ends), ..PATIENT }).await.unwrap();
        assert_eq!((booking.state.as_str(), shop.world.sim.schedules().len()), (state, calls));
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_frozen_between_its_intent_and_its_call_asks_only_in_what_is_left_of_its_lease() {
    for (left, state, calls) in [(-1, "slot_held", 0), (499, "slot_held", 0), (500, "scheduled", 1)] {
        let shop = Shop::open().await;
        let room = BackRoom::of(&shop, &sellers(|_| {}), 1);
        let desk = room.desk();
        let id = booked(&shop, 1).await;
        let (clock, began) = (shop.clock.clone(), shop.clock.now());
        let frozen = desk.seller.booking.lease - SignedDuration::from_millis(left);
        shop.world.db.set_fault(Some(Arc::new(move |_, request| {
            let intent = request.to_string().contains(r#""scheduling""#);
            if intent && clock.now() == began {
                clock.advance(frozen);
            }
            DbFault::None
        })));
        let booking = advance(&desk, &id).await;
        assert_eq!((booking.state.as_str(), shop.world.sim.schedules().len()), (state, calls), "{left} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn each_failure_in_a_row_doubles_the_wait_whichever_call_it_was() {
    for endpoint in [Target::Capture, Target::Schedule] {
        let shop = Shop::open().await;
        let room = BackRoom::of(&shop, &sellers(|_| {}), 1);
        let desk = room.desk();
        shop.world.sim.add_fault(FaultOrder { times: 2, ..FaultOrder::new(endpoint, Fault::RateLimited) });
        let id = booked(&shop, 1).await;
        for plain in [2.0, 4.0] {
            let wait = advance(&desk, &id).await.due_at.unwrap().duration_since(desk.clock.now());
            assert!((plain * 0.8..plain * 1.2).contains(&wait.as_secs_f64()), "{endpoint:?}: {wait} for {plain} s");
            shop.clock.advance(wait);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_slept_through_its_lease_takes_no_other_workers_lease_for_its_own_write() {
    let shop = Shop::open().await;
    let (bookings, seller) = (shop.bookings_table(), SellerId::parse("acme").unwrap());
    let start = "2026-11-23T04:30:00Z".parse().unwrap();
    let slot = Slot { start, vendor_time: "Mon, 23 Nov 2026 10:00 AM".to_owned() };
    let held = Held { slot, place: 0, shared: false, unsettled: 0 };
    for (number, outcome) in (1..).zip([Outcome::NothingFree, Outcome::SlotPicked(held)]) {
        let id = booked(&shop, number).await;
        let now = shop.clock.now();
        let later = now + SignedDuration::from_secs(60);
        let lease = |owner: &str, until| Lease { owner: owner.to_owned(), until };
        let Taken::Won(booking) = bookings.take_lease(&seller, &id, &lease("first", later), now).await.unwrap() else {
            panic!("it is nobody else's");
        };
        let customer = Customer { id: CustomerId::parse("12").unwrap(), join_url: None };
        let mut captured = booking.after(Outcome::CapturedAs(customer), now).unwrap();
        captured.version += 1;
        // Its own write it knows again, should the reply to it have been lost.
        for _ in 0..2 {
            assert_eq!(bookings.save(&booking, &captured, "first", now).await.unwrap(), Saved::Done);
        }
        let until = later + SignedDuration::from_secs(60);
        let second = bookings.take_lease(&seller, &id, &lease("second", until), later).await.unwrap();
        assert!(matches!(second, Taken::Won(_)), "{second:?}");
        let mut next = captured.after(outcome, later).unwrap();
        next.version += 1;
        assert_eq!(bookings.save(&captured, &next, "first", later).await.unwrap(), Saved::Conflict);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_died_in_its_call_leaves_a_doubt_of_the_whole_window() {
    let shop = Shop::with(sellers(|seller| seller["booking"]["in_doubt_seconds"] = json!(300))).await;
    shop.tick("slot-cache").await;
    let (bookings, seller) = (shop.bookings_table(), SellerId::parse("acme").unwrap());
    let id = booked(&shop, 1).await;
    let now = shop.clock.now();
    let lease = Lease { owner: "dead".to_owned(), until: now + SignedDuration::from_secs(20) };
    let taken = bookings.take_lease(&seller, &id, &lease, now).await.unwrap();
    let Taken::Won(mut booking) = taken else { panic!("it is nobody else's") };
    let slot =
        Slot { start: "2026-11-23T04:30:00Z".parse().unwrap(), vendor_time: "Mon, 23 Nov 2026 10:00 AM".to_owned() };
    let customer = Customer { id: CustomerId::parse("12").unwrap(), join_url: None };
    let held = Held { slot, place: 0, shared: false, unsettled: 0 };
    for outcome in [Outcome::CapturedAs(customer), Outcome::SlotPicked(held), Outcome::Asking] {
        let mut next = booking.after(outcome, now).unwrap();
        next.version += 1;
        assert_eq!(bookings.save(&booking, &next, "dead", now).await.unwrap(), Saved::Done);
        *booking = next;
    }
    for (seconds, state) in [(10, "scheduling"), (20, "in_doubt"), (280, "in_doubt"), (30, "needs_human")] {
        shop.advance(seconds);
        shop.tick("booking-worker").await;
        assert_eq!(shop.booking(id.as_str()).await.body["state"], state, "{seconds} seconds later");
    }
    assert!(shop.world.sim.schedules().is_empty(), "nobody asks in its place");
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_all_places_taken_comes_again_in_two_to_ten_seconds() {
    let shop = Shop::open().await;
    let document = sellers(|seller| seller["booking"] = json!({"max_at_once": 1}));
    let mut waits = Vec::new();
    for number in 1..=8 {
        let room = BackRoom::of(&shop, &document, number.into());
        let desk = room.desk();
        let now = desk.clock.now();
        let until = now + SignedDuration::from_secs(60);
        let entry = desk.bookings.gates().enter(desk.id, "another", until, Some(1), now).await.unwrap();
        assert!(matches!(entry, Entry::In { .. }), "{entry:?}");
        let booking = advance(&desk, &booked(&shop, number).await).await;
        waits.push(booking.due_at.unwrap().duration_since(now).as_secs_f64());
    }
    assert!(waits.iter().all(|wait| (2.0..10.0).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < 5.0) && waits.iter().any(|wait| *wait > 7.0), "spread: {waits:?}");
    assert_eq!(calls(&shop, Endpoint::Capture), 0);
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_of_whatever_bookings_leave_popin_alone_for_a_moment() {
    for seed in 1..=8 {
        let shop = Shop::open().await;
        let room = BackRoom::of(&shop, &sellers(|_| {}), seed);
        let desk = room.desk();
        shop.world.sim.add_fault(FaultOrder { times: 3, ..FaultOrder::new(Target::Capture, Fault::Unavailable) });
        for number in 1..=3 {
            advance(&desk, &booked(&shop, number).await).await;
        }
        let fourth = advance(&desk, &booked(&shop, 4).await).await;
        assert_eq!(calls(&shop, Endpoint::Capture), 3, "the fourth did not ask");
        let now = desk.clock.now();
        let entry = desk.bookings.gates().enter(desk.id, "another", now, None, now).await.unwrap();
        let Entry::Closed { until } = entry else { panic!("{entry:?}") };
        assert!((1.6..2.4).contains(&until.duration_since(now).as_secs_f64()), "{until} after {now}");
        let wait = fourth.due_at.unwrap().duration_since(until).as_secs_f64();
        assert!((0.0..30.0).contains(&wait), "{wait} s after the door opens");
        let entry = desk.bookings.gates().enter(desk.id, "another", until, None, until).await.unwrap();
        assert_eq!(entry, Entry::In { failures: 3 });
    }
}

#[tokio::test(start_paused = true)]
async fn what_popin_said_is_written_down_in_four_tries_and_what_can_be_asked_again_in_one() {
    // The SDK sends each write four times.
    for (begins, lost, state, sent) in [
        ("scheduled", 12, Some("scheduled"), 13),
        ("scheduled", 16, None, 16),
        ("slot_held", 3, Some("scheduled"), 4),
        ("slot_held", 4, None, 4),
    ] {
        let shop = Shop::open().await;
        let room = BackRoom::of(&shop, &sellers(|_| {}), 1);
        let desk = room.desk();
        let id = booked(&shop, 1).await;
        let written = Arc::new(AtomicUsize::new(0));
        let count = written.clone();
        shop.world.db.set_fault(Some(Arc::new(move |operation, request| {
            let state = format!(r#""state":{{"S":"{begins}"}}"#);
            let ours = ["PutItem", "TransactWriteItems"].contains(&operation) && request.to_string().contains(&state);
            if ours && count.fetch_add(1, Ordering::Relaxed) < lost { DbFault::Unreachable } else { DbFault::None }
        })));
        let advanced = try_advance(&desk, &id, PATIENT).await;
        assert_eq!(advanced.ok().as_ref().map(|booking| booking.state.as_str()), state, "{begins}: {lost}");
        assert_eq!(written.load(Ordering::Relaxed), sent, "{begins}: {lost}");
    }
}

/// Another worker, once the first one's lease is over: it goes on from what it finds.
async fn takes_over(bookings: Bookings, id: BookingId, now: Timestamp, outcomes: Vec<Outcome>) {
    let seller = SellerId::parse("acme").unwrap();
    let lease = Lease { owner: "second".to_owned(), until: now + SignedDuration::from_secs(60) };
    let taken = bookings.take_lease(&seller, &id, &lease, now).await.unwrap();
    let Taken::Won(mut booking) = taken else { panic!("the first one's lease is over") };
    for outcome in outcomes {
        let mut next = booking.after(outcome, now).unwrap();
        next.version += 1;
        assert_eq!(bookings.save(&booking, &next, "second", now).await.unwrap(), Saved::Done);
        *booking = next;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_overtaken_in_its_call_adds_only_what_popin_said_of_that_very_call() {
    let doubt = Outcome::Unanswered { until: "2026-11-24T00:00:00Z".parse().unwrap() };
    let asked_again = vec![doubt.clone(), Outcome::WindowOver(OnSilence::Retry), Outcome::Asking];
    let rows = [
        // Who the customer is the second one finds out for itself.
        ("/external/capture", Some(vec![]), "requested", Some("second")),
        // Nobody took over: only the sweep had put it off.
        ("/external/capture", None, "scheduled", None),
        ("/external/schedule", Some(vec![doubt]), "scheduled", None),
        // It is no longer the first call's booking to settle.
        ("/external/schedule", Some(asked_again), "scheduling", Some("second")),
    ];
    for (number, (path, outcomes, state, owner)) in (1..).zip(rows) {
        let shop = Shop::open().await;
        let (id, bookings) = (booked(&shop, number).await, shop.bookings_table());
        let over = shop.clock.now() + SignedDuration::from_secs(61);
        let (clock, booking) = (shop.clock.clone(), id.clone());
        let event = async move {
            clock.advance(over.duration_since(clock.now()));
            if let Some(outcomes) = outcomes {
                takes_over(bookings, booking, over, outcomes).await;
            } else {
                let (seller, until) = (SellerId::parse("acme").unwrap(), over + SignedDuration::from_secs(5));
                bookings.reschedule(&keys::booking(&seller, &booking), over, until).await.unwrap();
            }
        };
        let room = BackRoom::over(&shop, &sellers(|_| {}), 1, Meanwhile::at(path, &shop, Box::pin(event)));
        let desk = room.desk();
        let left = advance(&desk, &id).await;
        let kept = desk.bookings.get(desk.id, &id).await.unwrap().unwrap();
        assert_eq!(left, kept, "row {number}");
        assert_eq!(
            (kept.state.as_str(), kept.lease.map(|lease| lease.owner).as_deref()),
            (state, owner),
            "row {number}"
        );
    }
}
