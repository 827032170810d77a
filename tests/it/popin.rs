//! Popin's documented samples, both ways: what is sent is the sample, and the sample's answer is understood.

use bytes::Bytes;
use frontdesk::popin::{Transport, TransportError};
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use serde_json::{Value, json};
use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};
use system_tests::shop::{POPIN_KEY, POPIN_TOKEN, Shop, TestClock, lead, sellers};

/// Answers with the samples, and keeps what it was asked.
#[derive(Default)]
struct Samples {
    asked: Mutex<Vec<(String, Value)>>,
    /// What is said instead, by endpoint.
    instead: Mutex<Option<(&'static str, String)>>,
}

fn sample(name: &str) -> String {
    fs::read_to_string(format!("{}/fixtures/popin/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

impl Transport for Samples {
    fn send(&self, request: Request<Bytes>, _: Duration) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let endpoint = request.uri().path().rsplit('/').next().unwrap().to_owned();
        for (name, value) in [("x-api-key", POPIN_KEY), ("x-token", POPIN_TOKEN), ("accept", "application/json")] {
            assert_eq!(request.headers()[name], value, "{endpoint}");
        }
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        assert_eq!(request.uri().to_string(), format!("https://popin.test/api/v1/external/{endpoint}"));
        self.asked.lock().unwrap().push((endpoint.clone(), body));
        let instead = self.instead.lock().unwrap().clone();
        let answer = instead
            .filter(|(at, _)| *at == endpoint)
            .map_or_else(|| sample(&format!("{endpoint}.answer")), |(_, answer)| answer);
        async move { Ok(Response::new(answer.into())) }.boxed()
    }
}

async fn shop(samples: &Arc<Samples>) -> Shop {
    let sellers = sellers(|seller| {
        seller["booking"] = json!({"native": false, "url": "https://example.com/product-detail/ring"});
    });
    let shop = Shop::over(sellers, TestClock::at("2026-11-23T03:00:00Z"), Some(samples.clone())).await;
    shop.tick("slot-cache").await;
    shop
}

fn wanted() -> Value {
    let mut body = lead(1);
    body["lead"]["group"] = json!("5211");
    body["lead"]["agent"] = json!(210);
    body["lead"]["pincode"] = json!("221007");
    body["lead"]["campaign"] = json!({"utm_source": "google", "pincode": "221007", "frequency": "10"});
    body
}

#[tokio::test(start_paused = true)]
async fn the_documented_samples_are_what_is_sent_and_understood() {
    let samples = Arc::new(Samples::default());
    let shop = shop(&samples).await;
    assert_eq!(shop.slots("").await.body["slots"].as_array().unwrap().len(), 7);
    let reply = shop.book("k1", Some(10), &wanted()).await;
    assert_eq!((reply.status.as_u16(), &reply.body["state"]), (201, &json!("scheduled")));
    assert_eq!(reply.body["join_url"], "https://live.popin.to/8131-a157");
    let request = |name| serde_json::from_str::<Value>(&sample(name)).unwrap();
    let asked = samples.asked.lock().unwrap().clone();
    let expected =
        [("slots", Value::Null), ("capture", request("capture.request")), ("schedule", request("schedule.request"))];
    assert_eq!(asked, expected.map(|(endpoint, body)| (endpoint.to_owned(), body)));
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_of_another_phone_or_time_asks_a_person() {
    for (from, to) in [("+919000000001", "+919000000002"), ("Nov 24 | 01:00 PM", "Nov 24 | 01:15 PM")] {
        let samples = Arc::new(Samples::default());
        let shop = shop(&samples).await;
        *samples.instead.lock().unwrap() = Some(("schedule", sample("schedule.answer").replace(from, to)));
        let reply = shop.book("k1", Some(10), &wanted()).await;
        assert_eq!((&reply.body["state"], &reply.body["reason"]), (&json!("needs_human"), &json!("reply_disagrees")));
        assert!(reply.body["slot"].is_object(), "the claim stays: {reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn join_url_is_kept_up_to_2048_bytes_and_booking_goes_on_without_a_longer_one() {
    for (length, kept) in [(2048, true), (2049, false), (500_000, false)] {
        let samples = Arc::new(Samples::default());
        let shop = shop(&samples).await;
        let link = format!("https://live.popin.to/{}", "a".repeat(length - "https://live.popin.to/".len()));
        let answer = sample("capture.answer").replace("https://live.popin.to/8131-a157", &link);
        *samples.instead.lock().unwrap() = Some(("capture", answer));
        let reply = shop.book("k1", Some(10), &wanted()).await;
        assert_eq!((reply.status.as_u16(), &reply.body["state"]), (201, &json!("scheduled")), "{length}");
        assert_eq!(reply.body["join_url"].as_str(), kept.then_some(link.as_str()), "{length}");
        let captured = samples.asked.lock().unwrap().iter().filter(|(endpoint, _)| endpoint == "capture").count();
        assert_eq!(captured, 1, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn time_in_a_confirmation_that_no_item_can_hold_is_not_stored() {
    let samples = Arc::new(Samples::default());
    let shop = shop(&samples).await;
    let answer = sample("schedule.answer").replace("+919000000001", "+919000000002");
    let answer = answer.replace("Nov 24 | 01:00 PM", &"Nov 24 | 01:00 PM ".repeat(30_000));
    *samples.instead.lock().unwrap() = Some(("schedule", answer));
    let reply = shop.book("k1", Some(10), &wanted()).await;
    assert_eq!((&reply.body["state"], &reply.body["reason"]), (&json!("needs_human"), &json!("reply_disagrees")));
}

#[tokio::test(start_paused = true)]
async fn slots_that_cannot_be_read_are_a_failure_and_no_empty_diary() {
    for (from, to) in [("Asia/Kolkata", "Mars/Olympus"), (" PM", ""), ("Tue, 24", "Mon, 24")] {
        let samples = Arc::new(Samples::default());
        let text = sample("slots.answer").replace(from, to).replace(" AM", if from == " PM" { "" } else { " AM" });
        let text = if from.starts_with("Tue") { text.replace("Wed, 25", "Tue, 25") } else { text };
        *samples.instead.lock().unwrap() = Some(("slots", text));
        let shop = shop(&samples).await;
        assert_eq!(shop.slots("").await.code(), "slots_unavailable", "{from}");
    }
}
