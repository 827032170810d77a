//! Event intake through the front door: stored once before it is acknowledged, nothing dropped in silence.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use std::sync::Arc;
use system_tests::shop::{ORIGIN, Shop, WEBHOOK_KEY, page_id, thread};

fn event(number: u32, name: &str) -> Value {
    json!({"id": page_id(number), "source": "popin", "name": name, "data": {"uid": "u-1"}, "at": "2026-11-23T02:59:59Z", "page": "https://shop.example.com/ring?mobile=1"})
}

fn missed(timestamp: Option<&str>) -> String {
    let mut body = json!({"event": "popin_call_missed", "user_id": "58559", "phone_number": "9000000001", "country_code": "+91", "properties": {"customer_name": "Asha Example"}});
    if let Some(timestamp) = timestamp {
        body["timestamp"] = json!(timestamp);
    }
    body.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_stored_item_by_item_and_one_bad_event_never_sinks_the_rest() {
    let shop = Shop::open().await;
    let mut large = event(9, "popin_open");
    large["data"]["note"] = json!("x".repeat(33 * 1024));
    let events = json!([
        event(1, "popin_open"), event(1, "popin_open"), {"id": "nope", "source": "popin", "name": "x"}, large, 7,
        {"id": page_id(2), "source": "chili-piper", "name": "started-listening-form-data-update", "data": {"action": "started-listening-form-data-update"}},
        event(3, "popin_brand_new"), {"id": page_id(4), "source": "zoom", "name": "x"}, {"id": page_id(5), "source": "popin"},
        {"id": page_id(6), "source": "popin", "name": "popin_open", "page": "https://evil.example/"}
    ]);
    let reply = shop.collect(events).await;
    assert_eq!(reply.status, 202);
    assert_eq!(
        reply.body,
        json!({"accepted": 2, "duplicate": 1, "ignored": 1, "rejected": [
            {"index": 2, "code": "id_invalid"}, {"index": 3, "code": "event_too_large"}, {"index": 4, "code": "event_not_an_object"},
            {"index": 7, "code": "source_unknown"}, {"index": 8, "code": "name_missing"}, {"index": 9, "code": "page_not_of_origin"}
        ]})
    );
    let stored = shop.events();
    let kinds: Vec<_> =
        stored.iter().map(|item| (item["name"].as_str().unwrap(), item["kind"].as_str().unwrap())).collect();
    assert!(
        kinds.contains(&("popin_open", "widget.opened")) && kinds.contains(&("popin_brand_new", "unknown")),
        "{kinds:?}"
    );
    let open = stored.iter().find(|item| item["name"] == "popin_open").unwrap();
    assert_eq!(
        (open["pk"].as_str(), open["trust"].as_str(), open["page"].as_str()),
        (Some(thread("u-1").as_str()), Some("claimed"), Some("https://shop.example.com/ring"))
    );
    assert_eq!(reply.header("access-control-allow-origin"), ORIGIN);
}

#[tokio::test(start_paused = true)]
async fn fifty_identical_events_at_once_are_one_event_and_49_duplicates() {
    let shop = Shop::open().await;
    let batch = json!([event(1, "popin_open")]);
    let replies = join_all((0..50).map(|_| shop.collect(batch.clone()))).await;
    let sum = |field: &str| replies.iter().map(|reply| reply.body[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("accepted"), sum("duplicate")), (1, 49));
    let body = missed(Some("1795400000"));
    let replies = join_all((0..50).map(|_| shop.popin_webhook(body.clone()))).await;
    assert_eq!(replies.iter().filter(|reply| reply.body["stored"] == true).count(), 1);
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(shop.events().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn fifty_copies_without_an_id_or_a_time_are_one_event_too() {
    let shop = Shop::open().await;
    let replies = join_all((0..50).map(|_| shop.popin_webhook(missed(None)))).await;
    assert_eq!(replies.iter().filter(|reply| reply.body["stored"] == true).count(), 1);
    assert!(replies.iter().all(|reply| reply.status == 200), "{:?}", replies.iter().find(|reply| reply.status != 200));
}

#[tokio::test(start_paused = true)]
async fn a_second_missed_call_is_not_swallowed_but_a_copy_within_ten_minutes_is() {
    let shop = Shop::open().await;
    // In the middle of a bucket, so that copies fall on both sides of a border.
    shop.advance(5 * 60);
    let mut stored = Vec::new();
    // 9 minutes after the first is a copy; 11 is the next call, whose own copy comes 8 minutes later.
    for minutes in [0, 9, 2, 8, 3] {
        shop.advance(minutes * 60);
        stored.push(shop.popin_webhook(missed(None)).await.body["stored"].as_bool().unwrap());
    }
    assert_eq!(stored, [true, false, true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn every_popin_family_comes_in_with_its_kind_trust_and_subject() {
    let shop = Shop::open().await;
    let outgoing = json!({"event": "popin_outgoing_call_initiated", "session_id": "bf0b3a76-0596-4602-a2c3-43e0db01b991", "user_id": 58559, "call_id": 28844, "schedule_id": null,
        "agent": {"name": "Agent", "email": "agent@example.com"}, "user": {"name": "Demo", "email": "demo@example.com", "phone_number": null, "country_code": "+91"},
        "meta": {"product": {"name": "Ring", "id": "SKU-1", "url": "https://example.com/ring"}}, "timestamp": 1_771_832_273});
    for body in [
        outgoing.to_string(),
        missed(Some("1795400000")),
        json!({"event": "popin_from_the_future", "user_id": 7}).to_string(),
        "[1,2]".to_owned(),
    ] {
        assert_eq!(shop.popin_webhook(body).await.body, json!({"stored": true}));
    }
    let mut rows: Vec<_> = shop
        .events()
        .iter()
        .map(|item| ["pk", "kind", "trust", "time"].map(|name| item[name].as_str().unwrap().to_owned()).join(" | "))
        .collect();
    rows.sort();
    assert!(
        rows.contains(&format!("{} | call.missed | bearer | 2026-11-23T02:13:20.000Z", thread("58559"))),
        "{rows:#?}"
    );
    assert!(
        rows.contains(&format!(
            "{} | call.requested | bearer | 2026-02-23T07:37:53.000Z",
            thread("bf0b3a76-0596-4602-a2c3-43e0db01b991")
        )),
        "{rows:#?}"
    );
    assert_eq!(rows.iter().filter(|row| row.contains("| unknown | bearer |")).count(), 2, "{rows:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_large_webhook_is_stored_whole() {
    let shop = Shop::open().await;
    let note = "ä".repeat(480_000);
    let body = json!({"event": "popin_call_remark_added", "user_id": "1", "timestamp": "1795400000", "properties": {"remark": note}}).to_string();
    assert_eq!(shop.popin_webhook(body.clone()).await.body, json!({"stored": true}));
    assert_eq!(shop.popin_webhook(body.clone()).await.body, json!({"stored": false}));
    let mut parts = shop.world.items("events");
    parts.sort_by_key(|item| item["sk"].as_str().unwrap().len());
    let mut whole: Vec<_> = parts
        .iter()
        .map(|item| (item["sk"].as_str().unwrap().to_owned(), item["data"].as_str().unwrap().to_owned()))
        .collect();
    whole.sort();
    assert_eq!(whole.into_iter().map(|(_, data)| data).collect::<String>(), body);
}

/// Path, headers, body, status and code.
type Row = (&'static str, Vec<(&'static str, &'static str)>, Bytes, u16, &'static str);

#[tokio::test(start_paused = true)]
async fn bad_input_has_its_code_and_stores_nothing() {
    let shop = Shop::open().await;
    let origin = [("origin", ORIGIN)];
    let good = json!({"events": [event(1, "popin_open")]}).to_string();
    let many = json!({"events": (0..101).map(|n| event(n, "popin_open")).collect::<Vec<_>>()}).to_string();
    let fat = format!("{{\"events\":[],\"pad\":\"{}\"}}", "x".repeat(64 * 1024 + 1 - 22));
    assert_eq!(fat.len(), 64 * 1024 + 1);
    let collect = "/v1/collect/acme";
    let rows: Vec<Row> = vec![
        (collect, origin.to_vec(), fat.into(), 413, "body_too_large"),
        (collect, origin.to_vec(), many.into(), 413, "too_many_events"),
        (collect, origin.to_vec(), Bytes::from_static(b"{nope"), 400, "not_json"),
        (collect, origin.to_vec(), Bytes::from_static(b"\xff\xfe\x00"), 400, "not_json"),
        (
            collect,
            vec![("origin", ORIGIN), ("content-encoding", "gzip")],
            good.clone().into(),
            415,
            "encoding_not_supported",
        ),
        (collect, vec![("origin", "https://evil.example")], good.clone().into(), 403, "origin_not_allowed"),
        (collect, vec![], good.clone().into(), 403, "origin_not_allowed"),
        ("/v1/collect/nobody", origin.to_vec(), good.clone().into(), 403, "origin_not_allowed"),
        (
            "/v1/webhooks/acme/popin",
            vec![("x-api-key", "wrong-key-wrong-key-wrong")],
            good.clone().into(),
            401,
            "not_authenticated",
        ),
        ("/v1/webhooks/acme/popin", vec![], good.clone().into(), 401, "not_authenticated"),
        ("/v1/webhooks/acme/fullview", vec![("x-api-key", WEBHOOK_KEY)], good.clone().into(), 401, "not_authenticated"),
        ("/v1/webhooks/nobody/popin", vec![("x-api-key", WEBHOOK_KEY)], good.clone().into(), 401, "not_authenticated"),
        ("/v1/webhooks/acme/chili-piper/wrong-path-secret-1", vec![], good.clone().into(), 401, "not_authenticated"),
        (
            "/v1/webhooks/acme/popin",
            vec![("x-api-key", WEBHOOK_KEY)],
            Bytes::from(vec![b' '; 1024 * 1024 + 1]),
            413,
            "body_too_large",
        ),
        ("/v1/webhooks/acme/popin", vec![("x-api-key", WEBHOOK_KEY)], Bytes::from_static(b"nope"), 400, "not_json"),
    ];
    for (path, headers, body, status, code) in rows {
        let reply = shop.send(Method::POST, path, &headers, body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{path} {headers:?}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    assert_eq!(shop.world.items("events"), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_bad_key_and_an_unknown_seller_are_answered_with_the_same_bytes() {
    let shop = Shop::open().await;
    let wrong =
        shop.send(Method::POST, "/v1/webhooks/acme/popin", &[("x-api-key", "wrong-key-wrong-key-wrong")], "{}").await;
    let unknown = shop.send(Method::POST, "/v1/webhooks/nobody/popin", &[("x-api-key", WEBHOOK_KEY)], "{}").await;
    assert_eq!(wrong.body, unknown.body);
}

#[tokio::test(start_paused = true)]
async fn a_path_secret_lets_chili_piper_in() {
    let shop = Shop::open().await;
    let body = json!({"type": "Created", "meetingIdChili": "0f8f2b6e-7c1a-4e3b-9d0a-000000000001", "meetingStartTime": "2026-11-24T10:00:00Z"}).to_string();
    let reply = shop.send(Method::POST, "/v1/webhooks/acme/chili-piper/chili-path-secret-0123", &[], body).await;
    assert_eq!(reply.body, json!({"stored": true}));
    assert_eq!(shop.events()[0]["kind"], "booking.created");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_a_503_and_what_comes_again_is_stored_once() {
    let shop = Shop::open().await;
    shop.world.db.set_fault(Some(Arc::new(|_: &str, _: &Value| DbFault::Unreachable)));
    let batch = json!([event(1, "popin_open")]);
    let reply = shop.collect(batch.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "try_later"));
    assert_eq!(reply.header("access-control-allow-origin"), ORIGIN);
    shop.world.db.set_fault(None);
    assert_eq!(shop.collect(batch.clone()).await.body["accepted"], 1);
    assert_eq!(shop.collect(batch).await.body["duplicate"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_our_own_write_is_at_worst_called_a_duplicate() {
    let shop = Shop::open().await;
    let lost = std::sync::atomic::AtomicBool::new(false);
    shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
        if lost.swap(true, std::sync::atomic::Ordering::Relaxed) { DbFault::None } else { DbFault::LoseReply }
    })));
    let reply = shop.collect(json!([event(1, "popin_open")])).await;
    assert_eq!(reply.status, 202);
    assert_eq!(shop.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_browser_may_ask_first() {
    let shop = Shop::open().await;
    let ask = [("origin", ORIGIN), ("access-control-request-method", "POST")];
    let reply = shop.send(Method::OPTIONS, "/v1/collect/acme", &ask, Bytes::new()).await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (204, ORIGIN));
    let reply =
        shop.send(Method::OPTIONS, "/v1/collect/acme", &[("origin", "https://evil.example")], Bytes::new()).await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (403, ""));
}

#[tokio::test(start_paused = true)]
async fn health_touches_nothing() {
    let shop = Shop::open().await;
    shop.world.db.set_fault(Some(Arc::new(|_: &str, _: &Value| DbFault::Unreachable)));
    let reply = shop.send(Method::GET, "/v1/health", &[], Bytes::new()).await;
    assert_eq!((reply.status.as_u16(), reply.body["status"].as_str()), (200, Some("ok")));
    assert!(!reply.body["version"].as_str().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_comes_in_by_a_machine_whose_clock_is_behind_is_a_copy_too() {
    let shop = Shop::open().await;
    shop.advance(601);
    assert_eq!(shop.popin_webhook(missed(None)).await.body["stored"], true);
    shop.advance(-2);
    assert_eq!(shop.popin_webhook(missed(None)).await.body["stored"], false, "the border lies between the two");
}
