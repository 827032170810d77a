//! How a worker writes down what happened: nobody's word is lost, and nobody's is written over.

use super::{Done, Wait, Worker};
use crate::{
    model::{
        booking::{Booking, Lease, Step},
        state::{Outcome, State},
    },
    store::{self, bookings::Saved},
};
use jiff::Timestamp;

/// A store that failed is tried this often again when Popin's definite answer is at stake.
const FACT_TRIES: u32 = 3;

impl Worker<'_> {
    /// No wait is longer than the booking's patience, nor than its slot: at either, something is to be decided.
    pub(super) fn due(&self, booking: &Booking, due: Timestamp, now: Timestamp) -> Timestamp {
        let gives_up = booking.gives_up_at(&self.desk.seller.booking);
        let begins = match &booking.state {
            State::SlotHeld { held, .. } => Some(held.slot.start),
            State::Requested
            | State::Captured { .. }
            | State::Scheduling { .. }
            | State::InDoubt { .. }
            | State::Scheduled { .. }
            | State::NoSlot { .. }
            | State::Refused { .. }
            | State::NeedsHuman { .. } => None,
        };
        [gives_up, begins].into_iter().flatten().fold(due, Timestamp::min).max(now)
    }

    /// Gives the lease back; the sweep looks again at `until`.
    pub(super) async fn pause(&self, booking: Booking, until: Timestamp) -> Result<Booking, store::Error> {
        let mut next = booking.clone();
        next.lease = None;
        next.due_at = Some(until);
        next.version += 1;
        match self.desk.bookings.save(&booking, &next, self.owner, self.desk.clock.now()).await? {
            Saved::Done => Ok(next),
            // Somebody knows more than we do: what they wrote stands.
            Saved::Conflict | Saved::ClaimTaken => {
                Ok(self.desk.bookings.get(self.desk.id, &booking.id).await?.unwrap_or(next))
            }
        }
    }

    pub(super) async fn commit(&mut self, booking: Booking, outcome: Outcome) -> Result<Done, store::Error> {
        self.save(booking, outcome, None).await?.done()
    }

    /// Writes what happened. Where somebody wrote meanwhile, what happened is told to the booking as it is now.
    pub(super) async fn save(
        &mut self,
        mut booking: Booking,
        outcome: Outcome,
        wait: Option<Wait>,
    ) -> Result<Wrote, store::Error> {
        let asked = booking.clone();
        let mut tries = 0;
        loop {
            let now = self.desk.clock.now();
            let Ok(mut next) = booking.after(outcome.clone(), now) else {
                tracing::warn!(booking.id = %booking.id, booking.state = booking.state.as_str(), outcome = outcome.as_str(), "booking.outcome_dropped");
                return Ok(Wrote::Done(Done::Paused(booking)));
            };
            next.version += 1;
            self.hand_over(&mut next, wait, now);
            let saved = match self.desk.bookings.save(&booking, &next, self.owner, now).await {
                Err(error) if is_fact(&outcome) && tries < FACT_TRIES => {
                    tries += 1;
                    tracing::warn!(booking.id = %booking.id, error = %error, "booking.save_again");
                    continue;
                }
                saved => saved?,
            };
            match saved {
                Saved::Done => {
                    tracing::info!(booking.id = %next.id, seller = %next.seller, booking.state = next.state.as_str(), outcome = outcome.as_str(), "booking.step");
                    if next.state.as_str() != booking.state.as_str() {
                        self.brought_to = Some(next.state.as_str());
                    }
                    let goes_on = next.lease.is_some();
                    return Ok(Wrote::Done(if goes_on { Done::On(next) } else { Done::Paused(next) }));
                }
                Saved::ClaimTaken => return Ok(Wrote::Claimed),
                Saved::Conflict => {
                    let Some(fresh) = self.desk.bookings.get(self.desk.id, &booking.id).await? else {
                        return Ok(Wrote::Done(Done::Paused(booking)));
                    };
                    let leads = fresh.lease.as_ref().is_some_and(|lease| lease.owner == self.owner);
                    let ours = leads || (is_fact(&outcome) && same_ask(&asked, &fresh));
                    if !ours {
                        tracing::warn!(booking.id = %fresh.id, outcome = outcome.as_str(), "booking.lease_lost");
                        return Ok(Wrote::Done(Done::Paused(fresh)));
                    }
                    booking = fresh;
                }
            }
        }
    }

    /// Who has the booking after this write: nobody when it rests or waits, we for another lease otherwise.
    pub(super) fn hand_over(&self, next: &mut Booking, wait: Option<Wait>, now: Timestamp) {
        let rules = &self.desk.seller.booking;
        if let Some(wait) = wait {
            next.failed(wait.asked, rules, now);
            next.lease = None;
            next.due_at = Some(self.due(next, now + wait.wait, now));
            return;
        }
        match next.next_step(rules, now) {
            // `scheduling` is a call about to leave, and not a dead lease, while we write it ourselves.
            Step::Capture | Step::Pick | Step::Ask | Step::Doubt | Step::EndWindow | Step::LetGo | Step::GiveUp(_) => {
                let until = now + rules.lease;
                next.lease = Some(Lease { owner: self.owner.to_owned(), until });
                next.due_at = Some(until);
            }
            Step::Wait(until) => {
                next.lease = None;
                next.due_at = Some(until);
            }
            Step::Rest => {
                next.lease = None;
                next.due_at = None;
            }
        }
    }
}

/// What became of a write.
pub(super) enum Wrote {
    Done(Done),
    /// The place in the slot is another booking's.
    Claimed,
}

impl Wrote {
    pub(super) fn done(self) -> Result<Done, store::Error> {
        match self {
            Self::Done(done) => Ok(done),
            Self::Claimed => Err(store::Error::Corrupt { table: "slots".into(), field: "claim" }),
        }
    }
}

/// A definite answer of Popin's stays true when the lease has gone to another meanwhile.
fn is_fact(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Confirmed | Outcome::Disagreed(_) | Outcome::SlotRefused | Outcome::SlotGone(_) | Outcome::NotDone
    )
}

/// Whether `fresh` stands on the very call that we made, settled by another meanwhile or not.
fn same_ask(asked: &Booking, fresh: &Booking) -> bool {
    let stands = matches!(
        fresh.state,
        State::SlotHeld { .. }
            | State::Scheduling { .. }
            | State::InDoubt { .. }
            | State::Scheduled { .. }
            | State::NeedsHuman { .. }
    );
    stands && fresh.asks == asked.asks
}
