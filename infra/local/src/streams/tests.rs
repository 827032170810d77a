//! Tests of `streams`.

use super::{
    DeadLetters, Positions,
    delivery::{Delivery, Step},
    filter::Pattern,
};
use crate::template::{StreamMapping, Template};
use serde_json::{Value, json};

fn mapping() -> StreamMapping {
    StreamMapping {
        name: "f.E".to_owned(),
        table: "t".to_owned(),
        batch_size: 4,
        retries: Some(2),
        bisect: true,
        reports_failures: true,
        patterns: Vec::new(),
    }
}

fn records(numbers: std::ops::RangeInclusive<u8>) -> Vec<Value> {
    numbers.map(|n| json!({ "dynamodb": { "SequenceNumber": n.to_string() } })).collect()
}

fn numbers(records: &[Value]) -> String {
    let numbers: Vec<_> = records.iter().map(|r| r["dynamodb"]["SequenceNumber"].as_str().unwrap()).collect();
    numbers.join(" ")
}

/// Plays a delivery against a function, and writes down what it was given and what followed.
fn play(mut delivery: Delivery, function: impl Fn(&str) -> Result<Value, ()>) -> Vec<String> {
    let mut story = Vec::new();
    while let Some(batch) = delivery.batch() {
        let batch = numbers(batch);
        let told = match delivery.answered(function(&batch).as_ref().map_err(|&()| ())) {
            Step::Settled(through) => format!("[{batch}] settled {through}"),
            Step::Again { settled, failures } => {
                format!("[{batch}] again {failures} settled {}", settled.unwrap_or_else(|| "-".to_owned()))
            }
            Step::GivenUp { records, attempts, settled } => {
                format!("[{batch}] gave up [{}] after {attempts} settled {settled}", numbers(&records))
            }
        };
        story.push(told);
    }
    story
}

fn failing(numbers: &[&str]) -> Value {
    let named: Vec<_> = numbers.iter().map(|number| json!({ "itemIdentifier": number })).collect();
    json!({ "batchItemFailures": named })
}

#[test]
fn records_come_in_order_and_in_batches() {
    let delivery = Delivery::new(&records(1..=9), &mapping());
    let story = play(delivery, |_| Ok(Value::Null));
    assert_eq!(story, ["[1 2 3 4] settled 4", "[5 6 7 8] settled 8", "[9] settled 9"]);
}

#[test]
fn a_batch_goes_on_from_the_lowest_failing_record() {
    let delivery = Delivery::new(&records(1..=5), &mapping());
    let story = play(delivery, |batch| Ok(if batch == "1 2 3 4" { failing(&["4", "3"]) } else { failing(&[]) }));
    assert_eq!(story, ["[1 2 3 4] again 1 settled 2", "[3 4] settled 4", "[5] settled 5"]);
}

#[test]
fn a_failure_that_names_a_strange_record_fails_all() {
    let delivery = Delivery::new(&records(1..=2), &StreamMapping { retries: Some(0), ..mapping() });
    let story = play(delivery, |_| Ok(failing(&["2", "77"])));
    assert_eq!(story, ["[1 2] gave up [1 2] after 1 settled 2"]);
}

#[test]
fn a_batch_that_fails_as_a_whole_is_split_until_the_bad_record_stands_alone() {
    let delivery = Delivery::new(&records(1..=4), &mapping());
    let story = play(delivery, |batch| if batch.contains('3') { Err(()) } else { Ok(json!({})) });
    let expected = [
        "[1 2 3 4] again 1 settled -",
        "[1 2] settled 2",
        "[3 4] again 1 settled -",
        "[3] again 1 settled -",
        "[3] again 2 settled -",
        "[3] gave up [3] after 3 settled 3",
        "[4] settled 4",
    ];
    assert_eq!(story, expected);
}

#[test]
fn without_bisecting_a_bad_record_takes_its_batch_along() {
    let delivery = Delivery::new(&records(1..=5), &StreamMapping { bisect: false, ..mapping() });
    let story = play(delivery, |batch| if batch.contains('2') { Err(()) } else { Ok(json!({})) });
    let expected = [
        "[1 2 3 4] again 1 settled -",
        "[1 2 3 4] again 2 settled -",
        "[1 2 3 4] gave up [1 2 3 4] after 3 settled 4",
        "[5] settled 5",
    ];
    assert_eq!(story, expected);
}

#[test]
fn a_function_that_does_not_report_failures_is_not_asked_for_them() {
    let delivery = Delivery::new(&records(1..=2), &StreamMapping { reports_failures: false, ..mapping() });
    assert_eq!(play(delivery, |_| Ok(failing(&["1"]))), ["[1 2] settled 2"]);
}

fn record(event: &str, vendor: &str, trust: &str) -> Value {
    let image = json!({ "vendor": { "S": vendor }, "kind": { "S": "booking.created" }, "trust": { "S": trust } });
    json!({ "eventName": event, "dynamodb": { "Keys": { "sk": { "S": "booking" } }, "NewImage": image } })
}

#[test]
fn the_deployed_filters_let_pass_what_they_name() {
    let template = Template::deployed().unwrap();
    let streams = &template.function("booking-worker").unwrap().streams;
    let passes = |name: &str, record: &Value| {
        let mapping = streams.iter().find(|stream| stream.name.ends_with(name)).unwrap();
        mapping.patterns.iter().any(|pattern| Pattern::parse(pattern).unwrap().lets_pass(record))
    };
    assert!(passes("NewBooking", &record("INSERT", "popin", "bearer")));
    assert!(!passes("NewBooking", &record("MODIFY", "popin", "bearer")));
    assert!(passes("Witness", &record("INSERT", "popin", "bearer")));
    // Quarantined, and known since.
    assert!(passes("Witness", &record("MODIFY", "popin", "bearer")));
    // The worker's own write.
    assert!(!passes("Witness", &record("MODIFY", "popin", "confirmed")));
    assert!(!passes("Witness", &record("INSERT", "popin", "claimed")));
    assert!(!passes("Witness", &record("INSERT", "chili-piper", "bearer")));
    assert!(!passes("Witness", &json!({ "eventName": "REMOVE", "dynamodb": { "Keys": {} } })));
}

#[test]
fn a_filter_that_is_not_known_here_is_an_error() {
    let why = |pattern: Value| Pattern::parse(&pattern).unwrap_err().0;
    assert_eq!(why(json!({ "eventName": [{ "prefix": "IN" }] })), "eventName");
    assert_eq!(why(json!({ "dynamodb": { "OldImage": { "a": { "S": ["b"] } } } })), "dynamodb.OldImage.a.S");
    assert_eq!(why(json!({ "eventName": [] })), "eventName");
    assert_eq!(why(json!({})), "");
}

#[test]
fn positions_and_dead_letters_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (positions, letters) = (folder.path().join("positions.json"), folder.path().join("letters.jsonl"));
    Positions::open(&positions).unwrap().advance("f.E", "stream-1", "7").unwrap();
    DeadLetters::open(&letters).unwrap().add(json!({ "why": "it\nfailed" })).unwrap();
    let kept = Positions::open(&positions).unwrap();
    assert_eq!(kept.after("f.E", "stream-1").as_deref(), Some("7"));
    assert_eq!(kept.after("f.E", "stream-2"), None);
    assert_eq!(DeadLetters::open(&letters).unwrap().all(), [json!({ "why": "it\nfailed" })]);
}
