//! Tests of `dynamodb`.

use super::{DbFault, Embedded, client, create_missing};
use crate::template::{Table, Template};
use aws_sdk_dynamodb::{Client, error::ProvideErrorMetadata as _, types::AttributeValue};
use frontdesk::edge::clock::SystemClock;
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

async fn database() -> (Embedded, Client, Vec<Table>) {
    let db = Embedded::memory(Arc::new(SystemClock)).unwrap();
    let tables = Template::deployed().unwrap().tables;
    let client = client(db.http(), "http://dynamodb.test");
    create_missing(&client, &tables).await.unwrap();
    db.reset_calls();
    (db, client, tables)
}

async fn put(client: &Client, sk: &str) -> Result<(), String> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = client.put_item().table_name("frontdesk-events").item("pk", text("a")).item("sk", text(sk));
    let put = put.item("n", AttributeValue::N("7".to_owned())).condition_expression("attribute_not_exists(pk)");
    put.send().await.map(drop).map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

#[tokio::test]
async fn tables_are_made_once_and_recognised_after_that() {
    let (_, client, tables) = database().await;
    create_missing(&client, &tables).await.unwrap();
    let ttl = client.describe_time_to_live().table_name("frontdesk-events").send().await.unwrap();
    assert_eq!(ttl.time_to_live_description().unwrap().attribute_name(), Some("expires_at"));
}

#[tokio::test]
async fn a_table_of_another_form_is_refused() {
    let (_, client, mut tables) = database().await;
    for table in &mut tables {
        table.create["GlobalSecondaryIndexes"] = json!([{ "IndexName": "other" }]);
    }
    let error = create_missing(&client, &tables).await.unwrap_err().to_string();
    assert!(error.contains("not as infra/template.yaml has it"), "{error}");
}

#[tokio::test]
async fn calls_are_counted_with_their_price() {
    let (db, client, _) = database().await;
    put(&client, "1").await.unwrap();
    assert_eq!(put(&client, "1").await.unwrap_err(), "ConditionalCheckFailedException");
    let calls: Vec<_> = db.calls().into_iter().map(|c| (c.operation, c.table, c.consumed, c.status)).collect();
    let name = || ("PutItem".to_owned(), "frontdesk-events".to_owned());
    assert_eq!(calls, [(name().0, name().1, Some(1.0), 200), (name().0, name().1, None, 400)]);
    assert_eq!(db.items("frontdesk-events").unwrap(), [json!({ "pk": "a", "sk": "1", "n": 7 })]);
}

/// The fault for the first call, and health after it; and how many calls there were.
async fn with_first(fault: DbFault) -> (Result<(), String>, usize, usize) {
    let (db, client, _) = database().await;
    let calls = AtomicU32::new(0);
    db.set_fault(Some(Arc::new(
        move |_, _| {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 { fault } else { DbFault::None }
        },
    )));
    let outcome = put(&client, "1").await;
    (outcome, db.calls().len(), db.items("frontdesk-events").unwrap().len())
}

#[tokio::test(start_paused = true)]
async fn the_sdk_gets_over_a_throttled_and_an_unreachable_call() {
    assert_eq!(with_first(DbFault::Throttle).await, (Ok(()), 2, 1));
    assert_eq!(with_first(DbFault::Unreachable).await, (Ok(()), 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_makes_the_sdk_meet_its_own_write() {
    let (outcome, calls, items) = with_first(DbFault::LoseReply).await;
    assert_eq!((outcome.unwrap_err().as_str(), calls, items), ("ConditionalCheckFailedException", 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_has_the_shape_that_its_operation_gives_it() {
    let (db, client, _) = database().await;
    db.set_fault(Some(Arc::new(|_, _| DbFault::Conflict)));
    assert_eq!(put(&client, "1").await.unwrap_err(), "TransactionConflictException");
    assert_eq!(db.calls().len(), 4, "it is tried again");
    let part = aws_sdk_dynamodb::types::Put::builder().table_name("frontdesk-events");
    let part = part.item("pk", AttributeValue::S("a".to_owned())).build().unwrap();
    let part = aws_sdk_dynamodb::types::TransactWriteItem::builder().put(part).build();
    let error = client.transact_write_items().transact_items(part).send().await.unwrap_err().into_service_error();
    assert!(error.is_transaction_canceled_exception(), "{error:?}");
}
