//! Triggers from the CRM's event to a booking, by way of whatever stands in between.

use http::Method;
use local::dynamodb::{DbFault, FaultHook};
use serde_json::{Value, json};
use sim::RecordFault;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use system_tests::{
    canary::forget,
    crm_ways::{ORGANIZATION, SECRET, Way, hmac, hubspot_event, hubspot_v3, outbound, said, with_crms},
    shop::Shop,
};
use tokio::time::Instant;

async fn hubspot(shop: &Shop, events: &Value) -> Value {
    let body = events.to_string();
    let headers = hubspot_v3(&body, SECRET, shop.clock_seconds() * 1000);
    let said = said(shop, "/v1/crm/acme/hubspot", &headers, body).await;
    assert_eq!(said.status, 200, "{said:?}");
    said.json()
}

/// Streams, schedules and time, until no trigger waits and every booking rests.
async fn until_all_is_done(shop: &Shop) {
    for _ in 0..40 {
        shop.settle().await;
        shop.tick("slot-cache").await;
        shop.tick("booking-worker").await;
        if shop.world.items("bookings").iter().all(|item| item.get("due").is_none()) {
            return;
        }
        shop.advance(61);
    }
    panic!("something never came to rest: {:?}", shop.world.items("bookings"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_a_hundred_is_stored_one_by_one_and_makes_nothing_new_when_it_comes_again() {
    let shop = Shop::with_crms().await;
    (1..=100).for_each(|number| Way::HubSpotApp.keep_record(&shop, number));
    let batch = |attempt| Value::from((1..=100).map(|n| hubspot_event(n, attempt)).collect::<Vec<_>>());
    assert_eq!(hubspot(&shop, &batch(0)).await["pending"], 100);
    assert_eq!((shop.parked().len(), shop.world.sim.record_reads().len()), (100, 0), "the answer waits for no read");
    assert_eq!(hubspot(&shop, &batch(1)).await["pending"], 100);
    assert_eq!(shop.parked().len(), 100);
    shop.settle().await;
    assert_eq!((shop.bookings().len(), shop.parked().len(), shop.world.sim.record_reads().len()), (100, 0, 100));
    // HubSpot tries for a day, and the events are known for longer: nobody is asked again.
    shop.advance(86_400);
    assert_eq!(hubspot(&shop, &batch(9)).await["bookings"], 100);
    until_all_is_done(&shop).await;
    assert_eq!((shop.bookings().len(), shop.world.sim.record_reads().len()), (100, 100));
    let numbers: BTreeSet<_> = shop.world.sim.schedules().into_iter().map(|schedule| schedule.mobile).collect();
    assert_eq!((numbers.len(), shop.world.sim.schedules().len()), (100, 100));
}

/// It would lead the seller's own access token elsewhere in HubSpot's API.
#[tokio::test(start_paused = true)]
async fn record_id_that_is_no_plain_part_of_a_path_is_asked_of_no_crm() {
    let shop = Shop::with_crms().await;
    let ids = [
        "../companies/9",
        "..",
        ".",
        "%2e%2e",
        "1?x=y",
        "1#x",
        "1/2",
        "5/../../owners",
        "1%2f2",
        "1 2",
        "1\\2",
        "१",
        "",
    ];
    let events = ids.iter().enumerate().map(|(n, id)| {
        let mut event = hubspot_event(1, 0);
        (event["eventId"], event["objectId"]) = (n.into(), (*id).into());
        event
    });
    hubspot(&shop, &events.collect()).await;
    until_all_is_done(&shop).await;
    let codes: Vec<_> = shop.parked().into_iter().map(|parked| parked["code"].clone()).collect();
    assert_eq!(
        (codes.len(), shop.world.sim.record_reads().len(), shop.bookings().len()),
        (ids.len(), 0, 0),
        "{codes:?}"
    );
    let unusable = codes.iter().filter(|code| **code == "record_id_unusable").count();
    assert!(unusable >= ids.len() - 1, "all but the empty one: {codes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_does_not_answer_loses_no_trigger() {
    let faults = [
        RecordFault::Status(500),
        RecordFault::Status(503),
        RecordFault::Status(401),
        RecordFault::RateLimited(120),
        RecordFault::Reset,
    ];
    for way in [Way::HubSpotApp, Way::ZohoNotification, Way::PipedriveDeal] {
        for fault in &faults {
            let shop = Shop::with_crms().await;
            way.keep_record(&shop, 1);
            shop.world.sim.fail_records(fault, 3);
            assert_eq!(way.send(&shop, &way.body(1)).await.status, 200, "{way:?}");
            shop.settle().await;
            let listed = shop.parked_list("").await;
            let (code, due) = (&listed.body["parked"][0]["code"], &listed.body["parked"][0]["due_at"]);
            assert_eq!((code, due.is_string()), (&json!("read_back_pending"), true), "{way:?} {fault:?} {listed:?}");
            // It comes again meanwhile, and makes no second one.
            way.send(&shop, &way.body(1)).await;
            assert_eq!(shop.parked().len(), 1);
            until_all_is_done(&shop).await;
            let ends: Vec<_> = shop.bookings().iter().map(|booking| booking["state"].clone()).collect();
            assert_eq!((ends, shop.parked().len()), (vec![json!("scheduled")], 0), "{way:?} {fault:?}");
            assert_eq!(shop.world.sim.record_reads().len(), 4, "{way:?} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_whose_crm_is_silent_for_a_day_waits_for_a_person_and_is_run_again_on_request() {
    let shop = Shop::with_crms().await;
    Way::HubSpotApp.keep_record(&shop, 1);
    shop.world.sim.fail_records(&RecordFault::Status(503), 1000);
    hubspot(&shop, &json!([hubspot_event(1, 0)])).await;
    for _ in 0..400 {
        shop.tick("booking-worker").await;
        shop.advance(301);
    }
    let listed = shop.parked_list("").await;
    let parked = &listed.body["parked"][0];
    assert_eq!((&parked["code"], &parked["due_at"]), (&json!("read_back_failed"), &Value::Null), "{listed:?}");
    let asked = shop.world.sim.record_reads().len();
    assert!((150..=400).contains(&asked), "{asked} times, some five minutes apart");
    let id = parked["id"].as_str().unwrap();
    let again = shop.retry(id).await;
    assert_eq!(
        (again.status.as_u16(), again.code(), &again.body["reason"]),
        (409, "still_parked", &json!("read_back_failed"))
    );
    shop.world.sim.fail_records(&RecordFault::Status(503), 0);
    let shop = shop.again_with(with_crms(|_| {})).await;
    Way::HubSpotApp.keep_record(&shop, 1);
    let again = shop.retry(id).await;
    assert_eq!((again.status.as_u16(), &again.body["state"]), (202, &json!("requested")), "{again:?}");
    assert_eq!((shop.bookings().len(), shop.parked().len()), (1, 0));
    assert_eq!(shop.retry(id).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn what_the_crm_does_not_have_is_parked_with_the_reason() {
    let shop = Shop::with_crms().await;
    let deal = |id: u32| {
        json!({"eventId": id, "portalId": 1, "occurredAt": 1_795_402_740_000_u64, "subscriptionType": "deal.propertyChange", "objectId": id,
        "propertyName": "dealstage", "propertyValue": "appointmentscheduled"})
    };
    shop.world.sim.put_record("hubspot/deals/2", json!({"dealname": "demo", "contacts": []}));
    shop.world.sim.put_record("hubspot/deals/3", json!({"dealname": "demo", "contacts": ["614"]}));
    shop.world
        .sim
        .put_record("hubspot/contacts/614", json!({"firstname": "Asha", "lastname": "Example", "phone": "9000000614"}));
    shop.world.sim.put_record("hubspot/contacts/615", json!({"firstname": "Asha"}));
    let mut nameless = hubspot_event(615, 0);
    nameless["subscriptionType"] = "object.creation".into();
    nameless["objectTypeId"] = "0-1".into();
    let merge = json!({"eventId": 5, "portalId": 1, "subscriptionType": "contact.merge", "objectId": 5, "occurredAt": 1_795_402_740_000_u64});
    let strange = json!({"eventId": 6});
    let batch = json!([hubspot_event(1, 0), deal(2), deal(3), nameless, merge, strange]);
    let told = hubspot(&shop, &batch).await;
    assert_eq!((&told["pending"], &told["parked"], &told["ignored"]), (&json!(4), &json!(1), &json!(1)));
    until_all_is_done(&shop).await;
    let listed = shop.parked_list("").await;
    let codes: BTreeSet<_> =
        listed.body["parked"].as_array().unwrap().iter().map(|parked| parked["code"].as_str().unwrap()).collect();
    let expected = ["event_unknown", "lead_mobile_missing", "record_not_found", "record_without_person"];
    assert_eq!(codes, BTreeSet::from(expected));
    assert_eq!(shop.world.sim.schedules().iter().map(|s| s.mobile.as_str()).collect::<Vec<_>>(), ["+919000000614"]);
    // Nothing of a record that was read back stays behind.
    assert!(shop.parked().iter().all(|item| !item.to_string().contains("Asha")));
    let booking = &shop.bookings()[0];
    let id = booking["pk"].as_str().unwrap().strip_prefix("acme#").unwrap();
    let told = &shop.booking(id).await.body["trigger"];
    assert_eq!(told, &json!({"connector": "hubspot", "event": "3", "object": "deal", "record": "3"}));
}

#[tokio::test(start_paused = true)]
async fn a_booking_tells_which_trigger_made_it() {
    let expected = [
        (
            Way::HubSpotAction,
            json!({"connector": "hubspot", "object": "contact", "record": "1", "callback": "ap-44001122-5677-11-1"}),
        ),
        (
            Way::Outbound,
            json!({"connector": "salesforce", "event": "04l000000000001AAA", "object": "Lead", "record": "00Q000000000001AAA"}),
        ),
        (Way::ZohoJson, json!({"connector": "zoho", "object": "Leads", "record": "415086800001"})),
        (
            Way::LeadSquared,
            json!({"connector": "leadsquared", "object": "lead", "record": "a3110000-0e56-4601-b580-000000000001"}),
        ),
        (
            Way::PipedriveDeal,
            json!({"connector": "pipedrive", "event": "6ba407fc-006d-4556-9804-00deal000001", "object": "deal", "record": "7000001"}),
        ),
    ];
    for (way, expected) in expected {
        let shop = Shop::with_crms().await;
        way.keep_record(&shop, 1);
        way.send(&shop, &way.body(1)).await;
        shop.settle().await;
        let id = shop.bookings()[0]["pk"].as_str().unwrap().strip_prefix("acme#").unwrap().to_owned();
        assert_eq!(shop.booking(&id).await.body["trigger"], expected, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn shopify_signs_with_the_old_secret_for_an_hour_and_tells_two_ids() {
    let shop = Shop::with_crms().await;
    let body = Way::Shopify.body(1);
    let (path, headers) = Way::Shopify.proof(&shop, &body, "the-secret-before-0123456789");
    assert_eq!(said(&shop, &path, &headers, body.clone()).await.status, 200);
    let booking = shop.bookings()[0]["pk"].as_str().unwrap().strip_prefix("acme#").unwrap().to_owned();
    let told = shop.booking(&booking).await.body["trigger"].clone();
    assert!(told["event"].as_str().unwrap().starts_with("event-"), "{told}");
    assert!(told["delivery"].as_str().unwrap().starts_with("delivery-"), "{told}");
    // Another delivery of the same event, under the names without a prefix.
    shop.advance(3600);
    let event = told["event"].as_str().unwrap().to_owned();
    let headers = [
        ("shopify-hmac-sha256", hmac(SECRET, &[body.as_bytes()])),
        ("shopify-topic", "customers/create".to_owned()),
        ("shopify-event-id", event),
        ("shopify-webhook-id", "delivery-2".to_owned()),
    ];
    assert_eq!(said(&shop, &path, &headers, body.clone()).await.json()["bookings"], 1);
    assert_eq!(shop.bookings().len(), 1);
    // An order has its person inside; a request about privacy is for a person.
    let order = json!({"id": 5, "line_items": [], "customer": {"first_name": "Asha", "last_name": "Example", "phone": "+919000000005"}});
    let redact =
        json!({"shop_id": 1, "shop_domain": "acme.myshopify.com", "customer": {"id": 1, "phone": "+919000000005"}});
    for (topic, body, kept) in
        [("orders/create", &order, (2, 0)), ("customers/redact", &redact, (2, 1)), ("customers/delete", &order, (2, 1))]
    {
        let body = body.to_string();
        let headers = [
            ("x-shopify-hmac-sha256", hmac(SECRET, &[body.as_bytes()])),
            ("x-shopify-topic", topic.to_owned()),
            ("x-shopify-event-id", format!("event-{topic}")),
        ];
        assert_eq!(said(&shop, &path, &headers, body).await.status, 200, "{topic}");
        assert_eq!((shop.bookings().len(), shop.parked().len()), kept, "{topic}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_waits_is_told_of_its_call_in_one_flat_object() {
    let shop = Shop::with_crms().await;
    let body = Way::Callout.body(1);
    let (path, mut headers) = Way::Callout.proof(&shop, &body, SECRET);
    headers.push(("prefer", "wait=10".to_owned()));
    let answer = said(&shop, &path, &headers, body).await.json();
    assert_eq!((&answer["state"], &answer["accepted"]), (&json!("scheduled"), &json!(true)), "{answer}");
    assert!(answer["start_at"].is_string() && answer["join_url"].is_string(), "{answer}");
    assert!(answer.as_object().unwrap().values().all(|value| value.is_string() || value.is_boolean()));
}

fn platform_event(uuid: &str, number: u32) -> Value {
    json!({"version": "0", "id": "e-1", "source": format!("aws.partner/salesforce.com/{ORGANIZATION}/0YL000000000001"), "detail-type": "VideoCall_Request__e",
        "account": "000000000000", "time": "2026-11-23T03:00:00Z", "region": "ap-south-1", "resources": [],
        "detail": {"payload": {"Lead_Id__c": format!("00Q{number:012}AAA"), "Name__c": "Asha Example", "Mobile__c": format!("+9190000{number:05}"), "EventUuid": uuid},
            "schemaId": "s", "id": "d-1"}})
}

#[tokio::test(start_paused = true)]
async fn a_platform_event_comes_by_the_partners_bus_and_no_request_can_pass_for_one() {
    let shop = Shop::with_crms().await;
    let send = async |event: Value| shop.world.functions.event("crm-intake", event).await;
    for _ in 0..2 {
        assert_eq!(send(platform_event("u-1", 1)).await.unwrap(), json!({"taken": 1}));
    }
    // The relay's own ids are new each time; the event's is not.
    let mut again = platform_event("u-1", 1);
    again["id"] = "e-2".into();
    again["detail"]["id"] = "d-2".into();
    again["detail"]["payload"]["Status__c"] = "Hot".into();
    assert_eq!(send(again).await.unwrap(), json!({"taken": 1}));
    shop.settle().await;
    assert_eq!((shop.bookings().len(), shop.world.sim.schedules().len()), (1, 1));
    // Another organization's, and one that tells of changed fields only.
    let mut foreign = platform_event("u-2", 2);
    foreign["source"] = "aws.partner/salesforce.com/00D000000000002EAA/0YL".into();
    assert_eq!(send(foreign).await.unwrap(), json!({"taken": 0}));
    let mut change = platform_event("u-3", 3);
    change["detail-type"] = "LeadChangeEvent".into();
    change["detail"]["payload"] = json!({"ChangeEventHeader": {"entityName": "Lead", "recordIds": ["00Q000000000003AAA"], "changeType": "UPDATE"}, "Status": "Working"});
    assert_eq!(send(change).await.unwrap(), json!({"taken": 1}));
    let listed = shop.parked_list("").await;
    assert_eq!(
        (&listed.body["parked"][0]["code"], &listed.body["parked"][0]["trigger"]["record"]),
        (&json!("change_event_tells_of_nobody"), &json!("00Q000000000003AAA"))
    );
    // Not stored is not taken: the bus brings it again.
    shop.world.db.set_fault(Some(Arc::new(|_, _| DbFault::Unreachable)));
    assert!(send(platform_event("u-4", 4)).await.is_err());
    shop.world.db.set_fault(None);
    assert_eq!(send(platform_event("u-4", 4)).await.unwrap(), json!({"taken": 1}));
    assert_eq!(shop.bookings().len(), 2);
    for path in ["/events", "/v1/events", "/v1/crm/acme/events"] {
        let reply = shop.send(Method::POST, path, &[], platform_event("u-5", 5).to_string()).await;
        assert!([401, 404].contains(&reply.status.as_u16()), "{path} {reply:?}");
    }
    assert_eq!(shop.bookings().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_sellers_own_fields_count_and_a_stage_that_is_not_asked_for_is_left_alone() {
    let shop = Shop::with(with_crms(|seller| {
        seller["crm"]["freshsales"]["fields"] = json!({
            "name": ["who.first", "who.last"], "mobile": ["cf.whatsapp", "cf.numbers.1"], "slot": "cf.when", "campaign": "cf.source", "group": "cf.store"
        });
        seller["crm"]["freshsales"]["only"] = json!({"stage": ["Qualified", "Hot"]});
    }))
    .await;
    shop.tick("slot-cache").await;
    let record = |stage: &str| {
        json!({"record_id": "7", "stage": stage, "updated_at": stage, "who": {"first": "Asha", "last": "Example"}, "name": "not this",
            "cf": {"numbers": ["x", "90000 00007"], "when": "1795410000000", "source": "diwali", "store": "north"}})
    };
    let cold = Way::Freshsales.send(&shop, &record("Cold").to_string()).await;
    assert_eq!((cold.status, &cold.json()["ignored"]), (200, &json!(1)));
    assert!(shop.world.items("bookings").is_empty());
    Way::Freshsales.send(&shop, &record("Hot").to_string()).await;
    let doc: Value = serde_json::from_str(shop.bookings()[0]["doc"].as_str().unwrap()).unwrap();
    let lead = &doc["lead"];
    assert_eq!((&lead["name"], &lead["mobile"]), (&json!("Asha Example"), &json!("+919000000007")));
    assert_eq!((&lead["campaign"], &lead["group"]), (&json!({"campaign": "diwali"}), &json!("north")));
    assert_eq!(doc["call"]["at"], "2026-11-23T05:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_parked_once_also_when_the_sellers_secret_is_changed() {
    let keyed = |key: Value| with_crms(|seller| seller["person_key"] = key);
    let (first, second) = ("the-first-person-key", "the-second-person-key");
    let shop = Shop::with(keyed(json!(first))).await;
    let body = json!({"record_id": "7", "name": "Asha Example"}).to_string();
    let parked = Way::Freshsales.send(&shop, &body).await.json();
    let changed = shop.again_with(keyed(json!([second, first]))).await;
    assert_eq!(Way::Freshsales.send(&changed, &body).await.json(), parked);
    assert_eq!(changed.parked().len(), 1);
    // Once nobody remembers the first one, it is another.
    let changed = changed.again_with(keyed(json!(second))).await;
    Way::Freshsales.send(&changed, &body).await;
    assert_eq!(changed.parked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_parked_trigger_becomes_a_booking_once_the_mapping_is_mended() {
    let shop = Shop::with_crms().await;
    let body =
        json!({"record_id": "7", "name": "Asha Example", "cf_whatsapp": "9000000007", "updated_at": "t"}).to_string();
    Way::Freshsales.send(&shop, &body).await;
    for number in 10..14 {
        Way::Freshsales.send(&shop, &json!({"record_id": number}).to_string()).await;
    }
    let first = shop.parked_list("?limit=2").await;
    let second = shop.parked_list(&format!("?limit=50&after={}", first.body["next"].as_str().unwrap())).await;
    let all: Vec<_> =
        [&first, &second].into_iter().flat_map(|page| page.body["parked"].as_array().unwrap().clone()).collect();
    assert_eq!((first.body["parked"].as_array().unwrap().len(), all.len(), &second.body["next"]), (2, 5, &Value::Null));
    let id = all.iter().find(|one| one["trigger"]["record"] == "7").unwrap()["id"].as_str().unwrap();
    assert_eq!(shop.retry(id).await.code(), "still_parked");
    let mended = shop
        .again_with(with_crms(|seller| seller["crm"]["freshsales"]["fields"] = json!({"mobile": "cf_whatsapp"})))
        .await;
    mended.tick("slot-cache").await;
    let booked = mended.retry(id).await;
    assert_eq!((booked.status.as_u16(), &booked.body["state"]), (202, &json!("requested")), "{booked:?}");
    // The CRM's own second try finds the same booking.
    assert_eq!(Way::Freshsales.send(&mended, &body).await.json()["bookings"], 1);
    assert_eq!((mended.bookings().len(), mended.parked().len()), (1, 4));
    for query in ["?limit=0", "?limit=101", "?limit=x", "?after=nope"] {
        assert_eq!(shop.parked_list(query).await.code(), "bad_query", "{query}");
    }
    let stranger = [("authorization", "Bearer not-the-key-0123456789")];
    for (method, path) in [(Method::GET, "parked".to_owned()), (Method::POST, format!("parked/{id}/retry"))] {
        assert_eq!(shop.send(method, &format!("/v1/crm/acme/{path}"), &stranger, "").await.status, 401);
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_is_forgotten_is_gone_from_parked_triggers_too() {
    let shop = Shop::with_crms().await;
    let lead = |record: u32, email: &str, mobile: &str| json!({"record_id": record, "email": email, "mobile": mobile});
    for body in [
        lead(1, "asha@example.com", "9000000001"),
        lead(2, "other@example.com", "90000 00001"),
        lead(3, "other@example.com", "9000000003"),
    ] {
        Way::Freshsales.send(&shop, &body.to_string()).await;
    }
    Way::PipedrivePerson.send(&shop, "asha@example.com wrote no JSON").await;
    assert_eq!(shop.parked().len(), 4);
    let done = forget(&shop, &json!({"phone": "9000000001"})).await;
    assert_eq!((&done.body["state"], &done.body["triggers"]), (&json!("done"), &json!(2)), "{done:?}");
    assert_eq!(forget(&shop, &json!({"email": "asha@example.com"})).await.body["triggers"], 1);
    assert_eq!(shop.parked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_no_item_holds_is_kept_as_far_as_it_is_needed() {
    let shop = Shop::with_crms().await;
    let body = json!({"record_id": "7", "name": "Asha Example", "mobile": "1", "updated_at": "t", "notes": "x".repeat(600_000)}).to_string();
    assert_eq!(Way::Freshsales.send(&shop, &body).await.status, 200);
    assert_eq!(Way::PipedrivePerson.send(&shop, &"x".repeat(900_000)).await.status, 200);
    let parked = shop.parked();
    assert_eq!(parked.len(), 2);
    assert!(parked.iter().all(|item| item.to_string().len() < 300_000));
    // What could be booked of it can still be.
    let booking =
        json!({"record_id": "8", "name": "Asha Example", "mobile": "9000000008", "notes": "x".repeat(600_000)})
            .to_string();
    assert_eq!(Way::Freshsales.send(&shop, &booking).await.json()["bookings"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_any_key_or_of_another_account_is_left_alone() {
    let shop = Shop::with(with_crms(|seller| seller["crm"]["hubspot"]["portal_ids"] = json!([44_001_122]))).await;
    let mut old = hubspot_event(1, 0);
    old["occurredAt"] = (1_795_402_740_000_u64 - 8 * 86_400_000).into();
    let mut foreign = hubspot_event(2, 0);
    foreign["portalId"] = 7.into();
    let told = hubspot(&shop, &json!([old, foreign, hubspot_event(3, 0)])).await;
    assert_eq!((&told["ignored"], &told["pending"]), (&json!(2), &json!(1)));
}

/// As many as a CRM puts into one request.
fn hundred(way: Way) -> String {
    if way == Way::Outbound {
        outbound(ORGANIZATION, &(1..=100).collect::<Vec<_>>())
    } else {
        json!((1..=100).map(|n| hubspot_event(n, 0)).collect::<Vec<_>>()).to_string()
    }
}

/// What became of a batch: bookings at once, or triggers that are read back.
fn stored(shop: &Shop) -> usize {
    shop.bookings().len() + shop.parked().len()
}

/// What the database was asked since the last time, by operation.
fn asked(shop: &Shop) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for call in shop.world.db.calls() {
        *asked.entry(call.operation).or_default() += 1;
    }
    shop.world.db.reset_calls();
    asked
}

/// By 16 at once, of at most two calls each, one after the other: fourteen times a call's 4 ms, where five seconds are allowed.
#[tokio::test(start_paused = true)]
async fn a_hundred_in_one_request_are_one_answer_and_a_call_or_two_of_the_database_each() {
    let calls = |calls: &[(&str, usize)]| -> BTreeMap<String, usize> {
        calls.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
    };
    for (way, first, again) in [
        (
            Way::Outbound,
            calls(&[("GetItem", 100), ("TransactWriteItems", 100)]),
            calls(&[("GetItem", 100), ("TransactWriteItems", 100)]),
        ),
        (Way::HubSpotApp, calls(&[("GetItem", 100), ("PutItem", 100)]), calls(&[("GetItem", 100), ("PutItem", 100)])),
    ] {
        let shop = Shop::with_crms().await;
        let body = hundred(way);
        asked(&shop);
        for calls in [first, again] {
            let said = way.send(&shop, &body).await;
            assert_eq!((said.status, stored(&shop)), (200, 100), "{way:?} {said:?}");
            assert!(way != Way::Outbound || said.text.matches("<Ack>true</Ack>").count() == 1, "{said:?}");
            assert_eq!(asked(&shop), calls, "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_salesforce_ever_sends_at_once_is_not_acknowledged() {
    let shop = Shop::with_crms().await;
    let said = Way::Outbound.send(&shop, &outbound(ORGANIZATION, &(1..=101).collect::<Vec<_>>())).await;
    assert_eq!((said.status, said.text.contains("not_readable"), stored(&shop)), (400, true, 0), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deals_own_fields_may_be_asked_for_by_its_name() {
    let shop = Shop::with(with_crms(|seller| {
        seller["crm"]["hubspot"]["fields"] = json!({"campaign": "deal.name"});
    }))
    .await;
    let person = json!({"firstname": "Asha", "lastname": "Example", "phone": "9000000614", "name": "the person's"});
    shop.world.sim.put_record("hubspot/contacts/614", person);
    shop.world.sim.put_record("hubspot/deals/3", json!({"name": "the deal's", "contacts": ["614"]}));
    let mut deal = hubspot_event(3, 0);
    deal["subscriptionType"] = "deal.propertyChange".into();
    deal["objectId"] = json!(3);
    hubspot(&shop, &json!([deal])).await;
    until_all_is_done(&shop).await;
    let document: Value = serde_json::from_str(shop.bookings()[0]["doc"].as_str().unwrap()).unwrap();
    assert_eq!(document["lead"]["campaign"].to_string().matches("the deal's").count(), 1, "{document}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_of_which_some_are_not_stored_are_not_acknowledged_until_all_are() {
    // HubSpot's are looked for first, sixteen at once, and stored then.
    for (way, broken, before) in [
        (Way::Outbound, 0, 0),
        (Way::Outbound, 57, 57),
        (Way::Outbound, 99, 99),
        (Way::HubSpotApp, 57, 25),
        (Way::HubSpotApp, 199, 99),
    ] {
        let shop = Shop::with_crms().await;
        (1..=100).for_each(|number| way.keep_record(&shop, number));
        let body = hundred(way);
        let calls = Arc::new(AtomicUsize::new(0));
        shop.world.db.set_fault(Some(Arc::new(move |operation: &str, _: &Value| {
            // Outbound messages are stored first; then it is looked up whether their persons were forgotten.
            if way == Way::Outbound && operation == "GetItem" {
                return DbFault::None;
            }
            if calls.fetch_add(1, Ordering::Relaxed) < broken { DbFault::None } else { DbFault::Unreachable }
        })));
        let said = way.send(&shop, &body).await;
        assert_eq!((said.status, stored(&shop)), (503, before), "{way:?} {broken} {said:?}");
        assert!(way != Way::Outbound || said.text.contains("<Ack>false</Ack>"), "{said:?}");
        shop.world.db.set_fault(None);
        let said = way.send(&shop, &body).await;
        assert_eq!((said.status, stored(&shop)), (200, 100), "{way:?} {broken} {said:?}");
        until_all_is_done(&shop).await;
        let numbers: BTreeSet<_> = shop.world.sim.schedules().into_iter().map(|one| one.mobile).collect();
        assert_eq!((numbers.len(), shop.world.sim.schedules().len()), (100, 100), "{way:?} {broken}");
        assert_eq!((shop.bookings().len(), shop.parked().len()), (100, 0), "{way:?} {broken}");
    }
}

/// A table that fails from one call on, for longer than the time of a call; `calls` counts.
fn broken_from(broken: usize, fault: DbFault, calls: Arc<AtomicUsize>) -> FaultHook {
    let since = OnceLock::new();
    Arc::new(move |_, _| {
        let is_broken = calls.fetch_add(1, Ordering::Relaxed) >= broken
            && since.get_or_init(Instant::now).elapsed() < Duration::from_secs(10);
        if is_broken { fault } else { DbFault::None }
    })
}

/// What a CRM would see over a table that fails at one call in every way, and how it comes again until it is content.
#[tokio::test(start_paused = true)]
async fn whatever_fails_while_a_batch_is_stored_nothing_is_lost_and_nothing_comes_twice() {
    let hubspot_body = json!((1..=3).map(|n| hubspot_event(n, 0)).collect::<Vec<_>>()).to_string();
    let outbound_body = outbound(ORGANIZATION, &[1, 2, 3]);
    let parks = json!([{"ProspectID": "a", "FirstName": "Asha"}, {"ProspectID": "b"}, {"ProspectID": "c"}]).to_string();
    for (way, body, parked) in
        [(Way::HubSpotApp, &hubspot_body, 0), (Way::Outbound, &outbound_body, 0), (Way::LeadSquared, &parks, 3)]
    {
        for fault in [DbFault::Throttle, DbFault::Conflict, DbFault::LoseReply, DbFault::Unreachable] {
            for broken in 0.. {
                let shop = Shop::with_crms().await;
                (1..=3).for_each(|number| way.keep_record(&shop, number));
                let calls = Arc::new(AtomicUsize::new(0));
                shop.world.db.set_fault(Some(broken_from(broken, fault, calls.clone())));
                let mut said = way.send(&shop, body).await;
                let broke = calls.load(Ordering::Relaxed) > broken;
                for _ in 0..5 {
                    if said.status == 200 {
                        break;
                    }
                    assert_eq!(said.status, 503, "{way:?} {fault:?} {broken} {said:?}");
                    assert!(way != Way::Outbound || said.text.contains("<Ack>false</Ack>"), "{said:?}");
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    said = way.send(&shop, body).await;
                }
                assert_eq!(said.status, 200, "{way:?} {fault:?} {broken}");
                shop.world.db.set_fault(None);
                until_all_is_done(&shop).await;
                let schedules = shop.world.sim.schedules();
                let numbers: BTreeSet<_> = schedules.iter().map(|schedule| &schedule.mobile).collect();
                assert_eq!((numbers.len(), schedules.len()), (3 - parked, 3 - parked), "{way:?} {fault:?} {broken}");
                assert_eq!(
                    (shop.bookings().len(), shop.parked().len()),
                    (3 - parked, parked),
                    "{way:?} {fault:?} {broken}"
                );
                if !broke {
                    break;
                }
            }
        }
    }
}

/// The same for the way from the CRM's record to a booking.
#[tokio::test(start_paused = true)]
async fn whatever_fails_while_a_record_is_read_back_it_becomes_one_booking() {
    for fault in [DbFault::Throttle, DbFault::LoseReply, DbFault::Unreachable] {
        for broken in 0.. {
            let shop = Shop::with_crms().await;
            Way::HubSpotApp.keep_record(&shop, 1);
            hubspot(&shop, &json!([hubspot_event(1, 0)])).await;
            let calls = Arc::new(AtomicUsize::new(0));
            shop.world.db.set_fault(Some(broken_from(broken, fault, calls.clone())));
            shop.world.pump().await;
            let broke = calls.load(Ordering::Relaxed) > broken;
            shop.world.db.set_fault(None);
            until_all_is_done(&shop).await;
            // Where the fault hits the saga itself, a person may have to say how it ended.
            assert_eq!((shop.bookings().len(), shop.parked().len()), (1, 0), "{fault:?} {broken}");
            assert!(shop.world.sim.schedules().len() <= 1, "{fault:?} {broken}");
            if !broke {
                assert_eq!(shop.world.sim.schedules().len(), 1);
                break;
            }
        }
    }
}
