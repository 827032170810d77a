//! What a whole run tells: lines of JSON, metrics that CloudWatch can read, one id to follow, and nobody's data.

use local::dynamodb::DbFault;
use serde_json::{Value, json};
use sim::{Fault, FaultOrder, Target, WebhookMode};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use system_tests::{
    canary::{EMAIL, NAME, NUMBER},
    crm_ways::Way,
    overheard::{self, TELLING},
    pages::page,
    shop::{Shop, lead, page_id},
    tour::tour,
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

/// An id of a line: a metric line has it at its top, a log line in its span.
fn id_of<'a>(line: &'a Value, id: &str) -> &'a Value {
    if line.get("_aws").is_some() { &line[id] } else { &line["span"][id] }
}

#[tokio::test(start_paused = true)]
async fn every_line_is_json_and_every_metric_is_embedded_as_cloudwatch_reads_it() {
    let tour = tour().await;
    for secret in [NAME, NUMBER, EMAIL].into_iter().chain(TELLING) {
        assert!(!tour.told.contains(secret), "a line tells of {secret}");
    }
    let mut names = BTreeSet::new();
    for line in lines(&tour.told).iter().filter(|line| line.get("_aws").is_some()) {
        let aws = &line["_aws"];
        assert!(aws["Timestamp"].as_i64().is_some_and(|at| at > 0), "{line}");
        let directive = &aws["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Frontdesk");
        for set in directive["Dimensions"].as_array().unwrap() {
            // A dimension is a text at the top of the line; nine at most, that CloudWatch still charges as one set.
            assert!((1..=9).contains(&set.as_array().unwrap().len()), "{line}");
            assert!(set.as_array().unwrap().iter().all(|name| line[name.as_str().unwrap()].is_string()), "{line}");
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()), "{line}");
        let distinct: BTreeSet<_> = metrics.iter().map(|metric| metric["Name"].as_str()).collect();
        assert_eq!(distinct.len(), metrics.len(), "{line}");
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_number(), "{name} has no value: {line}");
            assert!(["Count", "Seconds"].contains(&metric["Unit"].as_str().unwrap()), "{line}");
            names.insert(name.to_owned());
        }
    }
    let mut sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../functions")));
    let edge = ["booking_view", "answer", "sellers", "timed"].map(|name| format!("../shared/src/edge/{name}.rs"));
    sources
        .extend(edge.iter().map(|path| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()));
    for name in sources.iter().flat_map(|source| {
        let calls = [".count(\"", ".amount(\"", ".seconds(\""].into_iter().flat_map(|call| source.split(call).skip(1));
        let listed = source.split("(\"WriteBacks").skip(1).filter_map(|rest| rest.split('"').next());
        let listed = listed.map(|rest| format!("WriteBacks{rest}"));
        calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned).chain(listed).collect::<Vec<_>>()
    }) {
        assert!(names.contains(&name), "nobody was told of {name}: {names:?}");
    }
    // Each is paid by the month.
    let page = page("infra/OPERATIONS.md");
    assert!(page.contains(&format!("{} names", names.len())), "the page counts other than {}", names.len());
}

#[tokio::test(start_paused = true)]
async fn the_books_of_a_batch_balance() {
    let tour = tour().await;
    let mut batches = 0;
    let told = lines(&tour.told);
    let by_code = |line: &Value| {
        let parts = told.iter().filter(|part| part["request.id"] == line["request.id"] && part.get("code").is_some());
        parts.filter_map(|part| part["EventsRejected"].as_u64()).sum::<u64>()
    };
    for line in told.iter().filter(|line| line.get("EventsReceived").is_some()) {
        let count = |name: &str| line[name].as_u64().unwrap_or_default();
        let parts =
            ["EventsStored", "EventsDuplicate", "EventsIgnored", "EventsRejected", "EventsNotStored"].map(count);
        assert_eq!(parts.iter().sum::<u64>(), count("EventsReceived"), "{line}");
        assert_eq!(by_code(line), count("EventsRejected"), "{line}");
        batches += 1;
    }
    assert!(batches >= 4, "{batches} batches");
}

/// The sum of a metric over all that was told, each told once.
fn sum(told: &[Value], metric: &str) -> u64 {
    let whole = |line: &&Value| {
        let sets = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].as_array();
        sets.is_some_and(|sets| sets.contains(&json!(["function"])))
    };
    told.iter().filter(whole).filter_map(|line| line.get(metric)?.as_u64()).sum()
}

/// The books are held against what was sent, and against the table.
#[tokio::test(start_paused = true)]
async fn the_books_balance_where_the_database_fails_for_one_of_a_batch() {
    overheard::keep();
    let shop = Shop::open().await;
    let event = |n: u32| json!({"id": page_id(n), "source": "popin", "name": "popin_open", "data": {"uid": "u"}});
    let chatter = json!({"id": page_id(9), "source": "chili-piper", "name": "started-listening-form-data-update"});
    let batch = json!([event(1), event(2), event(3), {"id": "no"}, chatter]);
    let one = format!("page-{}", page_id(2));
    shop.world.db.set_fault(Some(Arc::new(move |_: &str, body: &Value| {
        if body.to_string().contains(&one) { DbFault::Unreachable } else { DbFault::None }
    })));
    assert_eq!(shop.collect(batch.clone()).await.status, 503);
    let webhook = json!({"event": "popin_call_missed", "user_id": 1, "timestamp": 1_795_400_000}).to_string();
    shop.world.db.set_fault(Some(Arc::new(|_: &str, _: &Value| DbFault::Unreachable)));
    assert_eq!(shop.popin_webhook(webhook.clone()).await.status, 503);
    shop.world.db.set_fault(None);
    assert_eq!(shop.collect(batch).await.status, 202);
    assert_eq!(shop.popin_webhook(webhook).await.body["stored"], true);
    let told = lines(&overheard::kept());
    let books = |names: &[&str]| names.iter().map(|name| sum(&told, name)).collect::<Vec<_>>();
    let names =
        ["EventsReceived", "EventsStored", "EventsDuplicate", "EventsIgnored", "EventsRejected", "EventsNotStored"];
    assert_eq!(books(&names), [12, 4, 2, 2, 2, 2]);
    assert_eq!(shop.events().len(), 4);
}

/// What the alarms look at: each state that a booking comes to is told once, whoever carried it there.
#[tokio::test(start_paused = true)]
async fn a_booking_is_counted_where_it_was_carried_and_nowhere_else() {
    const NAMES: [&str; 4] = ["BookingsWaiting", "BookingsScheduled", "BookingsInDoubt", "BookingsNeedingHuman"];
    let counted = || {
        let told = lines(&overheard::kept());
        overheard::keep();
        NAMES.map(|name| sum(&told, name))
    };
    let shop = Shop::open().await;
    overheard::keep();
    // Accepted, and carried by a repetition that waits, before the stream is at it.
    shop.book("k1", None, &lead(1)).await;
    shop.book("k1", Some(10), &lead(1)).await;
    shop.settle().await;
    assert_eq!(counted(), [1, 1, 0, 0]);
    // The same, where nobody answers; and what a person says of it.
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
    let id = shop.book("k2", None, &lead(2)).await.body["id"].as_str().unwrap().to_owned();
    shop.book("k2", Some(10), &lead(2)).await;
    shop.settle().await;
    assert_eq!(counted(), [1, 0, 1, 0]);
    shop.advance(901);
    shop.tick("booking-worker").await;
    shop.tick("booking-worker").await;
    assert_eq!(counted(), [0, 0, 0, 1]);
    shop.resolve(&id, &json!({"outcome": "scheduled"})).await;
    assert_eq!(counted(), [0, 1, 0, 0]);
    // Popin's webhook settles it while the caller still waits for Popin's reply.
    shop.tick("slot-cache").await;
    shop.world.sim.set_webhooks(WebhookMode::default());
    let waited = shop.book_told_first("k3", &lead(3)).await;
    assert_eq!(waited.body["state"], "scheduled", "{:?}", waited.body);
    shop.settle().await;
    assert_eq!(counted(), [0, 1, 0, 0]);
}

/// Every trigger is one thing: also where another one of its batch could not be stored, and when it comes again.
#[tokio::test(start_paused = true)]
async fn the_books_of_triggers_balance() {
    overheard::keep();
    let shop = Shop::with_crms().await;
    overheard::keep();
    let way = Way::LeadSquared;
    for _ in 0..2 {
        way.send(&shop, &way.body(1)).await;
    }
    // Of a batch of three one cannot be written: its sender comes again with all of it.
    let batch = json!(
        (2..5).map(|n| serde_json::from_str::<Value>(&Way::HubSpotApp.body(n)).unwrap()[0].clone()).collect::<Vec<_>>()
    );
    let first: OnceLock<Value> = OnceLock::new();
    shop.world.db.set_fault(Some(Arc::new(move |operation: &str, body: &Value| {
        let key = &body["Item"]["sk"];
        let fails = operation == "PutItem" && first.get_or_init(|| key.clone()) == key;
        if fails { DbFault::Unreachable } else { DbFault::None }
    })));
    Way::HubSpotApp.send(&shop, &batch.to_string()).await;
    shop.world.db.set_fault(None);
    Way::HubSpotApp.send(&shop, &batch.to_string()).await;
    shop.book("k1", None, &json!({})).await;
    let told = lines(&overheard::kept());
    let parts = ["Booked", "Duplicate", "Pending", "Parked", "Ignored", "Refused", "NotStored"];
    let counts: Vec<u64> = parts.iter().map(|part| sum(&told, &format!("Triggers{part}"))).collect();
    assert_eq!(sum(&told, "TriggersReceived"), 9);
    assert_eq!(counts.iter().sum::<u64>(), 9, "{counts:?}");
    // Of the second batch two were stored before.
    assert_eq!(counts, [1, 3, 3, 0, 0, 1, 1]);
}

/// Whatever a function tells, metrics too, is told of one invocation, by the ids that Lambda and the gateway gave it.
#[tokio::test(start_paused = true)]
async fn every_line_has_its_request_and_its_trace() {
    let tour = tour().await;
    let mut seen = BTreeSet::new();
    for line in lines(&tour.told) {
        for id in ["request.id", "trace.id"] {
            assert!(id_of(&line, id).as_str().is_some_and(|id| !id.is_empty()), "no {id}: {line}");
        }
        seen.insert(id_of(&line, "function").as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_its_request_and_its_trace_and_no_more_than_the_root_of_it() {
    let shop = Shop::open().await;
    let root = "1-5759e988-bd862e3fe1be46a994272793";
    let header = format!("Root={root};Self=1-67891234-def;guest=guest@example.com");
    overheard::keep();
    let reply = shop.send(http::Method::GET, "/v1/slots/acme", &[("x-amzn-trace-id", &header)], "").await;
    assert_eq!(reply.header("x-amzn-trace-id"), format!("Root={root}"));
    let told = lines(&overheard::kept());
    let request = told.iter().find(|line| line["message"] == "request").unwrap();
    assert_eq!(
        (id_of(request, "trace.id").as_str(), id_of(request, "request.id").as_str()),
        (Some(root), Some(reply.header("x-request-id")))
    );
    let refused = shop.send(http::Method::GET, "/v1/slots/nobody", &[("origin", "https://x.example.com")], "").await;
    assert!(!refused.header("x-request-id").is_empty() && refused.header("x-amzn-trace-id").starts_with("Root=1-"));
}

/// What is turned away is counted by the reason: a whole request, and an event of a batch.
#[tokio::test(start_paused = true)]
async fn refusals_are_counted_by_their_codes() {
    overheard::keep();
    let shop = Shop::open().await;
    let bad = |id: &str| json!({"id": id, "source": "popin", "name": "popin_open"});
    shop.collect(json!([bad("no"), bad("no"), {"id": page_id(1), "source": "nobody", "name": "x"}, bad(&page_id(2))]))
        .await;
    shop.collect(json!({"not": "a list"})).await;
    shop.book("k1", None, &json!({})).await;
    shop.send(http::Method::POST, "/v1/webhooks/acme/popin", &[], "{}").await;
    let told = lines(&overheard::kept());
    let of = |metric: &str, function: &str| -> Vec<(String, u64)> {
        let lines = told.iter().filter(|line| line["function"] == function && line.get("code").is_some());
        let counts = lines.filter_map(|line| Some((line["code"].as_str()?.to_owned(), line.get(metric)?.as_u64()?)));
        counts.collect()
    };
    let own =
        |counts: &[(&str, u64)]| counts.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(of("EventsRejected", "event-intake"), own(&[("id_invalid", 2), ("source_unknown", 1)]));
    assert_eq!(of("RequestsRefused", "event-intake"), own(&[("not_json", 1), ("not_authenticated", 1)]));
    assert_eq!(of("RequestsRefused", "crm-intake"), own(&[("lead_name_missing", 1)]));
}

/// From the line of a trigger's request, by the booking's id or by that of what waits for its CRM, to the booked call: for
/// every way in which a CRM comes.
#[tokio::test(start_paused = true)]
async fn one_request_is_followed_from_the_trigger_to_the_booked_call() {
    for (number, way) in (1..).zip(Way::ALL) {
        overheard::keep();
        let shop = Shop::with_crms().await;
        way.keep_record(&shop, number);
        way.send(&shop, &way.body(number)).await;
        shop.settle().await;
        let told = lines(&overheard::kept());
        let with = |id: &str, value: &Value| -> Vec<&Value> { told.iter().filter(|line| line[id] == *value).collect() };
        let named = |lines: &[&Value], id: &str| lines.iter().find_map(|line| line.get(id).cloned());
        let request = told.iter().find(|line| line["message"] == "request").unwrap();
        let request = id_of(request, "request.id");
        let of_request: Vec<_> = told.iter().filter(|line| id_of(line, "request.id") == request).collect();
        let booking = named(&of_request, "booking.id").or_else(|| {
            let trigger = named(&of_request, "trigger.id").unwrap_or_else(|| panic!("{way:?}: {of_request:?}"));
            named(&with("trigger.id", &trigger), "booking.id")
        });
        let of_booking = with("booking.id", &booking.unwrap_or_else(|| panic!("{way:?}: {told:?}")));
        assert!(of_booking.iter().any(|line| line["booking.state"] == "scheduled"), "{way:?}: {of_booking:?}");
    }
}

/// A batch of the stream holds several bookings, and each one's lines name it in their span.
#[tokio::test(start_paused = true)]
async fn worker_lines_name_their_own_booking_in_the_span() {
    overheard::keep();
    let shop = Shop::open().await;
    for number in 1..=3 {
        shop.book(&format!("k{number}"), None, &lead(number)).await;
    }
    shop.settle().await;
    let told = lines(&overheard::kept());
    let steps: Vec<_> = told
        .iter()
        .filter(|line| line["span"]["function"] == "booking-worker" && line["message"] == "booking.step")
        .collect();
    assert!(steps.iter().all(|line| line["booking.id"] == line["span"]["booking.id"]), "{steps:?}");
    let bookings: BTreeSet<_> = steps.iter().map(|line| line["booking.id"].as_str().unwrap()).collect();
    assert_eq!(bookings.len(), 3);
}
