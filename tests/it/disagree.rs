//! Where Popin's reply and Popin's webhook disagree, a person is asked, and has both facts.

use serde_json::{Value, json};
use sim::{Fault, FaultOrder, Target, WebhookMode};
use system_tests::shop::{Reply, Shop, lead};

fn id(reply: &Reply) -> String {
    reply.body["id"].as_str().unwrap_or_else(|| panic!("no id in {reply:?}")).to_owned()
}

/// Popin's webhook about the first customer's call, as a test wants it.
fn told(shop: &Shop, mobile: &str, time: &str) -> Value {
    let customer = &shop.world.sim.customers()[0];
    json!({
        "event": "popin_scheduled_created", "user_id": customer.user_id.to_string(), "country_code": "+91",
        "full_phone_number": mobile, "timestamp": shop.clock_seconds().to_string(),
        "properties": {"scheduled_date": "23-Nov-2026", "scheduled_time": time}
    })
}

#[tokio::test(start_paused = true)]
async fn a_webhook_with_another_slot_takes_a_scheduled_booking_to_a_person_with_both_facts() {
    let shop = Shop::open().await;
    shop.world.sim.set_webhooks(WebhookMode { wrong_slot: true, ..WebhookMode::default() });
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    shop.settle().await;
    let view = shop.booking(&booking).await.body;
    assert_eq!((&view["state"], &view["reason"]), (&json!("needs_human"), &json!("webhook_disagrees")));
    let said: Vec<_> = view["said"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| json!([said["by"], said["time"], said["same_phone"]]))
        .collect();
    assert_eq!(
        said,
        [json!(["reply", "Mon, 23 Nov 2026 10:00 AM", true]), json!(["webhook", "23-Nov-2026 10:15 AM", true])]
    );
    assert_eq!(
        shop.world.items("slots").iter().filter(|item| item["sk"].as_str().unwrap().starts_with("claim#")).count(),
        1
    );
    // The webhook that fits shows that the other told of another call.
    shop.popin_webhook(told(&shop, "+919000000001", "10:00 AM").to_string()).await;
    shop.settle().await;
    let view = shop.booking(&booking).await.body;
    assert_eq!((&view["state"], &view["confirmed_by"]), (&json!("scheduled"), &json!("webhook")));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_with_another_phone_for_our_slot_and_customer_takes_it_to_a_person() {
    for fault in [None, Some(Fault::ErrorAfter)] {
        let shop = Shop::open().await;
        shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
        if let Some(fault) = fault {
            shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, fault));
        }
        let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
        shop.popin_webhook(told(&shop, "+919000000077", "10:00 AM").to_string()).await;
        shop.settle().await;
        let reply = shop.booking(&booking).await;
        assert_eq!((&reply.body["state"], &reply.body["reason"]), (&json!("needs_human"), &json!("webhook_disagrees")));
        let last = reply.body["said"].as_array().unwrap().last().unwrap();
        assert_eq!((&last["by"], &last["same_phone"]), (&json!("webhook"), &json!(false)));
        assert!(!reply.body.to_string().contains("9000000077"), "a number is not repeated");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_shopper_books_on_another_day_or_a_stranger_at_our_slot_is_no_contradiction() {
    let shop = Shop::open().await;
    let booking = id(&shop.book("k1", Some(10), &lead(1)).await);
    let mut stranger = told(&shop, "+919000000077", "10:00 AM");
    stranger["user_id"] = json!("999");
    shop.popin_webhook(stranger.to_string()).await;
    let mut earlier = told(&shop, "+919000000001", "04:00 PM");
    earlier["timestamp"] = json!((shop.clock_seconds() - 3600).to_string());
    shop.popin_webhook(earlier.to_string()).await;
    shop.settle().await;
    assert_eq!(shop.booking(&booking).await.body["state"], "scheduled");
    shop.advance(3600);
    shop.popin_webhook(told(&shop, "+919000000001", "05:00 PM").to_string()).await;
    shop.settle().await;
    assert_eq!(shop.booking(&booking).await.body["state"], "scheduled");
}
