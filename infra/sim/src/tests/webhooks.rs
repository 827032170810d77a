//! Webhooks: their bodies, when they go out, and how often.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{FIRST, World};
use crate::{DateSpelling, WebhookMode};

#[tokio::test]
async fn the_newer_bodies_carry_the_full_number_and_a_timestamp() {
    let world = World::new();
    let bodies = bodies(&world).await;
    let url = world.sim.customers()[0].url.clone();
    let common = json!({
        "user_id": "315", "email": null, "country_code": "+91", "phone_number": "9544510895",
        "full_phone_number": "+919544510895", "timestamp": "1758698400", "meta": {},
    });
    let properties = json!({ "customer_name": "Vijith", "url": url });
    assert_eq!(bodies[0], merged(&common, json!({ "event": "popin_user_captured", "properties": properties })));
    let properties = json!({
        "customer_name": "Vijith", "url": url, "agent_name": "Sasha", "agent_email": "agent@example.com",
        "scheduled_date": "24-Sep-2025", "scheduled_time": "01:00 PM",
        "scheduled_date_local": "24-Sep-2025", "scheduled_time_local": "01:00 PM",
    });
    assert_eq!(bodies[1], merged(&common, json!({ "event": "popin_scheduled_created", "properties": properties })));
}

#[tokio::test]
async fn the_older_bodies_lack_what_came_later() {
    let world = World::new();
    world.sim.set_webhooks(WebhookMode { version: 1, ..WebhookMode::default() });
    let bodies = bodies(&world).await;
    let url = world.sim.customers()[0].url.clone();
    let properties = json!({
        "customer_name": "Vijith", "url": url, "agent_name": "Sasha",
        "scheduled_date": "24-Sep-2025", "scheduled_time": "01:00 PM",
    });
    let expected = json!({
        "event": "popin_scheduled_created", "user_id": "315", "email": null, "country_code": "+91",
        "phone_number": "9544510895", "properties": properties,
    });
    assert_eq!(bodies[1], expected);
}

#[tokio::test]
async fn a_date_can_be_numeric_and_the_slot_wrong() {
    let world = World::new();
    let date_spelling = DateSpelling::Numeric;
    world.sim.set_webhooks(WebhookMode { date_spelling, wrong_slot: true, ..WebhookMode::default() });
    let body = bodies(&world).await.pop().unwrap();
    assert_eq!(body.pointer("/properties/scheduled_date").unwrap(), "24-9-2025");
    assert_eq!(body.pointer("/properties/scheduled_time").unwrap(), "01:15 PM");
}

#[tokio::test]
async fn webhooks_wait_for_their_delay_and_come_in_copies() {
    let world = World::new();
    world.sim.set_webhooks(WebhookMode { delay_ms: 30_000, copies: 2, ..WebhookMode::default() });
    world.captured().await;
    world.advance(29);
    assert!(world.sim.take_due_webhooks().is_empty());
    world.advance(1);
    let due = world.sim.take_due_webhooks();
    assert_eq!(due.len(), 2);
    assert_eq!(due[0].body, due[1].body);
    assert_eq!((&*due[0].url, &*due[0].api_key), ("http://127.0.0.1:7700/hook", "hook-key"));
    assert!(world.sim.take_due_webhooks().is_empty());
}

#[tokio::test]
async fn webhooks_that_are_off_are_never_sent() {
    let world = World::new();
    world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    assert!(bodies(&world).await.is_empty());
}

#[tokio::test]
async fn a_call_without_effect_sends_no_webhook() {
    let world = World::new();
    world.order(json!({ "fault": "error" }));
    world.capture("9544510895").await;
    assert_eq!(world.sim.outbox_len(), 0);
    world.order(json!({ "fault": "error_after" }));
    world.capture("9544510895").await;
    assert_eq!(world.sim.outbox_len(), 1);
}

#[tokio::test]
async fn delivery_tries_each_webhook_once_in_order_and_keeps_it_until_then() {
    let world = World::new();
    world.sim.set_webhooks(WebhookMode { delay_ms: 0, ..WebhookMode::default() });
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (log, sim) = (Arc::clone(&sent), world.sim.clone());
    let deliver = world.sim.deliver_forever(move |webhook| {
        log.lock().unwrap().push((webhook.event, sim.outbox_len()));
        async { false }.boxed()
    });
    let book = async {
        let id = world.captured().await;
        world.schedule(&id, FIRST).await;
        while world.sim.outbox_len() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = deliver => unreachable!("it never returns"),
        () = book => {}
    }
    let expected = [("popin_user_captured".to_owned(), 2), ("popin_scheduled_created".to_owned(), 1)];
    assert_eq!(*sent.lock().unwrap(), expected);
}

/// A capture and a booking, and what they sent.
async fn bodies(world: &World) -> Vec<Value> {
    let id = world.captured().await;
    world.schedule(&id, FIRST).await;
    world.advance(1);
    world.sim.take_due_webhooks().iter().map(|webhook| serde_json::from_slice(&webhook.body).unwrap()).collect()
}

fn merged(common: &Value, more: Value) -> Value {
    let mut whole = common.as_object().unwrap().clone();
    let Value::Object(more) = more else { panic!("an object") };
    whole.extend(more);
    whole.into()
}
