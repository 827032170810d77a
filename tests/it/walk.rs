//! Random walks from a seed: requests, schedules, webhooks, faults and deaths in any order; then the books must balance.

use fastrand::Rng;
use futures_util::future::{join, join3, poll_fn};
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use sim::{Fault, FaultOrder, Target, WebhookMode};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};
use system_tests::shop::{Reply, Shop, lead, sellers};

/// How many seeds a plain test run walks; `SEEDS` says otherwise, and `SEED` walks one again.
const SEEDS: u64 = 100;
const STEPS: usize = 25;

const FAULTS: [Fault; 17] = [
    Fault::Refuse,
    Fault::Unprocessable,
    Fault::Unauthorized,
    Fault::Hang,
    Fault::HangAfter,
    Fault::Error,
    Fault::ErrorAfter,
    Fault::BadGatewayAfter,
    Fault::RateLimited,
    Fault::RateLimitedRetryAfter,
    Fault::Unavailable,
    Fault::UnavailableRetryAfter,
    Fault::Html,
    Fault::Truncated,
    Fault::Reset,
    Fault::StatusText,
    Fault::Slow,
];

/// Polls a future so often and no more: a process that is killed at an await.
async fn killed_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// What a walk was promised.
#[derive(Default)]
struct Promised {
    /// Bookings that were acknowledged, by key.
    bookings: BTreeMap<String, String>,
    faults: usize,
    deaths: usize,
}

async fn walk(seed: u64) -> (Promised, BTreeMap<String, usize>) {
    let mut rng = Rng::with_seed(seed);
    let retries = rng.u8(0..4) == 0;
    let rules = json!({"webhooks_wired": true, "on_silence": if retries { "retry" } else { "ask_human" }});
    let shop = Shop::with(sellers(|seller| seller["booking"] = rules)).await;
    shop.tick("slot-cache").await;
    shop.world.sim.set_webhooks(WebhookMode {
        on: rng.u8(0..4) > 0,
        delay_ms: [0, 300, 3000][rng.usize(0..3)],
        copies: rng.u32(1..3),
        version: rng.u8(1..3),
        ..WebhookMode::default()
    });
    let mut promised = Promised::default();
    for step in 0..STEPS {
        match rng.u8(0..10) {
            0..=2 => {
                let number = rng.u32(1..12);
                let key = format!("k{}", rng.u32(1..12).max(number));
                let wait = rng.bool().then(|| rng.u32(1..10));
                let mut body = lead(number);
                if rng.u8(0..3) == 0 {
                    body["call"] = json!({"start_at": "2026-11-23T09:00:00Z", "if_taken": if rng.bool() { "refuse" } else { "next" }});
                }
                let asked = shop.book(&key, wait, &body);
                let reply = if rng.u8(0..4) == 0 {
                    promised.deaths += 1;
                    killed_after(rng.usize(1..40), asked).await
                } else if rng.bool() {
                    // Side by side with a worker, a sweep and Popin's webhooks.
                    let others =
                        join3(shop.world.pump(), shop.world.tick("booking-worker"), shop.world.deliver_webhooks());
                    let (reply, _) = Box::pin(join(asked, others)).await;
                    Some(reply)
                } else {
                    Some(asked.await)
                };
                note(&mut promised, key, reply.as_ref());
            }
            3 => {
                let order = FaultOrder {
                    times: rng.u32(1..4),
                    ..FaultOrder::new(
                        [Target::Any, Target::Capture, Target::Schedule, Target::Schedule][rng.usize(0..4)],
                        FAULTS[rng.usize(0..FAULTS.len())],
                    )
                };
                shop.world.sim.add_fault(order);
                promised.faults += 1;
            }
            4 => {
                let (chance, draws) = (rng.u8(2..6), Mutex::new(rng.fork()));
                shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
                    let mut draws = draws.lock().unwrap();
                    match draws.u8(0..10) {
                        n if n >= chance => DbFault::None,
                        n => [DbFault::Throttle, DbFault::LoseReply, DbFault::Unreachable][usize::from(n) % 3],
                    }
                })));
                promised.faults += 1;
            }
            5 => shop.world.db.set_fault(None),
            6 => {
                if rng.bool() {
                    promised.deaths += 1;
                    killed_after(rng.usize(1..60), shop.world.pump()).await;
                } else {
                    shop.world.pump().await;
                }
            }
            7 => {
                let function = if rng.bool() { "booking-worker" } else { "slot-cache" };
                // A tick may fail or die: the next one comes.
                drop(killed_after(rng.usize(1..80), shop.world.tick(function)).await);
            }
            8 => drop(shop.world.deliver_webhooks().await),
            _ => shop.advance([1, 5, 61, 120, 900][rng.usize(0..5)] * i64::from(u8::try_from(step % 2).unwrap() + 1)),
        }
    }
    shop.world.db.set_fault(None);
    shop.world.sim.clear_faults();
    let ended = until_at_rest(&shop, seed).await;
    check(seed, &shop, &promised, retries);
    (promised, ended)
}

fn note(promised: &mut Promised, key: String, reply: Option<&Reply>) {
    let Some(reply) = reply else { return };
    let id = reply.body["id"].as_str().or(reply.body["booking_id"].as_str());
    if let Some(id) = id {
        let known = promised.bookings.entry(key).or_insert_with(|| id.to_owned());
        assert_eq!(known, id, "one key, two bookings");
    }
}

async fn until_at_rest(shop: &Shop, seed: u64) -> BTreeMap<String, usize> {
    for _ in 0..80 {
        shop.settle().await;
        shop.tick("slot-cache").await;
        shop.tick("booking-worker").await;
        let all = bookings(shop);
        if all.iter().all(|item| item.get("due").is_none()) {
            let mut ended = BTreeMap::new();
            for item in all {
                *ended.entry(item["state"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            return ended;
        }
        shop.advance(61);
    }
    panic!("seed {seed}: a booking never came to rest: {:#?}", bookings(shop));
}

fn bookings(shop: &Shop) -> Vec<Value> {
    shop.world.items("bookings").into_iter().filter(|item| item["sk"] == "booking").collect()
}

fn check(seed: u64, shop: &Shop, promised: &Promised, retries: bool) {
    let all = bookings(shop);
    let ids: BTreeSet<_> = all.iter().map(|item| item["pk"].as_str().unwrap()["acme#".len()..].to_owned()).collect();
    for (key, id) in &promised.bookings {
        assert!(ids.contains(id), "seed {seed}: {key} was acknowledged and is gone");
    }
    // Every booking has a number of its own times, so Popin's effects are counted by number.
    let document = |item: &Value| serde_json::from_str::<Value>(item["doc"].as_str().unwrap()).unwrap();
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for item in &all {
        *asked.entry(document(item)["lead"]["mobile"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let mut effects: BTreeMap<String, usize> = BTreeMap::new();
    for call in shop.world.sim.schedules() {
        *effects.entry(call.mobile).or_default() += 1;
    }
    for (mobile, effects) in &effects {
        let bookings = asked.get(mobile).copied().unwrap_or(0);
        assert!(
            *effects <= bookings || retries,
            "seed {seed}: {effects} effects for {bookings} bookings of one number"
        );
    }
    // A claim for every booking that stands on a slot, and for no other; never two on one place.
    let claims: BTreeMap<_, _> = shop
        .world
        .items("slots")
        .into_iter()
        .filter(|item| item["sk"].as_str().unwrap().starts_with("claim#"))
        .map(|item| (item["booking"].as_str().unwrap().to_owned(), item["sk"].as_str().unwrap().to_owned()))
        .collect();
    let standing = all.iter().filter(|item| document(item)["held"].is_object()).count();
    let places =
        shop.world.items("slots").iter().filter(|item| item["sk"].as_str().unwrap().starts_with("claim#")).count();
    assert_eq!(places, standing, "seed {seed}: claims and the bookings that stand on them");
    for item in &all {
        let (state, held) = (item["state"].as_str().unwrap(), document(item)["held"].clone());
        let id = &item["pk"].as_str().unwrap()["acme#".len()..];
        assert_eq!(claims.contains_key(id), held.is_object(), "seed {seed}: a booking that is {state} and its claim");
        if state == "scheduled" {
            let mobile = document(item)["lead"]["mobile"].as_str().unwrap().to_owned();
            assert!(
                effects.get(&mobile).is_some_and(|count| *count >= 1),
                "seed {seed}: scheduled, and Popin knows nothing"
            );
        }
    }
    assert!(shop.world.streams.dead_letters().is_empty(), "seed {seed}: {:?}", shop.world.streams.dead_letters());
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_in_whatever_order_the_promises_hold() {
    let number = |name: &str| frontdesk::edge::env::variable(name).and_then(|raw| raw.parse::<u64>().ok());
    let seeds: Vec<u64> =
        number("SEED").map_or_else(|| (0..number("SEEDS").unwrap_or(SEEDS)).collect(), |seed| vec![seed]);
    let (mut faults, mut deaths, mut ended) = (0, 0, BTreeMap::<String, usize>::new());
    for seed in &seeds {
        println!("seed {seed}");
        let (promised, states) = Box::pin(walk(*seed)).await;
        faults += promised.faults;
        deaths += promised.deaths;
        for (state, count) in states {
            *ended.entry(state).or_default() += count;
        }
    }
    println!("{} seeds, {faults} orders of faults, {deaths} deaths; bookings ended {ended:?}", seeds.len());
    assert!(seeds.len() < 20 || ended.len() >= 3, "the walks are too tame: {ended:?}");
}
