//! One run over an erasure: events by their index and by where they lead, then parked triggers, then bookings. Each step may
//! be repeated; whatever leads further is written down before it is erased, so a run may end anywhere.

use super::LEASE;
use crate::{
    flow::Desk,
    model::{
        erasure::{Erasure, Lead},
        ids::TableVersion,
        people::Identifier,
    },
    store::Error,
    vendors,
};
use jiff::Timestamp;
use std::{collections::HashSet, sync::Mutex};

/// Entries and members looked at in one page.
pub(super) const PAGE: i32 = 100;
/// Of these, so many at once.
pub(super) const AT_ONCE: usize = 16;
/// A run that failed so often stops: the table does not answer, or refuses.
const MOST_FAILURES: usize = 16;

pub(super) struct Work<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) erasure: Erasure,
    owner: &'a str,
    stop_by: Timestamp,
    /// Of this build's names.
    pub(super) version: TableVersion,
    /// Looked at in this run.
    pub(super) seen: Mutex<HashSet<Lead>>,
    /// One row that cannot be erased does not keep the others from it.
    pub(super) failures: Vec<Error>,
    /// Parked triggers that cannot be read.
    pub(super) unreadable: usize,
}

/// Whether a part of the work came to its end; false where time was over or the lease lost.
pub(super) type Whole = bool;

impl<'a> Work<'a> {
    pub(super) fn new(desk: &'a Desk<'a>, erasure: Erasure, owner: &'a str, stop_by: Timestamp) -> Self {
        let version = vendors::version();
        let (seen, failures, unreadable) = Default::default();
        Self { desk, erasure, owner, stop_by, version, seen, failures, unreadable }
    }

    pub(super) async fn pass(&mut self) -> Result<Whole, Error> {
        let whole = self.events().await? && self.parked().await? && self.bookings().await?;
        match self.failures.pop() {
            Some(error) => Err(error),
            None => Ok(whole),
        }
    }

    pub(super) fn is_late(&self) -> bool {
        self.desk.clock.now() >= self.stop_by
    }

    pub(super) fn note_failures(&mut self, failures: Vec<Error>) -> Result<(), Error> {
        self.failures.extend(failures);
        if self.failures.len() < MOST_FAILURES {
            return Ok(());
        }
        self.failures.pop().map_or(Ok(()), Err)
    }

    /// Writes the progress down and keeps the lease; false when time is over or the lease is another's.
    pub(super) async fn checkpoint(&mut self) -> Result<Whole, Error> {
        let until = self.desk.clock.now() + LEASE;
        if let Some(lease) = &mut self.erasure.lease {
            lease.until = until;
        }
        self.erasure.due_at = Some(until);
        let ours = self.desk.bookings.save_erasure(self.desk.id, &self.erasure, self.owner).await?;
        Ok(ours && !self.is_late())
    }

    pub(super) fn is_them(&self, one: &Identifier) -> bool {
        self.desk.seller.persons(one.value()).any(|person| self.erasure.persons.contains(&person))
    }
}
