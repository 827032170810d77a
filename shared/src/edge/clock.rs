//! The system's clock: the one place that reads it.

use crate::flow::Clock;
use jiff::Timestamp;

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Lambda's deadline, in milliseconds since the epoch, as an instant.
pub fn deadline(epoch_millis: u64) -> Timestamp {
    i64::try_from(epoch_millis)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}
