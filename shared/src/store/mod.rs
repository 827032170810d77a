//! DynamoDB behind outcomes: a lost conditional write is an answer, not an error.

pub mod bookings;
pub mod erasures;
pub mod events;
pub mod forget;
pub mod gate;
pub mod index;
mod item;
pub mod keys;
pub mod parked;
mod recent;
mod record;
pub mod requests;
pub mod retries;
pub mod shelf;
pub mod slots;
pub mod tombstones;
pub mod write_backs;

pub use bookings::Bookings;
pub use events::Events;
pub use gate::Gates;
pub use shelf::Shelf;
pub use slots::Slots;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
};

/// What a caller can only try again later. The SDK's own text is left out: it repeats whole items.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the table {table} did not answer ({code})")]
    Unavailable { table: String, code: String },
    #[error("an item of {table} cannot be read: {field}")]
    Corrupt { table: String, field: &'static str },
}

impl Error {
    fn of<E: ProvideErrorMetadata, R>(table: &str, error: &SdkError<E, R>) -> Self {
        Self::Unavailable { table: table.to_owned(), code: error_code(error).to_owned() }
    }

    /// What no waiting mends: the table is not there, or the role may not ask it. A deployment got that wrong.
    pub fn is_of_the_deployment(&self) -> bool {
        match self {
            Self::Unavailable { code, .. } => {
                matches!(code.as_str(), "AccessDeniedException" | "ResourceNotFoundException")
            }
            Self::Corrupt { .. } => false,
        }
    }
}

/// AWS's code for a refusal, or ours where no answer came. The SDK's own text is left out: it repeats what was sent or read.
pub fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("service error"),
        SdkError::ConstructionFailure(_) => "not built",
        SdkError::TimeoutError(_) => "timed out",
        SdkError::DispatchFailure(_) => "not reached",
        SdkError::ResponseError(_) => "unreadable",
        _ => "failed",
    }
}

/// Whether a function may start, by its first call (`warm`): one that was deployed wrongly refuses, so that the check before
/// a release sees it. A throttled call or a lost one says nothing of the next.
pub fn may_start(warmed: Result<(), Error>) -> Result<(), Error> {
    warmed.or_else(|error| if error.is_of_the_deployment() { Err(error) } else { Ok(()) })
}

/// Whether the write lost against its condition: an answer, not a failure.
fn lost<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    matches!(error, SdkError::ServiceError(service) if service.err().code() == Some("ConditionalCheckFailedException"))
}

/// The reply to a conditional write; `None` where its condition failed.
fn unless_lost<T, E: ProvideErrorMetadata, R>(
    table: &str,
    sent: Result<T, SdkError<E, R>>,
) -> Result<Option<T>, Error> {
    match sent {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if lost(&error) => Ok(None),
        Err(error) => Err(Error::of(table, &error)),
    }
}

/// Whether a conditional write was done; false where its condition failed.
fn done<T, E: ProvideErrorMetadata, R>(table: &str, sent: Result<T, SdkError<E, R>>) -> Result<bool, Error> {
    unless_lost(table, sent).map(|reply| reply.is_some())
}

/// How a transaction was cancelled, part by part.
enum Cancelled {
    /// The first part, in order, whose condition failed.
    Condition(usize),
    /// A conflict with another transaction, or throttling. The client has already retried it.
    Passing,
}

/// Reads the reasons of a cancelled transaction; `None` for every other error.
fn cancelled<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Cancelled> {
    error.as_service_error().and_then(cancelled_for)
}

fn cancelled_for(error: &TransactWriteItemsError) -> Option<Cancelled> {
    if error.code() == Some(retries::CONFLICT) {
        return Some(Cancelled::Passing);
    }
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else { return None };
    let reasons = canceled.cancellation_reasons();
    let failed = reasons.iter().position(|reason| reason.code() == Some("ConditionalCheckFailed"));
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    match failed {
        Some(part) => Some(Cancelled::Condition(part)),
        None if reasons.iter().any(|reason| reason.code().is_some_and(|code| passing.contains(&code))) => {
            Some(Cancelled::Passing)
        }
        None => None,
    }
}
