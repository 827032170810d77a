//! The diary through the front door: refreshed once, served at once, never older than it says.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use sim::{Endpoint, Fault, FaultOrder, Target};
use system_tests::shop::{ORIGIN, Shop, lead, sellers};

fn slot_calls(shop: &Shop) -> usize {
    shop.world.sim.calls().iter().filter(|call| call.endpoint == Endpoint::Slots).count()
}

fn starts(body: &Value) -> Vec<String> {
    body["slots"].as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_answer_says_how_old_it_is_and_spells_each_slot_three_ways() {
    let shop = Shop::open().await;
    shop.advance(30);
    let reply = shop.slots("?limit=2").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        (reply.body["age_s"].as_i64(), reply.body["stale"].as_bool(), reply.body["slot_minutes"].as_i64()),
        (Some(30), Some(false), Some(15))
    );
    assert_eq!((reply.body["seller"].as_str(), reply.body["timezone"].as_str()), (Some("acme"), Some("Asia/Kolkata")));
    // The shop opens at 10; at 8:30 the first slot is more than the lead time ahead.
    assert_eq!(
        reply.body["slots"][0],
        json!({"start": "2026-11-23T04:30:00Z", "local": "2026-11-23T10:00:00+05:30", "vendor_time": "Mon, 23 Nov 2026 10:00 AM"})
    );
    let elsewhere = shop.slots("?limit=1&tz=America/New_York").await;
    assert_eq!(elsewhere.body["slots"][0]["local"], "2026-11-22T23:30:00-05:00");
}

#[tokio::test(start_paused = true)]
async fn twenty_ticks_at_once_make_one_call_and_a_double_fire_makes_none() {
    let shop = Shop::with(sellers(|_| {})).await;
    join_all((0..20).map(|_| shop.tick("slot-cache"))).await;
    assert_eq!(slot_calls(&shop), 1);
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 1);
    shop.advance(301);
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 2);
}

#[tokio::test(start_paused = true)]
async fn slots_are_sorted_unique_and_outside_the_lead_time() {
    let shop = Shop::open().await;
    // 10:10 at the shop: 10:15 and 10:30 are within the half hour before a slot closes; 10:40 is a border.
    shop.advance(6000);
    shop.tick("slot-cache").await;
    let all = starts(&shop.slots("").await.body);
    assert_eq!(all[0], "2026-11-23T05:15:00Z");
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(all.len() <= 500);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_half_open_and_a_bad_query_names_its_parameter() {
    let shop = Shop::open().await;
    let body = shop.slots("?from=2026-11-23T05:00:00Z&to=2026-11-23T11:00:00%2B05:30").await.body;
    assert_eq!(starts(&body), ["2026-11-23T05:00:00Z", "2026-11-23T05:15:00Z"]);
    let body = shop.slots("?from=2026-11-23T10:30:00+05:30&limit=1").await.body;
    assert_eq!(starts(&body), ["2026-11-23T05:00:00Z"]);
    for query in [
        "?from=now",
        "?to=2026-11-23",
        "?tz=Mars",
        "?limit=0",
        "?limit=501",
        "?limit=x",
        "?from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z",
    ] {
        let reply = shop.slots(query).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "bad_query"), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_has_the_answer_gets_a_304_until_something_but_the_age_changes() {
    let shop = Shop::open().await;
    let first = shop.slots("").await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'));
    shop.advance(5);
    let again =
        shop.send(Method::GET, "/v1/slots/acme", &[("origin", ORIGIN), ("if-none-match", &tag)], Bytes::new()).await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (304, tag.as_str()));
    assert_eq!((again.body, again.headers["access-control-allow-origin"].to_str().unwrap()), (Value::Null, ORIGIN));
    shop.book("k1", Some(5), &lead(1)).await;
    shop.advance(1);
    let changed = shop.send(Method::GET, "/v1/slots/acme", &[("if-none-match", &tag)], Bytes::new()).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_kept_no_longer_than_to_the_next_refresh() {
    let shop = Shop::open().await;
    let keep = |header: &str| header.strip_prefix("public, max-age=").unwrap().parse::<i64>().unwrap();
    assert_eq!(keep(shop.slots("").await.header("cache-control")), 60);
    shop.advance(280);
    assert_eq!(keep(shop.slots("").await.header("cache-control")), 20);
    shop.advance(100);
    assert_eq!(keep(shop.slots("").await.header("cache-control")), 0);
}

#[tokio::test(start_paused = true)]
async fn an_origin_is_served_when_it_is_allowed_or_absent() {
    let shop = Shop::open().await;
    let get = |headers: Vec<(&'static str, &'static str)>, path: &'static str| {
        let shop = &shop;
        async move { shop.send(Method::GET, path, &headers, Bytes::new()).await }
    };
    assert_eq!(get(vec![], "/v1/slots/acme").await.status, 200);
    let evil = get(vec![("origin", "https://evil.example")], "/v1/slots/acme").await;
    let nobody = get(vec![], "/v1/slots/nobody").await;
    assert_eq!((evil.status.as_u16(), evil.code()), (403, "origin_not_allowed"));
    assert_eq!(evil.body, nobody.body);
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_keeps_the_last_good_snapshot_until_it_is_too_old() {
    let shop = Shop::open().await;
    let before = starts(&shop.slots("").await.body);
    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Slots, Fault::Error) });
    for _ in 0..15 {
        shop.advance(61);
        shop.tick("slot-cache").await;
    }
    let stale = shop.slots("").await.body;
    assert_eq!((stale["stale"].as_bool(), stale["age_s"].as_i64()), (Some(true), Some(915)));
    assert_eq!(starts(&stale), before);
    shop.advance(3600 - 915);
    assert_eq!(shop.slots("").await.status, 200);
    shop.advance(1);
    let reply = shop.slots("").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "slots_unavailable"));
    assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
    shop.world.sim.clear_faults();
    shop.advance(600);
    shop.tick("slot-cache").await;
    assert_eq!(shop.slots("").await.body["stale"], false);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_refresh_there_is_no_empty_diary_but_a_503() {
    let shop = Shop::with(sellers(|_| {})).await;
    let reply = shop.slots("").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "slots_unavailable"));
}

#[tokio::test(start_paused = true)]
async fn a_diary_of_another_release_is_none_until_the_next_refresh() {
    let shop = Shop::open().await;
    let change = json!({
        "TableName": "frontdesk-slots", "Key": {"pk": {"S": "acme"}, "sk": {"S": "snapshot"}},
        "UpdateExpression": "SET version = :other", "ExpressionAttributeValues": {":other": {"N": "1"}},
    });
    shop.world.db.call("UpdateItem", &change).unwrap();
    let reply = shop.slots("").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "slots_unavailable"));
    shop.advance(300);
    shop.tick("slot-cache").await;
    assert!(!starts(&shop.slots("").await.body).is_empty());
}

#[tokio::test(start_paused = true)]
async fn empty_is_what_popin_really_said() {
    let shop = Shop::with(sellers(|_| {})).await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Slots, Fault::Empty));
    shop.tick("slot-cache").await;
    let reply = shop.slots("").await;
    assert_eq!((reply.status.as_u16(), &reply.body["slots"]), (200, &json!([])));
}

#[tokio::test(start_paused = true)]
async fn the_quirks_of_a_php_back_end_are_read() {
    let shop = Shop::with(sellers(|_| {})).await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Any, Fault::StatusText));
    shop.tick("slot-cache").await;
    assert!(!starts(&shop.slots("").await.body).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failing_refresh_backs_off_and_keeps_to_retry_after() {
    let shop = Shop::with(sellers(|_| {})).await;
    shop.world.sim.add_fault(FaultOrder { times: 2, ..FaultOrder::new(Target::Slots, Fault::Error) });
    shop.tick("slot-cache").await;
    shop.advance(11);
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 1, "15 s less 20 % are not over");
    shop.advance(8);
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 2);
    shop.advance(23);
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 2, "the second wait is twice the first");
    shop.advance(14);
    shop.world
        .sim
        .add_fault(FaultOrder { seconds: Some(120), ..FaultOrder::new(Target::Slots, Fault::RateLimitedRetryAfter) });
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 3);
    shop.advance(119);
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 3, "Popin asked for two minutes");
    shop.advance(2);
    shop.tick("slot-cache").await;
    assert_eq!(slot_calls(&shop), 4);
    assert_eq!(shop.slots("").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn one_sellers_failure_does_not_touch_anothers() {
    let mut two = sellers(|_| {});
    two["beta"] = two["acme"].clone();
    two["beta"]["popin"]["token"] = json!("777");
    two["beta"]["origins"] = json!(["https://beta.example.com"]);
    let shop = Shop::with(two).await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Slots, Fault::Hang));
    shop.tick("slot-cache").await;
    let acme = shop.slots("").await.status.as_u16();
    let beta = shop.send(Method::GET, "/v1/slots/beta", &[], Bytes::new()).await.status.as_u16();
    assert_eq!([acme, beta].iter().filter(|status| **status == 200).count(), 1, "{acme} {beta}");
}

#[tokio::test(start_paused = true)]
async fn popins_silence_blocks_neither_slots_nor_webhooks() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Any, Fault::Hang) });
    shop.advance(301);
    let hanging = shop.tick("slot-cache");
    let served = async {
        let slots = shop.slots("").await.status.as_u16();
        let stored = shop
            .popin_webhook(json!({"event": "popin_call_missed", "user_id": 1, "timestamp": 1_795_400_000}).to_string())
            .await;
        let booked = shop.book("k1", None, &lead(1)).await.status.as_u16();
        (slots, stored.status.as_u16(), booked)
    };
    let (served, _) = futures_util::future::join(served, hanging).await;
    assert_eq!(served, (200, 200, 202));
}

#[tokio::test(start_paused = true)]
async fn many_looks_in_a_second_are_one_read_and_the_age_is_still_told() {
    let shop = Shop::open().await;
    shop.advance(10);
    shop.world.db.reset_calls();
    let first = shop.slots("").await;
    let copy = shop.slots("?limit=1").await;
    assert_eq!((shop.world.db.calls().len(), &first.body["age_s"], &copy.body["age_s"]), (1, &json!(10), &json!(10)));
    assert_eq!(copy.body["slots"][0], first.body["slots"][0]);
    // Our own booking shows a second later, and so does how old the list is by then.
    shop.book("k1", Some(5), &lead(1)).await;
    shop.advance(1);
    let later = shop.slots("?limit=1").await;
    assert_ne!(later.body["slots"][0], first.body["slots"][0]);
    assert_eq!(later.body["age_s"], 11);
}
