//! Forgetting a person, and what a log may say.

use http::Method;
use serde_json::{Value, json};
use system_tests::{
    canary::{EMAIL, NAME, NUMBER, forget, forget_by_all, traces},
    overheard,
    shop::{ORIGIN, Shop, page_id},
};

/// One person, everywhere a person can come in.
async fn tell_of_the_canary(shop: &Shop) {
    let captured = json!({"uid": "u-1", "name": NAME, "email": EMAIL, "mobile": NUMBER, "country": "+91"});
    let page = "https://shop.example.com/p?email=canary.person@example.com";
    let event = json!({"id": page_id(1), "source": "popin", "name": "popin_captured", "data": captured, "page": page});
    assert_eq!(shop.collect(json!([event])).await.body["accepted"], 1);
    let webhook = json!({"event": "popin_call_missed", "user_id": "1", "full_phone_number": format!("+91{NUMBER}"), "properties": {"customer_name": NAME}});
    assert_eq!(shop.popin_webhook(webhook.to_string()).await.body["stored"], true);
    let unknown = json!({"event": "popin_brand_new", "user_id": "1", "email": EMAIL, "timestamp": 1_795_400_000});
    assert_eq!(shop.popin_webhook(unknown.to_string()).await.body["stored"], true);
    let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL, "campaign": {"note": NAME}}});
    assert_eq!(shop.book("k1", Some(10), &lead).await.status, 201);
    // Past the window in which a person joins their first booking.
    shop.advance(601);
    assert_eq!(shop.trigger("msg_1", &lead).await.status, 202);
    shop.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_who_is_forgotten_is_in_no_table() {
    for who in
        [json!({"phone": "+91 90000 54321"}), json!({"phone": NUMBER}), json!({"email": "Canary.Person@example.com"})]
    {
        let shop = Shop::open().await;
        tell_of_the_canary(&shop).await;
        assert!(traces(&shop).len() >= 6, "{:?}", traces(&shop));
        let first = forget(&shop, &who).await;
        assert_eq!((first.status.as_u16(), &first.body["bookings"]), (200, &json!(2)), "{who}");
        assert!(first.body["events"].as_u64().unwrap() >= 3, "{first:?}");
        assert_eq!(traces(&shop), [""; 0], "{who}");
        let entry = |item: &Value| item["sk"] != "tombstone" && item["pk"].as_str().unwrap().starts_with('#');
        assert!(!shop.world.items("events").iter().any(entry));
        assert_eq!(forget_by_all(&shop).await, (0, 0));
        // What happened is still known, and a copy of it is still a copy.
        assert!(shop.events().iter().any(|item| item["kind"] == "call.missed" && item["data"] == "{}"));
        let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL, "campaign": {"note": NAME}}});
        assert_eq!(shop.book("k1", Some(10), &lead).await.code(), "booking_erased");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_seller_may_forget_and_only_somebody() {
    let shop = Shop::open().await;
    assert_eq!(
        shop.send(Method::DELETE, "/v1/people/acme", &[], json!({"phone": NUMBER}).to_string()).await.status,
        401
    );
    for who in [json!({}), json!({"phone": "no"}), json!({"email": "no"}), json!({"phone": NUMBER, "email": EMAIL})] {
        assert_eq!(forget(&shop, &who).await.code(), "bad_person", "{who}");
    }
    assert_eq!(forget(&shop, &json!({"name": NAME})).await.code(), "not_json");
}

#[tokio::test(start_paused = true)]
async fn the_loudest_log_has_no_person_and_no_secret_in_it() {
    overheard::keep();
    let shop = Shop::open().await;
    tell_of_the_canary(&shop).await;
    // What goes wrong must be told without them too.
    for fault in [sim::Fault::Error, sim::Fault::Refuse, sim::Fault::Unauthorized, sim::Fault::Truncated] {
        shop.world.sim.add_fault(sim::FaultOrder::new(sim::Target::Any, fault));
        let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL}});
        // Whoever joins the booking before asks nothing of Popin.
        shop.advance(601);
        shop.book(&format!("{fault:?}"), Some(5), &lead).await;
    }
    shop.send(Method::POST, "/v1/webhooks/acme/popin", &[("x-api-key", "wrong-key-wrong-key-wrong")], NUMBER).await;
    shop.send(Method::POST, "/v1/collect/acme", &[("origin", ORIGIN)], format!("{{{EMAIL}")).await;
    forget(&shop, &json!({"phone": NUMBER})).await;
    // Each line was held against persons and secrets when it was written.
    let told = overheard::kept();
    assert!(told.contains("booking.step") && told.contains("popin.credentials_refused"), "the log was not heard");
    for line in told.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "not JSON: {line}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_snippet_is_served_with_a_tag_and_may_be_kept() {
    let shop = Shop::open().await;
    let first = shop.send(Method::GET, "/v1/frontdesk.js", &[], "").await;
    assert_eq!((first.status.as_u16(), first.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert_eq!(first.header("cache-control"), "public, max-age=3600");
    let tag = first.header("etag").to_owned();
    assert_eq!(shop.send(Method::GET, "/v1/frontdesk.js", &[("if-none-match", &tag)], "").await.status, 304);
}
