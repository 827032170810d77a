//! What the embedded database never does by itself and the real one does: throttle, conflict, and be lost on the way.

use serde_json::{Value, json};
use std::sync::Arc;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DbFault {
    #[default]
    None,
    /// Not done: 400 `ProvisionedThroughputExceededException`.
    Throttle,
    /// Not done: another transaction is at the same items.
    Conflict,
    /// Not done: a table of a transaction was throttled. A single write is refused as by `Throttle`.
    CancelThrottled,
    /// Done, and the connection breaks before the answer.
    LoseReply,
    /// Not done: nobody is there.
    Unreachable,
}

/// Decides about every call, by its operation and its body.
pub type FaultHook = Arc<dyn Fn(&str, &Value) -> DbFault + Send + Sync>;

const NAMESPACE: &str = "com.amazonaws.dynamodb.v20120810";

pub(super) fn throttled() -> (u16, String) {
    let message = "The level of configured provisioned throughput for the table was exceeded.";
    let kind = format!("{NAMESPACE}#ProvisionedThroughputExceededException");
    (400, json!({ "__type": kind, "message": message }).to_string())
}

/// A transaction is cancelled, and its first part tells why.
pub(super) fn throttled_within(operation: &str, body: &Value) -> (u16, String) {
    if operation == "TransactWriteItems" { cancelled(body, "ThrottlingError") } else { throttled() }
}

/// A transaction is cancelled with reasons; a single write has an error of its own.
pub(super) fn conflict(operation: &str, body: &Value) -> (u16, String) {
    if operation != "TransactWriteItems" {
        let kind = format!("{NAMESPACE}#TransactionConflictException");
        return (400, json!({ "__type": kind, "message": "Transaction is ongoing for the item" }).to_string());
    }
    cancelled(body, "TransactionConflict")
}

fn cancelled(body: &Value, reason: &str) -> (u16, String) {
    let parts = body["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({ "Code": "None" }); parts];
    reasons[0] = json!({ "Code": reason, "Message": "Not now" });
    let codes: Vec<_> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
    let message =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", "));
    let kind = format!("{NAMESPACE}#TransactionCanceledException");
    (400, json!({ "__type": kind, "Message": message, "CancellationReasons": reasons }).to_string())
}
