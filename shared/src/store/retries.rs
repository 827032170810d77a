//! Retries of DynamoDB calls: which refusals are temporary, and how many attempts a client makes.

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
/// 1.3 s of pauses in all, on average.
const SOME: u32 = 8;
/// More than fit into the time limit of one call.
const ALL: u32 = 1000;

/// Classifies what the SDK's own classifiers do not know: why a transaction was cancelled, and a conflict of a single write.
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

/// The same client with some more attempts, for triggers and bookings: their senders may not retry. Few enough that a batch of
/// a hundred triggers ends within its invocation although no call succeeds.
pub fn persistent(client: &Client) -> Client {
    with_attempts(client, SOME)
}

/// The same client, which retries until the call times out: for what its sender never sends again.
pub fn patient(client: &Client) -> Client {
    with_attempts(client, ALL)
}

/// No retry quota applies.
fn with_attempts(client: &Client, attempts: u32) -> Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let unlimited = RetryPartition::custom("own").token_bucket(TokenBucket::unlimited()).build();
    Client::from_conf(client.config().to_builder().retry_config(retries).retry_partition(unlimited).build())
}
