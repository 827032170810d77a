//! The end of a booking, told to what its triggers came from: right values, right proof, once they are back, and never for ever.

use frontdesk::{crm::standard, model::origin::Origin};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use sim::{CrmFault, CrmFaultOrder, Fault, FaultOrder, Target, crms::Message};
use system_tests::{
    canary::{forget, traces},
    shop::{API_KEY, Shop, lead},
    written_back::{HASHES, NOTIFY_SECRET, minutes, origin, trigger, written_back},
};

async fn open(notify: bool) -> (Shop, Value) {
    let document = written_back(notify);
    let shop = Shop::with(document.clone()).await;
    shop.tick("slot-cache").await;
    (shop, document)
}

/// The booking's own record of what was written back.
async fn explained(shop: &Shop, booking: &str) -> Value {
    shop.booking(booking).await.body["write_backs"].clone()
}

fn owed(shop: &Shop) -> Vec<Value> {
    shop.world
        .items("bookings")
        .into_iter()
        .filter(|item| item["sk"].as_str().unwrap().starts_with("trigger#"))
        .collect()
}

fn is_signed(message: &Message, now: i64) -> bool {
    let headers = standard::Headers { id: &message.id, timestamp: &message.timestamp, signature: &message.signature };
    let now = Timestamp::from_second(now).unwrap();
    standard::proven(headers, message.raw.as_bytes(), [NOTIFY_SECRET].into_iter(), now)
}

#[tokio::test(start_paused = true)]
async fn each_crm_has_the_end_where_the_seller_wants_it() {
    let (shop, document) = open(false).await;
    let crms = shop.world.sim.crms();
    let salesforce = "00Q000000000001AAA";
    let triggers: [(&str, Origin); 7] = [
        ("hubspot", Origin { callback: Some("ap-1-2-3-0".to_owned()), ..origin(Some("CONTACT"), "614") }),
        ("salesforce", origin(Some("Lead"), salesforce)),
        ("zoho", origin(Some("Leads"), "4150868000004")),
        ("leadsquared", origin(None, "a3110000-0e56-4601-b580-f931645e7b32")),
        ("pipedrive", origin(Some("person"), "176578")),
        ("freshsales", origin(Some("contact"), "70000123")),
        ("shopify", origin(Some("customer"), "207119551")),
    ];
    let mut bookings = Vec::new();
    for (number, (connector, origin)) in (1..).zip(triggers) {
        bookings.push(trigger(&shop, &document, (connector, connector), number, origin).await.booking.id.to_string());
    }
    shop.world.pump().await;
    let mut links = Vec::new();
    for booking in &bookings {
        let read = shop.booking(booking).await.body;
        assert_eq!(read["state"], "scheduled");
        let told = &read["write_backs"][0];
        assert_eq!(
            (&told["state"], &told["attempts"], &told["told"]),
            (&json!("done"), &json!(1), &json!("scheduled")),
            "{read}"
        );
        links.push((read["join_url"].clone(), read["start_at"].clone(), read["start_local"].clone()));
    }
    let contact = crms.record("hubspot/contacts/614");
    assert_eq!(
        (&contact["vc_state"], &contact["vc_join_url"], &contact["vc_start_at"]),
        (&json!("scheduled"), &links[0].0, &links[0].1)
    );
    assert_eq!((&contact["vc_reason"], &contact["vc_booking"]), (&json!(""), &json!(bookings[0])));
    let callback = crms.callback("ap-1-2-3-0");
    assert_eq!((&callback["hs_execution_state"], &callback["join_url"]), (&json!("SUCCESS"), &links[0].0));
    let expected = json!({"Call_State__c": "scheduled", "Call_Link__c": links[1].0, "Call_At__c": links[1].1});
    assert_eq!(crms.record(&format!("salesforce/Lead/{salesforce}")), expected);
    assert_eq!(crms.record("zoho/Leads/4150868000004"), json!({"Call_State": "scheduled", "Call_Link": links[2].0}));
    let expected = json!({"mx_Call_State": "scheduled", "mx_Call_At": links[3].1});
    assert_eq!(crms.record("leadsquared/leads/a3110000-0e56-4601-b580-f931645e7b32"), expected);
    let note = format!("Video call: scheduled, {}", links[3].2.as_str().unwrap());
    assert_eq!((crms.activities().len(), &crms.activities()[0]["ActivityNote"]), (1, &json!(note)));
    assert_eq!(crms.record("pipedrive/persons/176578"), json!({HASHES[0]: "scheduled", HASHES[1]: links[4].0}));
    let expected = json!({"cf_call_state": "scheduled", "cf_call_at": links[5].2});
    assert_eq!(crms.record("freshsales/contacts/70000123"), expected);
    assert_eq!(crms.tags("gid://shopify/Customer/207119551"), ["video-call-scheduled"]);
    // Nothing is told twice.
    let calls = crms.calls().len();
    minutes(&shop, 5).await;
    assert_eq!(crms.calls().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn every_seller_may_have_it_at_their_own_url_signed() {
    let (shop, _) = open(true).await;
    let made = shop.book("k1", None, &lead(1)).await;
    let id = made.body["id"].as_str().unwrap();
    shop.world.pump().await;
    let messages = shop.world.sim.crms().messages();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert!(is_signed(message, shop.clock_seconds()));
    assert!(!is_signed(
        &Message { raw: message.raw.replace("scheduled", "refused"), ..message.clone() },
        shop.clock_seconds()
    ));
    let read = shop.booking(id).await.body;
    assert_eq!(message.body["type"], "booking.scheduled");
    let data = &message.body["data"];
    assert_eq!(
        (&data["booking_id"], &data["join_url"], &data["start_at"]),
        (&read["id"], &read["join_url"], &read["start_at"])
    );
    assert_eq!((&data["external_id"], &data["connector"]), (&json!("L-1"), &json!("bookings")));
    assert!(!message.raw.contains("90000") && !message.raw.contains("Asha"), "{}", message.raw);
    let told = &read["write_backs"][0];
    assert_eq!((&told["destination"], &told["state"]), (&json!("url"), &json!("done")));
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_for_a_while_ends_with_the_right_values() {
    for (connector, object, record, path) in [
        ("hubspot", Some("deal"), "9021001", "hubspot/deals/9021001"),
        ("salesforce", Some("Contact"), "003000000000001AAA", "salesforce/Contact/003000000000001AAA"),
        ("zoho", Some("Deals"), "4150868000009", "zoho/Deals/4150868000009"),
    ] {
        let (shop, document) = open(false).await;
        let crms = shop.world.sim.crms();
        let faults = [
            CrmFault::RateLimited,
            CrmFault::Unavailable,
            CrmFault::Hang,
            CrmFault::HangAfter,
            CrmFault::ErrorAfter,
            CrmFault::Unauthorized,
        ];
        for fault in faults {
            crms.add_fault(CrmFaultOrder { path: record.to_owned(), ..CrmFaultOrder::new(connector, fault) });
        }
        let id = trigger(&shop, &document, (connector, "k"), 1, origin(object, record)).await.booking.id.to_string();
        shop.world.pump().await;
        let told = explained(&shop, &id).await[0].clone();
        assert_eq!(
            (&told["state"], &told["code"], &told["attempts"]),
            (&json!("pending"), &json!("rate_limited"), &json!(1))
        );
        minutes(&shop, 20).await;
        let told = explained(&shop, &id).await[0].clone();
        assert_eq!((&told["state"], &told["code"]), (&json!("done"), &Value::Null), "{connector}: {told}");
        let values = crms.record(path);
        assert!(values.as_object().unwrap().values().any(|value| value == "scheduled"), "{values}");
        // A token that was refused was had anew in the same try.
        let tries = if connector == "hubspot" { 7 } else { 6 };
        assert_eq!(told["attempts"], tries, "{connector}");
        assert_eq!(crms.calls_to(connector).len(), 7, "{connector}");
    }
}

#[tokio::test(start_paused = true)]
async fn zoho_has_not_said_yes_where_it_says_nothing_of_the_record() {
    let (shop, document) = open(false).await;
    let record = "4150868000009";
    let fault = CrmFaultOrder { path: record.to_owned(), ..CrmFaultOrder::new("zoho", CrmFault::HtmlAfter) };
    shop.world.sim.crms().add_fault(fault);
    let deal = origin(Some("Deals"), record);
    let id = trigger(&shop, &document, ("zoho", "k"), 1, deal).await.booking.id.to_string();
    shop.world.pump().await;
    let told = explained(&shop, &id).await[0].clone();
    assert_eq!((&told["state"], &told["code"]), (&json!("pending"), &json!("answer_unreadable")));
    minutes(&shop, 20).await;
    let told = explained(&shop, &id).await[0].clone();
    assert_eq!((&told["state"], &told["attempts"]), (&json!("done"), &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_called_before_the_crm_wants_to_be() {
    let (shop, document) = open(false).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder { seconds: 600, ..CrmFaultOrder::new("zoho", CrmFault::RateLimited) });
    // The log-in is what is turned away: the pause is for all of the seller's records there.
    trigger(&shop, &document, ("zoho", "k1"), 1, origin(None, "1")).await;
    shop.world.pump().await;
    trigger(&shop, &document, ("zoho", "k2"), 2, origin(None, "2")).await;
    shop.world.pump().await;
    minutes(&shop, 9).await;
    assert_eq!(crms.calls().iter().filter(|call| call.crm == "zoho").count(), 1);
    minutes(&shop, 3).await;
    for record in ["zoho/Leads/1", "zoho/Leads/2"] {
        assert_eq!(crms.record(record)["Call_State"], "scheduled", "{record}");
    }
    // One token was good for both.
    assert_eq!(crms.calls().iter().filter(|call| call.path.ends_with("/token")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_taken_back_is_had_anew() {
    let (shop, document) = open(false).await;
    let crms = shop.world.sim.crms();
    trigger(&shop, &document, ("salesforce", "k1"), 1, origin(None, "00Q000000000001AAA")).await;
    shop.world.pump().await;
    crms.revoke_tokens();
    trigger(&shop, &document, ("salesforce", "k2"), 2, origin(None, "00Q000000000002AAA")).await;
    shop.world.pump().await;
    assert_eq!(crms.record("salesforce/Lead/00Q000000000002AAA")["Call_State__c"], "scheduled");
    let logins = crms.calls().iter().filter(|call| call.path.ends_with("/token")).count();
    assert_eq!(logins, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_parked_at_once_and_what_never_works_after_a_day() {
    let (shop, document) = open(true).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder { times: 0, ..CrmFaultOrder::new("hubspot", CrmFault::Unavailable) });
    crms.add_fault(CrmFaultOrder::new("receiver", CrmFault::Gone));
    let id = trigger(&shop, &document, ("hubspot", "k"), 1, origin(None, "614")).await.booking.id.to_string();
    shop.world.pump().await;
    let state = async |destination: &str| {
        let told = explained(&shop, &id).await;
        let one = told.as_array().unwrap().iter().find(|told| told["destination"] == destination).unwrap().clone();
        (one["state"].clone(), one["code"].clone())
    };
    assert_eq!(state("url").await, (json!("parked"), json!("gone")));
    assert_eq!(state("hubspot").await, (json!("pending"), json!("server_error")));
    for _ in 0..200 {
        shop.advance(600);
        shop.tick("booking-worker").await;
    }
    assert_eq!(state("hubspot").await, (json!("parked"), json!("server_error")));
    assert_eq!(crms.calls_to("hubspot").len(), 20);
    assert!(owed(&shop).iter().all(|item| item.get("due").is_none()), "nobody looks at them again");
}

#[tokio::test(start_paused = true)]
async fn no_redirect_is_followed() {
    let (shop, _) = open(true).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder::new("receiver", CrmFault::Redirect));
    let id = shop.book("k1", None, &lead(1)).await.body["id"].as_str().unwrap().to_owned();
    shop.world.pump().await;
    minutes(&shop, 5).await;
    assert_eq!(explained(&shop, &id).await[0]["code"], "redirected");
    assert_eq!(crms.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_gone_keeps_nothing_from_the_record() {
    let (shop, document) = open(false).await;
    let crms = shop.world.sim.crms();
    let waiting = |record| Origin { callback: Some("ap-9".to_owned()), ..origin(None, record) };
    trigger(&shop, &document, ("hubspot", "k1"), 1, waiting("1")).await;
    shop.world.pump().await;
    let second = trigger(&shop, &document, ("hubspot", "k2"), 2, waiting("2")).await.booking.id.to_string();
    shop.world.pump().await;
    assert_eq!(crms.record("hubspot/contacts/2")["vc_state"], "scheduled");
    let told = explained(&shop, &second).await[0].clone();
    assert_eq!((&told["state"], &told["code"]), (&json!("parked"), &json!("not_found")));
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_a_booking_is_told_too_also_when_it_rests_already() {
    let (shop, document) = open(false).await;
    let crms = shop.world.sim.crms();
    let first = trigger(&shop, &document, ("zoho", "k1"), 1, origin(None, "1")).await;
    let second = trigger(&shop, &document, ("hubspot", "k2"), 1, origin(None, "614")).await;
    assert!(second.joined && second.booking.id == first.booking.id);
    shop.world.pump().await;
    assert_eq!(crms.record("hubspot/contacts/614")["vc_state"], "scheduled");
    let third = trigger(&shop, &document, ("pipedrive", "k3"), 1, origin(None, "7")).await;
    assert!(third.joined);
    minutes(&shop, 2).await;
    assert_eq!(crms.record("pipedrive/persons/7")[HASHES[0]], "scheduled");
    // The same key again is owed nothing more.
    trigger(&shop, &document, ("zoho", "k1"), 1, origin(None, "1")).await;
    assert_eq!(owed(&shop).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_person_s_decision_is_told_after_it_and_the_workflow_only_once() {
    let (shop, document) = open(true).await;
    let crms = shop.world.sim.crms();
    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Schedule, Fault::HangAfter) });
    shop.world.sim.set_webhooks(sim::WebhookMode { on: false, ..sim::WebhookMode::default() });
    let waiting = Origin { callback: Some("ap-1".to_owned()), ..origin(None, "614") };
    let id = trigger(&shop, &document, ("hubspot", "k1"), 1, waiting).await.booking.id.to_string();
    shop.world.pump().await;
    assert_eq!(explained(&shop, &id).await[0]["state"], "pending");
    minutes(&shop, 20).await;
    assert_eq!(crms.record("hubspot/contacts/614")["vc_reason"], "outcome_unknown");
    assert_eq!(crms.callback("ap-1")["hs_execution_state"], "FAIL_CONTINUE");
    let first = crms.messages();
    assert_eq!(first[0].body["type"], "booking.needs_human");
    assert_eq!(shop.resolve(&id, &json!({"outcome": "scheduled"})).await.status, 200);
    minutes(&shop, 1).await;
    let contact = crms.record("hubspot/contacts/614");
    assert_eq!((&contact["vc_state"], &contact["vc_reason"]), (&json!("scheduled"), &json!("")));
    let messages = crms.messages();
    assert_eq!((messages.len(), &messages[1].body["type"]), (2, &json!("booking.scheduled")));
    assert_ne!(messages[0].id, messages[1].id);
    for told in explained(&shop, &id).await.as_array().unwrap() {
        assert_eq!((&told["state"], &told["told"]), (&json!("done"), &json!("scheduled")));
    }
    let completed = crms.calls_to("hubspot").iter().filter(|call| call.path.ends_with("/complete")).count();
    assert_eq!(completed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_sent_again_is_the_same_message() {
    let (shop, _) = open(true).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder { times: 2, ..CrmFaultOrder::new("receiver", CrmFault::ErrorAfter) });
    shop.book("k1", None, &lead(1)).await;
    shop.world.pump().await;
    minutes(&shop, 3).await;
    let messages = crms.messages();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.id == messages[0].id && message.raw == messages[0].raw));
    assert_ne!(messages[0].timestamp, messages[2].timestamp);
    assert!(is_signed(&messages[2], shop.clock_seconds()));
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_its_caller_waited_for_is_told_too() {
    let (shop, _) = open(true).await;
    assert_eq!(shop.book("k1", Some(10), &lead(1)).await.status, 201);
    shop.world.pump().await;
    assert_eq!(shop.world.sim.crms().messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_person_who_is_forgotten_leaves_no_id_of_a_crm_behind() {
    let (shop, document) = open(true).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder { times: 0, ..CrmFaultOrder::new("hubspot", CrmFault::Unavailable) });
    trigger(&shop, &document, ("hubspot", "k1"), 1, origin(None, "614614614")).await;
    shop.world.pump().await;
    assert_eq!(owed(&shop).len(), 2);
    assert_eq!(forget(&shop, &json!({"phone": "+919000000001"})).await.status, 200);
    assert_eq!(owed(&shop), Vec::<Value>::new());
    assert!(traces(&shop).is_empty());
    let calls = crms.calls().len();
    minutes(&shop, 10).await;
    assert_eq!(crms.calls().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn who_is_owed_nothing_costs_nothing() {
    let (shop, document) = open(false).await;
    shop.book("k0", Some(10), &lead(9)).await;
    shop.settle().await;
    shop.world.db.reset_calls();
    shop.book("k1", None, &lead(1)).await;
    let plain = shop.world.db.calls().len();
    assert!(owed(&shop).is_empty());
    shop.world.db.reset_calls();
    trigger(&shop, &document, ("zoho", "k2"), 2, origin(None, "1")).await;
    assert_eq!((shop.world.db.calls().len(), owed(&shop).len()), (plain, 1));
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_write_back_is_for_the_seller_alone() {
    let (shop, document) = open(true).await;
    let id = trigger(&shop, &document, ("zoho", "k1"), 1, origin(None, "1")).await.booking.id.to_string();
    shop.world.pump().await;
    let reply = shop.send(Method::GET, &format!("/v1/bookings/acme/{id}"), &[], "").await;
    assert_eq!((reply.status.as_u16(), &reply.body["write_backs"]), (401, &Value::Null));
    let told = explained(&shop, &id).await;
    let crm = told.as_array().unwrap().iter().find(|told| told["destination"] == "zoho").unwrap();
    let names: Vec<_> = crm.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["attempts", "connector", "created_at", "destination", "event", "record", "state", "told", "told_at"];
    assert_eq!(names, expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_told_once_somebody_has_mended_it_and_asks() {
    let (shop, document) = open(true).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder { path: "objects".to_owned(), ..CrmFaultOrder::new("hubspot", CrmFault::Gone) });
    let waiting = Origin { callback: Some("ap-1".to_owned()), ..origin(None, "614") };
    let id = trigger(&shop, &document, ("hubspot", "k"), 1, waiting).await.booking.id.to_string();
    let path = format!("/v1/bookings/acme/{id}/write-backs/retry");
    let retry =
        async |key: &str| shop.send(Method::POST, &path, &[("authorization", &format!("Bearer {key}"))], "").await;
    assert_eq!(retry(API_KEY).await.code(), "nothing_parked");
    shop.world.pump().await;
    let states = async || -> Vec<Value> {
        explained(&shop, &id).await.as_array().unwrap().iter().map(|told| told["state"].clone()).collect()
    };
    assert_eq!(states().await, ["parked", "done"]);
    // The workflow was called back all the same, and is not again.
    assert_eq!(
        (crms.callback("ap-1")["state"].clone(), crms.record("hubspot/contacts/614")),
        (json!("scheduled"), Value::Null)
    );
    let stranger = retry("not-the-key-0123456789").await;
    let nobody = shop.send(Method::POST, &path.replace("acme", "nobody"), &[], "").await;
    assert_eq!((stranger.status.as_u16(), &stranger.body), (401, &nobody.body));
    let again = retry(API_KEY).await;
    assert_eq!((again.status.as_u16(), &again.body["write_backs"][0]["state"]), (202, &json!("pending")), "{again:?}");
    minutes(&shop, 1).await;
    assert_eq!(states().await, ["done", "done"]);
    assert_eq!(crms.record("hubspot/contacts/614")["vc_state"], "scheduled");
    let calls = crms.calls_to("hubspot").iter().filter(|call| call.path.ends_with("/complete")).count();
    assert_eq!((calls, crms.messages().len()), (1, 1));
    assert_eq!(retry(API_KEY).await.code(), "nothing_parked");
}
