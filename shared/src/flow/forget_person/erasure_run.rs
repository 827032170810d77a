//! One run over an erasure: tombstones for what arrives late, bookings, parked triggers, then events by their index and by
//! where they lead. Each step may be repeated; whatever leads further is written down before it is erased, so a run may end
//! anywhere.

use super::{Cause, LEASE};
use crate::{
    flow::Desk,
    model::{
        erasure::{Erasure, Lead},
        ids::{ErasureId, TableVersion},
        people::Identifier,
    },
    store::Error,
    vendors,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
};

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
    /// The erasures of the same person: this one, and those that came across what was asked for.
    linked: BTreeSet<ErasureId>,
    /// The persons that this run has put tombstones for, decisive or not.
    tombstones: Mutex<HashSet<(String, bool)>>,
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
        let (seen, tombstones, failures, unreadable) = Default::default();
        let linked = [erasure.id.clone()].into();
        Self { desk, erasure, owner, stop_by, version, seen, linked, tombstones, failures, unreadable }
    }

    pub(super) async fn pass(&mut self, cause: Cause) -> Result<Whole, Error> {
        // First, so that nothing arrives behind the run.
        for person in self.erasure.persons.clone() {
            let linked = self.put_tombstone(person, true).await?;
            self.linked.extend(linked);
        }
        if cause == Cause::Request {
            // The person may have asked for a call after an earlier erasure, and asks to be forgotten again.
            for erasure in &self.linked {
                self.desk.events.restore_tombstones(self.desk.id, erasure).await?;
            }
        }
        // Bookings tell whose records parked triggers may name. Events last: anybody can have written any number of them with
        // this person's number.
        let whole = self.bookings().await? && self.parked().await? && self.events().await?;
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

    /// Blanks from now on what arrives about this person. Once a run. Returns all erasures that came across them.
    async fn put_tombstone(&self, person: String, decisive: bool) -> Result<BTreeSet<ErasureId>, Error> {
        let new = self.tombstones.lock().unwrap_or_else(PoisonError::into_inner).insert((person.clone(), decisive));
        if !new {
            return Ok(BTreeSet::new());
        }
        let erasure = (&self.erasure.id, self.erasure.asked_at);
        self.desk.events.put_tombstone(self.desk.id, &person, decisive, erasure).await
    }

    /// The same for each of these.
    pub(super) async fn put_tombstones(
        &self,
        persons: impl IntoIterator<Item = Identifier>,
        decisive: bool,
    ) -> Result<(), Error> {
        for one in persons {
            for person in self.desk.seller.persons(one.value()) {
                self.put_tombstone(person, decisive).await?;
            }
        }
        Ok(())
    }

    /// Whether something of the person's came in after they had asked for a call again: then it is theirs to keep.
    pub(super) async fn is_new(&self, received_at: Option<Timestamp>) -> Result<bool, Error> {
        let Some(received_at) = received_at.filter(|at| *at > self.erasure.asked_at) else { return Ok(false) };
        for erasure in &self.linked {
            let lifted_at = self.desk.events.lifted_at(self.desk.id, erasure).await?;
            if lifted_at.is_some_and(|lifted_at| lifted_at >= self.erasure.asked_at && received_at >= lifted_at) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn is_them(&self, one: &Identifier) -> bool {
        self.desk.seller.persons(one.value()).any(|person| self.erasure.persons.contains(&person))
    }
}
