//! What must hold when all is at rest, wherever anybody was killed.

use super::stage::Stage;
use crate::simulation::door::{Ask, Way};
use frontdesk::flow::Clock;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Ticks until nothing may be left to do.
const ROUNDS: usize = 90;
/// So many milliseconds the dead stay inside the gate.
const LEASE: i64 = 30_000;
/// Who asks last, to see that nothing is in their way.
const PROBE: usize = 99;

/// A booking at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) id: String,
    /// The request that it was made for.
    pub(super) number: usize,
    pub(super) state: String,
    pub(super) history: Vec<String>,
    held: Option<(String, u64)>,
    by_human: bool,
}

/// Everybody has their answer, and all comes to rest.
pub(super) async fn recover(stage: &Stage) {
    stage.reaper.retire();
    let asked = stage.asked.borrow().clone();
    for ask in &asked {
        last_word(stage, ask).await;
    }
    come_to_rest(stage, "the scenario").await;
    // Once at rest, it is the same for whoever repeats the request.
    for ask in &asked {
        stage.send(ask).await;
    }
}

/// One more person asks, whom nothing that was left behind must hold up.
pub(super) async fn serve_another(stage: &Stage) {
    stage.cut_off(false);
    stage.sim().clear_faults();
    // The diary is read anew.
    stage.passes(600).await;
    stage.tick("slot-cache").await;
    stage.ask(PROBE, Way::Api, json!({})).await;
    come_to_rest(stage, "who came after").await;
    let after = bookings(stage).iter().map(end).find(|end| end.number == PROBE);
    if after.as_ref().is_none_or(|end| end.state != "scheduled") {
        stage.violated(format!("who came after was not served: {after:?}"));
    }
}

/// As a caller who goes on asking until there is an answer with a booking in it.
async fn last_word(stage: &Stage, ask: &Ask) {
    for _ in 0..20 {
        let answer = stage.send(ask).await;
        let booked = !answer.body["id"].is_null() || !answer.body["booking_id"].is_null();
        let erased = answer.status == 410 && !stage.erased.borrow().is_empty();
        if booked || erased {
            return;
        }
        if answer.body["code"] != "still_running" {
            return stage.violated(format!("{} is not taken: {} {}", ask.key, answer.status, answer.body["code"]));
        }
        stage.passes(10).await;
    }
    stage.violated(format!("{} is never taken", ask.key));
}

async fn come_to_rest(stage: &Stage, who: &str) {
    for round in 0..ROUNDS {
        stage.webhooks().await;
        let waits = bookings(stage).iter().any(|item| item.get("due").is_some());
        if !waits && stage.sim().outbox_len() == 0 {
            return;
        }
        if round % 10 == 0 {
            stage.tick("slot-cache").await;
        }
        stage.tick("booking-worker").await;
        stage.passes(31).await;
    }
    stage.violated(format!("{who} never came to rest"));
}

fn bookings(stage: &Stage) -> Vec<Value> {
    let items = stage.door().world.items("bookings");
    items.into_iter().filter(|item| item["sk"] == "booking").collect()
}

/// The bookings as they ended, in the order of their requests; without who came after.
pub(super) fn ends(stage: &Stage) -> Vec<End> {
    let mut ends: Vec<_> = bookings(stage).iter().map(end).collect();
    ends.sort_by(|a, b| (a.number, &a.id).cmp(&(b.number, &b.id)));
    ends.retain(|end| end.number != PROBE);
    ends
}

fn end(item: &Value) -> End {
    let document: Value = item["doc"].as_str().and_then(|doc| serde_json::from_str(doc).ok()).unwrap_or_default();
    let held = &document["held"];
    let number = document["call"]["url"].as_str().and_then(|url| url.rsplit_once("?r=")?.1.parse().ok());
    let history = document["history"].as_array().into_iter().flatten();
    End {
        id: item["pk"].as_str().and_then(|pk| pk.split_once('#')).map(|(_, id)| id.to_owned()).unwrap_or_default(),
        number: number.unwrap_or(usize::MAX),
        state: item["state"].as_str().unwrap_or_default().to_owned(),
        history: history.filter_map(|line| line[1].as_str().map(str::to_owned)).collect(),
        held: held["vendor_time"].as_str().map(|time| (time.to_owned(), held["place"].as_u64().unwrap_or_default())),
        by_human: document["confirmed_by"] == "human",
    }
}

/// Holds the books against each other.
pub(super) fn pass(stage: &Stage, ends: &[End], most_effects: usize) {
    let now = stage.clock.now().as_millisecond();
    effects(stage, ends, most_effects);
    for item in bookings(stage) {
        for left in ["due", "due_at", "lease_owner", "lease_until"] {
            if item.get(left).is_some() {
                stage.violated(format!("{} is at rest and has a {left}", item["state"]));
            }
        }
    }
    let stored: BTreeSet<_> = ends.iter().map(|end| end.id.as_str()).collect();
    let promised = stage.promised.borrow();
    let erased = stage.erased.borrow();
    let known = promised.iter().filter(|(key, _)| **key != format!("key-{PROBE}") && !erased.contains(*key));
    let known: BTreeSet<_> = known.map(|(_, id)| id.as_str()).collect();
    if known != stored {
        stage.violated(format!("{} bookings were acknowledged and {} are stored", known.len(), stored.len()));
    }
    claims(stage);
    for gate in stage.door().world.items("bookings").iter().filter(|item| item["sk"] == "gate") {
        let inside = gate["inside"].as_object().into_iter().flatten();
        let late = inside.filter(|(_, until)| until.as_i64().unwrap_or(i64::MAX) > now + LEASE).count();
        if late > 0 {
            stage.violated(format!("{late} are left inside the gate"));
        }
    }
    if !stage.door().world.streams.dead_letters().is_empty() {
        stage.violated("a record was given up");
    }
}

/// What a booking says of Popin is what Popin says, and at most so much was done for it.
fn effects(stage: &Stage, ends: &[End], most: usize) {
    let mut done: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for call in stage.effects() {
        let number = call.request["url"].as_str().and_then(|url| url.rsplit_once("?r=")?.1.parse().ok());
        let time = call.request["time"].as_str().unwrap_or_default().to_owned();
        done.entry(number.unwrap_or(usize::MAX)).or_default().push(time);
    }
    for (number, times) in &done {
        if times.len() > most.max(1) {
            stage.violated(format!("{} effects at Popin for request {number}", times.len()));
        }
        if *number != PROBE && !ends.iter().any(|end| end.number == *number) && stage.erased.borrow().is_empty() {
            stage.violated(format!("an effect at Popin for request {number}, which has no booking"));
        }
    }
    for end in ends {
        let times = done.get(&end.number).map_or(&[][..], Vec::as_slice);
        let held = end.held.as_ref().map(|(time, _)| time);
        let fits = match end.state.as_str() {
            "scheduled" => end.by_human || times.iter().any(|time| Some(time) == held),
            "refused" | "no_slot" => times.is_empty(),
            "needs_human" => held.is_some() || times.is_empty(),
            _ => false,
        };
        if end.state == "needs_human" && !times.is_empty() && stage.sim().webhooks().on {
            stage.violated(format!("Popin told of {times:?}, and nobody heard; it went {:?}", end.history));
        }
        if end.state != "scheduled" && stage.said.borrow().contains(&end.id) {
            stage.violated(format!("was said to be scheduled and is {}", end.state));
        }
        if !fits {
            stage.violated(format!("{} on {held:?}, and Popin has {times:?}; it went {:?}", end.state, end.history));
        }
    }
}

/// The claims are those of the bookings that stand on slots, each its own.
fn claims(stage: &Stage) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let slots = stage.door().world.items("slots");
    let of = |prefix: &str| -> Vec<String> {
        let claims = slots.iter().filter(|item| text(&item["sk"]).starts_with(prefix));
        let mut owners: Vec<_> = claims.map(|item| text(&item["booking"])).collect();
        owners.sort();
        owners
    };
    let mut standing: Vec<_> =
        bookings(stage).iter().map(end).filter(|end| end.held.is_some()).map(|end| end.id).collect();
    standing.sort();
    if of("claim#") != standing {
        stage.violated(format!("{} claims for {} bookings on slots", of("claim#").len(), standing.len()));
    }
    let guests = of("guest#");
    if !guests.is_empty() && guests != standing {
        stage.violated(format!("{} guests for {} bookings on slots", guests.len(), standing.len()));
    }
}
