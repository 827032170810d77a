//! One booking: the saga's state, its clocks, and what to do next.

use super::{
    ids::{BookingId, SellerId},
    lead::{CallRequest, Lead},
    origin::Origin,
    seller::BookingRules,
    state::{ConfirmedBy, HumanReason, IllegalStep, Outcome, State, Told},
};
use jiff::{SignedDuration, Timestamp};

/// As it is in the history.
const SCHEDULING: &str = "scheduling";

/// How long a booking at rest is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How long after a pause a booking that has failed for too long may still be tried: others come before it, and the slots
/// have to be fetched.
const LAST_TRY: SignedDuration = SignedDuration::from_mins(15);

/// Who works on a booking, and until when nobody else may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Unique for every run of a worker.
    pub owner: String,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Booking {
    pub id: BookingId,
    pub seller: SellerId,
    pub lead: Lead,
    pub call: CallRequest,
    /// The route that asked for it: `bookings`, or a CRM's connector.
    pub connector: String,
    /// Where in the CRM it came from.
    pub origin: Option<Origin>,
    /// A keyed hash of the number: how Popin's webhook finds the booking.
    pub person: String,
    /// The same of the e-mail, for whoever asks to be forgotten. Only known when the booking is made.
    pub email_person: Option<String>,
    pub created_at: Timestamp,
    pub state: State,
    /// Rises with every write; a write against another version is refused.
    pub version: u64,
    pub lease: Option<Lease>,
    /// When the sweep must look at it; `None` once it is at rest.
    pub due_at: Option<Timestamp>,
    /// Schedule calls that may have had an effect.
    pub attempts: u32,
    /// Schedule calls ever begun: names each of them, and is never taken back.
    pub asks: u64,
    /// Failures in a row in which nothing was done, and since when.
    pub failures: u32,
    pub failing_since: Option<Timestamp>,
    /// Until when Popin asked for a pause, or the circuit breaker makes one, since the last try.
    pub paused_until: Option<Timestamp>,
    /// Slots that Popin refused to this booking.
    pub refused_slots: Vec<Timestamp>,
    /// When Popin's webhook told of the call.
    pub witnessed_at: Option<Timestamp>,
    /// What each side said of the call, in the order in which it was heard.
    pub said: Vec<Said>,
    pub history: Vec<(Timestamp, String)>,
}

/// One side's word about the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub at: Timestamp,
    pub by: ConfirmedBy,
    pub told: Told,
}

/// No more words are kept: webhooks may come any number of times.
const MOST_SAID: usize = 8;

/// What a worker does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Capture,
    Pick,
    Ask,
    /// A call was under way when the last worker died: its outcome is unknown.
    Doubt,
    /// Nothing before this instant.
    Wait(Timestamp),
    EndWindow,
    /// The held slot has passed while we waited.
    LetGo,
    GiveUp(HumanReason),
    Rest,
}

impl Booking {
    pub fn next_step(&self, rules: &BookingRules, now: Timestamp) -> Step {
        let gives_up = self.gives_up_at(rules).is_some_and(|at| at <= now);
        match &self.state {
            State::Requested | State::Captured { .. } | State::SlotHeld { .. } if gives_up => {
                Step::GiveUp(HumanReason::PopinUnavailable)
            }
            State::Captured { .. } | State::SlotHeld { .. } if self.attempts >= rules.max_attempts => {
                Step::GiveUp(HumanReason::MaxAttempts)
            }
            State::Requested => Step::Capture,
            State::Captured { .. } => Step::Pick,
            State::SlotHeld { held, .. } if held.slot.start <= now => Step::LetGo,
            State::SlotHeld { .. } => Step::Ask,
            State::Scheduling { .. } => Step::Doubt,
            State::InDoubt { until, .. } if *until <= now => Step::EndWindow,
            State::InDoubt { until, .. } => Step::Wait(*until),
            State::Scheduled { .. } | State::NoSlot { .. } | State::Refused { .. } | State::NeedsHuman { .. } => {
                Step::Rest
            }
        }
    }

    /// Whether its time is over: the table's own clean-up may come days later.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        let last = self.history.last().map_or(self.created_at, |(at, _)| *at);
        self.state.at_rest() && last + KEPT <= now
    }

    /// The booking after `outcome`. Counters and history follow the state; lease and due time are the worker's business.
    pub fn after(&self, outcome: Outcome, now: Timestamp) -> Result<Self, IllegalStep> {
        let mut next = self.clone();
        match &outcome {
            Outcome::Asking => {
                next.attempts += 1;
                next.asks += 1;
            }
            Outcome::NotDone => next.attempts = next.attempts.saturating_sub(1),
            Outcome::SlotRefused => next.refused_slots.extend(self.state.held().map(|held| held.slot.start)),
            Outcome::Witnessed => next.witnessed_at = next.witnessed_at.or(Some(now)),
            Outcome::Resolved(_) => next.attempts = 0,
            Outcome::CapturedAs(_)
            | Outcome::LeadRefused(_)
            | Outcome::SlotPicked(_)
            | Outcome::NothingFree
            | Outcome::SlotGone(_)
            | Outcome::SlotPassed
            | Outcome::Confirmed
            | Outcome::Disagreed(_)
            | Outcome::Contradicted(_)
            | Outcome::Unanswered { .. }
            | Outcome::WindowOver(_)
            | Outcome::GaveUp(_) => {}
        }
        // Only an answer of Popin's ends a row of failures: a slot that passed meanwhile does not.
        if !matches!(outcome, Outcome::NotDone | Outcome::Asking | Outcome::SlotPicked(_) | Outcome::SlotPassed) {
            next.failures = 0;
            next.failing_since = None;
            next.paused_until = None;
        }
        next.hear(&outcome, now);
        next.state = self.state.clone().after(outcome)?;
        next.note(now);
        Ok(next)
    }

    /// Whether Popin may know of the slot that the booking stands on: only then can a webhook be about it.
    pub fn has_asked_for_held(&self) -> bool {
        let since_picked = self.history.iter().rev().take_while(|(_, state)| state != "captured");
        self.state.held().is_some() && since_picked.into_iter().any(|(_, state)| state == SCHEDULING)
    }

    /// When the last schedule call was about to leave.
    pub fn asked_at(&self) -> Option<Timestamp> {
        self.history.iter().rev().find(|(_, state)| state == SCHEDULING).map(|(at, _)| *at)
    }

    /// Both facts are kept when the two sides disagree.
    fn hear(&mut self, outcome: &Outcome, now: Timestamp) {
        let as_asked = || Told { time: self.state.held().map(|held| held.slot.vendor_time.clone()), same_phone: true };
        let (by, told) = match outcome {
            Outcome::Confirmed => (ConfirmedBy::Reply, as_asked()),
            Outcome::Disagreed(told) => (ConfirmedBy::Reply, told.clone()),
            Outcome::Witnessed => (ConfirmedBy::Webhook, as_asked()),
            Outcome::Contradicted(told) => (ConfirmedBy::Webhook, told.clone()),
            Outcome::CapturedAs(_)
            | Outcome::LeadRefused(_)
            | Outcome::SlotPicked(_)
            | Outcome::NothingFree
            | Outcome::SlotGone(_)
            | Outcome::Asking
            | Outcome::SlotRefused
            | Outcome::SlotPassed
            | Outcome::NotDone
            | Outcome::Unanswered { .. }
            | Outcome::WindowOver(_)
            | Outcome::GaveUp(_)
            | Outcome::Resolved(_) => return,
        };
        let known = self.said.iter().any(|said| said.by == by && said.told == told);
        if !known && self.said.len() < MOST_SAID {
            self.said.push(Said { at: now, by, told });
        }
    }

    /// One more failure in which nothing was done. `asked` is the pause that Popin asked for.
    pub fn failed(&mut self, asked: Option<SignedDuration>, rules: &BookingRules, now: Timestamp) {
        let since = self.failed_without_call(now);
        // One that failed for too long had its last try just now.
        self.paused_until = asked.filter(|_| now < since + rules.give_up).map(|pause| now + pause);
    }

    /// The same before Popin was called, for want of slots: a pause that ended is still followed by a try.
    pub fn failed_without_call(&mut self, now: Timestamp) -> Timestamp {
        self.failures += 1;
        *self.failing_since.get_or_insert(now)
    }

    /// A pause of Popin's keeps it from being tried. Once it has failed for too long, pauses add `give_up` at most: else a
    /// Popin that pauses again and again would keep it for ever.
    pub fn paused(&mut self, until: Timestamp, rules: &BookingRules, now: Timestamp) {
        let over = *self.failing_since.get_or_insert(now) + rules.give_up;
        let until = if now < over { until } else { until.min(over + rules.give_up) };
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// When it ends without a call if it goes on to fail: not before it could be tried after a pause.
    pub fn gives_up_at(&self, rules: &BookingRules) -> Option<Timestamp> {
        let over = self.failing_since? + rules.give_up;
        Some(self.paused_until.map_or(over, |until| over.max(until + LAST_TRY)))
    }

    /// A line of history for every change of state.
    fn note(&mut self, now: Timestamp) {
        let state = self.state.as_str();
        if self.history.last().is_none_or(|(_, last)| last != state) {
            self.history.push((now, state.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests;
