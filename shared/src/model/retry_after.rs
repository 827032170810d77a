//! `Retry-After`, as a vendor sends it.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// The header's two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    In(SignedDuration),
    At(Timestamp),
}

impl RetryAfter {
    /// A day at most: a vendor's slip must not park a booking for ever.
    const MOST: SignedDuration = SignedDuration::from_hours(24);

    pub fn read(raw: &str) -> Option<Self> {
        match raw.trim().parse::<u32>() {
            Ok(seconds) => Some(Self::In(SignedDuration::from_secs(i64::from(seconds)))),
            Err(_) => rfc2822::parse(raw.trim()).ok().map(|at| Self::At(at.timestamp())),
        }
    }

    pub fn wait(self, now: Timestamp) -> SignedDuration {
        let wait = match self {
            Self::In(wait) => wait,
            Self::At(at) => at.duration_since(now),
        };
        wait.clamp(SignedDuration::ZERO, Self::MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_in_both_forms_and_bounded() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let wait = |raw| RetryAfter::read(raw).map(|after| after.wait(now).as_secs());
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("Sat, 21 Nov 2026 10:01:00 GMT"), Some(60));
        assert_eq!(wait("Sat, 21 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(wait("999999999"), Some(86_400));
        assert_eq!(wait("soon"), None);
    }
}
