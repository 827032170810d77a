//! What this process knows to be stored, so that a copy of it costs no call.

use super::keys::Key;
use crate::model::hash;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Enough for the copies that come within minutes, in some hundred kilobytes.
const MOST: usize = 2048;

/// What is held of a key, half a SHA-256: nobody can make two events share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Print(u128);

impl Print {
    pub(super) fn of(key: &Key) -> Self {
        Self(hash::bits(&[&key.pk, &key.sk]))
    }
}

/// A few keys, the oldest forgotten first.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    keys: BTreeSet<Print>,
    in_order: VecDeque<Print>,
}

impl Recent {
    pub(super) fn knows(&self, key: Print) -> bool {
        self.lock().keys.contains(&key)
    }

    /// Only what the table has answered for: stored just now, or before.
    pub(super) fn note(&self, key: Print) {
        let mut known = self.lock();
        if known.keys.insert(key) {
            known.in_order.push_back(key);
        }
        if known.in_order.len() > MOST
            && let Some(oldest) = known.in_order.pop_front()
        {
            known.keys.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let key = |n: usize| Print::of(&Key { pk: "acme#u".into(), sk: n.to_string() });
        let recent = Recent::default();
        (0..=MOST).for_each(|n| recent.note(key(n)));
        assert!(!recent.knows(key(0)) && recent.knows(key(1)) && recent.knows(key(MOST)));
        recent.note(key(1));
        recent.note(key(MOST + 1));
        assert!(!recent.knows(key(1)), "what is noted again is no newer");
    }
}
