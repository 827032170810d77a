//! A run's turn at the seller's Popin: so many at once, nobody while it asked for a pause, and no stampede after it.

use super::{Worker, lease_left};
use crate::{
    model::{backoff::Backoff, booking::Booking},
    popin::Failure,
    store::{
        self,
        gate::{Entry, Seen},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// So many failures in a row, of whatever bookings, and the seller's Popin is left alone for a while.
const PATIENCE: u32 = 3;
/// Those who waited for the gate to open come one after the other.
const SPREAD_OPEN: f64 = 30.0;
const SPREAD_FULL: f64 = 8.0;
const LEAST_FULL: SignedDuration = SignedDuration::from_secs(2);

/// A place is free again in a moment, as a rule: a wait is shorter than the sweep's next tick.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What a run has of its turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Since it is in: how many failures there were before.
    entered: Option<u32>,
    seen: Verdict,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Verdict {
    #[default]
    Nothing,
    Well,
    Ill(Option<SignedDuration>),
}

/// Not now.
pub(super) struct Later {
    pub(super) until: Timestamp,
    /// Popin does not work and is left alone until then, which counts against the booking's own patience.
    pub(super) paused_until: Option<Timestamp>,
}

impl Worker<'_> {
    pub(super) fn is_in(&self) -> bool {
        self.turn.entered.is_some()
    }

    /// In, for the rest of the run; or when to come again.
    pub(super) async fn enter(&mut self, booking: &Booking, now: Timestamp) -> Result<Option<Later>, store::Error> {
        let until = now + lease_left(booking, now);
        let most = if self.patience.urgent { None } else { Some(self.desk.seller.booking.max_at_once) };
        let gates = self.desk.bookings.gates();
        let mut entry = gates.enter(self.desk.id, self.owner, until, most, now).await?;
        for pause in PAUSES {
            if entry == Entry::Full && !self.is_late(self.desk.clock.now()) {
                tokio::time::sleep(pause).await;
                entry = gates.enter(self.desk.id, self.owner, until, most, self.desk.clock.now()).await?;
            }
        }
        match entry {
            Entry::In { failures } => {
                self.turn.entered = Some(failures);
                Ok(None)
            }
            Entry::Full => Ok(Some(Later { until: now + LEAST_FULL + self.spread(SPREAD_FULL), paused_until: None })),
            Entry::Closed { until } => {
                Ok(Some(Later { until: until + self.spread(SPREAD_OPEN), paused_until: Some(until) }))
            }
        }
    }

    /// What Popin's answer to a call tells of Popin itself.
    pub(super) fn heard<T>(&mut self, answer: &Result<T, Failure>) {
        let now = self.desk.clock.now();
        self.turn.seen = match answer {
            Ok(_) | Err(Failure::Refused(_)) => Verdict::Well,
            Err(failure @ (Failure::NotSent | Failure::NotDone(_) | Failure::Credentials | Failure::Unanswered)) => {
                Verdict::Ill(failure.retry_after(now))
            }
        };
    }

    /// Out again. A note that is lost is made up for by time.
    pub(super) async fn leave(&self) {
        let Some(failures) = self.turn.entered else { return };
        let seen = match self.turn.seen {
            Verdict::Nothing => Seen::Nothing,
            Verdict::Well => Seen::Well,
            Verdict::Ill(asked) => Seen::Ill { closed_until: self.closed_until(failures + 1, asked) },
        };
        if let Err(error) = self.desk.bookings.gates().leave(self.desk.id, self.owner, seen).await {
            tracing::warn!(seller = %self.desk.id, error = %error, "gate.not_left");
        }
    }

    fn closed_until(&self, failures: u32, asked: Option<SignedDuration>) -> Option<Timestamp> {
        let now = self.desk.clock.now();
        let too_often = failures.checked_sub(PATIENCE - 1).filter(|over| *over > 0);
        let backed_off = too_often.map(|over| Backoff::ATTEMPT.wait(over, self.desk.random.chance(), asked));
        backed_off.or(asked).map(|wait| now + wait)
    }

    fn spread(&self, seconds: f64) -> SignedDuration {
        SignedDuration::try_from_secs_f64(self.desk.random.chance() * seconds).unwrap_or_default()
    }
}
