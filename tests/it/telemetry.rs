//! What a whole run tells: lines of JSON, metrics that CloudWatch can read, one id to follow, and nobody's data.

use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use system_tests::{
    canary::{EMAIL, NAME, NUMBER},
    crm_ways::{ACCESS_TOKEN, SECRET},
    overheard,
    shop::{API_KEY, POPIN_KEY, STANDARD_SECRET, Shop, WEBHOOK_KEY, lead},
    tour::tour,
    written_back::NOTIFY_SECRET,
};

fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.extension() {
        None => sources(&path),
        Some(ending) if ending == "rs" => vec![fs::read_to_string(path).unwrap()],
        Some(_) => Vec::new(),
    };
    entries.filter(|path| path.is_dir() || path.extension().is_some()).flat_map(read).collect()
}

fn lines(told: &str) -> Vec<Value> {
    told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

#[tokio::test(start_paused = true)]
async fn every_line_is_json_and_every_metric_is_embedded_as_cloudwatch_reads_it() {
    let tour = tour().await;
    let keys = [API_KEY, WEBHOOK_KEY, POPIN_KEY, STANDARD_SECRET, SECRET, ACCESS_TOKEN, NOTIFY_SECRET];
    for secret in [NAME, NUMBER, EMAIL].into_iter().chain(keys) {
        assert!(!tour.told.contains(secret), "a line tells of {secret}");
    }
    let mut names = BTreeSet::new();
    for line in lines(&tour.told).iter().filter(|line| line.get("_aws").is_some()) {
        let aws = &line["_aws"];
        assert!(aws["Timestamp"].as_i64().is_some_and(|at| at > 0), "{line}");
        let directive = &aws["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Frontdesk");
        for set in directive["Dimensions"].as_array().unwrap() {
            // A dimension is a text at the top of the line; nine at most.
            assert!(set.as_array().unwrap().iter().all(|name| line[name.as_str().unwrap()].is_string()), "{line}");
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()), "{line}");
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_number(), "{name} has no value: {line}");
            assert!(["Count", "Seconds"].contains(&metric["Unit"].as_str().unwrap()), "{line}");
            names.insert(name.to_owned());
        }
    }
    let mut sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../functions")));
    sources.push(include_str!("../../shared/src/edge/booking_view.rs").to_owned());
    for name in sources.iter().flat_map(|source| {
        let calls = [".count(\"", ".seconds(\""].into_iter().flat_map(|call| source.split(call).skip(1));
        calls.filter_map(|rest| rest.split('"').next())
    }) {
        assert!(names.contains(name), "nobody was told of {name}: {names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_books_of_a_batch_balance() {
    let tour = tour().await;
    let mut batches = 0;
    for line in lines(&tour.told).iter().filter(|line| line.get("EventsReceived").is_some()) {
        let count = |name: &str| line[name].as_u64().unwrap_or_default();
        let parts = ["EventsStored", "EventsDuplicate", "EventsIgnored", "EventsRejected"].map(count);
        assert_eq!(parts.iter().sum::<u64>(), count("EventsReceived"), "{line}");
        batches += 1;
    }
    assert!(batches >= 4, "{batches} batches");
}

/// The caller has the request's id from the answer; its line names the booking, and the worker's lines do too.
#[tokio::test(start_paused = true)]
async fn one_request_is_followed_from_the_trigger_to_the_booked_call() {
    overheard::keep();
    let shop = Shop::open().await;
    let reply = shop.trigger("msg_1", &lead(1)).await;
    shop.trigger("msg_2", &lead(2)).await;
    shop.settle().await;
    let request = reply.header("x-request-id");
    let told = lines(&overheard::kept());
    let field = |line: &Value, name: &str| line.get(name).or_else(|| line["fields"].get(name)).cloned();
    let is = |line: &&Value, name: &str, value: &Value| field(line, name).as_ref() == Some(value);
    let of_request: Vec<_> = told.iter().filter(|line| is(line, "request.id", &request.into())).collect();
    assert_eq!((request.is_empty(), of_request.len()), (false, 1), "{request} {of_request:?}");
    let booking = field(of_request[0], "booking.id").unwrap();
    assert_eq!(booking, reply.body["id"]);
    let of_booking: Vec<_> = told.iter().filter(|line| is(line, "booking.id", &booking)).collect();
    assert!(of_booking.iter().any(|line| is(line, "booking.state", &"scheduled".into())), "{of_booking:?}");
}
