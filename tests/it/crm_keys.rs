//! What tells two triggers of a CRM apart, and what does not: too coarse a key loses a call, too fine a one makes two.

use serde_json::{Value, json};
use system_tests::{
    crm_ways::{SECRET, Way, said},
    shop::Shop,
};

/// The triggers that are known by a key of their own, whatever became of them.
fn known(shop: &Shop) -> usize {
    let keys = shop.world.items("bookings").into_iter().filter_map(|item| item["pk"].as_str().map(str::to_owned));
    keys.filter(|pk| pk.starts_with("acme#idem#") || pk == "acme#parked").count()
}

fn with(way: Way, changes: &[(&str, Value)]) -> String {
    let mut body: Value = serde_json::from_str(&way.body(1)).unwrap();
    for (path, value) in changes {
        *body.pointer_mut(path).unwrap() = value.clone();
    }
    body.to_string()
}

/// Sent one after the other, to a shop that knows none: how many triggers are known after each.
async fn assert_known(way: Way, bodies: &[(String, usize)]) {
    let shop = Shop::with_crms().await;
    for (body, count) in bodies {
        assert_eq!(way.send(&shop, body).await.status, 200, "{way:?} {body}");
        assert_eq!(known(&shop), *count, "{way:?} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_crms_own_ids_and_times_tell_its_events_apart() {
    let hubspot = Way::HubSpotApp;
    assert_known(
        hubspot,
        &[
            (hubspot.body(1), 1),
            (with(hubspot, &[("/0/attemptNumber", json!(3)), ("/0/eventId", json!(7))]), 1),
            (with(hubspot, &[("/0/occurredAt", json!(1_795_402_740_124_u64))]), 2),
            (with(hubspot, &[("/0/propertyValue", json!("customer"))]), 3),
        ],
    )
    .await;
    let action = Way::HubSpotAction;
    assert_known(
        action,
        &[
            (action.body(1), 1),
            (with(action, &[("/inputFields/campaign", json!("holi"))]), 1),
            (with(action, &[("/callbackId", json!("ap-44001122-5677-11-9"))]), 2),
        ],
    )
    .await;
    let message = Way::Outbound;
    assert_known(
        message,
        &[
            (message.body(1), 1),
            (message.body(1).replace("Working", "Qualified"), 1),
            (message.body(1).replace("04l000000000001AAA", "04l000000000002AAA"), 2),
        ],
    )
    .await;
    let channel = Way::ZohoNotification;
    assert_known(
        channel,
        &[
            (channel.body(1), 1),
            (with(channel, &[("/affected_fields", json!([{"Leads": ["Phone"]}]))]), 1),
            (with(channel, &[("/server_time", json!(1_795_402_800_001_u64))]), 2),
            (with(channel, &[("/operation", json!("delete"))]), 2),
        ],
    )
    .await;
    let person = Way::PipedrivePerson;
    assert_known(
        person,
        &[
            (person.body(1), 1),
            (with(person, &[("/meta/attempt", json!(2))]), 1),
            (with(person, &[("/meta/id", json!("another"))]), 2),
            (with(person, &[("/meta/id", json!("a third")), ("/meta/action", json!("delete"))]), 2),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_record_without_an_event_is_known_by_id_stage_and_time_else_by_all_it_says() {
    let way = Way::Freshsales;
    let untimed = |name: &str| json!({"record_id": "1", "name": name, "mobile": "9000000001"}).to_string();
    let event =
        |name: &str| json!({"event_id": "e-1", "record_id": "1", "name": name, "mobile": "9000000001"}).to_string();
    assert_known(
        way,
        &[
            (way.body(1), 1),
            (with(way, &[("/name", json!("Meera Example"))]), 1),
            (with(way, &[("/stage", json!("Won"))]), 2),
            (with(way, &[("/updated_at", json!("2026-11-23T02:59:01Z"))]), 3),
            (untimed("Asha Example"), 4),
            (untimed("Asha Example"), 4),
            (untimed("Meera Example"), 5),
            (event("Asha Example"), 6),
            (event("Meera Example"), 6),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lead_is_found_where_its_crm_wraps_it() {
    let number = |shop: &Shop| {
        let doc: Value = serde_json::from_str(shop.bookings()[0]["doc"].as_str().unwrap()).unwrap();
        doc["lead"]["mobile"].clone()
    };
    let lead: Value = serde_json::from_str(&Way::LeadSquared.body(2)).unwrap();
    let before: Value = serde_json::from_str(&Way::LeadSquared.body(1)).unwrap();
    let shop = Shop::with_crms().await;
    Way::LeadSquared.send(&shop, &json!({"Before": before, "After": lead}).to_string()).await;
    assert_eq!(number(&shop), "+919000000002");
    let shop = Shop::with_crms().await;
    let contact: Value = serde_json::from_str(&Way::Freshsales.body(3)).unwrap();
    Way::Freshsales.send(&shop, &json!({"contact": contact}).to_string()).await;
    assert_eq!(number(&shop), "+919000000003");
}

#[tokio::test(start_paused = true)]
async fn what_would_become_a_path_is_an_id_or_parked() {
    let shop = Shop::with_crms().await;
    let zoho = with(Way::ZohoNotification, &[("/ids/0", json!("../../users"))]);
    Way::ZohoNotification.send(&shop, &zoho).await;
    let deal = with(Way::PipedriveDeal, &[("/data/person_id", json!("1/../../users"))]);
    Way::PipedriveDeal.send(&shop, &deal).await;
    shop.world.sim.put_record("hubspot/deals/9", json!({"dealname": "x", "contacts": ["1/../../owners"]}));
    let hubspot =
        with(Way::HubSpotApp, &[("/0/subscriptionType", json!("deal.propertyChange")), ("/0/objectId", json!(9))]);
    Way::HubSpotApp.send(&shop, &hubspot).await;
    shop.settle().await;
    let listed = shop.parked_list("").await;
    let mut codes: Vec<_> =
        listed.body["parked"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["deal_without_person", "event_unknown", "record_without_person"]);
    let reads: Vec<_> = shop.world.sim.record_reads().into_iter().map(|read| read.name).collect();
    assert_eq!(reads, ["hubspot/deals/9"]);
}

#[tokio::test(start_paused = true)]
async fn another_name_with_the_right_password_and_a_deleted_customer_are_turned_away() {
    let shop = Shop::with_crms().await;
    let body = Way::PipedrivePerson.body(1);
    let (path, mut headers) = Way::PipedrivePerson.proof(&shop, &body, SECRET);
    // The name is before the colon: `frontdesk` becomes `frontdesl`.
    headers[1].1 = headers[1].1.replace("ZnJvbnRkZXNr", "ZnJvbnRkZXNs");
    assert_eq!(said(&shop, &path, &headers, body).await.status, 401);
    let customer = Way::Shopify.body(1);
    let (path, mut headers) = Way::Shopify.proof(&shop, &customer, SECRET);
    headers[2].1 = "customers/delete".to_owned();
    assert_eq!(said(&shop, &path, &headers, customer).await.json()["ignored"], 1);
    assert!(shop.world.items("bookings").is_empty());
}
