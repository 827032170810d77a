//! A sellers document that gets a fault while functions run: what it still lets in, and how it is told.

use http::Method;
use serde_json::{Value, json};
use std::fs;
use system_tests::{
    overheard,
    shop::{API_KEY, CHILI_SECRET, Shop, WEBHOOK_KEY, sellers},
};
use tempfile::NamedTempFile;

const OTHER_KEY: &str = "another-webhook-key-0123456789";

/// A shop over a document in a file.
struct Changing {
    shop: Shop,
    file: NamedTempFile,
}

impl Changing {
    async fn open(document: &Value) -> Self {
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, document.to_string()).unwrap();
        Self { shop: Shop::over_file(file.path()).await, file }
    }

    /// The document is now this text, and is read again by the next request.
    fn becomes(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
        self.shop.advance(301);
    }

    /// The status of a webhook of Popin's with this key.
    async fn webhook(&self, key: &str) -> u16 {
        self.send("/v1/webhooks/acme/popin", key).await
    }

    async fn send(&self, path: &str, key: &str) -> u16 {
        let body = json!({"event": "popin_call_missed", "user_id": 1}).to_string();
        self.shop.send(Method::POST, path, &[("x-api-key", key)], body).await.status.as_u16()
    }
}

fn document(keys: &[&str], fault: bool) -> Value {
    sellers(|seller| {
        seller["webhooks"]["popin"]["keys"] = json!(keys);
        if fault {
            seller["booking"]["max_attempts"] = json!(0);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn key_that_a_faulty_document_lacks_is_not_honoured() {
    let good = document(&[WEBHOOK_KEY, OTHER_KEY], false);
    let faulty = document(&[OTHER_KEY], true);
    let mut elsewhere = faulty.clone();
    elsewhere["beta"] = json!({"webhooks": {"popin": {"keys": [WEBHOOK_KEY]}}});
    let cut = faulty.to_string() + "]";
    for text in [faulty.to_string(), cut, elsewhere.to_string()] {
        let shop = Changing::open(&good).await;
        assert_eq!((shop.webhook(WEBHOOK_KEY).await, shop.webhook(OTHER_KEY).await), (200, 200));
        shop.becomes(&text);
        assert_eq!((shop.webhook(WEBHOOK_KEY).await, shop.webhook(OTHER_KEY).await), (401, 200), "{text}");
        // A seller without a word about it is not let in by anything.
        shop.becomes(r#"{"beta": {}}"#);
        assert_eq!((shop.webhook(WEBHOOK_KEY).await, shop.webhook(OTHER_KEY).await), (401, 401));
        // What the next text has is honoured again, and what cannot be read says nothing.
        shop.becomes(&document(&[WEBHOOK_KEY], true).to_string());
        assert_eq!((shop.webhook(WEBHOOK_KEY).await, shop.webhook(OTHER_KEY).await), (200, 401));
        fs::remove_file(&shop.file).unwrap();
        shop.shop.advance(301);
        assert_eq!((shop.webhook(WEBHOOK_KEY).await, shop.webhook(OTHER_KEY).await), (200, 401));
        shop.becomes(&good.to_string());
        assert_eq!((shop.webhook(WEBHOOK_KEY).await, shop.webhook(OTHER_KEY).await), (200, 200));
    }
}

#[tokio::test(start_paused = true)]
async fn webhook_that_needs_header_and_path_is_not_let_in_by_one_of_them() {
    let both = |keys: &[&str], fault| {
        let mut document = document(keys, fault);
        document["acme"]["webhooks"]["popin"]["path_secrets"] = json!([CHILI_SECRET]);
        document
    };
    let shop = Changing::open(&both(&[WEBHOOK_KEY], false)).await;
    let path = format!("/v1/webhooks/acme/popin/{CHILI_SECRET}");
    assert_eq!((shop.send(&path, WEBHOOK_KEY).await, shop.send(&path, "").await), (200, 401));
    shop.becomes(&both(&[], true).to_string());
    assert_eq!((shop.send(&path, WEBHOOK_KEY).await, shop.send(&path, "").await), (401, 401));
}

#[tokio::test(start_paused = true)]
async fn faulty_document_is_counted_and_its_age_is_told() {
    overheard::keep();
    let shop = Changing::open(&document(&[WEBHOOK_KEY], false)).await;
    shop.webhook(WEBHOOK_KEY).await;
    shop.becomes("{");
    shop.webhook(WEBHOOK_KEY).await;
    shop.webhook(WEBHOOK_KEY).await;
    fs::remove_file(&shop.file).unwrap();
    shop.shop.advance(301);
    shop.webhook(WEBHOOK_KEY).await;
    shop.becomes(&document(&[WEBHOOK_KEY], false).to_string());
    shop.webhook(WEBHOOK_KEY).await;
    let kept = overheard::kept();
    let lines = kept.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<Value> = lines.filter(|line| line.get("SellersAgeSeconds").is_some()).collect();
    let told: Vec<_> =
        told.iter().map(|line| (&line["function"], &line["SellersFaulty"], &line["SellersAgeSeconds"])).collect();
    let function = json!("event-intake");
    assert_eq!(told, [(&function, &json!(1), &json!(301.0)), (&function, &Value::Null, &json!(602.0))]);
    assert!(!kept.contains(API_KEY) && !kept.contains(WEBHOOK_KEY));
}
