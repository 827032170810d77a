//! Tests of `world`.

use super::*;
use frontdesk::edge::clock::SystemClock;
use http::StatusCode;
use serde_json::json;
use sim::{Fault, FaultOrder, Target};

async fn world() -> World {
    let options = WorldOptions {
        sellers: demo::sellers(7700, 7702),
        sellers_file: None,
        seats: 1,
        clock: Arc::new(SystemClock),
        seed: 1,
        transport: None,
        outside: None,
        weather: Weather::default(),
        anonymous_write_units: ANONYMOUS_WRITE_UNITS,
    };
    World::start(options).await.unwrap()
}

async fn book(world: &World, key: &str, wait: &str) -> (StatusCode, Value) {
    let lead = json!({ "external_id": key, "name": "Asha Example", "mobile": "+919000000001" });
    let request = Request::post("/v1/bookings/demo")
        .header("authorization", format!("Bearer {}", demo::API_KEY))
        .header("content-type", "application/json")
        .header("idempotency-key", format!("\"{key}\""))
        .header("prefer", wait)
        .body(Bytes::from(json!({ "lead": lead }).to_string()))
        .unwrap();
    read(&world.http(request).await)
}

async fn get(world: &World, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).header("authorization", format!("Bearer {}", demo::API_KEY));
    read(&world.http(request.body(Bytes::new()).unwrap()).await)
}

fn read(response: &Response<Bytes>) -> (StatusCode, Value) {
    (response.status(), serde_json::from_slice(response.body()).unwrap_or_default())
}

#[tokio::test]
async fn a_path_that_no_function_has_is_api_gateways_own_404() {
    let world = world().await;
    assert_eq!(get(&world, "/v1/nowhere").await, (StatusCode::NOT_FOUND, json!({ "message": "Not Found" })));
}

#[tokio::test]
async fn a_tick_fills_the_diary_and_a_caller_that_waits_is_booked() {
    let world = world().await;
    world.tick("slot-cache").await.unwrap();
    let (status, slots) = get(&world, "/v1/slots/demo?limit=3").await;
    assert_eq!((status, slots["slots"].as_array().unwrap().len()), (StatusCode::OK, 3), "{slots}");
    let (status, booking) = book(&world, "one", "wait=10").await;
    assert_eq!((status, &booking["state"]), (StatusCode::CREATED, &json!("scheduled")), "{booking}");
    assert_eq!(world.sim.schedules().len(), 1);
    assert!(world.db.calls().iter().any(|call| call.operation == "TransactWriteItems"));
}

#[tokio::test]
async fn the_stream_runs_a_booking_that_nobody_waits_for() {
    let world = world().await;
    world.tick("slot-cache").await.unwrap();
    let (status, booking) = book(&world, "two", "").await;
    assert_eq!((status, &booking["state"]), (StatusCode::ACCEPTED, &json!("requested")), "{booking}");
    assert_eq!(world.pump().await, 1);
    let (_, booking) = get(&world, &format!("/v1/bookings/demo/{}", booking["id"].as_str().unwrap())).await;
    assert_eq!(booking["state"], "scheduled", "{booking}");
    assert_eq!(world.pump().await, 0);
    assert_eq!(world.streams.dead_letters(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_lost_answer_is_in_doubt_until_popins_webhook_is_the_witness() {
    let world = world().await;
    world.sim.set_webhooks(sim::WebhookMode { delay_ms: 0, ..world.sim.webhooks() });
    world.tick("slot-cache").await.unwrap();
    world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Reset));
    let (status, booking) = book(&world, "three", "wait=1").await;
    assert_eq!((status, &booking["state"]), (StatusCode::ACCEPTED, &json!("in_doubt")), "{booking}");
    assert_eq!(world.deliver_webhooks().await, 2);
    world.pump().await;
    let (_, booking) = get(&world, &format!("/v1/bookings/demo/{}", booking["id"].as_str().unwrap())).await;
    assert_eq!((&booking["state"], &booking["confirmed_by"]), (&json!("scheduled"), &json!("webhook")), "{booking}");
    assert_eq!(world.items("events").iter().filter(|item| item.get("vendor").is_some()).count(), 2);
    assert_eq!(world.sim.schedules().len(), 1);
}

#[tokio::test]
async fn a_function_that_panics_is_a_500_and_the_rest_goes_on() {
    let world = world().await;
    world.db.set_fault(Some(Arc::new(|_, _| panic!("on request"))));
    let (status, body) = get(&world, "/v1/slots/demo").await;
    assert_eq!((status, body), (StatusCode::INTERNAL_SERVER_ERROR, json!({ "message": "Internal Server Error" })));
    world.db.set_fault(None);
    assert_eq!(get(&world, "/v1/health").await.0, StatusCode::OK);
}
