//! One call of the DynamoDB API: JSON in, the database's typed method, JSON out; as the database's own server does it.

use dynoxide::{Database, DynoxideError, Result};
use serde::{Serialize, de::DeserializeOwned};

/// The status and the body that DynamoDB answers with.
pub(super) fn answer(db: &Database, operation: &str, body: &str) -> (u16, String) {
    match dispatch(db, operation, body) {
        Ok(json) => (200, json),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

fn dispatch(db: &Database, operation: &str, body: &str) -> Result<String> {
    match operation {
        "CreateTable" => call(body, |request| db.create_table(request)),
        "DeleteTable" => call(body, |request| db.delete_table(request)),
        "DescribeTable" => call(body, |request| db.describe_table(request)),
        "ListTables" => call(body, |request| db.list_tables(request)),
        "UpdateTimeToLive" => call(body, |request| db.update_time_to_live(request)),
        "DescribeTimeToLive" => call(body, |request| db.describe_time_to_live(request)),
        "PutItem" => call(body, |request| db.put_item(request)),
        "GetItem" => call(body, |request| db.get_item(request)),
        "UpdateItem" => call(body, |request| db.update_item(request)),
        "DeleteItem" => call(body, |request| db.delete_item(request)),
        "Query" => call(body, |request| db.query(request)),
        "Scan" => call(body, |request| db.scan(request)),
        "BatchGetItem" => call(body, |request| db.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| db.batch_write_item(request)),
        "TransactGetItems" => call(body, |request| db.transact_get_items(request)),
        "TransactWriteItems" => call(body, |request| db.transact_write_items(request)),
        _ => Err(DynoxideError::ValidationException(format!("{operation} is not served in process"))),
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(body: &str, run: impl FnOnce(Q) -> Result<A>) -> Result<String> {
    let request = serde_json::from_str(body).map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    let answer = run(request)?;
    serde_json::to_string(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
