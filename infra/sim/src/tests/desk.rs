//! Capture, slots and schedule, when nothing goes wrong but the caller.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{FIRST, KEY, World, account, request};
use crate::SellerAccount;

#[tokio::test]
async fn the_documented_path_answers_the_documented_shapes() {
    let world = World::new();
    let captured = world
        .post(
            "capture",
            &json!({
                "name": "Vijith", "email": "a@example.com", "mobile": "9544510895", "country": "91", "group": "5211",
                "agent": 210, "pincode": "221007", "campaign": { "utm_source": "google" },
            }),
        )
        .await;
    assert_eq!((captured.status(), captured.header("content-type")), (200, "application/json"));
    let url = captured.json()["url"].clone();
    let expected = json!({ "status": 1, "customer_id": "MzE1", "url": url, "message": "User captured successfully" });
    assert_eq!(captured.json(), expected);
    let slug = url.as_str().unwrap().strip_prefix("https://live.popin.to/").unwrap();
    let (digits, hex) = slug.split_once('-').unwrap();
    assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{slug}");
    assert!(hex.len() == 4 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{slug}");

    let slots = world.slots().await.json();
    assert_eq!((&slots["slotDiff"], &slots["timezone"]), (&json!(15), &json!("Asia/Kolkata")));
    let days = slots["availability"].as_array().unwrap();
    assert_eq!(days.len(), 7);
    assert_eq!((&days[0]["date"], &days[0]["slots"][0]), (&json!("Wed, 24 Sep 2025"), &json!("01:00 PM")));
    assert_eq!(days[1]["slots"][0], "10:00 AM");
    assert_eq!(days[1]["slots"].as_array().unwrap().last().unwrap(), "07:45 PM");
    assert_eq!(days[6]["date"], "Tue, 30 Sep 2025");

    let scheduled = world.schedule("MzE1", "Thu, 25 Sep 2025 07:30 PM").await.json();
    let data = json!({ "name": "Vijith", "time": "Thu, Sep 25 | 07:30 PM", "timezone": "Asia/Kolkata" });
    assert_eq!(scheduled, json!({ "status": 1, "schedule": { "data": data }, "data": "+919544510895" }));

    let bookings = world.sim.schedules();
    assert_eq!(bookings.len(), 1);
    assert_eq!((&*bookings[0].mobile, &*bookings[0].time), ("+919544510895", "Thu, 25 Sep 2025 07:30 PM"));
    let effects: Vec<bool> = world.sim.calls().iter().map(|call| call.took_effect).collect();
    assert_eq!(effects, [true, false, true]);
    assert_eq!(world.sim.customers()[0].pincode.as_deref(), Some("221007"));
}

#[tokio::test]
async fn the_same_mobile_is_the_same_customer_under_the_new_name() {
    let world = World::new();
    let first = world.captured().await;
    let again = world.post("capture", &json!({ "name": "Vijith K", "mobile": "95445-10895" })).await.json();
    assert_eq!(again["customer_id"], json!(first));
    let other = world.capture("9544510896").await.json();
    assert_eq!(other["customer_id"], "MzE1NQ==");
    let names: Vec<String> = world.sim.customers().into_iter().map(|customer| customer.name).collect();
    assert_eq!(names, ["Vijith K", "Vijith"]);
}

#[tokio::test]
async fn another_sellers_customer_is_a_stranger() {
    let world = World::new();
    world.sim.add_seller(SellerAccount::new("52", "another-key"));
    let id = world.captured().await;
    let mut request = request("POST", "schedule", Bytes::from(json!({ "customer_id": id, "time": FIRST }).to_string()));
    request.headers_mut().insert("X-TOKEN", "52".parse().unwrap());
    request.headers_mut().insert("X-API-KEY", "another-key".parse().unwrap());
    assert_eq!(world.send(request).await.json(), json!({ "status": 0, "message": "Invalid customer" }));
}

#[tokio::test]
async fn a_native_link_gives_way_to_the_sellers_own() {
    let world = World::new();
    let body = json!({ "name": "Vijith", "mobile": "9544510895", "native": false });
    let url = world.post("capture", &body).await.json()["url"].clone();
    assert!(url.as_str().unwrap().starts_with("https://shop.example.com/call?c="));
}

#[tokio::test]
async fn missing_and_mistyped_fields_are_told_one_by_one() {
    let world = World::new();
    let reply = world.post("capture", &json!({ "mobile": " ", "agent": "210", "country": "India" })).await;
    assert_eq!(reply.status(), 422);
    let errors = reply.json()["errors"].clone();
    let fields: Vec<&String> = errors.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["agent", "country", "mobile", "name"]);
    assert_eq!(errors["name"], json!(["The name field is required."]));
    assert_eq!(reply.json()["message"], "The agent field must be an integer. (and 3 more errors)");
    assert_eq!(world.post("schedule", &json!({})).await.status(), 422);
    assert_eq!(world.send(request("POST", "capture", Bytes::from_static(b"{"))).await.status(), 422);
    assert!(world.sim.customers().is_empty());
}

#[tokio::test]
async fn a_mobile_that_is_no_number_is_refused_with_status_0() {
    let world = World::new();
    for mobile in ["123", "1234567890123456", "95445x0895"] {
        let reply = world.capture(mobile).await;
        assert_eq!(reply.json(), json!({ "status": 0, "message": "The mobile number is not valid" }));
    }
    assert!(world.sim.calls().iter().all(|call| call.status == 200 && !call.took_effect));
}

#[tokio::test]
async fn without_the_right_headers_nobody_is_let_in() {
    let world = World::new();
    for (name, value, status) in [("X-API-KEY", "wrong", 401), ("X-TOKEN", "52", 401), ("Accept", "*/*", 406)] {
        let mut request = request("GET", "slots", Bytes::new());
        request.headers_mut().insert(name, value.parse().unwrap());
        let reply = world.send(request).await;
        assert_eq!(reply.status(), status);
        if status == 401 {
            assert_eq!(reply.json(), json!({ "message": "Unauthenticated." }));
        }
    }
    assert!(world.sim.calls().iter().all(|call| !call.headers_ok));
    assert_eq!(world.send(request("GET", "slots", Bytes::new())).await.status(), 200);
    assert_eq!(world.send(request("POST", "slots", Bytes::new())).await.status(), 405);
    assert_eq!(world.send(request("POST", "join", Bytes::new())).await.json(), json!({ "message": "Not Found" }));
    assert!(!format!("{:?}", world.sim.calls()).contains(KEY));
}

#[tokio::test]
async fn a_slot_is_taken_as_often_as_its_capacity() {
    let world = World::with(SellerAccount { capacity: 2, ..account() }, None);
    let id = world.captured().await;
    let statuses = [
        world.schedule(&id, FIRST).await.json()["status"].clone(),
        world.schedule(&id, FIRST).await.json()["status"].clone(),
        world.schedule(&id, FIRST).await.json()["status"].clone(),
    ];
    assert_eq!(statuses, [json!(1), json!(1), json!(0)]);
    assert_eq!(world.sim.schedules().len(), 2);
    assert_eq!(world.slots().await.json()["availability"][0]["slots"][0], "01:15 PM");
}

#[tokio::test]
async fn the_window_moves_with_the_clock() {
    let world = World::new();
    let id = world.captured().await;
    world.advance(10 * 60);
    assert_eq!(first_slot(&world.slots().await.json()), "01:15 PM");
    let gone = world.schedule(&id, FIRST).await.json();
    assert_eq!(gone, json!({ "status": 0, "message": "The selected slot is not available" }));

    world.advance(7 * 3600);
    let slots = world.slots().await.json();
    assert_eq!(slots["availability"][0], json!({ "date": "Wed, 24 Sep 2025", "slots": [] }));
    assert_eq!(world.schedule(&id, "Wed, 01 Oct 2025 10:00 AM").await.json()["status"], 0);
    world.advance(5 * 3600);
    assert_eq!(world.slots().await.json()["availability"][0]["date"], "Thu, 25 Sep 2025");
    assert_eq!(world.schedule(&id, "Wed, 01 Oct 2025 10:00 AM").await.json()["status"], 1);
}

#[tokio::test]
async fn a_time_in_another_spelling_is_refused() {
    let world = World::new();
    let id = world.captured().await;
    for time in [
        "Thu, 24 Sep 2025 01:00 PM",
        "Wed, 24 Sep 2025 1:00 PM",
        "Wed, 24 Sep 2025 01:00 pm",
        "Wed, 24 Sep 2025 13:00",
        "Wed, 24 Sep 2025  01:00 PM",
        " Wed, 24 Sep 2025 01:00 PM",
        "Wednesday, 24 Sep 2025 01:00 PM",
        "2025-09-24T13:00:00+05:30",
        "Wed, 24 Sep 2025 01:10 PM",
    ] {
        assert_eq!(world.schedule(&id, time).await.json()["status"], 0, "{time}");
    }
    assert_eq!(world.schedule(&id, FIRST).await.json()["status"], 1);
}

#[tokio::test]
async fn a_zone_that_nobody_knows_is_told_as_it_is() {
    let world = World::with(SellerAccount { timezone: "Mars/Base".to_owned(), ..account() }, None);
    let slots = world.slots().await.json();
    assert_eq!((&slots["timezone"], first_slot(&slots)), (&json!("Mars/Base"), "10:00 AM"));
}

#[tokio::test]
async fn a_shop_that_never_closes_offers_midnight_and_noon() {
    let world = World::with(SellerAccount { opens: 0, closes: 24, slot_minutes: 60, ..account() }, None);
    let day = world.slots().await.json()["availability"][1]["slots"].clone();
    assert_eq!((&day[0], &day[12], &day[23]), (&json!("12:00 AM"), &json!("12:00 PM"), &json!("11:00 PM")));
}

fn first_slot(slots: &Value) -> &str {
    slots["availability"][0]["slots"][0].as_str().unwrap()
}
