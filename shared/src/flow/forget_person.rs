//! Forgets a person: every event that tells of them is blanked, every booking of theirs removed, however long it takes.

mod erasure_rows;
mod erasure_run;
mod erasure_trail;

use self::erasure_run::Work;
use super::Desk;
use crate::{
    model::{
        booking::Lease,
        erasure::{Erasure, ErasureState},
        hash,
        ids::ErasureId,
        people::Identifier,
    },
    store::{self, erasures::ErasureLease},
};
use jiff::{SignedDuration, Timestamp};

/// A run that says nothing for so long is dead; another one carries on.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// An erasure that met a failure is taken up again after this.
const RETRY: SignedDuration = SignedDuration::from_secs(30);
/// What was being written while the erasure ran, or was not in an index yet, is found by a second look.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// How far a run came. What it could not do is done by a later one.
#[derive(Debug)]
pub struct ErasureRun {
    pub erasure: Erasure,
    /// Parked triggers that the run passed over because they cannot be read.
    pub unreadable: usize,
    pub failure: Option<store::Error>,
}

/// Begins to erase a person and works on it until `stop_by`, or joins the erasure of the same person that runs. Once this
/// has returned, the sweep carries on whatever is left.
pub async fn forget_person(desk: &Desk<'_>, who: &Identifier, stop_by: Timestamp) -> Result<ErasureRun, store::Error> {
    let now = desk.clock.now();
    let lease = lease(desk, now);
    let secret = desk.seller.secrets().next().expect("a seller has a secret");
    let fresh = Erasure {
        id: ErasureId::parse(hash::sealed(secret, &["erasure", who.value()])).expect("32 hex digits are an id"),
        persons: desk.seller.persons(who.value()).collect(),
        state: ErasureState::Running,
        events: 0,
        bookings: 0,
        triggers: 0,
        still_at_popin: [].into(),
        records: [].into(),
        asked_at: now,
        lease: Some(lease.clone()),
        due_at: Some(lease.until),
    };
    match desk.bookings.begin_erasure(desk.id, &fresh, &lease, now).await? {
        ErasureLease::Acquired(mut erasure) => {
            // What came in since an earlier request, whose erasure still runs, is to be forgotten as well.
            erasure.asked_at = now;
            Ok(run(desk, erasure, &lease.owner, (stop_by, Cause::Request)).await)
        }
        ErasureLease::Held(erasure) => Ok(ErasureRun { erasure, unreadable: 0, failure: None }),
    }
}

/// Carries on an erasure that is due; `None` where somebody is at it.
pub async fn resume_erasure(
    desk: &Desk<'_>,
    id: &ErasureId,
    stop_by: Timestamp,
) -> Result<Option<ErasureRun>, store::Error> {
    let now = desk.clock.now();
    let lease = lease(desk, now);
    match desk.bookings.acquire_erasure(desk.id, id, &lease, now).await? {
        Some(erasure) => Ok(Some(run(desk, erasure, &lease.owner, (stop_by, Cause::Sweep)).await)),
        None => Ok(None),
    }
}

fn lease(desk: &Desk<'_>, now: Timestamp) -> Lease {
    Lease { owner: desk.random.id(now), until: now + LEASE }
}

/// Why an erasure runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Request,
    Sweep,
}

async fn run(desk: &Desk<'_>, erasure: Erasure, owner: &str, (stop_by, cause): (Timestamp, Cause)) -> ErasureRun {
    let mut work = Work::new(desk, erasure, owner, stop_by);
    let ended = work.pass(cause).await;
    let (mut erasure, unreadable) = (work.erasure, work.unreadable);
    let now = desk.clock.now();
    let failure = match ended {
        Ok(true) => {
            erasure.due_at = (erasure.state == ErasureState::Running).then_some(now + SECOND_LOOK);
            erasure.state = ErasureState::Done;
            None
        }
        Ok(false) => {
            erasure.due_at = Some(now);
            None
        }
        Err(error) => {
            erasure.due_at = Some(now + RETRY);
            Some(error)
        }
    };
    erasure.lease = None;
    // Where this is lost, the lease ends by time and the next run finds what this one did.
    let saved = desk.bookings.save_erasure(desk.id, &erasure, owner).await;
    let failure = failure.or(saved.err());
    if failure.is_some() {
        erasure.state = ErasureState::Running;
    }
    ErasureRun { erasure, unreadable, failure }
}
