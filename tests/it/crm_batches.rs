//! More in one request than any CRM sends: a hundred are taken, and the rest is kept whole for a person.

use serde_json::{Value, json};
use system_tests::{
    crm_ways::{Way, hubspot_event},
    shop::Shop,
};

/// A body of this form with so many items.
fn many(way: Way, count: u32) -> Value {
    if way == Way::ZohoNotification {
        let mut body: Value = serde_json::from_str(&way.body(1)).unwrap();
        body["ids"] = (1..=count).map(|number| format!("41508680000{number}")).collect();
        return body;
    }
    let lead = |number| serde_json::from_str(&way.body(number)).unwrap();
    let item = |number| if way == Way::LeadSquared { lead(number) } else { hubspot_event(number, 0) };
    (1..=count).map(item).collect()
}

/// What is kept of the items that were too many, as it came.
fn kept(shop: &Shop) -> String {
    let rest = shop.parked().into_iter().filter(|item| item["code"] == "batch_too_large");
    rest.map(|item| item["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn hundred_of_a_batch_are_taken_and_the_rest_is_parked_once() {
    for (way, last) in [
        (Way::HubSpotApp, r#""objectId":120"#),
        (Way::ZohoNotification, r#""41508680000120""#),
        (Way::LeadSquared, "a3110000-0e56-4601-b580-000000000120"),
    ] {
        let whole = Shop::with_crms().await;
        way.send(&whole, &many(way, 100).to_string()).await;
        assert_eq!((kept(&whole).as_str(), whole.parked().len() + whole.bookings().len()), ("", 100), "{way:?}");
        let shop = Shop::with_crms().await;
        for _ in 0..2 {
            let said = way.send(&shop, &many(way, 120).to_string()).await;
            assert_eq!(said.status, 200, "{way:?} {said:?}");
            assert_eq!(shop.parked().len() + shop.bookings().len(), 101, "{way:?}");
        }
        let rest = kept(&shop);
        assert!(rest.contains(last), "{way:?} {rest}");
        let listed = shop.parked_list("?limit=100").await.body["parked"].as_array().unwrap().clone();
        assert!(listed.iter().any(|one| one["code"] == "batch_too_large" && one["due_at"].is_null()), "{way:?}");
        if way == Way::LeadSquared {
            let said = way.send(&shop, &many(way, 120).to_string()).await;
            assert_eq!(said.text, r#"{"Status":"Success","StatusReason":"parked: batch_too_large"}"#);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mebibyte_of_items_costs_a_hundred_and_a_few() {
    let small = |count: usize| "{},".repeat(count);
    let ids = |count: usize| "\"1\",".repeat(count);
    let notification = |ids: String| {
        let body = Way::ZohoNotification.body(1);
        body.replace(r#""ids":["415086800001"]"#, &format!(r#""ids":[{ids}"2"]"#))
    };
    let leads = |count: usize| format!("[{}{{\"ProspectID\":\"last\"}}]", "{\"ProspectID\":\"x\"},".repeat(count));
    for (way, body) in [
        (Way::HubSpotApp, format!("[{}{{\"eventId\":\"last\"}}]", small(300_000))),
        (Way::ZohoNotification, notification(ids(200_000))),
        (Way::LeadSquared, leads(50_000)),
        (
            Way::LeadSquared,
            format!("[{}\"{}last\"]", leads(101).trim_matches(['[', ']']).to_owned() + ",", "\\\"".repeat(20_000)),
        ),
    ] {
        let shop = Shop::with_crms().await;
        shop.world.db.reset_calls();
        let said = way.send(&shop, &body).await;
        let writes = shop
            .world
            .db
            .calls()
            .iter()
            .filter(|call| call.operation.contains("Put") || call.operation.contains("Write"))
            .count();
        assert_eq!(said.status, 200, "{way:?} {said:?}");
        assert!((1..=110).contains(&writes), "{way:?} {writes}");
        // Nothing of the rest is cut off: the last of them is there, and each piece can be read by itself.
        let rest = kept(&shop);
        assert!(rest.contains("last") || rest.contains(r#""2""#), "{way:?}");
        for item in shop.parked().iter().filter(|item| item["code"] == "batch_too_large") {
            let piece = item["body"].as_str().unwrap();
            assert!(serde_json::from_str::<Value>(piece).is_ok(), "{way:?} {}", piece.len());
        }
        assert_eq!(shop.parked_list("").await.status, 200, "{way:?}");
    }
    let shop = Shop::with_crms().await;
    assert_eq!(Way::LeadSquared.send(&shop, "[]").await.status, 200);
    assert_eq!(Way::HubSpotApp.send(&shop, &json!([]).to_string()).await.status, 200);
    assert!(shop.world.items("bookings").is_empty());
}
