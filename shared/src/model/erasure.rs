//! A person's erasure as a piece of work: begun by a request, carried on by whoever holds its lease, until nothing is left.

use super::{
    booking::Lease,
    ids::{ErasureId, Subject},
    trust::Trust,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How long the result can be asked for.
pub const RESULT_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// As long as what it looks for: after that the table has dropped it.
pub const WORK_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureState {
    Running,
    Done,
}

impl ErasureState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Running, Self::Done].into_iter().find(|state| state.as_str() == raw)
    }
}

/// Who is erased is known by keyed hashes alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Erasure {
    pub id: ErasureId,
    /// The person's number or address, hashed under each of the seller's keys.
    pub persons: BTreeSet<String>,
    pub state: ErasureState,
    /// Erased so far. A run that was killed may have erased a page more than it counted.
    pub events: u64,
    pub bookings: u64,
    pub triggers: u64,
    /// When the calls begin that Popin still has.
    pub still_at_popin: BTreeSet<Timestamp>,
    /// Keyed hashes of the CRM records that the person's bookings and triggers came from, a hundred at most.
    pub records: BTreeSet<String>,
    pub asked_at: Timestamp,
    pub lease: Option<Lease>,
    /// When the sweep takes it up; `None` once it has looked a second time.
    pub due_at: Option<Timestamp>,
}

/// Where more of the person's events are. It is stored before the event that led there is erased.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lead {
    /// Under the keyed hash of a vendor's id.
    Person(String),
    /// In a thread, as far as they are no better proven than this.
    Thread(Subject, Trust),
}
