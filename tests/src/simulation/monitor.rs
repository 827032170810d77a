//! Watches every write and every call as it happens, and holds it against the promises.

use super::{
    Report, SimClock, Violation,
    door::{Answer, Ask},
    plan::Plan,
};
use crate::poison::SELLER;
use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use local::world::World;
use serde_json::Value;
use sim::{Endpoint, Sim};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(super) struct Monitor {
    plan: Plan,
    clock: Arc<SimClock>,
    books: Mutex<Books>,
}

/// All that is known.
#[derive(Default)]
pub(super) struct Books {
    pub bookings: BTreeMap<String, Seen>,
    /// Who holds which place of which slot, by the claim's key.
    pub claims: BTreeMap<String, String>,
    /// What was acknowledged: bookings by key, and the events of pages.
    pub promised: BTreeMap<String, String>,
    pub events: BTreeSet<String>,
    /// Rows that were found unreadable, and taken out of their queues.
    finished: BTreeSet<String>,
    /// What Popin did, by the request that it was done for.
    pub effects: BTreeMap<usize, Vec<String>>,
    /// A person had a say in these.
    pub decided: BTreeSet<String>,
    pub(super) clock_was_set: bool,
    /// By so much in all.
    pub(super) set_back: SignedDuration,
    asked: Vec<Ask>,
    calls: usize,
    /// Transactions are sent again under their own token, and take place once.
    tokens: BTreeSet<String>,
    report: Report,
    trace: DefaultHasher,
    violation: Option<String>,
}

/// A booking as it was written last.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub state: String,
    pub version: u64,
    pub mobile: String,
    /// Of the request that made it.
    pub number: usize,
    pub created_at: Timestamp,
    pub held: Option<Value>,
    pub confirmed_by: Option<String>,
    pub history: Vec<String>,
    /// Who works on it, and until when by the clock of whoever wrote that, in milliseconds.
    lease: Option<(String, i64)>,
}

/// A booking at rest moves by Popin's own word or a person's, and by nothing else.
const FROM_REST: [(&str, &str); 5] = [
    ("scheduled", "needs_human"),
    ("needs_human", "scheduled"),
    ("needs_human", "refused"),
    ("needs_human", "captured"),
    ("needs_human", "requested"),
];

pub(super) fn at_rest(state: &str) -> bool {
    matches!(state, "scheduled" | "no_slot" | "refused" | "needs_human")
}

impl Monitor {
    pub(super) fn new(plan: &Plan, clock: Arc<SimClock>) -> Self {
        Self { plan: plan.clone(), clock, books: Mutex::default() }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(self: &Arc<Self>, world: &World) {
        let this = self.clone();
        world.db.set_watch(Some(Arc::new(move |operation: &str, body: &Value| this.written(operation, body))));
    }

    pub(super) fn report(&self, seed: u64) -> Result<Report, Violation> {
        let books = self.books();
        if let Some(what) = &books.violation {
            return Err(Violation { seed, what: what.clone() });
        }
        let effects = books.effects.values().map(Vec::len).sum();
        let trace = books.trace.finish();
        Ok(Report { seeds: 1, trace, bookings: books.bookings.len(), effects, ..books.report.clone() })
    }

    /// The first one counts.
    pub(super) fn violated(&self, what: impl Into<String>) {
        self.books().violated(what);
    }

    pub(super) fn is_violated(&self) -> bool {
        self.books().violation.is_some()
    }

    pub(super) fn fault(&self, kind: &'static str) {
        *self.books().report.faults.entry(kind).or_default() += 1;
    }

    pub(super) fn clock_was_set(&self, by: SignedDuration) {
        let mut books = self.books();
        books.clock_was_set = true;
        books.set_back += (-by).max(SignedDuration::ZERO);
    }

    pub(super) fn asks(&self, ask: &Ask) {
        let mut books = self.books();
        ask.number.hash(&mut books.trace);
        books.asked.push(ask.clone());
    }

    pub(super) fn asked(&self) -> Vec<Ask> {
        let mut asked = self.books().asked.clone();
        asked.sort_by_key(|ask| ask.number);
        asked
    }

    pub(super) fn has_promised(&self, key: &str) -> bool {
        self.books().promised.contains_key(key)
    }

    /// Numbers and slots of the bookings that stand on one and are not scheduled, as Popin's webhook would tell of them.
    pub(super) fn standing(&self) -> Vec<(String, (String, String))> {
        let books = self.books();
        let unsettled = books.bookings.values().filter(|seen| seen.state != "scheduled");
        let told = unsettled.filter_map(|seen| {
            let time = seen.held.as_ref()?["vendor_time"].as_str()?;
            let (date, clock) = time.strip_prefix("Mon, ")?.split_at_checked(11)?;
            Some((seen.mobile.clone(), (date.replace(' ', "-"), clock.trim().to_owned())))
        });
        told.collect()
    }

    /// One key, one booking, for ever; and what is said of it is so.
    pub(super) fn answered(&self, ask: &Ask, answer: &Answer) {
        let mut books = self.books();
        (ask.number, answer.status, self.clock.passed()).hash(&mut books.trace);
        let id = answer.body["id"].as_str().or_else(|| answer.body["booking_id"].as_str());
        let Some(id) = id else { return };
        let known = books.promised.entry(ask.key.clone()).or_insert_with(|| id.to_owned()).clone();
        if known != id {
            books.violated(format!("{} was answered with {known} and then with {id}", ask.key));
        }
        let Some(seen) = books.bookings.get(id).cloned() else {
            return books.violated(format!("{id} was acknowledged and is not stored"));
        };
        let said = answer.body["state"].as_str().unwrap_or_default();
        if said == "scheduled" && !seen.history.iter().any(|state| state == "scheduled") {
            books.violated(format!("{id} was said to be scheduled and is {}", seen.state));
        }
    }

    pub(super) fn took(&self, event: &str) {
        self.books().events.insert(event.to_owned());
    }

    pub(super) fn decides(&self, booking: &str) {
        self.books().decided.insert(booking.to_owned());
    }

    pub(super) fn needing_a_human(&self) -> Vec<String> {
        let books = self.books();
        books.bookings.iter().filter(|(_, seen)| seen.state == "needs_human").map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn all_at_rest(&self) -> bool {
        self.books().bookings.values().all(|seen| at_rest(&seen.state))
    }

    /// A call to Popin leaves.
    pub(super) fn leaves(&self, request: &Request<Bytes>) {
        if !request.uri().path().ends_with("/schedule") {
            return;
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let mut books = self.books();
        let Some((id, seen)) = books.made_for(number_of(&body["url"])) else {
            return books.violated("a schedule call left that no booking had meant to make");
        };
        // Frozen between the intent and the call, a worker's booking may have moved on: to whatever is for the unknown.
        let intended = seen.history.iter().any(|state| state == "scheduling");
        let meanwhile = matches!(seen.state.as_str(), "requested" | "captured" | "no_slot" | "refused");
        if !intended || meanwhile && !books.decided.contains(&id) {
            books.violated(format!("a schedule call left for {id}, which is {}", seen.state));
        }
    }

    /// What Popin did since the last look.
    pub(super) fn popin(&self, sim: &Sim) {
        let mut books = self.books();
        let calls = sim.calls();
        for call in calls.iter().skip(books.calls) {
            (call.status, call.took_effect, self.clock.passed()).hash(&mut books.trace);
            let Some(number) = number_of(&call.request["url"]) else { continue };
            if call.endpoint == Endpoint::Schedule && call.took_effect {
                let time = call.request["time"].as_str().unwrap_or_default().to_owned();
                books.effects.entry(number).or_default().push(time);
                self.count(&mut books, number);
            }
        }
        books.calls = calls.len();
    }

    /// At most one effect for a booking, unless a person decided or the seller prefers a second to a waiting lead.
    fn count(&self, books: &mut Books, number: usize) {
        let effects = books.effects.get(&number).map_or(0, Vec::len);
        let Some((id, seen)) = books.made_for(Some(number)) else {
            return books.violated("Popin did something for a request that made no booking");
        };
        let most = if self.plan.retries_silence {
            usize::try_from(self.plan.rules["max_attempts"].as_u64().unwrap_or(1)).unwrap_or(1)
        } else {
            1
        };
        if effects > most && !books.decided.contains(&id) {
            books.violated(format!("{effects} effects at Popin for {id}, which went {:?}", seen.history));
        }
    }

    /// A write that took place.
    fn written(&self, operation: &str, body: &Value) {
        let mut books = self.books();
        // What was sent again with its token took place once.
        if body["ClientRequestToken"].as_str().is_some_and(|token| !books.tokens.insert(token.to_owned())) {
            return;
        }
        (operation, self.clock.passed()).hash(&mut books.trace);
        let mut bookings = Vec::new();
        let parts: Vec<(&str, &Value)> = match operation {
            "TransactWriteItems" => body["TransactItems"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|part| part.as_object()?.iter().next().map(|(kind, part)| (kind.as_str(), part)))
                .collect(),
            "PutItem" => vec![("Put", body)],
            "UpdateItem" => vec![("Update", body)],
            "DeleteItem" => vec![("Delete", body)],
            _ => Vec::new(),
        };
        for (kind, part) in parts {
            let key = if kind == "Put" { &part["Item"] } else { &part["Key"] };
            let (pk, sk) = (text(&key["pk"]), text(&key["sk"]));
            match (kind, sk) {
                (_, sk) if pk.starts_with(SELLER) => {
                    let expression = part["UpdateExpression"].as_str().unwrap_or_default();
                    let row = format!("{pk} {sk}");
                    if books.finished.contains(&row) {
                        books.violated(format!("{row} was finished, and is written again"));
                    } else if expression.contains("unreadable_at") {
                        books.finished.insert(row);
                    }
                }
                ("Put", "booking") => bookings.extend(books.booking(pk, &part["Item"])),
                ("Update", "booking") => books.leased(id_of(pk), &part["ExpressionAttributeValues"]),
                ("Put", claim) if claim.starts_with("claim#") => {
                    let owner = text(&part["Item"]["booking"]).to_owned();
                    if let Some(other) =
                        books.claims.insert(claim.to_owned(), owner.clone()).filter(|other| *other != owner)
                    {
                        books.violated(format!("{owner} took a place in a slot that {other} has"));
                    }
                }
                ("Delete", claim) if claim.starts_with("claim#") => drop(books.claims.remove(claim)),
                _ => {}
            }
        }
        for id in bookings {
            books.check(&id, self.plan.capacity);
        }
    }
}

impl Books {
    fn violated(&mut self, what: impl Into<String>) {
        self.violation.get_or_insert(what.into());
    }

    pub(super) fn made_for(&self, number: Option<usize>) -> Option<(String, Seen)> {
        let number = number?;
        self.bookings.iter().find(|(_, seen)| seen.number == number).map(|(id, seen)| (id.clone(), seen.clone()))
    }

    /// Nobody has the lease of another who lives.
    fn leased(&mut self, id: &str, values: &Value) {
        // What is only rescheduled has its holder and its version still.
        let Some(seen) = self.bookings.get_mut(id).filter(|_| !values[":me"].is_null()) else { return };
        seen.version += 1;
        let lease = Some((text(&values[":me"]).to_owned(), number(&values[":until"])));
        let before = mem::replace(&mut seen.lease, lease.clone());
        let others = before.is_some_and(|(owner, until)| {
            until > number(&values[":now"]) && lease.is_some_and(|(taker, _)| taker != owner)
        });
        if others {
            self.violated(format!("{id}'s lease was taken from another, who has it"));
        }
    }

    /// A booking was written; its id.
    fn booking(&mut self, pk: &str, item: &Value) -> Option<String> {
        let id = id_of(pk).to_owned();
        let document: Value = serde_json::from_str(text(&item["doc"])).ok()?;
        let state = text(&item["state"]).to_owned();
        let version = item["version"]["N"].as_str().and_then(|n| n.parse().ok()).unwrap_or(0);
        let before = self.bookings.get(&id).cloned();
        if let Some(before) = &before {
            if version != before.version + 1 {
                self.violated(format!("{id} was written over: version {version} after {}", before.version));
            }
            let moved = (before.state.as_str(), state.as_str());
            if at_rest(&before.state) && moved.0 != moved.1 && !FROM_REST.contains(&moved) {
                self.violated(format!("{id} was at rest and went from {} to {state}", before.state));
            }
        }
        if at_rest(&state) == item.get("due").is_some() {
            self.violated(format!("{id} is {state} and its due time does not fit"));
        }
        if state == "in_doubt" && document.get("in_doubt_until").is_none() {
            self.violated(format!("{id} is in doubt for ever"));
        }
        if before.as_ref().is_none_or(|before| before.state != state) {
            *self.report.states.entry(state.clone()).or_default() += 1;
            state.hash(&mut self.trace);
        }
        let history = document["history"].as_array().into_iter().flatten();
        let seen = Seen {
            state,
            version,
            mobile: document["lead"]["mobile"].as_str().unwrap_or_default().to_owned(),
            number: number_of(&document["call"]["url"]).unwrap_or(usize::MAX),
            created_at: text(&item["created_at"]).parse().unwrap_or(Timestamp::UNIX_EPOCH),
            held: document.get("held").filter(|held| held.is_object()).cloned(),
            confirmed_by: document["confirmed_by"].as_str().map(str::to_owned),
            history: history.filter_map(|line| line[1].as_str().map(str::to_owned)).collect(),
            lease: item["lease_owner"]["S"].as_str().map(|owner| (owner.to_owned(), number(&item["lease_until"]))),
        };
        self.bookings.insert(id.clone(), seen);
        Some(id)
    }

    /// A state that stands on a slot has its claim, and one that does not has none; no slot has more than its capacity.
    fn check(&mut self, id: &str, capacity: u32) {
        let seen = self.bookings[id].clone();
        let claims = self.claims.values().filter(|owner| *owner == id).count();
        if claims != usize::from(seen.held.is_some()) {
            self.violated(format!("{id} is {} and has {claims} claims", seen.state));
        }
        let Some(held) = &seen.held else { return };
        let same = |other: &&Seen| other.held.as_ref().is_some_and(|other| other["start"] == held["start"]);
        let on_it = self.bookings.values().filter(same).count();
        if on_it > capacity as usize || held["place"].as_u64().unwrap_or(u64::MAX) >= u64::from(capacity) {
            self.violated(format!("{on_it} bookings on a slot for {capacity}"));
        }
    }
}

fn text(attribute: &Value) -> &str {
    attribute["S"].as_str().unwrap_or_default()
}

fn number(attribute: &Value) -> i64 {
    attribute["N"].as_str().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn id_of(pk: &str) -> &str {
    pk.split_once('#').map_or(pk, |(_, id)| id)
}

/// The request that an URL was made for.
fn number_of(url: &Value) -> Option<usize> {
    url.as_str()?.rsplit_once("?r=")?.1.parse().ok()
}
