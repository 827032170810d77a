//! What DynamoDB is asked again: a write that met another, or a transaction that was cancelled for a passing reason; and how long for.

use super::{Cancelled, cancelled_for};
use aws_sdk_dynamodb::{
    Client,
    config::{
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction, RetryConfig, RetryPartition, TokenBucket},
    },
    error::ProvideErrorMetadata,
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
};
use std::time::Duration;

/// A single write that meets a transaction at its item is refused with this code.
pub(super) const CONFLICT: &str = "TransactionConflictException";

/// The first pause is at most this long, each further one twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Pauses of 1.3 s together, on average.
const SOME: u32 = 8;
/// More than fit into the time of one call, which ends them.
const ALL: u32 = 1000;

/// Reads what the SDK's own classifiers do not: why a transaction was cancelled, and that a write met one.
#[derive(Debug)]
pub struct PassingRefusal;

impl ClassifyRetry for PassingRefusal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let Some(error) = error else { return RetryAction::NoActionIndicated };
        let passing = match error.downcast_ref::<TransactWriteItemsError>() {
            Some(error) => matches!(cancelled_for(error), Some(Cancelled::Passing)),
            None => [
                error.downcast_ref::<PutItemError>().and_then(ProvideErrorMetadata::code),
                error.downcast_ref::<UpdateItemError>().and_then(ProvideErrorMetadata::code),
                error.downcast_ref::<DeleteItemError>().and_then(ProvideErrorMetadata::code),
            ]
            .contains(&Some(CONFLICT)),
        };
        if passing { RetryAction::throttling_error() } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "passing refusals of DynamoDB"
    }
}

/// The same client for triggers and bookings, whose senders may not send again: it outlasts some refusals in a row. A delivery of a hundred
/// still ends within its invocation when no call succeeds.
pub fn persistent(client: &Client) -> Client {
    with_attempts(client, SOME)
}

/// The same client for what nobody sends again: it tries until the time of the call is over.
pub fn patient(client: &Client) -> Client {
    with_attempts(client, ALL)
}

/// No quota of retries ends them before.
fn with_attempts(client: &Client, attempts: u32) -> Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let unlimited = RetryPartition::custom("own").token_bucket(TokenBucket::unlimited()).build();
    Client::from_conf(client.config().to_builder().retry_config(retries).retry_partition(unlimited).build())
}
