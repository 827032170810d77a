//! What somebody can make of a signed body that was seen once: the same under other headers, and the same later.

use serde_json::{Value, json};
use system_tests::{
    crm_ways::{SECRET, Said, Way, hmac, said},
    shop::Shop,
};

/// Under whatever headers somebody puts around a body that Shopify signed.
async fn shopify(shop: &Shop, body: &Value, topic: &str, event: &str) -> Said {
    let body = body.to_string();
    let headers = [
        ("x-shopify-hmac-sha256", hmac(SECRET, &[body.as_bytes()])),
        ("x-shopify-topic", topic.to_owned()),
        ("x-shopify-event-id", event.to_owned()),
        ("x-shopify-webhook-id", format!("delivery-{event}")),
    ];
    let said = said(shop, "/v1/crm/acme/shopify", &headers, body).await;
    assert_eq!(said.status, 200, "{topic} {event} {said:?}");
    shop.settle().await;
    said
}

fn customer(created_at: &Value) -> Value {
    let mut customer: Value = serde_json::from_str(&Way::Shopify.body(1)).unwrap();
    customer["created_at"] = created_at.clone();
    customer
}

/// A body of the shop's that is booked, with what only Shopify's signature covers.
fn calls(shop: &Shop) -> (usize, usize) {
    (shop.bookings().len(), shop.world.sim.schedules().len())
}

#[tokio::test(start_paused = true)]
async fn one_signed_body_of_shopify_is_one_call_whatever_its_headers_say() {
    for body in [customer(&json!("2026-11-23T08:20:00+05:30")), customer(&Value::Null)] {
        let shop = Shop::with_crms().await;
        for topic in ["customers/create", "orders/create", "checkouts/create", "draft_orders/create", "products/create"]
        {
            for event in ["e-1", "e-2", ""] {
                shopify(&shop, &body, topic, event).await;
                assert_eq!(calls(&shop), (1, 1), "{topic} {event}");
                // Whoever asks within ten minutes joins the first call.
                shop.advance(3600);
                shop.tick("slot-cache").await;
            }
        }
        let booking = shop.bookings()[0]["pk"].as_str().unwrap().strip_prefix("acme#").unwrap().to_owned();
        assert_eq!(shop.booking(&booking).await.body["trigger"]["object"], "customer");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_signed_body_is_about_stands_in_it() {
    let gid = |kind: &str| format!("gid://shopify/{kind}/5");
    let person = json!({"first_name": "Asha", "last_name": "Example", "phone": "+919000000005"});
    for (more, object) in [
        (json!({"admin_graphql_api_id": gid("Order")}), Some("order")),
        (json!({"line_items": []}), Some("order")),
        (json!({"admin_graphql_api_id": gid("DraftOrder")}), Some("draft_order")),
        (json!({"abandoned_checkout_url": "https://shop.example.com/1"}), Some("checkout")),
        (json!({"admin_graphql_api_id": gid("Customer"), "line_items": []}), Some("customer")),
        (json!({}), Some("customer")),
        (json!({"admin_graphql_api_id": gid("Product")}), None),
    ] {
        let shop = Shop::with_crms().await;
        let mut body = json!({"id": 5, "customer": person});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shopify(&shop, &body, "customers/create", "e-1").await;
        let Some(object) = object else {
            assert!(shop.world.items("bookings").is_empty(), "{more}");
            continue;
        };
        let booking = shop.bookings()[0]["pk"].as_str().unwrap().strip_prefix("acme#").unwrap().to_owned();
        assert_eq!(shop.booking(&booking).await.body["trigger"]["object"], object, "{more}");
    }
    // A request about privacy under another topic is still one, and no call.
    let person =
        json!({"id": 7, "email": "asha@example.com", "phone": "+919000000005", "first_name": "A", "last_name": "B"});
    for body in [
        json!({"shop_id": 1, "shop_domain": "acme.myshopify.com", "customer": person, "orders_to_redact": [1]}),
        json!({"shop_id": 1, "shop_domain": "acme.myshopify.com", "customer": person, "orders_requested": [], "data_request": {"id": 9}}),
        json!({"shop_id": 1, "shop_domain": "acme.myshopify.com"}),
    ] {
        let shop = Shop::with_crms().await;
        for topic in ["customers/create", "customers/update", "customers/redact"] {
            shopify(&shop, &body, topic, topic).await;
            assert_eq!((shop.bookings().len(), shop.parked().len()), (0, 1), "{topic} {body}");
        }
        assert_eq!(shop.parked_list("").await.body["parked"][0]["code"], "privacy_request", "{body}");
    }
}

const DAY: i64 = 86_400;

#[tokio::test(start_paused = true)]
async fn body_that_was_signed_over_a_week_ago_waits_for_a_person() {
    let shop = Shop::with_crms().await;
    // Eight days before; and then a body that is recent, for as long as it is.
    let old = customer(&json!("2026-11-15T02:59:00Z"));
    for event in ["e-1", "e-2"] {
        shopify(&shop, &old, "customers/create", event).await;
        assert_eq!((shop.bookings().len(), shop.parked().len()), (0, 1), "{event}");
    }
    let listed = shop.parked_list("").await.body["parked"][0].clone();
    assert_eq!((&listed["code"], &listed["due_at"]), (&json!("too_old"), &Value::Null), "{listed}");
    assert_eq!(listed["problems"], json!([{"field": "created_at", "code": "too_old"}]));
    // Whoever runs it again has looked at it.
    let again = shop.retry(listed["id"].as_str().unwrap()).await;
    assert_eq!((again.status.as_u16(), shop.bookings().len(), shop.parked().len()), (202, 1, 0), "{again:?}");
    shopify(&shop, &old, "customers/create", "e-3").await;
    assert_eq!((shop.bookings().len(), shop.parked().len()), (1, 0), "its key is known");
    let shop = Shop::with_crms().await;
    let recent = customer(&json!("2026-11-16T03:01:00Z"));
    for days in [0, 1, 7, 30] {
        shop.advance(days * DAY);
        shop.tick("slot-cache").await;
        shopify(&shop, &recent, "customers/create", &format!("e-{days}")).await;
        assert_eq!(calls(&shop), (1, 1), "{days}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_signs_no_time_is_known_for_as_long_as_it_can_come_again() {
    let timeless = customer(&Value::Null).to_string();
    let ahead = customer(&json!("2027-02-01T00:00:00Z")).to_string();
    for (way, body) in [
        (Way::HubSpotAction, Way::HubSpotAction.body(1)),
        (Way::HubSpotWorkflow, Way::HubSpotWorkflow.body(1)),
        (Way::Shopify, timeless),
        (Way::Shopify, ahead),
    ] {
        let shop = Shop::with_crms().await;
        for days in [0, 8, 31, 100, 400] {
            shop.advance(days * DAY);
            shop.tick("slot-cache").await;
            let said = way.send(&shop, &body).await;
            assert_eq!(said.status, 200, "{way:?} {days} {said:?}");
            shop.settle().await;
            assert_eq!((shop.world.sim.schedules().len(), shop.parked().len()), (1, 0), "{way:?} {days}");
        }
    }
}
