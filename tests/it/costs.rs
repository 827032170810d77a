//! What a million costs, by a price list and by what was counted; tests/PERFORMANCE.md prints the table.

use local::dynamodb::DbCall;
use serde_json::{Value, json};
use std::{fmt::Write as _, fs};
use system_tests::{
    overheard,
    pages::assert_block,
    shop::{Reply, Shop, lead, page_id, sellers},
};

/// us-east-1, on demand, arm64, without the free tier, as read on 2026-11-21 and, what is sent, 2026-11-29; dollars.
mod price {
    /// A million requests of up to 512 KB to an HTTP API.
    pub(super) const API: f64 = 1.00;
    /// A million invocations.
    pub(super) const INVOCATIONS: f64 = 0.20;
    pub(super) const GB_SECOND: f64 = 0.000_013_333_4;
    /// A million write request units; of read request units.
    pub(super) const WRITES: f64 = 0.625;
    pub(super) const READS: f64 = 0.125;
    /// A gigabyte of log lines taken in.
    pub(super) const LOG_GB: f64 = 0.50;
    /// A gigabyte sent to the internet, of the first ten terabytes of a month.
    pub(super) const SENT_GB: f64 = 0.09;
    pub(super) const READ_ON: &str = "2026-11-29";
}

/// What an invocation takes by itself, and for a call of DynamoDB's and one of Popin's; seconds.
const OWN: f64 = 0.001;
const DYNAMODB: f64 = 0.003;
const POPIN: f64 = 0.300;
/// Events of a batch that are written at once.
const AT_ONCE: f64 = 16.0;

#[derive(Default)]
struct Cost {
    requests: f64,
    invocations: f64,
    gb_seconds: f64,
    writes: f64,
    reads: f64,
    log_bytes: f64,
    /// That leave AWS, with the head of each answer.
    sent_bytes: f64,
}

/// What the counting cannot see for itself.
struct Run {
    invocations: f64,
    mb: f64,
    /// Calls of Popin's.
    popin: f64,
    /// Calls of DynamoDB's that are made at once.
    at_once: f64,
}

const SMALL: Run = Run { invocations: 1.0, mb: 128.0, popin: 0.0, at_once: 1.0 };

impl Cost {
    /// What was asked of the database and told since the last time, for these answers.
    fn counted(shop: &Shop, answers: &[&Reply], run: &Run) -> Self {
        let units = |calls: &[DbCall], read: bool| -> f64 {
            let reads = ["GetItem", "Query"];
            let of = calls.iter().filter(|call| reads.contains(&call.operation.as_str()) == read);
            // A write whose condition fails is paid as one that is done, by the larger item: here, a started kilobyte.
            of.fold(0.0, |sum, call| sum + call.consumed.unwrap_or(if call.status == 400 { 1.0 } else { 0.0 }))
        };
        let calls = shop.world.db.calls();
        shop.world.db.reset_calls();
        let told = overheard::kept();
        overheard::keep();
        let log_bytes: usize = told.lines().filter(|line| is_told_by_default(line)).map(|line| line.len() + 1).sum();
        let seconds = run.invocations * OWN + (number(calls.len()) / run.at_once).ceil() * DYNAMODB + run.popin * POPIN;
        let requests = number(answers.len());
        Self {
            requests,
            invocations: run.invocations,
            gb_seconds: seconds * run.mb / 1024.0,
            writes: units(&calls, false),
            reads: units(&calls, true),
            log_bytes: number(log_bytes) + run.invocations * length(PLATFORM) + requests * length(&access_line()),
            sent_bytes: answers.iter().map(|answer| number(answer.bytes + head(answer))).sum(),
        }
    }

    fn and(self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            invocations: self.invocations + other.invocations,
            gb_seconds: self.gb_seconds + other.gb_seconds,
            writes: self.writes + other.writes,
            reads: self.reads + other.reads,
            log_bytes: self.log_bytes + other.log_bytes,
            sent_bytes: self.sent_bytes + other.sent_bytes,
        }
    }

    fn by(self, parts: f64) -> Self {
        Self {
            requests: self.requests / parts,
            invocations: self.invocations / parts,
            gb_seconds: self.gb_seconds / parts,
            writes: self.writes / parts,
            reads: self.reads / parts,
            log_bytes: self.log_bytes / parts,
            sent_bytes: self.sent_bytes / parts,
        }
    }

    /// For a million: the API, Lambda, the database, the log, and what is sent.
    fn dollars(&self) -> [f64; 5] {
        [
            self.requests * price::API,
            self.invocations * price::INVOCATIONS + self.gb_seconds * price::GB_SECOND * 1e6,
            self.writes * price::WRITES + self.reads * price::READS,
            self.log_bytes * 1e6 / 1e9 * price::LOG_GB,
            self.sent_bytes * 1e6 / 1e9 * price::SENT_GB,
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run's counts are small")]
fn number(count: usize) -> f64 {
    count as f64
}

fn length(text: &str) -> f64 {
    number(text.len())
}

/// An answer's status line and headers, as HTTP/1.1 spells them.
fn head(answer: &Reply) -> usize {
    let headers = answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    "HTTP/1.1 200 OK\r\n\r\n".len() + headers.sum::<usize>()
}

/// What Lambda itself writes of an invocation.
const PLATFORM: &str = "START RequestId: 018f2b6e-7c1a-7e3b-9d0a-000000000001 Version: 12\n\
    END RequestId: 018f2b6e-7c1a-7e3b-9d0a-000000000001\n\
    REPORT RequestId: 018f2b6e-7c1a-7e3b-9d0a-000000000001\tDuration: 4.21 ms\tBilled Duration: 5 ms\tMemory Size: 128 MB\tMax Memory Used: 21 MB\t\n";

/// The API's own line of a request, as the template has it.
fn access_line() -> String {
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/template.yaml")).unwrap();
    let format = template.split_once("Format: '{").unwrap().1.split_once("}'").unwrap().0;
    let mut line = format!("{{{format}}}\n");
    for (name, like) in [
        ("requestId", "JKJaXmPLvHcESHA="),
        ("integration.requestId", "018f2b6e-7c1a-7e3b-9d0a-000000000001"),
        ("requestTime", "21/Nov/2026:03:00:00 +0000"),
        ("routeKey", "POST /v1/collect/{seller}"),
        ("status", "202"),
        ("responseLatency", "11"),
        ("integrationLatency", "9"),
        ("integrationStatus", "200"),
        ("responseLength", "54"),
        ("error.responseType", "-"),
    ] {
        assert!(line.contains(&format!("$context.{name}\"")), "{name}");
        line = line.replace(&format!("$context.{name}\""), &format!("{like}\""));
    }
    assert!(!line.contains("$context"), "{line}");
    line
}

/// At `LOG_LEVEL=info`, metrics with it.
fn is_told_by_default(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    line.get("_aws").is_some() || ["ERROR", "WARN", "INFO"].iter().any(|level| line["level"] == *level)
}

async fn table() -> Vec<(&'static str, Cost)> {
    overheard::keep();
    let shop = Shop::open().await;
    shop.book("k0", Some(10), &lead(9)).await;
    shop.settle().await;
    let event = |n: u32| json!({"id": page_id(n), "source": "popin", "name": "popin_open", "data": {"uid": "u"}});
    let none = Cost::counted(&shop, &[], &SMALL);
    assert!(none.writes > 0.0);
    let of = |answer: Reply, run: &Run| {
        assert!(answer.status.is_success(), "{:?}", answer.body);
        Cost::counted(&shop, &[&answer], run)
    };
    let mut rows = Vec::new();
    rows.push(("a page event, alone", of(shop.collect(json!([event(1)])).await, &SMALL)));
    let batch = json!((2..12).map(event).collect::<Vec<_>>());
    let at_once = Run { at_once: AT_ONCE, ..SMALL };
    rows.push(("a page event, in a batch of 10", of(shop.collect(batch).await, &at_once).by(10.0)));
    let person = json!({"phone": "9000000077", "email": "asha@example.com"});
    let person = json!({"id": page_id(12), "source": "popin", "name": "popin_captured", "data": person});
    rows.push(("a page event with a number and an address", of(shop.collect(json!([person])).await, &SMALL)));
    rows.push(("a copy that the process knows", of(shop.collect(json!([event(1)])).await, &SMALL)));
    // Another process has not seen it: the table tells.
    let other = shop.again_with(sellers(|_| {})).await;
    rows.push(("a copy that another process gets", of(other.collect(json!([event(1)])).await, &SMALL)));
    let webhook = json!({"event": "popin_call_missed", "user_id": 1, "timestamp": 1_795_400_000});
    let told = shop.popin_webhook(webhook.to_string()).await;
    rows.push(("a webhook", Cost::counted(&shop, &[&told], &SMALL)));
    let webhook = json!({"event": "popin_call_missed", "user_id": 2, "full_phone_number": "+919000000078", "timestamp": 1_795_400_000});
    rows.push(("a webhook with a number", of(shop.popin_webhook(webhook.to_string()).await, &SMALL)));
    rows.push(("the slots of a week, read", of(shop.slots("").await, &SMALL)));
    rows.push(("the slots of a week, from the copy", of(shop.slots("").await, &SMALL)));
    rows.push(("the next 20 slots, from the copy", of(shop.slots("?limit=20").await, &SMALL)));
    let worker = Run { mb: 256.0, ..SMALL };
    let accepted = of(shop.trigger("msg_1", &lead(1)).await, &worker);
    shop.settle().await;
    // The worker twice, for the booking and for Popin's webhook; and Popin's two webhooks, each a request, answered as that one.
    let booked = Cost::counted(&shop, &[&told, &told], &Run { invocations: 4.0, popin: 2.0, ..worker });
    rows.push(("a booking, from the trigger to Popin's webhook", booked.and(&accepted)));
    rows
}

fn print(rows: &[(&str, Cost)]) -> String {
    let mut text = format!(
        "| a million of (prices of {}) | write units | read units | API $ | Lambda $ | DynamoDB $ | log $ | sent $ | together $ |\n|---|---|---|---|---|---|---|---|---|\n",
        price::READ_ON
    );
    for (what, cost) in rows {
        let [api, lambda, database, log, sent] = cost.dollars();
        let (writes, reads, all) = (cost.writes, cost.reads, api + lambda + database + log + sent);
        writeln!(
            text,
            "| {what} | {writes:.1} | {reads:.1} | {api:.2} | {lambda:.2} | {database:.2} | {log:.2} | {sent:.2} | {all:.2} |"
        )
        .unwrap();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn page_prints_what_a_million_costs() {
    assert_block("tests/PERFORMANCE.md", "costs", &print(&table().await));
}

/// The floor for durable and told apart from its copies.
#[tokio::test(start_paused = true)]
async fn a_new_event_is_one_write_unit_and_a_known_copy_and_a_second_look_are_nothing() {
    let rows = table().await;
    let cost = |what: &str| &rows.iter().find(|(name, _)| *name == what).unwrap().1;
    let units = |what| (cost(what).writes, cost(what).reads);
    let writes = ["a page event, alone", "a page event, in a batch of 10", "a copy that another process gets"];
    for what in writes {
        assert_eq!(units(what), (1.0, 0.0), "{what}");
    }
    for what in
        ["a copy that the process knows", "the slots of a week, from the copy", "the next 20 slots, from the copy"]
    {
        assert_eq!(units(what), (0.0, 0.0), "{what}");
    }
    // A transaction is paid twice: of the event, and of an entry for the number and one for the address.
    // Half a unit for each person who may have been forgotten.
    assert_eq!(units("a page event with a number and an address"), (6.0, 1.0));
    assert_eq!(units("a webhook"), (1.0, 0.5));
    // Half a unit is 4 KB: a week of quarter hours has room in it, and some ten of our own bookings.
    assert_eq!(units("the slots of a week, read"), (0.0, 0.5));
}

/// Names and values as DynamoDB counts them, but for a few bytes of a number.
fn size(item: &Value) -> usize {
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string().len(), str::len);
    item.as_object().unwrap().iter().map(|(name, held)| name.len() + value(held)).sum()
}

#[tokio::test(start_paused = true)]
async fn a_new_event_is_one_write_unit_up_to_a_whole_kilobyte() {
    let shop = Shop::open().await;
    let mut seen = [0, 0];
    for n in 1..60 {
        let data = json!({"uid": "u", "pad": "x".repeat(20 * n as usize)});
        shop.world.db.reset_calls();
        let event = json!({"id": page_id(n), "source": "popin", "name": "popin_open", "data": data});
        assert_eq!(shop.collect(json!([event])).await.body["accepted"], 1);
        let calls = shop.world.db.calls();
        let stored = shop.events().into_iter().find(|item| item["sk"] == format!("page-{}", page_id(n))).unwrap();
        let units = match size(&stored) {
            ..=1000 => 1.0,
            1001..1040 => continue,
            1040.. => 2.0,
        };
        assert_eq!((calls.len(), calls[0].consumed), (1, Some(units)), "{} bytes", size(&stored));
        seen[usize::from(units > 1.0)] += 1;
    }
    assert!(seen.iter().all(|times| *times > 5), "{seen:?}");
}
