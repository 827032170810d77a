//! What became of triggers, counted: the books balance, for whatever is received is one of the others.

use frontdesk::{
    edge::telemetry::{By, Metrics},
    flow::request_booking::{RequestError, Requested},
    model::ids::SellerId,
};
use jiff::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// By a booking of its own, or by one that its person had already.
    Booked,
    /// Its key was known.
    Duplicate,
    /// Its CRM is asked first; the worker counts what becomes of it then.
    Pending,
    Parked,
    Ignored,
    /// Nobody can make a booking of it, and its sender was told so.
    Refused,
    /// The store failed: its sender is asked to come again, whether it was stored by then or not.
    NotStored,
}

impl Outcome {
    pub(crate) fn of(requested: &Result<Requested, RequestError>) -> Self {
        match requested {
            Ok(requested) => Self::Booked.or_copy(requested.again),
            Err(error) => Self::of_error(error),
        }
    }

    pub(crate) fn of_error(error: &RequestError) -> Self {
        match error {
            RequestError::StillRunning | RequestError::Erased => Self::Duplicate,
            RequestError::NotProven(_) | RequestError::KeyReused | RequestError::Unusable(_) => Self::Refused,
            RequestError::Store(_) => Self::NotStored,
        }
    }

    /// Unless it came before.
    pub(crate) fn or_copy(self, again: bool) -> Self {
        if again { Self::Duplicate } else { self }
    }
}

/// All of one request.
pub(crate) fn count(outcomes: &[Outcome], seller: &SellerId, now: Timestamp) {
    let of = |one| outcomes.iter().filter(|outcome| **outcome == one).count();
    let mut metrics = Metrics::default();
    metrics
        .count("TriggersReceived", outcomes.len())
        .count("TriggersBooked", of(Outcome::Booked))
        .count("TriggersDuplicate", of(Outcome::Duplicate))
        .count("TriggersPending", of(Outcome::Pending))
        .count("TriggersParked", of(Outcome::Parked))
        .count("TriggersIgnored", of(Outcome::Ignored))
        .count("TriggersRefused", of(Outcome::Refused))
        .count("TriggersNotStored", of(Outcome::NotStored));
    metrics.emit(crate::FUNCTION, By::Seller(seller.as_str()), now);
}
