//! When all is at rest, the books must balance.

use super::{
    actors::Stage,
    monitor::{Books, Seen},
    plan::{Plan, Trouble},
};
use frontdesk::flow::Clock;
use jiff::SignedDuration;
use serde_json::Value;

const WINDOW: SignedDuration = SignedDuration::from_mins(10);
const LEASE: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn pass(stage: &Stage<'_>) {
    for check in [stored, effects, claims, one_booking_a_person, gate, told] {
        if let Err(what) = check(stage) {
            return stage.monitor.violated(what);
        }
    }
}

/// What was acknowledged is there, once.
fn stored(stage: &Stage<'_>) -> Result<(), String> {
    let (bookings, events) = (stage.door.world.items("bookings"), stage.door.world.items("events"));
    let books = stage.monitor.books();
    for (key, id) in &books.promised {
        let there =
            bookings.iter().filter(|item| item["pk"] == format!("acme#{id}") && item["sk"] == "booking").count();
        if there != 1 {
            return Err(format!("{key} was acknowledged and is stored {there} times"));
        }
    }
    for event in &books.events {
        let there = events.iter().filter(|item| item["sk"] == format!("page-{event}")).count();
        if there != 1 {
            return Err(format!("the event {event} was acknowledged and is stored {there} times"));
        }
    }
    Ok(())
}

/// What a booking says of Popin is what Popin says.
fn effects(stage: &Stage<'_>) -> Result<(), String> {
    let books = stage.monitor.books();
    for (id, seen) in &books.bookings {
        let none = Vec::new();
        let effects = books.effects.get(&seen.number).unwrap_or(&none);
        let held = seen.held.as_ref().and_then(|held| held["vendor_time"].as_str());
        let fits = match seen.state.as_str() {
            "scheduled" if seen.confirmed_by.as_deref() == Some("human") => true,
            "scheduled" => {
                effects.iter().any(|time| Some(time.as_str()) == held) || was_lied_to(stage.plan, &books, seen)
            }
            "refused" | "no_slot" => effects.is_empty(),
            "needs_human" => held.is_some() || effects.is_empty(),
            _ => false,
        };
        if !fits && !books.decided.contains(id) {
            return Err(format!(
                "{id} ended {} on {held:?}, and Popin has {effects:?}; it went {:?}",
                seen.state, seen.history
            ));
        }
    }
    Ok(())
}

/// What Popin's webhook says wrongly of one booking's slot may be what another of the same person waits to hear: no witness
/// can tell these apart.
fn was_lied_to(plan: &Plan, books: &Books, seen: &Seen) -> bool {
    let mut others = books.bookings.values().filter(|other| other.number != seen.number && other.mobile == seen.mobile);
    plan.has(Trouble::WrongSlots)
        && seen.confirmed_by.as_deref() == Some("webhook")
        && others.any(|other| books.effects.contains_key(&other.number))
}

/// The claims in the table are those of the bookings that stand on slots.
fn claims(stage: &Stage<'_>) -> Result<(), String> {
    let slots = stage.door.world.items("slots");
    let is_claim = |item: &&Value| item["sk"].as_str().is_some_and(|sk| sk.starts_with("claim#"));
    let claims = slots.iter().filter(is_claim).count();
    let standing = stage.monitor.books().bookings.values().filter(|seen| seen.held.is_some()).count();
    if claims == standing { Ok(()) } else { Err(format!("{claims} claims for {standing} bookings on slots")) }
}

/// No person has two bookings within the window, unless the first came to nothing. A clock that was set says nothing.
fn one_booking_a_person(stage: &Stage<'_>) -> Result<(), String> {
    let books = stage.monitor.books();
    let mut all: Vec<&Seen> = books.bookings.values().collect();
    all.sort_by_key(|seen| (&seen.mobile, seen.created_at));
    for pair in all.windows(2) {
        let same = pair[0].mobile == pair[1].mobile && pair[1].created_at.duration_since(pair[0].created_at) < WINDOW;
        let ended = pair[0].history.iter().any(|state| state == "refused" || state == "no_slot");
        if same && !ended && !books.clock_was_set && stage.plan.joins {
            return Err(format!(
                "one person has two bookings within the window: {:?}",
                pair.iter().map(|seen| &seen.history).collect::<Vec<_>>()
            ));
        }
    }
    Ok(())
}

/// Nobody is left inside the gate but the dead, who are let out by time: a lease, and by how much the clock was set back.
fn gate(stage: &Stage<'_>) -> Result<(), String> {
    let out = (stage.clock.now() + LEASE + stage.monitor.books().set_back).as_millisecond();
    for gate in stage.door.world.items("bookings").iter().filter(|item| item["sk"] == "gate") {
        let inside = gate["inside"].as_object().into_iter().flatten();
        let late = inside.filter(|(_, until)| until.as_i64().unwrap_or(i64::MAX) > out).count();
        if late > 0 {
            return Err(format!("{late} are left inside the gate for longer than a lease"));
        }
    }
    Ok(())
}

/// Every booking's last end was the last that was told of it, if the shop wants to be told.
fn told(stage: &Stage<'_>) -> Result<(), String> {
    if !stage.plan.tells {
        return Ok(());
    }
    let messages = stage.door.world.sim.crms().messages();
    for (id, seen) in &stage.monitor.books().bookings {
        let last = messages.iter().rev().find(|message| message.body["data"]["booking_id"] == id.as_str());
        let told = last.map(|message| message.body["data"]["state"].as_str().unwrap_or_default().to_owned());
        if told.as_deref() != Some(seen.state.as_str()) {
            return Err(format!(
                "{id} ended {} and the shop was told of {told:?}; it went {:?}",
                seen.state, seen.history
            ));
        }
    }
    Ok(())
}
