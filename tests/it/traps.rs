//! The vendors' traps that only show at the front door; the others are with the code that minds them.

use frontdesk::model::seller::Sellers;
use http::Method;
use serde_json::json;
use system_tests::shop::{Shop, WEBHOOK_KEY, lead, page_id, sellers};

#[tokio::test(start_paused = true)]
async fn our_own_calls_come_back_as_events_and_start_nothing() {
    let shop = Shop::open().await;
    assert_eq!(shop.book("k1", Some(10), &lead(1)).await.status, 201);
    shop.settle().await;
    let mut kinds: Vec<_> = shop.events().iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["booking.created", "lead.captured"]);
    assert_eq!((shop.world.sim.customers().len(), shop.world.sim.schedules().len()), (1, 1));
    assert_eq!(shop.world.items("bookings").iter().filter(|item| item["sk"] == "booking").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_uid_alone_is_stored_and_is_nobodys_lead() {
    let shop = Shop::open().await;
    let event = json!({"id": page_id(1), "source": "popin", "name": "popin_open", "data": {"uid": "u-1"}});
    assert_eq!(shop.collect(json!([event])).await.body["accepted"], 1);
    shop.settle().await;
    assert!(shop.world.sim.customers().is_empty());
    assert!(!shop.world.items("events").iter().any(|item| item["pk"].as_str().unwrap().contains("#person#")));
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_gets_a_2xx_and_is_kept_with_a_reason() {
    let shop = Shop::open().await;
    for (body, reason) in [
        (r#"{"event":"popin_brand_new"}"#, "unknown_name"),
        (r#"{"happening":1}"#, "unknown_shape"),
        ("null", "unknown_shape"),
        ("\"text\"", "unknown_shape"),
    ] {
        let before = shop.events().len();
        let reply = shop.popin_webhook(body).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &json!({"stored": true})), "{body}");
        let events = shop.events();
        assert!(
            events.len() == before + 1 && events.iter().any(|item| item["data"] == body && item["reason"] == reason),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_key_that_is_valid_lets_in_and_a_path_secret_may_be_asked_for_besides() {
    let path_secret = "an-unguessable-path-0123";
    let shop = Shop::with(sellers(|seller| {
        seller["webhooks"]["popin"] =
            json!({"keys": ["the-key-before-rotation-1", WEBHOOK_KEY], "path_secrets": [path_secret]});
    }))
    .await;
    let both = format!("/v1/webhooks/acme/popin/{path_secret}");
    let rows = [
        (both.as_str(), Some(WEBHOOK_KEY), 200),
        (&both, Some("the-key-before-rotation-1"), 200),
        (&both, Some("."), 401),
        (&both, Some(""), 401),
        (&both, None, 401),
        ("/v1/webhooks/acme/popin", Some(WEBHOOK_KEY), 401),
        ("/v1/webhooks/acme/popin/another-path-secret-012", Some(WEBHOOK_KEY), 401),
    ];
    for (path, key, status) in rows {
        let headers: Vec<_> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        assert_eq!(
            shop.send(Method::POST, path, &headers, r#"{"event":"x"}"#).await.status.as_u16(),
            status,
            "{path} {key:?}"
        );
    }
    for weak in ["", ".", "short"] {
        let document = sellers(|seller| seller["webhooks"]["popin"]["keys"] = json!([weak])).to_string();
        assert!(Sellers::parse(document.as_bytes()).is_err(), "{weak:?} was taken for a key");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_page_claims_is_of_its_own_origin_or_not_stored() {
    let shop = Shop::open().await;
    let from = |page: &str| json!([{"id": page_id(1), "source": "popin", "name": "popin_open", "page": page}]);
    for page in ["https://evil.example/", "https://shop.example.com.evil.example/", "javascript:alert(1)"] {
        assert_eq!(shop.collect(from(page)).await.body["rejected"][0]["code"], "page_not_of_origin", "{page}");
    }
    assert!(shop.world.items("events").is_empty());
}
