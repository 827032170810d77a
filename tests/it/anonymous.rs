//! What an anonymous caller can write, by content and by number: bounded for an event, a request, a seller and a process.

use http::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use system_tests::{
    canary::forget_by_all,
    shop::{Reply, Shop, page_id, sellers},
};

/// The most that one event, one request and one process's burst may cost, in write units.
const EVENT: f64 = 10.0;
const REQUEST: f64 = 1000.0;

/// What was written since the last time.
fn units(shop: &Shop) -> f64 {
    let calls = shop.world.db.calls();
    shop.world.db.reset_calls();
    let writes = calls.iter().filter(|call| !["GetItem", "Query"].contains(&call.operation.as_str()));
    writes.map(|call| call.consumed.unwrap_or(0.0)).sum()
}

fn event(number: u32, name: &str, data: &Value) -> Value {
    json!({"id": page_id(number), "source": "popin", "name": name, "data": data})
}

/// Groups of digits, each of which may begin a number or go on with one.
fn digits(from: usize, groups: usize) -> String {
    (from..from + groups).map(|n| (90_000 + n * 37 % 9_973).to_string()).collect::<Vec<_>>().join(" ")
}

/// `+91 90000 xxxxx`, one after the other.
pub(crate) fn numbers(count: usize) -> String {
    (0..count).map(|n| format!("90000{n:05}")).collect::<Vec<_>>().join(", ")
}

fn addresses(count: usize) -> String {
    (0..count).map(|n| format!("g{n}@example.com")).collect::<Vec<_>>().join(" ")
}

/// Contents that cost as much as they can.
pub(crate) fn hostile() -> Vec<(&'static str, Value)> {
    let countries = json!({"country": "+44", "country_code": "+1", "customer_country_code": "+971"});
    let with = |field: &str, text: String| {
        let mut data = countries.clone();
        data[field] = json!(text);
        data
    };
    vec![
        ("nothing", json!({})),
        ("a lead", json!({"uid": "u", "mobile": "9000000077", "email": "asha@example.com"})),
        ("groups of digits", with("phone", digits(0, 20))),
        ("many groups of digits", with("phone", digits(0, 900))),
        ("numbers", with("phone", numbers(4))),
        ("many numbers", with("phone", numbers(200))),
        ("addresses", with("note", addresses(8))),
        ("many addresses", with("note", addresses(200))),
        ("both", json!({"phone": numbers(60), "note": addresses(60)})),
        ("a number as its thread", json!({"uid": "9000000077"})),
        ("a long thread", json!({"uid": "é".repeat(128), "phone": numbers(2)})),
        ("long", json!({"pad": "x".repeat(9_000)})),
        ("long, with two persons", json!({"phone": numbers(1), "note": addresses(1), "pad": "x".repeat(2_000)})),
        ("too long, with two persons", json!({"phone": numbers(1), "note": addresses(1), "pad": "x".repeat(9_000)})),
        ("too long", json!({"pad": "x".repeat(10_000)})),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_anonymous_event_costs_over_ten_units_whatever_is_in_it() {
    let shop = Shop::with(sellers(|_| {})).await;
    let mut number = 0;
    let mut most: f64 = 0.0;
    for (what, data) in hostile() {
        for name in ["popin_captured", "popin_never_heard_of", "9000000071 9000000072 guest@example.com"] {
            for page in [None, Some("https://shop.example.com/9000000073/9000000074")] {
                number += 1;
                let mut event = event(number, name, &data);
                event["page"] = json!(page);
                units(&shop);
                let reply = shop.collect(json!([event])).await;
                let cost = units(&shop);
                let stored = reply.body["accepted"] == 1;
                let too_large = reply.body["rejected"] == json!([{"index": 0, "code": "event_too_large"}]);
                assert!(stored != too_large && stored == (cost > 0.0), "{what} as {name}: {:?}", reply.body);
                assert!(too_large || !what.starts_with("too long"), "{what} as {name} is stored");
                assert!(cost <= EVENT, "{what} as {name} costs {cost} units");
                most = most.max(cost);
                shop.advance(1);
            }
        }
    }
    assert!((most - EVENT).abs() < f64::EPSILON, "the dearest costs {most}: the bound is not where it is said to be");
}

/// What two persons at least are found by is never left out: a lead is forgotten whatever else its event names.
#[tokio::test(start_paused = true)]
async fn lead_of_a_page_is_found_by_number_and_by_address_and_the_rest_is_counted() {
    let shop = Shop::with(sellers(|_| {})).await;
    assert_eq!(
        shop.collect(json!([event(1, "popin_captured", &json!({"mobile": "9000054321", "note": numbers(9)}))]))
            .await
            .body["accepted"],
        1
    );
    let entries = |shop: &Shop| {
        shop.world.items("events").iter().filter(|item| item["pk"].to_string().contains("#person#")).count()
    };
    assert_eq!(entries(&shop), 4, "a number more than four has no entry");
    let lead = json!({"mobile": "9000054321", "email": "canary.person@example.com", "pad": "x".repeat(1_500)});
    assert_eq!(shop.collect(json!([event(2, "popin_captured", &lead)])).await.body["accepted"], 1);
    assert_eq!(entries(&shop), 6);
    let (events, _) = forget_by_all(&shop).await;
    assert!(events >= 1, "the lead is found");
    assert!(!shop.events().iter().any(|item| item["data"].to_string().contains("canary")));
}

/// As dear as 64 KiB can be.
pub(crate) fn dearest(first: u32) -> Value {
    (first..first + 100).map(|n| event(n, "popin_captured", &json!({"phone": digits(n as usize * 100, 80)}))).collect()
}

#[tokio::test(start_paused = true)]
async fn no_anonymous_request_costs_over_a_thousand_units() {
    let shop = Shop::with(sellers(|_| {})).await;
    units(&shop);
    let reply = shop.collect(dearest(1)).await;
    assert_eq!((reply.status, &reply.body["accepted"]), (StatusCode::ACCEPTED, &json!(100)));
    let cost = units(&shop);
    assert!(cost <= REQUEST && cost > REQUEST * 0.8, "{cost} units");
}

fn is_turned_away(reply: &Reply) -> bool {
    let turned_away = reply.status == StatusCode::TOO_MANY_REQUESTS;
    if turned_away {
        assert_eq!(reply.code(), "too_many_writes");
        assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1, "{:?}", reply.headers);
        assert_eq!(reply.header("access-control-allow-origin"), system_tests::shop::ORIGIN);
    }
    turned_away
}

#[tokio::test(start_paused = true)]
async fn flood_writes_500_units_a_second_and_webhooks_and_other_sellers_are_served() {
    let other = "https://other.example.com";
    let mut document = sellers(|_| {});
    let mut second = document["acme"].clone();
    second["origins"] = json!([other]);
    document["other"] = second;
    let shop = Shop::with(document).await;
    units(&shop);
    let (mut flooded, mut sent, mut refused) = (0.0, 1, 0);
    for second in 0..20 {
        for _ in 0..3 {
            let reply = shop.collect(dearest(sent)).await;
            refused += usize::from(is_turned_away(&reply));
            sent += 100;
        }
        flooded += units(&shop);
        let webhook = json!({"event": "popin_call_missed", "user_id": second, "timestamp": 1_795_400_000, "phone_number": numbers(1)});
        assert_eq!(shop.popin_webhook(webhook.to_string()).await.body["stored"], true);
        let body = json!({"events": [event(1_000_000 + second, "popin_open", &json!({}))]}).to_string();
        let reply = shop.send(http::Method::POST, "/v1/collect/other", &[("origin", other)], body).await;
        assert_eq!(reply.body["accepted"], 1, "{:?}", reply.body);
        units(&shop);
        shop.advance(1);
    }
    assert!(flooded <= 1500.0 + 20.0 * 500.0, "{flooded} units in 20 s");
    assert!(flooded > 19.0 * 400.0 && refused > 20, "{flooded} units, {refused} refused");
}

#[tokio::test(start_paused = true)]
async fn copies_that_the_process_knows_are_free_when_all_is_used_up() {
    let shop = Shop::with(sellers(|_| {})).await;
    let first = dearest(1);
    assert_eq!(shop.collect(first.clone()).await.status, StatusCode::ACCEPTED);
    let mut next = 101;
    while !is_turned_away(&shop.collect(dearest(next)).await) {
        next += 100;
    }
    let again = shop.collect(first).await;
    assert_eq!((again.status, &again.body["duplicate"]), (StatusCode::ACCEPTED, &json!(100)));
}

#[tokio::test(start_paused = true)]
async fn batch_over_a_slow_table_is_answered_after_ten_seconds_with_what_was_taken() {
    let shop = Shop::with(sellers(|_| {})).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    // The first sixteen are quick; from then on each takes almost as long as an attempt may.
    shop.world.db.set_pace(Some(Arc::new(move || {
        let slow = counted.fetch_add(1, Ordering::Relaxed) >= 16;
        (if slow { Duration::from_millis(2_600) } else { Duration::ZERO }, Duration::ZERO)
    })));
    let events: Vec<Value> = (1..=100).map(|n| event(n, "popin_open", &json!({}))).collect();
    let began = tokio::time::Instant::now();
    let reply = shop.collect(json!(events)).await;
    let took = began.elapsed();
    assert!(took <= Duration::from_secs(11), "{took:?}");
    assert_eq!((reply.status, reply.code()), (StatusCode::SERVICE_UNAVAILABLE, "try_later"));
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    let count = |name: &str| reply.body[name].as_u64().unwrap();
    assert_eq!(count("accepted") + count("duplicate") + count("ignored") + count("not_stored"), 100);
    assert!(count("accepted") >= 16, "{:?}", reply.body);
    // The page sends it again: all is stored, each once.
    shop.world.db.set_pace(None);
    shop.advance(10);
    let again = shop.collect(json!(events)).await;
    assert_eq!(again.body["accepted"].as_u64().unwrap() + again.body["duplicate"].as_u64().unwrap(), 100);
    let stored: BTreeSet<_> = shop.events().iter().map(|item| item["sk"].to_string()).collect();
    assert_eq!((stored.len(), shop.events().len()), (100, 100));
}

/// Before anybody is looked up: what is not even read tells nothing of who is known.
#[tokio::test(start_paused = true)]
async fn body_over_its_bound_is_refused_alike_for_a_known_seller_and_for_none() {
    let shop = Shop::with(sellers(|_| {})).await;
    let headers =
        [("webhook-signature", "v1,AAAA"), ("webhook-id", "m"), ("webhook-timestamp", "1"), ("x-api-key", "no")];
    for route in
        ["crm/SELLER/standard", "crm/SELLER/salesforce/x", "webhooks/SELLER/popin", "webhooks/SELLER/chili-piper/x"]
    {
        let send = async |seller: &str| {
            let path = format!("/v1/{}", route.replace("SELLER", seller));
            shop.send(http::Method::POST, &path, &headers, " ".repeat(1024 * 1024 + 1)).await
        };
        let (known, unknown) = (send("acme").await, send("nobody").await);
        assert_eq!((known.status.as_u16(), known.code()), (413, "body_too_large"), "{route}");
        assert_eq!((known.status, known.body), (unknown.status, unknown.body), "{route}");
    }
}
