//! Whatever a door takes can be read again, and a row that cannot be read stands in nobody's way.

use fastrand::Rng;
use http::Method;
use serde_json::{Value, json};
use system_tests::{
    canary::forget,
    crm_ways::Way,
    overheard,
    poison::{self, Queue},
    shop::{API_KEY, Shop, lead},
};

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// The body of this way with something beside what is asked for.
fn with(way: Way, number: u32, beside: &str) -> Option<String> {
    let mut body: Value = serde_json::from_str(&way.body(number)).ok()?;
    let place = if body.is_array() { &mut body[0] } else { &mut body };
    // Of a person or a deal, where the record stands deeper.
    let place = if place["data"].is_object() { &mut place["data"] } else { place };
    place["beside"] = json!("@@");
    Some(body.to_string().replace("\"@@\"", beside))
}

#[tokio::test(start_paused = true)]
async fn deep_bodies_are_kept_as_text_and_read_back_at_every_door() {
    for way in Way::ALL {
        let Some(body) = with(way, 1, &nested(120)) else { continue };
        let shop = Shop::with_crms().await;
        let said = way.send(&shop, &body).await;
        let listed = shop.parked_list("").await;
        assert_eq!((listed.status.as_u16(), listed.body.get("unreadable")), (200, None), "{way:?}");
        if matches!(way, Way::Standard | Way::Bearer) {
            assert_eq!((said.status, &said.json()["code"]), (400, &json!("body_too_deep")), "{way:?}");
        } else if way == Way::Callout {
            // Its organization is in what cannot be read.
            assert_eq!(said.status, 400);
        } else {
            assert_eq!(said.status, 200, "{way:?}");
            assert_eq!(listed.body["parked"][0]["code"], "body_too_deep", "{way:?}");
            assert_eq!(shop.parked()[0]["body"], body.as_str(), "{way:?}: as it came");
        }
        forget(&shop, &json!({"phone": "+919000000001"})).await;
        assert_eq!(shop.parked().iter().filter(|row| row.to_string().contains("9000000001")).count(), 0, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn deep_bodies_of_our_own_callers_are_refused_with_their_code() {
    let shop = Shop::open().await;
    let authorization = format!("Bearer {API_KEY}");
    let headers = [("authorization", authorization.as_str()), ("idempotency-key", "k1")];
    for (depth, status) in [(29, 202), (30, 400), (126, 400), (100_000, 400)] {
        let body = lead(1)
            .to_string()
            .replace("\"external_id\"", &format!("\"campaign\":{{\"a\":{}}},\"external_id\"", nested(depth)));
        let reply = shop.send(Method::POST, "/v1/bookings/acme", &headers, body).await;
        assert_eq!(reply.status, status, "{depth}: {:?}", reply.body);
        if status == 400 {
            assert_eq!(reply.code(), "body_too_deep", "{depth}");
        }
    }
    let id = shop.world.items("bookings").iter().find(|item| item["sk"] == "booking").unwrap()["pk"].clone();
    assert_eq!(shop.booking(&id.as_str().unwrap()["acme#".len()..]).await.status, 200);
    let resolve = "/v1/bookings/acme/019a0000-0000-7000-8000-000000000001/resolve";
    for (method, path) in [(Method::POST, resolve), (Method::DELETE, "/v1/people/acme")] {
        let reply = shop.send(method, path, &headers, format!("{{\"phone\":{}}}", nested(40))).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "body_too_deep"), "{path}");
    }
}

/// Any JSON at all, some of it as text within JSON.
fn any_json(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(0..9) {
        0 => Value::Null,
        1 => json!(rng.i64(..)),
        2 => json!(rng.f64()),
        3 => json!(rng.bool()),
        4 => json!((0..rng.usize(0..9)).map(|_| rng.char(..)).collect::<String>()),
        5 if depth > 0 => json!(any_json(rng, depth - 1).to_string()),
        6 | 7 if depth > 0 => (0..rng.usize(1..3)).map(|_| any_json(rng, depth - 1)).collect(),
        _ if depth > 0 => json!({"a": any_json(rng, depth - 1), "\"": any_json(rng, depth - 1)}),
        _ => json!("9000000001"),
    }
}

/// One branch of it as deep as `depth` says.
fn deep_json(rng: &mut Rng, depth: usize) -> String {
    let mut text = any_json(rng, 3).to_string();
    for _ in 0..depth {
        text = if rng.bool() { format!("[{text},{}]", any_json(rng, 1)) } else { format!("{{\"a\":{text}}}") };
    }
    text
}

#[tokio::test(start_paused = true)]
async fn any_body_that_a_door_takes_is_read_back() {
    let mut rng = Rng::with_seed(4);
    for way in Way::ALL {
        let shop = Shop::with_crms().await;
        for number in 1..40 {
            let depth = rng.usize(0..60);
            let beside = deep_json(&mut rng, depth);
            let Some(mut body) = with(way, number, &beside) else { continue };
            match rng.u8(0..3) {
                // Nobody can be called.
                0 => body = body.replace("90000", "x"),
                1 => body = beside,
                _ => {}
            }
            let status = way.send(&shop, &body).await.status;
            assert!([200, 202, 400, 401].contains(&status), "{way:?} {status}: {body}");
        }
        shop.settle().await;
        let listed = shop.parked_list("?limit=100").await;
        assert_eq!((listed.status.as_u16(), listed.body.get("unreadable")), (200, None), "{way:?}");
        for booking in shop.bookings() {
            let id = &booking["pk"].as_str().unwrap()["acme#".len()..];
            assert_eq!(shop.booking(id).await.status, 200, "{way:?}");
        }
        for trigger in listed.body["parked"].as_array().unwrap() {
            let retried = shop.retry(trigger["id"].as_str().unwrap()).await.status;
            assert!(retried != 503 && retried != 500, "{way:?} {retried} {trigger}");
        }
        forget(&shop, &json!({"phone": "+919000000001"})).await;
        assert!(shop.parked().iter().all(|row| !row.to_string().contains("9000000001")), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unreadable_triggers_are_skipped_by_lists_and_found_by_erasure() {
    let shop = Shop::with_crms().await;
    Way::Freshsales.send(&shop, &json!({"record_id": "1", "mobile": "1"}).to_string()).await;
    let good = shop.parked_list("").await.body["parked"][0]["id"].clone();
    let put = |number: u32, doc: &str| {
        let mut item = poison::row(Queue::Trigger, number, shop.clock_now());
        item["pk"]["S"] = json!("acme#parked");
        item["doc"]["S"] = json!(doc);
        for queue in ["due", "due_at", "waits_for"] {
            item.as_object_mut().unwrap().remove(queue);
        }
        let put = json!({"TableName": "frontdesk-bookings", "Item": item});
        shop.world.db.call("PutItem", &put).unwrap();
        item["sk"]["S"].clone()
    };
    let person = "{\"about\":{\"unusable\":{\"body\":\"{\\\"phone\\\":\\\"+919000000007\\\"";
    let (theirs, other) = (put(1, person), put(2, "nothing that was ever written"));
    // As a release before wrote it, nested.
    let old = json!({"key": "k", "origin": {}, "about": {"record": {"mobile": "+919000000007"}}}).to_string();
    let old = put(3, &old);
    let listed = shop.parked_list("").await;
    assert_eq!((listed.status.as_u16(), &listed.body["unreadable"]), (200, &json!([theirs, other])));
    let ids: Vec<_> = listed.body["parked"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert!(ids.len() == 2 && ids.contains(&good) && ids.contains(&old), "{ids:?}");
    let retried = shop.retry(theirs.as_str().unwrap()).await;
    assert_eq!((retried.status.as_u16(), &retried.body["reason"]), (409, &json!("record_unreadable")));
    // Page by page, a row that cannot be read is passed as any other.
    let first = shop.parked_list("?limit=1").await.body["next"].as_str().unwrap().to_owned();
    assert_eq!(shop.parked_list(&format!("?after={first}")).await.status, 200);
    overheard::keep();
    forget(&shop, &json!({"phone": "+919000000007"})).await;
    let kept = overheard::kept();
    let lines = kept.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert_eq!(lines.filter_map(|line| line["RecordsUnreadable"].as_u64()).sum::<u64>(), 2, "{kept}");
    let left: Vec<_> = shop.parked().iter().map(|row| row["sk"].clone()).collect();
    assert!(left.len() == 2 && left.contains(&good) && left.contains(&other), "{left:?}");
}
