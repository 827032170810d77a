//! CRMs at their limits: more than an item holds, bodies that nobody reads, and what is tried again.

use bytes::Bytes;
use frontdesk::{
    model::{
        connector::Connector,
        hash,
        phone::{Country, Phone},
    },
    popin::{Transport, TransportError},
};
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use local::{
    dynamodb::DbFault,
    examples,
    world::{Weather, World, WorldOptions},
};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use system_tests::{
    crm_ways::{ORGANIZATION, SECRET, Way, said, with_crms},
    overheard,
    shop::{API_KEY, Shop, TestClock, sellers},
    written_back::{NOTIFY_SECRET, origin, trigger},
};
use tokio::time::{Instant, sleep};

/// A trigger with more in it than an item holds, and less than a route takes.
fn heavy(way: Way, change: impl FnOnce(&mut Value)) -> Value {
    let mut body: Value = serde_json::from_str(&way.body(1)).unwrap();
    change(&mut body);
    body
}

fn much() -> String {
    "x".repeat(900_000)
}

#[tokio::test(start_paused = true)]
async fn a_deal_that_no_item_holds_becomes_its_persons_booking_with_what_the_seller_asks_of_it() {
    let shop = Shop::with(with_crms(|seller| {
        seller["crm"]["pipedrive"]["fields"] = json!({"campaign": "deal.title", "group": "deal.custom.group"});
        seller["crm"]["pipedrive"]["only"] = json!({"deal.stage_id": ["428"]});
    }))
    .await;
    shop.tick("slot-cache").await;
    Way::PipedriveDeal.keep_record(&shop, 1);
    let body = heavy(Way::PipedriveDeal, |body| {
        body["data"]["notes"] = much().into();
        body["data"]["custom"] = json!({"group": "blue", "more": much()[..100_000]});
    });
    let said = Way::PipedriveDeal.send(&shop, &body.to_string()).await;
    assert_eq!((said.status, &said.json()["pending"]), (200, &json!(1)), "{said:?}");
    shop.settle().await;
    let booked = shop.bookings();
    assert_eq!((booked.len(), shop.parked().len()), (1, 0));
    let doc: Value = serde_json::from_str(booked[0]["doc"].as_str().unwrap()).unwrap();
    assert_eq!((&booked[0]["state"], &doc["lead"]["group"]), (&json!("scheduled"), &json!("blue")), "{doc}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_no_item_holds_is_parked_and_still_becomes_a_booking_at_the_stage_that_is_asked_for() {
    let document = |mobile: &'static str| {
        with_crms(move |seller| {
            seller["crm"]["freshsales"]["fields"] = json!({"mobile": mobile});
            seller["crm"]["freshsales"]["only"] = json!({"stage": ["Qualified"]});
        })
    };
    let shop = Shop::with(document("nickname")).await;
    let body = heavy(Way::Freshsales, |body| body["notes"] = much().into());
    let said = Way::Freshsales.send(&shop, &body.to_string()).await;
    assert_eq!((said.status, &said.json()["parked"]), (200, &json!(1)), "{said:?}");
    let listed = shop.parked_list("").await;
    assert_eq!(listed.body["parked"][0]["code"], "lead_mobile_missing", "{listed:?}");
    // What was kept has the stage, which is asked for before the person is.
    let id = listed.body["parked"][0]["id"].as_str().unwrap();
    assert_eq!(shop.retry(id).await.code(), "still_parked");
    assert_eq!(shop.parked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_proven_and_makes_no_booking_fits_an_item() {
    let control = "\u{1}".repeat(250_000);
    let quotes = "\"".repeat(250_000);
    let bodies = [
        // Our own request, whose campaign alone is too much.
        (
            Way::Freshsales,
            heavy(Way::Freshsales, |body| body["lead"] = json!({"name": "Asha Example", "campaign": {"a": much()}})),
        ),
        // Fields that are asked for, each of them too long.
        (
            Way::Freshsales,
            heavy(Way::Freshsales, |body| {
                (body["name"], body["mobile"]) = (much()[..450_000].into(), much()[..450_000].into());
            }),
        ),
        (Way::Freshsales, heavy(Way::Freshsales, |body| (body["mobile"], body["note"]) = ("1".into(), much().into()))),
        // Ids and keys.
        (Way::ZohoJson, heavy(Way::ZohoJson, |body| (body["mobile"], body["event_id"]) = ("1".into(), much().into()))),
        (Way::ZohoJson, heavy(Way::ZohoJson, |body| (body["mobile"], body["lead_id"]) = ("1".into(), much().into()))),
        (Way::ZohoJson, heavy(Way::ZohoJson, |body| body["lead_id"] = much().into())),
        (Way::PipedriveDeal, heavy(Way::PipedriveDeal, |body| body["data"]["person_id"] = "1".repeat(900_000).into())),
        // What doubles once it is quoted.
        (
            Way::PipedriveDeal,
            heavy(Way::PipedriveDeal, |body| {
                (body["data"]["person_id"], body["data"]["title"]) = (Value::Null, quotes.as_str().into());
            }),
        ),
        (Way::LeadSquared, json!([control])),
        (Way::LeadSquared, json!(control)),
    ];
    for (at, (way, body)) in bodies.iter().enumerate() {
        let shop = Shop::with_crms().await;
        let said = way.send(&shop, &body.to_string()).await;
        assert_eq!(said.status, 200, "{at} {way:?} {said:?}");
        let stored = shop.parked().len() + shop.bookings().len();
        assert_eq!(stored, 1, "{at} {way:?}");
        assert_eq!(shop.parked_list("").await.status, 200, "{at} {way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_proven_whole_and_kept_where_a_refusal_loses_it() {
    let kept = [
        Way::HubSpotApp,
        Way::HubSpotAction,
        Way::HubSpotToken,
        Way::ZohoJson,
        Way::ZohoForm,
        Way::ZohoNotification,
        Way::LeadSquared,
        Way::Freshsales,
        Way::PipedrivePerson,
        Way::Shopify,
    ];
    for way in Way::ALL {
        let shop = Shop::with_crms().await;
        let body = format!("{}{}", way.body(1), " ".repeat(1024 * 1024));
        let (path, headers) = way.proof(&shop, &body, SECRET);
        let refused = matches!(way, Way::Standard | Way::Bearer | Way::Outbound | Way::Callout);
        if way.is_signed() {
            let forged = format!("{body} ");
            assert_eq!(said(&shop, &path, &headers, forged).await.status, if refused { 413 } else { 401 }, "{way:?}");
        }
        let answer = said(&shop, &path, &headers, body).await;
        assert_eq!((answer.status, shop.parked().len()), if refused { (413, 0) } else { (200, 1) }, "{way:?}");
        if kept.contains(&way) {
            let listed = shop.parked_list("").await;
            assert_eq!(listed.body["parked"][0]["code"], "body_too_large", "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_compressed_body_is_proven_first_and_then_one_that_cannot_be_read() {
    for way in Way::ALL {
        let shop = Shop::with_crms().await;
        let body = way.body(1);
        let (path, mut headers) = way.proof(&shop, &body, SECRET);
        headers.push(("content-encoding", "gzip".to_owned()));
        let (stranger, mut wrong) = way.proof(&shop, &body, "another-secret-0123456789");
        wrong.push(("content-encoding", "gzip".to_owned()));
        // A notification has its token in its body.
        if way != Way::ZohoNotification {
            assert_eq!(said(&shop, &stranger, &wrong, body.clone()).await.status, 401, "{way:?}");
        }
        let answer = said(&shop, &path, &headers, body).await;
        let refused = matches!(way, Way::Standard | Way::Bearer | Way::Outbound | Way::Callout);
        assert_eq!((answer.status, shop.parked().len()), if refused { (415, 0) } else { (200, 1) }, "{way:?}");
        assert_eq!(shop.bookings().len(), 0, "{way:?}");
        if !refused {
            assert_eq!(shop.parked_list("").await.body["parked"][0]["code"], "body_compressed", "{way:?}");
            assert!(!shop.parked()[0].to_string().contains("Asha"), "nobody could find a person in it to forget");
        }
        if way == Way::LeadSquared {
            assert_eq!(answer.text, r#"{"Status":"Success","StatusReason":"parked: body_compressed"}"#);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deal_that_has_found_its_person_is_a_booking_once_somebody_asks_again() {
    let shop = Shop::with_crms().await;
    let deal = json!({"id": 7_000_001, "title": "demo", "stage_id": 428, "person_id": null});
    let body = heavy(Way::PipedriveDeal, |body| body["data"] = deal.clone()).to_string();
    Way::PipedriveDeal.send(&shop, &body).await;
    let id = shop.parked_list("").await.body["parked"][0]["id"].as_str().unwrap().to_owned();
    let reason = async || shop.retry(&id).await.body["reason"].clone();
    assert_eq!(reason().await, "record_not_found");
    shop.world.sim.put_record("pipedrive/deals/7000001", deal.clone());
    assert_eq!(reason().await, "deal_without_person");
    let mut found = deal;
    found["person_id"] = 1.into();
    shop.world.sim.put_record("pipedrive/deals/7000001", found);
    Way::PipedriveDeal.keep_record(&shop, 1);
    let again = shop.retry(&id).await;
    assert_eq!((again.status.as_u16(), &again.body["state"]), (202, &json!("requested")), "{again:?}");
    shop.settle().await;
    assert_eq!((shop.bookings().len(), shop.parked().len(), shop.world.sim.schedules().len()), (1, 0, 1));
}

fn platform_event(mobile: &str) -> Value {
    json!({"source": format!("aws.partner/salesforce.com/{ORGANIZATION}/0YL000000000001"), "detail-type": "VideoCall_Request__e",
        "detail": {"payload": {"Lead_Id__c": "00Q000000000001AAA", "Name__c": "Asha Example", "Mobile__c": mobile, "EventUuid": mobile}}})
}

/// How many triggers a function has told of as parked.
fn told_parked(function: &str) -> u64 {
    let told = overheard::kept();
    let lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["function"] == function).filter_map(|line| line["TriggersParked"].as_u64()).sum()
}

#[tokio::test(start_paused = true)]
async fn whoever_parks_a_trigger_tells_of_it() {
    let shop = Shop::with_crms().await;
    Way::PipedriveDeal.send(&shop, &Way::PipedriveDeal.body(1)).await;
    overheard::keep();
    shop.settle().await;
    assert_eq!(shop.parked_list("").await.body["parked"][0]["code"], "record_not_found");
    assert_eq!(told_parked("booking-worker"), 1);
    overheard::keep();
    shop.world.functions.event("crm-intake", platform_event("1")).await.unwrap();
    assert_eq!(told_parked("crm-intake"), 1);
}

#[tokio::test(start_paused = true)]
async fn leadsquared_reads_a_status_from_a_failure_too() {
    let shop = Shop::with_crms().await;
    shop.world.db.set_fault(Some(Arc::new(|_, _| DbFault::Unreachable)));
    let said = Way::LeadSquared.send(&shop, &Way::LeadSquared.body(1)).await;
    assert_eq!((said.status, &said.json()["Status"]), (503, &json!("Error")), "{said:?}");
    assert!(said.json()["StatusReason"].is_string());
}

#[test]
fn the_gateway_lets_a_campaigns_triggers_in() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/template.yaml")).unwrap();
    let template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    let routes = &template["Resources"]["Api"]["Properties"]["RouteSettings"];
    for route in ["POST /v1/crm/{seller}/{connector}", "POST /v1/crm/{seller}/{connector}/{path_secret}"] {
        let limit = |name: &str| routes[route][name].as_u64().unwrap();
        assert!(limit("ThrottlingRateLimit") >= 250 && limit("ThrottlingBurstLimit") >= 500, "{route}");
    }
}

#[test]
fn what_an_advertiser_would_hash_is_what_we_have() {
    let hash = |text: &str| hash::hex(text.as_bytes());
    assert_eq!(
        hash(&" John_Smith@gmail.com ".trim().to_lowercase()),
        "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
    );
    let e164 =
        |raw: &str, country: &str| Phone::parse(raw, Country::parse(country).unwrap()).unwrap().e164().expose().clone();
    // With the plus for one, without it for the other.
    let american = e164("(650) 555-1212", "US");
    assert_eq!(hash(&american), "1e231c66011e7a2d867a9cfae267a6aff103cf4913640b6e71a99850fc0ffbc8");
    assert_eq!(hash(&american[1..]), "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176");
    let indian = e164("098765 43210", "IN");
    assert_eq!(indian, "+919876543210");
    assert_eq!(hash(&indian[1..]), "92b5072176e723878b5e06ff3ca61898e4eb74e8c46642a0f2db800b17364ab0");
}

#[tokio::test(start_paused = true)]
async fn what_comes_again_and_is_booked_by_now_is_no_longer_parked() {
    let shop = Shop::with_crms().await;
    let body =
        json!({"record_id": "7", "name": "Asha Example", "cf_whatsapp": "9000000007", "updated_at": "t"}).to_string();
    Way::Freshsales.send(&shop, &body).await;
    assert_eq!(shop.parked().len(), 1);
    let mended = shop
        .again_with(with_crms(|seller| seller["crm"]["freshsales"]["fields"] = json!({"mobile": "cf_whatsapp"})))
        .await;
    assert_eq!(Way::Freshsales.send(&mended, &body).await.json()["bookings"], 1);
    assert_eq!(mended.parked_list("").await.body["parked"], json!([]));
    assert_eq!((mended.bookings().len(), mended.parked().len()), (1, 0));
}

/// An end that was given up, at a shop whose seller is told by URL.
async fn given_up() -> (Shop, String) {
    let document = sellers(|seller| {
        seller["notify"] = json!({"url": "https://crm.test/crm/receiver/acme", "secrets": [NOTIFY_SECRET]});
    });
    let shop = Shop::with(document.clone()).await;
    shop.tick("slot-cache").await;
    shop.world.sim.crms().add_fault(sim::CrmFaultOrder::new("receiver", sim::CrmFault::Gone));
    let id = trigger(&shop, &document, ("hubspot", "k"), 1, origin(None, "614")).await.booking.id.to_string();
    shop.world.pump().await;
    assert_eq!(shop.booking(&id).await.body["write_backs"][0]["state"], "parked");
    (shop, id)
}

#[tokio::test(start_paused = true)]
async fn what_was_told_stays_to_be_read_after_the_last_destination_is_gone() {
    let (shop, id) = given_up().await;
    let silent = shop.again_with(sellers(|_| {})).await;
    assert_eq!(silent.booking(&id).await.body["write_backs"][0]["state"], "parked");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_again_and_is_overtaken_is_told_how_it_stands() {
    let (shop, id) = given_up().await;
    let puts = AtomicUsize::new(0);
    // The first try is done and its answer lost: the second one finds itself overtaken.
    shop.world.db.set_fault(Some(Arc::new(move |operation, _| {
        let first = operation == "PutItem" && puts.fetch_add(1, Ordering::Relaxed) == 0;
        if first { DbFault::LoseReply } else { DbFault::None }
    })));
    let authorization = format!("Bearer {API_KEY}");
    let path = format!("/v1/bookings/acme/{id}/write-backs/retry");
    let again = shop.send(Method::POST, &path, &[("authorization", &authorization)], "").await;
    shop.world.db.set_fault(None);
    let operations: Vec<_> = shop.world.db.calls().into_iter().map(|call| call.operation).collect();
    let after = operations.iter().rev().take_while(|operation| *operation != "PutItem").count();
    assert_eq!((again.status.as_u16(), &again.body["write_backs"][0]["state"]), (202, &json!("pending")));
    assert_eq!(after, 1, "it is read again");
}

#[test]
fn every_connector_has_its_example() {
    let examples = examples::crms("http://api.test", "http://sim.test");
    for connector in Connector::ALL {
        let path = format!("http://api.test/v1/crm/demo/{}", connector.as_str());
        assert!(examples.contains(&path), "{path}");
    }
}

/// As the seller's own guard does: no call gets anywhere.
#[derive(Default)]
struct Fenced(AtomicUsize);

impl Transport for Fenced {
    fn send(&self, _: Request<Bytes>, _: Duration) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Err(TransportError::NotAllowed) })
    }
}

/// Answers each call when nobody believes in it any more: a log-in, and a record that this one does not open.
struct Slow;

impl Transport for Slow {
    fn send(&self, request: Request<Bytes>, _: Duration) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            sleep(Duration::from_millis(7900)).await;
            let token = request.method() == Method::POST;
            let body = if token { r#"{"access_token": "t", "expires_in": 3600}"# } else { "{}" };
            let status = if token { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            Ok(Response::builder().status(status).body(Bytes::from(body)).unwrap())
        })
    }
}

async fn shop_over(outside: Arc<dyn Transport>) -> Shop {
    let clock = TestClock::at("2026-11-23T03:00:00Z");
    let options = WorldOptions {
        sellers: with_crms(|_| {}),
        sellers_file: None,
        seats: 1,
        clock: clock.clone(),
        seed: 7,
        transport: None,
        outside: Some(outside),
        weather: Weather::default(),
        anonymous_write_units: local::world::ANONYMOUS_WRITE_UNITS,
    };
    Shop { world: World::start(options).await.unwrap(), clock }
}

#[tokio::test(start_paused = true)]
async fn whoever_runs_a_trigger_again_is_answered_before_the_function_ends() {
    let shop = shop_over(Arc::new(Slow)).await;
    Way::ZohoNotification.send(&shop, &Way::ZohoNotification.body(1)).await;
    let listed = shop.parked_list("").await.body["parked"][0].clone();
    let began = Instant::now();
    let again = shop.retry(listed["id"].as_str().unwrap()).await;
    assert_eq!(again.code(), "try_later");
    assert!(began.elapsed() < Duration::from_secs(29), "{:?}", began.elapsed());
    // The worker asks for it still.
    assert_eq!(shop.parked_list("").await.body["parked"][0], listed);
}

/// What Lambda does not take is answered by API Gateway, whatever the CRM; what it takes, by the function.
#[tokio::test(start_paused = true)]
async fn body_over_lambdas_limit_is_answered_before_the_function() {
    let shop = Shop::with(with_crms(|_| {})).await;
    let padded = |filler: &str, count: usize| format!(r#"{{"filler":"{}"}}"#, filler.repeat(count));
    for way in [Way::LeadSquared, Way::Freshsales, Way::ZohoForm, Way::PipedriveDeal] {
        for (body, taken) in
            [(padded("a", 6_200_000), true), (padded("a", 6_291_556), false), (padded(r#"\""#, 2_000_000), false)]
        {
            let said = way.send(&shop, &body).await;
            let length = body.len();
            assert_eq!(said.status, if taken { 200 } else { 413 }, "{way:?}, {length} bytes");
            assert_eq!(said.text == r#"{"message":"Request Entity Too Large"}"#, !taken, "{way:?}, {length} bytes");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_is_read_back_over_the_guarded_way_only() {
    let fenced = Arc::new(Fenced::default());
    let shop = shop_over(fenced.clone()).await;
    Way::PipedriveDeal.keep_record(&shop, 1);
    Way::PipedriveDeal.send(&shop, &Way::PipedriveDeal.body(1)).await;
    shop.settle().await;
    let listed = shop.parked_list("").await;
    assert_eq!(listed.body["parked"][0]["code"], "address_not_allowed", "{listed:?}");
    assert_eq!(fenced.0.load(Ordering::Relaxed), 1, "the worker's");
    let again = shop.retry(listed.body["parked"][0]["id"].as_str().unwrap()).await;
    assert_eq!((again.code(), &again.body["reason"]), ("still_parked", &json!("address_not_allowed")));
    assert_eq!((fenced.0.load(Ordering::Relaxed), shop.world.sim.record_reads().len()), (2, 0), "the retry's");
}
