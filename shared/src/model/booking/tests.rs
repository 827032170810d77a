//! What a booking counts, remembers and does next.

use super::*;
use crate::model::{
    diary::Slot,
    ids::CustomerId,
    lead::{IfTaken, When},
    phone::{Country, Phone},
    seller::OnSilence,
    sensitive::Sensitive,
    state::{Customer, Held, Resolution},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn customer() -> Customer {
    Customer { id: CustomerId::parse("MzE1").unwrap(), join_url: None }
}

/// A slot that begins at second 1,000.
fn held() -> Held {
    let slot = Slot { start: at(1000), vendor_time: "Thu, 01 Jan 1970 05:46 AM".into() };
    Held { slot, place: 0, shared: false, unsettled: 0 }
}

fn rules() -> BookingRules {
    BookingRules {
        in_doubt: seconds(60),
        lease: seconds(20),
        give_up: seconds(300),
        max_attempts: 3,
        join_window: seconds(600),
        max_at_once: 2,
        on_silence: OnSilence::AskHuman,
        if_taken: IfTaken::Next,
        group: None,
        agent: None,
        native: false,
        url: None,
    }
}

fn booking(state: State) -> Booking {
    let lead = Lead {
        external_id: None,
        name: Sensitive::new("Asha Example".to_owned()),
        mobile: Phone::parse("9000000001", Country::parse("IN").unwrap()).unwrap(),
        email: None,
        group: None,
        agent: None,
        pincode: None,
        campaign: Sensitive::new(serde_json::Map::new()),
    };
    let when = When::Between { from: None, to: None };
    Booking {
        id: BookingId::parse("018f2b6e-7c1a-7e3b-9d0a-000000000001").unwrap(),
        seller: SellerId::parse("acme").unwrap(),
        lead,
        call: CallRequest { when, if_taken: IfTaken::Next, native: false, url: None },
        connector: "bookings".into(),
        origin: None,
        person: "p".into(),
        email_person: None,
        created_at: at(0),
        version: 1,
        lease: None,
        due_at: None,
        attempts: 0,
        asks: 0,
        failures: 0,
        failing_since: None,
        paused_until: None,
        refused_slots: Vec::new(),
        witnessed_at: None,
        said: Vec::new(),
        history: vec![(at(0), state.as_str().to_owned())],
        state,
    }
}

fn slot_held() -> State {
    State::SlotHeld { customer: customer(), held: held() }
}

fn scheduling() -> State {
    State::Scheduling { customer: customer(), held: held() }
}

#[test]
fn every_ask_is_counted_and_one_that_did_nothing_is_no_attempt() {
    let mut booking = booking(slot_held());
    for ask in 1..=3 {
        booking = booking.after(Outcome::Asking, at(1)).unwrap();
        assert_eq!((booking.asks, booking.attempts), (ask, 1));
        booking = booking.after(Outcome::NotDone, at(2)).unwrap();
        assert_eq!((booking.asks, booking.attempts), (ask, 0));
    }
    let silent = booking.after(Outcome::Asking, at(3)).unwrap();
    let silent = silent.after(Outcome::Unanswered { until: at(60) }, at(4)).unwrap();
    let again = silent.after(Outcome::WindowOver(OnSilence::Retry), at(60)).unwrap();
    let again = again.after(Outcome::Asking, at(61)).unwrap();
    assert_eq!((again.asks, again.attempts), (5, 2));
    let asks_human = again.after(Outcome::Unanswered { until: at(120) }, at(62)).unwrap();
    let asks_human = asks_human.after(Outcome::WindowOver(OnSilence::AskHuman), at(120)).unwrap();
    let resolved = asks_human.after(Outcome::Resolved(Resolution::Retry), at(200)).unwrap();
    assert_eq!((resolved.asks, resolved.attempts), (5, 0), "a person's word begins anew");
}

#[test]
fn only_what_popin_answered_ends_a_row_of_failures() {
    let failing = |state| {
        let mut booking = booking(state);
        booking.failed(None, &rules(), at(5));
        booking.failed(None, &rules(), at(9));
        assert_eq!((booking.failures, booking.failing_since), (2, Some(at(5))));
        booking
    };
    let captured = || State::Captured { customer: customer() };
    for (state, outcome, goes_on) in [
        (captured(), Outcome::SlotPicked(held()), true),
        (slot_held(), Outcome::Asking, true),
        (slot_held(), Outcome::SlotPassed, true),
        (scheduling(), Outcome::NotDone, true),
        (State::Requested, Outcome::CapturedAs(customer()), false),
        (scheduling(), Outcome::SlotRefused, false),
        (scheduling(), Outcome::Confirmed, false),
        (scheduling(), Outcome::Unanswered { until: at(60) }, false),
        (captured(), Outcome::NothingFree, false),
    ] {
        let name = outcome.as_str();
        let after = failing(state).after(outcome, at(10)).unwrap();
        let expected = if goes_on { (2, Some(at(5))) } else { (0, None) };
        assert_eq!((after.failures, after.failing_since), expected, "{name}");
    }
}

#[test]
fn a_step_follows_from_the_state_and_the_time_to_the_second() {
    let of = |change: &dyn Fn(&mut Booking), state: State, now: i64| {
        let mut booking = booking(state);
        change(&mut booking);
        booking.next_step(&rules(), at(now))
    };
    let fresh = |_: &mut Booking| {};
    let failing = |booking: &mut Booking| booking.failing_since = Some(at(0));
    let tired = |booking: &mut Booking| booking.attempts = 3;
    let captured = || State::Captured { customer: customer() };
    let doubt = || State::InDoubt { customer: customer(), held: held(), until: at(60) };
    assert_eq!(of(&fresh, State::Requested, 0), Step::Capture);
    assert_eq!(of(&fresh, captured(), 0), Step::Pick);
    assert_eq!(of(&fresh, slot_held(), 999), Step::Ask);
    assert_eq!(of(&fresh, slot_held(), 1000), Step::LetGo);
    assert_eq!(of(&fresh, scheduling(), 0), Step::Doubt);
    assert_eq!(of(&fresh, doubt(), 59), Step::Wait(at(60)));
    assert_eq!(of(&fresh, doubt(), 60), Step::EndWindow);
    let unavailable = Step::GiveUp(HumanReason::PopinUnavailable);
    for state in [State::Requested, captured(), slot_held()] {
        assert_ne!(of(&failing, state.clone(), 299), unavailable, "{}", state.as_str());
        assert_eq!(of(&failing, state.clone(), 300), unavailable, "{}", state.as_str());
    }
    assert_eq!(of(&failing, scheduling(), 300), Step::Doubt, "a call that may have left is none to give up");
    let tried = Step::GiveUp(HumanReason::MaxAttempts);
    assert_eq!((of(&tired, captured(), 0), of(&tired, slot_held(), 0)), (tried.clone(), tried));
    assert_eq!((of(&tired, State::Requested, 0), of(&tired, doubt(), 0)), (Step::Capture, Step::Wait(at(60))));
    let less = |booking: &mut Booking| booking.attempts = 2;
    assert_eq!(of(&less, slot_held(), 0), Step::Ask);
}

#[test]
fn booking_is_tried_once_more_after_a_pause_before_it_is_given_up() {
    let unavailable = Step::GiveUp(HumanReason::PopinUnavailable);
    let gives_up = |booking: &Booking, now| booking.next_step(&rules(), at(now)) == unavailable;
    let asked = |pause: i64| Some(seconds(pause));
    let mut paused = booking(State::Requested);
    paused.failed(asked(1000), &rules(), at(5));
    assert!(!gives_up(&paused, 305) && !gives_up(&paused, 1005 + 899) && gives_up(&paused, 1005 + 900));
    // Without slots nobody calls Popin, so the try is still to come.
    paused.failed_without_call(at(1010));
    assert!(!gives_up(&paused, 1011));
    // The try: no pause that it meets is waited for.
    paused.failed(asked(1000), &rules(), at(1011));
    assert!(gives_up(&paused, 1011));
    // A try in time is followed by another one as usual.
    let mut early = booking(State::Requested);
    early.failed(asked(10), &rules(), at(5));
    assert!(!gives_up(&early, 304));
    early.failed(None, &rules(), at(20));
    assert!(gives_up(&early, 305));
    // Pauses of others that come one after the other end some time.
    let mut others = booking(State::Requested);
    for now in [5, 205, 405, 605, 805] {
        others.paused(at(now + 200), &rules(), at(now));
    }
    assert!(!gives_up(&others, 605 + 899) && gives_up(&others, 605 + 900));
}

#[test]
fn what_rests_is_kept_for_ninety_days_after_its_last_change() {
    assert_eq!(KEPT.as_secs(), 90 * 24 * 60 * 60);
    let last = at(500);
    let over = last + KEPT;
    let mut resting = booking(State::NoSlot { customer: customer() });
    resting.history.push((last, "no_slot".into()));
    assert!(!resting.has_lapsed(over - seconds(1)) && resting.has_lapsed(over));
    let mut waiting = booking(State::Requested);
    waiting.history.push((last, "requested".into()));
    assert!(!waiting.has_lapsed(over), "nothing that is still to be done lapses");
}

#[test]
fn a_webhook_can_be_about_a_slot_that_popin_was_asked_for_and_no_other() {
    let held = booking(State::Captured { customer: customer() }).after(Outcome::SlotPicked(held()), at(1)).unwrap();
    assert_eq!((held.has_asked_for_held(), held.asked_at()), (false, None));
    let asked = held.after(Outcome::Asking, at(2)).unwrap();
    let back = asked.after(Outcome::NotDone, at(3)).unwrap();
    assert_eq!((back.has_asked_for_held(), back.asked_at()), (true, Some(at(2))));
    // Another slot, which nobody has asked for.
    let gone = back.after(Outcome::SlotPassed, at(4)).unwrap();
    assert!(!gone.has_asked_for_held(), "it stands on none");
    let other = gone.after(Outcome::SlotPicked(held_other()), at(5)).unwrap();
    assert_eq!((other.has_asked_for_held(), other.asked_at()), (false, Some(at(2))));
    let asked = other.after(Outcome::Asking, at(6)).unwrap();
    assert_eq!((asked.has_asked_for_held(), asked.asked_at()), (true, Some(at(6))));
}

fn held_other() -> Held {
    Held { place: 1, ..held() }
}

#[test]
fn each_word_is_kept_once_and_no_more_than_eight() {
    let told = |n: usize| Told { time: Some(format!("{n}")), same_phone: true };
    let mut booking = booking(scheduling()).after(Outcome::Disagreed(told(0)), at(1)).unwrap();
    assert_eq!(booking.said, [Said { at: at(1), by: ConfirmedBy::Reply, told: told(0) }]);
    for n in 0..12 {
        for again in 0..2 {
            let outcome = Outcome::Contradicted(told(n));
            booking = booking.after(outcome, at(2 + i64::try_from(n).unwrap() + again)).unwrap();
        }
    }
    // The same words of another are other words.
    assert_eq!(
        (booking.said.len(), booking.said[1].by, booking.said[7].told.clone()),
        (8, ConfirmedBy::Webhook, told(6))
    );
}

#[test]
fn a_line_of_history_is_a_change_of_state() {
    let booking = booking(State::Requested).after(Outcome::CapturedAs(customer()), at(1)).unwrap();
    let booking = booking.after(Outcome::CapturedAs(customer()), at(2)).unwrap();
    let line = |second, state: &str| (at(second), state.to_owned());
    assert_eq!(booking.history, [line(0, "requested"), line(1, "captured")]);
}
