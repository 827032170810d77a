//! The most units that one request of each route can cause; tests/PERFORMANCE.md prints the table.

use super::anonymous::{dearest, hostile, numbers};
use http::Method;
use local::template::Template;
use serde_json::{Value, json};
use std::fmt::Write as _;
use system_tests::{
    pages::assert_block,
    shop::{Shop, lead, page_id},
};

/// Units that were written and read since the last time.
fn units(shop: &Shop) -> (f64, f64) {
    let calls = shop.world.db.calls();
    shop.world.db.reset_calls();
    let of = |read: bool| -> f64 {
        let of = calls.iter().filter(|call| ["GetItem", "Query"].contains(&call.operation.as_str()) == read);
        of.fold(0.0, |sum, call| sum + call.consumed.unwrap_or(0.0))
    };
    (of(false), of(true))
}

/// Every route without a credential, with the body that costs most elsewhere: only pages' own routes may write or read.
async fn without_a_credential(shop: &Shop) -> (f64, f64) {
    let (mut writes, mut reads) = (0.0, 0.0);
    for route in Template::deployed().unwrap().functions.iter().flat_map(|function| &function.routes) {
        if ["/v1/collect/{seller}", "/v1/slots/{seller}"].contains(&route.path.as_str()) {
            continue;
        }
        let path = route.path.replace("{seller}", "acme").replace("{vendor}", "popin").replace("{path_secret}", "x");
        for connector in ["standard", "hubspot", "zoho"] {
            let path = path.replace("{connector}", connector).replace("{id}", "018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a");
            let body = if route.method == "POST" { dearest(1).to_string() } else { String::new() };
            shop.send(route.method.parse().unwrap(), &path, &[], body).await;
            let (wrote, read) = units(shop);
            (writes, reads) = (f64::max(writes, wrote), f64::max(reads, read));
        }
    }
    (writes, reads)
}

async fn dearest_event(shop: &Shop) -> (f64, f64) {
    let mut most = (0.0, 0.0);
    for (at, (_, data)) in (9_000..).zip(hostile()) {
        let event = json!({"id": page_id(at), "source": "popin", "name": "popin_captured", "data": data});
        shop.collect(json!([event])).await;
        let (writes, reads) = units(shop);
        most = (f64::max(most.0, writes), f64::max(most.1, reads));
        shop.advance(1);
    }
    most
}

#[tokio::test(start_paused = true)]
async fn page_prints_the_most_units_of_each_route() {
    let shop = Shop::open().await;
    units(&shop);
    let mut rows = vec![("anything without a credential, save the two below", without_a_credential(&shop).await)];
    rows.push(("`POST /v1/collect/{seller}`, each event", dearest_event(&shop).await));
    shop.collect(dearest(1)).await;
    rows.push(("`POST /v1/collect/{seller}`, a request", units(&shop)));
    shop.slots("").await;
    rows.push(("`GET /v1/slots/{seller}`", units(&shop)));
    let webhook =
        json!({"event": "popin_call_missed", "user_id": 1, "text": numbers(60), "pad": "x".repeat(1_040_000)});
    assert_eq!(shop.popin_webhook(webhook.to_string()).await.body["stored"], true);
    rows.push(("a webhook with its credential, 1 MiB", units(&shop)));
    let stored: Value = shop.trigger("msg_1", &lead(1)).await.body;
    assert_eq!(stored["state"], "requested", "{stored:?}");
    rows.push(("a CRM's trigger with its signature", units(&shop)));
    shop.book("k1", Some(10), &lead(2)).await;
    rows.push(("`POST /v1/bookings/{seller}` with its key, waiting", units(&shop)));
    let mut text = "| one request | write units | read units |\n|---|---|---|\n".to_owned();
    for (what, (writes, reads)) in &rows {
        writeln!(text, "| {what} | {writes:.1} | {reads:.1} |").unwrap();
    }
    assert_eq!(rows[0].1, (0.0, 0.0), "who is not let in costs nothing");
    assert!(rows[1].1.0 <= 10.0 && rows[2].1.0 <= 1000.0, "{rows:?}");
    assert_block("tests/PERFORMANCE.md", "units", &text);
    let closed = shop.send(Method::POST, "/v1/collect/acme", &[("origin", "https://evil.example")], "{}").await;
    assert_eq!((closed.status.as_u16(), units(&shop)), (403, (0.0, 0.0)));
}
