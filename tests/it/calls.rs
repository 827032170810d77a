//! What each request costs: DynamoDB calls are counted, not timed. tests/PERFORMANCE.md prints the same table.

use http::Method;
use serde_json::json;
use system_tests::{
    pages::page,
    shop::{Shop, lead, page_id},
    written_back::{origin, trigger, written_back},
};

/// The operations since the last reset, in order.
fn operations(shop: &Shop) -> Vec<String> {
    let calls = shop.world.db.calls().iter().map(|call| call.operation.clone()).collect();
    shop.world.db.reset_calls();
    calls
}

#[tokio::test(start_paused = true)]
async fn each_request_makes_the_calls_of_the_page() {
    let shop = Shop::open().await;
    operations(&shop);
    let event = |n: u32| json!({"id": page_id(n), "source": "popin", "name": "popin_open", "data": {"uid": "u"}});
    let mut table = Vec::new();

    shop.collect(json!([event(1)])).await;
    table.push(("one page event", operations(&shop)));
    shop.collect(json!([event(1)])).await;
    table.push(("the same page event again", operations(&shop)));
    shop.collect(json!((2..12).map(event).collect::<Vec<_>>())).await;
    table.push(("a batch of ten", operations(&shop)));
    shop.popin_webhook(json!({"event": "popin_call_missed", "user_id": 1, "timestamp": 1_795_400_000}).to_string())
        .await;
    table.push(("a webhook with a time", operations(&shop)));
    shop.popin_webhook(json!({"event": "popin_call_missed", "user_id": 1}).to_string()).await;
    table.push(("a webhook without a time", operations(&shop)));
    shop.send(Method::POST, "/v1/webhooks/acme/popin", &[], "{}").await;
    table.push(("anything refused", operations(&shop)));
    shop.slots("").await;
    table.push(("the slots", operations(&shop)));
    shop.slots("").await;
    table.push(("the slots again within a second", operations(&shop)));
    shop.tick("slot-cache").await;
    table.push(("a tick with nothing due, a seller", operations(&shop)));
    shop.advance(301);
    shop.tick("slot-cache").await;
    table.push(("a refresh", operations(&shop)));
    // The first booking builds the seller's gate; from then on a booking costs the same.
    shop.book("k0", Some(10), &lead(9)).await;
    shop.settle().await;
    operations(&shop);
    shop.book("k1", None, &lead(1)).await;
    table.push(("a booking accepted", operations(&shop)));
    shop.book("k2", Some(10), &lead(2)).await;
    table.push(("a booking scheduled while its caller waits", operations(&shop)));
    shop.book("k2", None, &lead(2)).await;
    table.push(("the same key again", operations(&shop)));
    shop.book("k3", None, &lead(2)).await;
    table.push(("the same person with another key", operations(&shop)));

    shop.world.pump().await;
    table.push(("a booking that the stream runs", operations(&shop)));
    shop.advance(1);
    shop.world.deliver_webhooks().await;
    operations(&shop);
    shop.world.pump().await;
    table.push(("two Popin webhooks", operations(&shop)));
    let listed = shop.world.items("bookings");
    let id =
        listed.iter().find(|item| item["sk"] == "booking").unwrap()["pk"].as_str().unwrap()["acme#".len()..].to_owned();
    shop.booking(&id).await;
    table.push(("a look at a booking", operations(&shop)));
    shop.tick("booking-worker").await;
    table.push(("a sweep with nothing due", operations(&shop)));

    let told: Vec<_> = table.iter().map(|(what, calls)| format!("{what}: {}", calls.join(" "))).collect();
    let expected = [
        "one page event: PutItem",
        "the same page event again: ",
        &format!("a batch of ten: {}", ["PutItem"; 10].join(" ")),
        "a webhook with a time: GetItem PutItem",
        "a webhook without a time: GetItem TransactWriteItems",
        "anything refused: ",
        "the slots: Query",
        "the slots again within a second: ",
        "a tick with nothing due, a seller: UpdateItem",
        "a refresh: UpdateItem PutItem UpdateItem",
        "a booking accepted: TransactWriteItems GetItem GetItem",
        "a booking scheduled while its caller waits: TransactWriteItems GetItem GetItem UpdateItem PutItem Query TransactWriteItems PutItem PutItem UpdateItem",
        "the same key again: TransactWriteItems GetItem",
        "the same person with another key: TransactWriteItems GetItem PutItem GetItem",
        "a booking that the stream runs: UpdateItem UpdateItem UpdateItem PutItem Query TransactWriteItems PutItem PutItem UpdateItem",
        "two Popin webhooks: Query Query GetItem GetItem PutItem PutItem UpdateItem UpdateItem",
        "a look at a booking: GetItem Query",
        "a sweep with nothing due: Query Query Query Query Query Query",
    ];
    assert_eq!(told, expected);
    let page = page("tests/PERFORMANCE.md");
    for (what, calls) in &table {
        let row = if calls.is_empty() { format!("| {what} | 0 |") } else { format!("| {what} | {} |", calls.len()) };
        assert!(page.contains(&row), "the page's table lacks: {row}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_told_costs_six_calls_more_and_four_for_each_further_destination() {
    for (notify, told, row) in [(false, 1, "told to one destination"), (true, 2, "told to two")] {
        let document = written_back(notify);
        let shop = Shop::with(document.clone()).await;
        shop.tick("slot-cache").await;
        // The first builds the gates.
        trigger(&shop, &document, ("zoho", "k0"), 9, origin(None, "9")).await;
        shop.settle().await;
        trigger(&shop, &document, ("zoho", "k1"), 1, origin(None, "1")).await;
        operations(&shop);
        shop.world.pump().await;
        let calls = operations(&shop);
        let own = ["Query", "GetItem"].into_iter();
        let expected: Vec<_> =
            own.chain(["UpdateItem", "PutItem", "PutItem", "UpdateItem"].repeat(told)).map(str::to_owned).collect();
        assert_eq!(calls[calls.len() - expected.len()..], expected, "{calls:?}");
        let row = format!("| a booking that the stream runs, {row} | {} |", calls.len());
        assert!(page("tests/PERFORMANCE.md").contains(&row), "the page's table lacks: {row}");
    }
}
