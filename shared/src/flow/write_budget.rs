//! What anonymous callers may write: a token bucket of write units per seller, in each process.

use crate::model::ids::SellerId;
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A seller's bucket holds as much as comes in so many seconds.
const BURST_SECONDS: u64 = 3;
/// How much older than another one a request may be that comes after it, in milliseconds.
const SIDE_BY_SIDE: i64 = 30_000;
/// Buckets are counted in millionths of a unit, so that the share of a millisecond is a whole number.
const MICRO: u64 = 1_000_000;

/// Write units a second, shared by the sellers that use them: one alone gets all, and a seller that is flooded takes nothing
/// from what another one has saved. A process writes no more than this a second for anonymous callers, and a burst for each
/// seller.
#[derive(Debug)]
pub struct WriteBudget {
    per_second: u64,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    refilled_at: Option<Timestamp>,
    /// What is missing in each bucket; one that is full is not here.
    missing: BTreeMap<SellerId, u64>,
}

/// There are not as many units now: the caller may come again then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seller's write units are used up for {retry_after} s")]
pub struct OverBudget {
    pub retry_after: u64,
}

impl WriteBudget {
    pub fn new(per_second: u32) -> Self {
        Self { per_second: u64::from(per_second.max(1)), buckets: Mutex::default() }
    }

    /// Takes so many units, or none at all. What is more than a whole bucket takes one whole bucket: it could never be taken.
    pub fn take(&self, seller: &SellerId, units: usize, now: Timestamp) -> Result<(), OverBudget> {
        let whole = self.per_second * BURST_SECONDS * MICRO;
        let units = u64::try_from(units).unwrap_or(u64::MAX).saturating_mul(MICRO).min(whole);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.refill(self.per_second, now);
        let missing = buckets.missing.get(seller).copied().unwrap_or_default() + units;
        if missing > whole {
            let sharing = buckets.missing.len() as u64;
            return Err(OverBudget { retry_after: ((missing - whole) * sharing).div_ceil(self.per_second * MICRO) });
        }
        if units > 0 {
            buckets.missing.insert(seller.clone(), missing);
        }
        Ok(())
    }
}

impl Buckets {
    /// What has come in since the last time, in equal shares. Requests that run side by side come in any order: one that is a
    /// moment older brings nothing, and takes no time back. A clock that is set back further begins anew.
    fn refill(&mut self, per_second: u64, now: Timestamp) {
        let millis = self.refilled_at.map_or(0, |before| now.as_millisecond() - before.as_millisecond());
        if self.refilled_at.is_some() && (-SIDE_BY_SIDE..=0).contains(&millis) {
            return;
        }
        self.refilled_at = Some(now);
        let millis = u64::try_from(millis).unwrap_or_default();
        let mut left = millis.saturating_mul(per_second * (MICRO / 1000));
        // What one bucket does not take is the others'.
        while let Some(share) = left.checked_div(self.missing.len() as u64) {
            let sharing = self.missing.len();
            self.missing.retain(|_, missing| {
                let fills = *missing <= share;
                left -= if fills { *missing } else { 0 };
                !fills
            });
            if self.missing.len() == sharing {
                self.missing.values_mut().for_each(|missing| *missing -= share);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    fn seller(number: usize) -> SellerId {
        SellerId::parse(format!("shop-{number}")).unwrap()
    }

    fn after(millis: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis)
    }

    #[test]
    fn burst_is_three_seconds_and_refill_is_the_rate() {
        let budget = WriteBudget::new(500);
        assert_eq!(budget.take(&seller(0), 1500, after(0)), Ok(()));
        assert_eq!(budget.take(&seller(0), 1, after(0)), Err(OverBudget { retry_after: 1 }));
        assert_eq!(budget.take(&seller(0), 1000, after(0)), Err(OverBudget { retry_after: 2 }));
        assert_eq!(budget.take(&seller(0), 0, after(0)), Ok(()));
        assert_eq!(budget.take(&seller(0), 500, after(999)), Err(OverBudget { retry_after: 1 }));
        assert_eq!(budget.take(&seller(0), 500, after(1000)), Ok(()));
        assert_eq!(budget.take(&seller(0), 1501, after(1000)), Err(OverBudget { retry_after: 3 }));
        assert_eq!(budget.take(&seller(0), 1501, after(4000)), Ok(()), "more than a bucket is a whole one");
    }

    #[test]
    fn flooded_seller_takes_nothing_that_another_has_saved() {
        let budget = WriteBudget::new(500);
        assert_eq!(budget.take(&seller(0), 1500, after(0)), Ok(()));
        assert_eq!(budget.take(&seller(1), 1000, after(0)), Ok(()));
        // Both share the second that follows.
        assert_eq!(budget.take(&seller(0), 251, after(1000)), Err(OverBudget { retry_after: 1 }));
        assert_eq!(budget.take(&seller(0), 250, after(1000)), Ok(()));
        assert_eq!(budget.take(&seller(1), 750, after(1000)), Ok(()));
        // What is little is filled up, and the rest is the other's.
        assert_eq!(budget.take(&seller(2), 100, after(1000)), Ok(()));
        assert_eq!(budget.take(&seller(0), 200, after(2000)), Ok(()));
        assert_eq!(budget.take(&seller(0), 1, after(2000)), Err(OverBudget { retry_after: 1 }));
        assert_eq!(budget.take(&seller(2), 1500, after(2000)), Ok(()));
    }

    #[test]
    fn clock_set_back_brings_nothing_and_stops_nothing() {
        let budget = WriteBudget::new(500);
        assert_eq!(budget.take(&seller(0), 1500, after(600_000)), Ok(()));
        assert!(budget.take(&seller(0), 1, after(0)).is_err());
        assert_eq!(budget.take(&seller(0), 500, after(1000)), Ok(()));
    }

    #[test]
    fn requests_out_of_order_bring_no_second_twice() {
        let budget = WriteBudget::new(500);
        assert_eq!(budget.take(&seller(0), 1500, after(0)), Ok(()));
        for _ in 0..10 {
            assert_eq!(budget.take(&seller(0), 501, after(1000)), Err(OverBudget { retry_after: 1 }));
            assert_eq!(budget.take(&seller(0), 501, after(10)), Err(OverBudget { retry_after: 1 }));
        }
        assert_eq!(budget.take(&seller(0), 500, after(1000)), Ok(()));
    }

    proptest! {
        #[test]
        fn no_process_exceeds_its_rate_and_a_burst_for_each_seller(asked in prop::collection::vec((0usize..3, 0usize..2000, 0i64..400), 1..200)) {
            let budget = WriteBudget::new(500);
            let (mut at, mut taken) = (0, 0);
            for (number, units, pause) in asked {
                at += pause;
                if budget.take(&seller(number), units, after(at)).is_ok() {
                    taken += units.min(1500);
                }
            }
            let most = 3 * 1500 + usize::try_from(at).unwrap() / 2;
            prop_assert!(taken <= most, "{} of {}", taken, most);
        }
    }
}
