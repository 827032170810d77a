//! The same promises on two databases: the embedded one, and whatever `DDB_ENDPOINT` names (AWS's DynamoDB Local, by
//! `tests/dynamodb-local`).

use frontdesk::edge::env::variable;
use serde_json::{Value, json};
use system_tests::twice::Twice;

fn expected() -> Vec<(&'static str, Value)> {
    let batch = |accepted: u32| json!({"accepted": accepted, "duplicate": 0, "ignored": 0, "rejected": []});
    vec![
        ("one event", batch(1)),
        ("fifty copies at once, new", json!(1)),
        ("an event of a person", batch(1)),
        ("one of 800 KB", json!(true)),
        ("again", json!(false)),
        ("one without a time", json!(true)),
        ("a copy within its window", json!(false)),
        ("fifty transactions at once, new", json!(1)),
        ("one of unknown kind", json!(true)),
        ("the quarantine", json!({"known_now": 0, "still_unknown": 0, "failed": 0})),
        ("eight ticks at once, refreshed", json!(1)),
        ("slots", json!([200, true])),
        ("a booking", json!([201, "scheduled"])),
        ("the same key", json!([201, true])),
        ("the same key for another", json!([422, "idempotency_key_reused"])),
        ("one key fifty times at once, bookings", json!(1)),
        ("a sweep", json!({"due": 1, "failed": 0})),
        ("after it", json!("scheduled")),
        ("four for one slot at once: booked, taken", json!([1, 3])),
        ("a booking in doubt", json!([202, "in_doubt"])),
        ("Popin's words of calls", json!(4)),
        ("what could not be taken of them", json!([])),
        ("nor a second time", json!([])),
        ("witnesses, confirmed", json!([0, 4])),
        ("the booking that was in doubt", json!(["scheduled", "webhook"])),
        ("parked without a number, in pages of three", json!([3, 1])),
        ("a deal whose person is to be asked for", json!(200)),
        ("it waits", json!("read_back_pending")),
        ("asked for, there is none", json!([409, "still_parked", "record_not_found"])),
        ("once there is one", json!([202, "requested"])),
        ("and again", json!(404)),
        ("an end that was refused, heard", json!(0)),
        ("it is owed again", json!([202, null])),
        ("a sweep later, heard", json!(1)),
        ("and not twice", json!([409, "nothing_parked"])),
        ("a sweep later, heard", json!(1)),
        ("fifty at a gate of three at once: in, full", json!([3, 47])),
        ("when their time is over", json!(true)),
        // With the threads that lead on from it.
        ("a person is forgotten", json!({"events": 5, "bookings": 1})),
        ("and was", json!({"events": 0, "bookings": 0})),
    ]
}

/// Not by paused time: a database of its own process answers by the real one.
#[tokio::test]
async fn the_store_keeps_its_promises_on_whatever_dynamodb_is_named() {
    let told = Twice::on(variable("DDB_ENDPOINT")).await.unwrap().transcript().await;
    assert_eq!(told, expected());
}
