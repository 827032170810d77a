//! How long to wait after a failure: exponential, bounded, jittered.

use jiff::SignedDuration;

/// A back-off as a value: the first wait, the longest, and how much of it is left to chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    pub base: SignedDuration,
    pub most: SignedDuration,
    /// 0.2 is "give or take 20 %".
    pub jitter: f64,
}

impl Backoff {
    /// What Popin did not do is tried again: 2 s at first, 5 minutes at most.
    pub const ATTEMPT: Self =
        Self { base: SignedDuration::from_secs(2), most: SignedDuration::from_mins(5), jitter: 0.2 };

    /// What could not be written back: 10 s at first, 2 hours at most.
    pub const TELLING: Self =
        Self { base: SignedDuration::from_secs(10), most: SignedDuration::from_hours(2), jitter: 0.2 };

    /// A failed refresh of the diary: the refresh interval or 15 s, whichever is shorter, then up to 10 minutes.
    pub fn refresh(interval: SignedDuration) -> Self {
        let base = interval.min(SignedDuration::from_secs(15));
        Self { base, most: SignedDuration::from_mins(10), jitter: 0.2 }
    }

    /// The wait after the `failures`-th failure in a row (from 1). `chance` is in 0..1. What the vendor asked for is a floor.
    pub fn wait(&self, failures: u32, chance: f64, asked: Option<SignedDuration>) -> SignedDuration {
        let doubled =
            self.base.as_secs_f64() * 2f64.powi(i32::try_from(failures.saturating_sub(1).min(40)).unwrap_or(40));
        let wait = doubled.min(self.most.as_secs_f64()) * (1.0 + self.jitter * (2.0 * chance - 1.0));
        let wait = SignedDuration::try_from_secs_f64(wait).unwrap_or(self.most);
        asked.map_or(wait, |asked| wait.max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_within_its_jitter_of_the_doubled_base(failures in 1u32..200, chance in 0.0f64..1.0) {
            let plain = (2.0 * 2f64.powi(failures.min(30).cast_signed() - 1)).min(300.0);
            let wait = Backoff::ATTEMPT.wait(failures, chance, None).as_secs_f64();
            prop_assert!((plain * 0.8 - 0.001..=plain * 1.2 + 0.001).contains(&wait));
        }

        #[test]
        fn what_the_vendor_asked_for_is_a_floor(failures in 1u32..50, asked in 1i64..100_000) {
            let asked = SignedDuration::from_secs(asked);
            prop_assert!(Backoff::ATTEMPT.wait(failures, 0.5, Some(asked)) >= asked);
        }
    }

    #[test]
    fn a_refresh_starts_no_slower_than_its_interval() {
        let backoff = Backoff::refresh(SignedDuration::from_secs(5));
        assert_eq!(backoff.wait(1, 0.5, None), SignedDuration::from_secs(5));
        assert_eq!(backoff.wait(30, 0.5, None), SignedDuration::from_mins(10));
    }
}
