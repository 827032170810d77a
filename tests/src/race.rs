//! Two hundred bookings for one slot at the same moment: one of them has it, and the others know.

use crate::shop::{Shop, lead, sellers};
use futures_util::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;

const BOOKINGS: u32 = 200;
const SLOT: &str = "2026-11-23T05:00:00Z";

/// So many rounds, each in a shop of its own. The error says what went wrong.
pub fn run(rounds: u32) -> Result<(), String> {
    for round in 0..rounds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime without threads can be built").block_on(Box::pin(one(round)))?;
    }
    Ok(())
}

/// One round; every second one with callers who wait beside the stream that runs the others.
pub async fn one(round: u32) -> Result<(), String> {
    let shop = Shop::with(sellers(|seller| seller["booking"] = json!({"max_at_once": 100}))).await;
    shop.tick("slot-cache").await;
    let keys: Vec<_> = (0..BOOKINGS).map(|number| (number, format!("k{number}"))).collect();
    let wait = round.is_multiple_of(2).then_some(20);
    let asked = keys.iter().map(|(number, key)| {
        let mut body = lead(*number);
        body["call"] = json!({"start_at": SLOT, "if_taken": "refuse"});
        let shop = &shop;
        async move { shop.book(key, wait, &body).await }
    });
    let answers = join_all(asked).await;
    for _ in 0..10 {
        shop.settle().await;
        shop.tick("booking-worker").await;
        shop.advance(61);
    }
    let ids: BTreeSet<_> =
        answers.iter().filter_map(|a| a.body["id"].as_str().or(a.body["booking_id"].as_str())).collect();
    let bookings: Vec<_> = shop.world.items("bookings").into_iter().filter(|item| item["sk"] == "booking").collect();
    let count = |state: &str| bookings.iter().filter(|item| item["state"] == state).count();
    let effects = shop.world.sim.schedules().len();
    let losers = BOOKINGS as usize - 1;
    if (ids.len(), effects, count("scheduled"), count("refused")) == (losers + 1, 1, 1, losers) {
        return Ok(());
    }
    Err(format!(
        "round {round}: {} acknowledged, {effects} effects, {} scheduled, {} refused",
        ids.len(),
        count("scheduled"),
        count("refused")
    ))
}
