//! Time as the simulation has it: it passes when everybody waits, and jumps when the seed says so.

use frontdesk::flow::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Every history begins on the same Monday morning in Jaipur.
pub(super) const BEGIN: &str = "2026-11-23T03:00:00Z";

/// The wall clock of every machine: tokio's own time, and what it was set forward or back by.
pub struct SimClock {
    begin: Timestamp,
    since: Instant,
    ahead: Mutex<SignedDuration>,
}

impl SimClock {
    pub fn start() -> Arc<Self> {
        let begin = BEGIN.parse().expect("the constant is RFC 3339");
        Arc::new(Self { begin, since: Instant::now(), ahead: Mutex::default() })
    }

    /// A step of the clock, either way.
    pub fn step(&self, by: SignedDuration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// What has really passed, whatever the clock says.
    pub fn passed(&self) -> std::time::Duration {
        self.since.elapsed()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or_default();
        self.begin + passed + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
