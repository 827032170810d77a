//! The diary as this process read it a moment ago: a page that many look at is one read of the table.

use super::{Error, Slots, slots::Read};
use crate::model::{diary::Diary, ids::SellerId};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How long a copy does. A booking made meanwhile shows this much later; browsers keep an answer for longer.
const KEPT: SignedDuration = SignedDuration::from_secs(1);

/// A copy for each seller who was asked for.
#[derive(Clone, Debug)]
pub struct Shelf {
    slots: Slots,
    copies: Arc<Mutex<BTreeMap<SellerId, Copy>>>,
}

#[derive(Clone, Debug)]
struct Copy {
    read_at: Timestamp,
    diary: Arc<Diary>,
}

impl Shelf {
    pub fn new(slots: Slots) -> Self {
        Self { slots, copies: Arc::default() }
    }

    /// The diary, read now or a moment ago. Only one that has a snapshot is kept: nobody waits for what came since.
    pub async fn read(&self, seller: &SellerId, now: Timestamp) -> Result<Arc<Diary>, Error> {
        let copy = self.lock().get(seller).filter(|copy| now.duration_since(copy.read_at).abs() < KEPT).cloned();
        if let Some(copy) = copy {
            return Ok(copy.diary);
        }
        let diary = Arc::new(self.slots.read(seller, now, Read::Eventual).await?);
        if diary.snapshot.is_some() {
            self.lock().insert(seller.clone(), Copy { read_at: now, diary: diary.clone() });
        }
        Ok(diary)
    }

    pub async fn warm(&self) -> Result<(), Error> {
        self.slots.warm().await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SellerId, Copy>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
