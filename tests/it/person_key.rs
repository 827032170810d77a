//! The secret under ids and hashes: nothing stored can be had without it, and nothing is lost when it is changed.

use frontdesk::vendors;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use system_tests::{
    canary::{EMAIL, NAME, NUMBER, forget, traces},
    shop::{Shop, page_id, sellers},
};

const FIRST: &str = "the-first-person-key";
const SECOND: &str = "the-second-person-key";
const THIRD: &str = "the-third-person-key";

fn keyed(key: &Value) -> Value {
    sellers(|seller| seller["person_key"] = key.clone())
}

/// An event of each way to be told from others, all of one person.
async fn send_all(shop: &Shop) -> Vec<Value> {
    let webhook = |body: Value| shop.popin_webhook(body.to_string());
    let phone = format!("+91{NUMBER}");
    let by_key = webhook(json!({"event": "popin_call_missed", "full_phone_number": phone, "timestamp": "1795400000"}));
    let by_key = by_key.await.body["stored"].clone();
    let by_window = webhook(json!({"event": "popin_call_missed", "full_phone_number": phone}));
    let by_window = by_window.await.body["stored"].clone();
    let unknown = webhook(json!({"event": "popin_brand_new", "user_id": NUMBER, "timestamp": "1795400000"}));
    let unknown = unknown.await.body["stored"].clone();
    let page = json!({"id": page_id(1), "source": "popin", "name": "popin_captured", "data": {"uid": EMAIL}});
    let page = shop.collect(json!([page])).await.body["accepted"].clone();
    let plain = json!({"id": page_id(2), "source": "popin", "name": "popin_open", "data": {"uid": "u-1"}});
    let plain = shop.collect(json!([plain])).await.body["accepted"].clone();
    vec![by_key, by_window, unknown, page, plain]
}

fn lead() -> Value {
    json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL}})
}

/// Every word in the tables that is long enough to be a hash.
fn hashes(shop: &Shop) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in ["events", "bookings"].into_iter().flat_map(|table| shop.world.items(table)) {
        let words =
            ["pk", "sk", "person", "people", "event_pk", "event_sk", "fingerprint"].map(|name| item[name].to_string());
        let words = words.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_hexdigit()));
        // The table of names is everybody's.
        let version = vendors::version();
        found.extend(words.filter(|word| word.len() >= 16 && *word != version.as_str()).map(str::to_owned));
    }
    found
}

async fn told(sellers: Value) -> BTreeSet<String> {
    let shop = Shop::with(sellers).await;
    send_all(&shop).await;
    assert_eq!(shop.book("k1", None, &lead()).await.status, 202);
    hashes(&shop)
}

#[tokio::test(start_paused = true)]
async fn no_id_and_no_hash_can_be_had_without_the_sellers_secret() {
    let one = told(keyed(&json!(FIRST))).await;
    assert!(one.len() >= 10, "{one:?}");
    assert_eq!(one, told(keyed(&json!(FIRST))).await, "the same secret, the same ids");
    let other = told(keyed(&json!(SECOND))).await;
    assert_eq!(one.intersection(&other).collect::<Vec<_>>(), [""; 0]);
    // Without one it is Popin's API key, and never the token, which every page shows.
    let default = told(sellers(|_| {})).await;
    let token = told(sellers(|seller| seller["popin"]["token"] = json!("99999"))).await;
    let api_key = told(sellers(|seller| seller["popin"]["api_key"] = json!("another-popin-key"))).await;
    assert_eq!(default, token);
    assert_eq!(default.intersection(&api_key).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_rotation_is_the_same_after_it() {
    let new =
        |stored: bool| [json!(stored), json!(stored), json!(stored), json!(u8::from(stored)), json!(u8::from(stored))];
    let before = Shop::with(keyed(&json!(FIRST))).await;
    assert_eq!(send_all(&before).await, new(true));
    let booked = before.book("k1", None, &lead()).await;
    for keys in [json!([SECOND, FIRST]), json!([THIRD, SECOND, FIRST]), json!([FIRST, THIRD])] {
        let after = before.again_with(keyed(&keys)).await;
        assert_eq!(send_all(&after).await, new(false), "{keys}");
        let again = after.book("k1", None, &lead()).await;
        assert_eq!((again.status, &again.body["id"]), (booked.status, &booked.body["id"]), "{keys}");
        let reused = after.book("k1", None, &json!({"lead": {"name": NAME, "mobile": "9000054322"}})).await;
        assert_eq!(reused.code(), "idempotency_key_reused");
        // A window's copy is one across the rotation, too, when it comes in the bucket after.
        after.advance(200);
    }
    // With the former key left out, a copy cannot be known: that is what leaving it in for 90 days is for.
    let lost = before.again_with(keyed(&json!(SECOND))).await;
    assert_eq!(send_all(&lost).await[0], true);
}

#[tokio::test(start_paused = true)]
async fn after_a_rotation_a_person_is_found_under_every_key() {
    for keys in [json!([SECOND, FIRST]), json!([THIRD, SECOND, FIRST])] {
        let before = Shop::with(keyed(&json!(FIRST))).await;
        send_all(&before).await;
        assert_eq!(before.book("k1", None, &lead()).await.status, 202);
        let after = before.again_with(keyed(&keys)).await;
        let webhook = json!({"event": "popin_call_missed", "user_id": NUMBER, "timestamp": "1795400001", "name": NAME});
        after.popin_webhook(webhook.to_string()).await;
        assert_eq!(
            after.book("k2", None, &json!({"lead": {"name": NAME, "mobile": NUMBER, "external_id": 2}})).await.status,
            202
        );
        assert_eq!(forget(&after, &json!({"phone": NUMBER})).await.body["events"], 4);
        assert_eq!(forget(&after, &json!({"email": EMAIL})).await.body["events"], 1);
        assert_eq!(traces(&after), [""; 0], "{keys}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_seller_who_sets_a_key_for_the_first_time_still_knows_whom_it_knew() {
    let before = Shop::open().await;
    send_all(&before).await;
    before.book("k1", None, &lead()).await;
    let after = before.again_with(keyed(&json!(FIRST))).await;
    forget(&after, &json!({"phone": NUMBER})).await;
    forget(&after, &json!({"email": EMAIL})).await;
    assert_eq!(traces(&after), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_witness_finds_a_booking_that_was_made_under_the_former_key() {
    let before = Shop::with(keyed(&json!(FIRST))).await;
    before.tick("slot-cache").await;
    let booked = before.book("k1", Some(10), &lead()).await;
    assert_eq!(booked.body["state"], "scheduled");
    // The webhook of it arrives after the rotation.
    before.advance(1);
    let due = before.world.sim.take_due_webhooks();
    let after = before.again_with(keyed(&json!([SECOND, FIRST]))).await;
    for webhook in due {
        after.popin_webhook(webhook.body).await;
    }
    after.world.pump().await;
    assert!(after.booking(booked.body["id"].as_str().unwrap()).await.body["witnessed_at"].is_string());
}
