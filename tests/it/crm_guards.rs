//! What must not happen between a CRM and us: a workflow that waits for ever, our own note taken for a lead, another record's note.

use serde_json::{Value, json};
use sim::{CrmFault, CrmFaultOrder, crms::KEY};
use system_tests::{
    crm_ways::{SECRET, Said, Way, hmac, said, with_crms},
    shop::Shop,
    written_back::{HASHES, minutes},
};

async fn shop(change: impl FnOnce(&mut Value)) -> Shop {
    let shop = Shop::with(with_crms(|seller| change(&mut seller["crm"]))).await;
    shop.tick("slot-cache").await;
    shop
}

/// HubSpot is told of every end, in one property.
async fn hubspot(change: impl FnOnce(&mut Value)) -> Shop {
    shop(|crm| {
        crm["hubspot"]["api_base"] = "http://hubspot.test/crm/hubspot".into();
        crm["hubspot"]["write_back"] = json!({"access_token": KEY, "fields": {"state": "vc_state"}});
        change(&mut crm["hubspot"]);
    })
    .await
}

fn with(way: Way, changes: &[(&str, Value)]) -> String {
    let mut body: Value = serde_json::from_str(&way.body(1)).unwrap();
    for (path, value) in changes {
        let (parent, name) = path.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    body.to_string()
}

fn outputs(said: &Said) -> Value {
    assert_eq!(said.status, 200, "{said:?}");
    said.json()["outputFields"].clone()
}

fn ignored(said: &Said) -> (u16, Value) {
    (said.status, said.json()["ignored"].clone())
}

const ACTION: &str = "ap-44001122-5677-11-1";

#[tokio::test(start_paused = true)]
async fn an_action_that_waits_is_completed_and_its_contact_written() {
    let shop = hubspot(|_| {}).await;
    let way = Way::HubSpotAction;
    let first = outputs(&way.send(&shop, &way.body(1)).await);
    assert_eq!(first, json!({"hs_execution_state": "BLOCK", "hs_expiration_duration": "PT87300S"}));
    shop.settle().await;
    let crms = shop.world.sim.crms();
    let callback = crms.callback(ACTION);
    assert_eq!((&callback["hs_execution_state"], &callback["state"]), (&json!("SUCCESS"), &json!("scheduled")));
    assert_eq!(crms.record("hubspot/contacts/1")["vc_state"], "scheduled");
    // Sent again it waits as before, and is not completed again.
    assert_eq!(outputs(&way.send(&shop, &way.body(1)).await), first);
    minutes(&shop, 3).await;
    assert_eq!(crms.calls_to("hubspot").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_nobody_will_complete_does_not_wait() {
    // Nothing is written back.
    let none = Shop::with_crms().await;
    let way = Way::HubSpotAction;
    let told = outputs(&way.send(&none, &way.body(1)).await);
    assert_eq!((&told["hs_execution_state"], &told["state"]), (&json!("SUCCESS"), &json!("requested")));
    assert_eq!(told["booking_id"], none.bookings()[0]["pk"].as_str().unwrap().strip_prefix("acme#").unwrap());
    // Another stage than the seller asks for.
    let choosy = hubspot(|hubspot| hubspot["only"] = json!({"campaign": ["holi"]})).await;
    let told = outputs(&way.send(&choosy, &way.body(1)).await);
    assert_eq!(told, json!({"hs_execution_state": "FAIL_CONTINUE", "frontdesk_code": "ignored"}));
    assert!(choosy.bookings().is_empty());
    // An id that no callback has.
    for id in [json!(null), json!("../../owners"), json!({})] {
        let shop = hubspot(|_| {}).await;
        let told = outputs(&way.send(&shop, &with(way, &[("/callbackId", id.clone())])).await);
        assert_eq!(told["hs_execution_state"], "SUCCESS", "{id}");
        shop.settle().await;
        assert_eq!(shop.world.sim.crms().record("hubspot/contacts/1")["vc_state"], "scheduled", "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_is_completed_whatever_becomes_of_its_record() {
    let way = Way::HubSpotAction;
    let ticket = hubspot(|_| {}).await;
    way.send(&ticket, &with(way, &[("/object/objectType", json!("TICKET"))])).await;
    ticket.settle().await;
    let crms = ticket.world.sim.crms();
    assert_eq!(crms.callback(ACTION)["hs_execution_state"], "SUCCESS");
    assert_eq!(crms.calls_to("hubspot").len(), 1, "a ticket is no contact");
    // A key that may complete actions and not write contacts, or the other way about.
    for (lacking, made) in [("objects", "callbacks"), ("callbacks", "objects")] {
        let shop = hubspot(|_| {}).await;
        let crms = shop.world.sim.crms();
        let fault = CrmFaultOrder::new("hubspot", CrmFault::Unauthorized);
        crms.add_fault(CrmFaultOrder { path: lacking.to_owned(), times: 0, ..fault });
        way.send(&shop, &way.body(1)).await;
        shop.settle().await;
        let (callback, contact) = (crms.callback(ACTION), crms.record("hubspot/contacts/1"));
        assert_eq!((callback.is_null(), contact.is_null()), (made == "objects", made == "callbacks"), "{lacking}");
        // And once it may.
        crms.clear_faults();
        minutes(&shop, 5).await;
        assert_eq!(crms.callback(ACTION)["hs_execution_state"], "SUCCESS", "{lacking}");
        assert_eq!(crms.record("hubspot/contacts/1")["vc_state"], "scheduled", "{lacking}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_tells_of_our_own_note_starts_nothing() {
    let way = Way::ZohoNotification;
    let shop = shop(|crm| {
        crm["zoho"]["write_back"]["fields"] = json!({"state": "Call_State", "join_url": "Call_Link"});
    })
    .await;
    way.keep_record(&shop, 1);
    way.send(&shop, &way.body(1)).await;
    shop.settle().await;
    let id = "415086800001";
    assert_eq!(shop.world.sim.crms().record(&format!("zoho/Leads/{id}"))["Call_State"], "scheduled");
    let edited = |at: u64, fields: Value| {
        with(way, &[("/server_time", json!(1_795_402_900_000 + at)), ("/affected_fields", fields)])
    };
    // The same person would not join the first call any more.
    shop.advance(3600);
    shop.tick("slot-cache").await;
    for (at, fields) in [
        (1, json!([{id: ["Call_State"]}])),
        (2, json!([{id: ["Call_Link", "Call_State", "Modified_Time"]}])),
        (3, json!([{"9": ["Phone"]}, {id: ["Call_State"]}])),
        (4, json!([{"Leads": ["Call_State"]}])),
        (5, json!(["Call_State"])),
    ] {
        let said = way.send(&shop, &edited(at, fields.clone())).await;
        assert_eq!(ignored(&said), (200, json!(1)), "{fields}");
    }
    assert_eq!((shop.parked().len(), shop.world.sim.record_reads().len()), (0, 1));
    // What somebody else changed with it is news, and so is what Zoho does not name.
    for (at, fields) in [
        (11, json!([{id: ["Call_State", "Phone"]}])),
        (12, json!([{id: ["Lead_Status"]}])),
        (13, json!([{id: [7]}])),
        (14, json!([{id: []}])),
        (15, json!(["Modified_Time"])),
    ] {
        let said = way.send(&shop, &edited(at, fields.clone())).await;
        assert_eq!(said.json()["pending"], 1, "{fields}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_does_not_say_what_changed_is_no_call_where_the_record_has_our_note() {
    let (way, id) = (Way::ZohoNotification, "415086800001");
    let edited = |at: u64, operation: &str, changes: &[(&str, Value)]| {
        let server_time = json!(1_795_402_900_000 + at);
        with(way, &[&[("/server_time", server_time), ("/operation", json!(operation))], changes].concat())
    };
    for (at, note, operation, changes, parked) in [
        (1, "Call_State", "update", vec![], true),
        (2, "Call_State", "update", vec![("/affected_fields", json!([{id: ["Modified_Time"]}]))], true),
        (3, "Call_State", "update", vec![("/affected_fields", json!([{id: ["Phone"]}]))], false),
        (4, "Call_State", "insert", vec![], false),
        (5, "Another", "update", vec![], false),
    ] {
        let shop = shop(|crm| crm["zoho"]["write_back"]["fields"] = json!({"state": "Call_State"})).await;
        let record = json!({"id": id, "Full_Name": "Asha Example", "Mobile": "+919000000001", note: "scheduled"});
        shop.world.sim.put_record(format!("zoho/Leads/{id}"), record);
        way.send(&shop, &edited(at, operation, &changes)).await;
        shop.settle().await;
        assert_eq!((shop.parked().len(), shop.bookings().len()), if parked { (1, 0) } else { (0, 1) }, "{at}");
        if parked {
            let listed = shop.parked_list("").await.body["parked"][0].clone();
            assert_eq!((&listed["code"], &listed["due_at"]), (&json!("edit_unexplained"), &Value::Null));
            // Who runs it again has looked.
            let again = shop.retry(listed["id"].as_str().unwrap()).await;
            assert_eq!((again.status.as_u16(), shop.bookings().len()), (202, 1), "{again:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_field_is_named_nothing_is_owed() {
    let shop = hubspot(|hubspot| hubspot["write_back"]["fields"] = json!({})).await;
    Way::HubSpotToken.send(&shop, &Way::HubSpotToken.body(1)).await;
    shop.settle().await;
    let id = shop.bookings()[0]["pk"].as_str().unwrap().strip_prefix("acme#").unwrap().to_owned();
    let booking = shop.booking(&id).await.body;
    assert_eq!((&booking["state"], &booking["write_backs"]), (&json!("scheduled"), &Value::Null));
    // A workflow that waits is completed all the same.
    Way::HubSpotAction.send(&shop, &Way::HubSpotAction.body(2)).await;
    shop.settle().await;
    assert_eq!(shop.world.sim.crms().calls_to("hubspot").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_what_shopify_created_is_a_call() {
    let shop = Shop::with_crms().await;
    let (way, body) = (Way::Shopify, Way::Shopify.body(1));
    let (path, _) = way.proof(&shop, &body, SECRET);
    for (topic, bookings) in [
        ("customers/update", 0),
        ("orders/updated", 0),
        ("orders/edited", 0),
        ("customer.tags_added", 0),
        ("customers/create", 1),
    ] {
        let headers = [
            ("x-shopify-hmac-sha256", hmac(SECRET, &[body.as_bytes()])),
            ("x-shopify-topic", topic.to_owned()),
            ("x-shopify-event-id", format!("event-{topic}")),
        ];
        let said = said(&shop, &path, &headers, body.clone()).await;
        assert_eq!(ignored(&said), (200, json!(1 - bookings)), "{topic}");
        assert_eq!(shop.bookings().len(), bookings, "{topic}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_of_our_own_fields_alone_starts_nothing_at_leadsquared_and_hubspot() {
    let lead = |number: u32, state: &str| {
        let mut lead: Value = serde_json::from_str(&Way::LeadSquared.body(number)).unwrap();
        (lead["mx_Call_State"], lead["ModifiedOn"]) =
            (state.into(), format!("2026-11-23 03:0{}:00", state.len()).into());
        lead
    };
    let shop = shop(|crm| {
        crm["leadsquared"]["api_base"] = "http://leadsquared.test/crm/leadsquared".into();
        crm["leadsquared"]["write_back"] =
            json!({"access_key": KEY, "secret_key": KEY, "fields": {"state": "mx_Call_State"}});
        crm["hubspot"]["write_back"] = json!({"access_token": KEY, "fields": {"state": "vc_state"}});
    })
    .await;
    let ours = json!({"Before": lead(1, "no"), "After": lead(1, "yes")}).to_string();
    assert_eq!(Way::LeadSquared.send(&shop, &ours).await.text, r#"{"Status":"Success","StatusReason":""}"#);
    let event =
        with(Way::HubSpotApp, &[("/0/propertyName", json!("vc_state")), ("/0/propertyValue", json!("scheduled"))]);
    assert_eq!(ignored(&Way::HubSpotApp.send(&shop, &event).await), (200, json!(1)));
    assert!(shop.world.items("bookings").is_empty());
    // Another change beside it is news.
    let theirs = json!({"Before": lead(1, "no"), "After": lead(2, "yes")}).to_string();
    Way::LeadSquared.send(&shop, &theirs).await;
    assert_eq!(shop.bookings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_another_integration_changes_at_pipedrive_is_a_lead_and_our_own_note_is_none() {
    let own = |crm: &mut Value| crm["pipedrive"]["own_user_ids"] = json!([1294]);
    let writes = |crm: &mut Value| {
        crm["pipedrive"]["api_base"] = "http://pipedrive.test/crm/pipedrive".into();
        crm["pipedrive"]["write_back"] =
            json!({"api_token": KEY, "fields": {"state": HASHES[0], "join_url": HASHES[1]}});
    };
    let way = Way::PipedrivePerson;
    let changed = |user: &str, previous: Value| {
        with(way, &[("/meta/change_source", json!("api")), ("/meta/user_id", json!(user)), ("/previous", previous)])
    };
    let ours = json!({HASHES[0]: null, "update_time": "x"});
    let nested = json!({"custom_fields": {HASHES[0]: null, HASHES[1]: {"value": "x"}}, "update_time": "x"});
    let both = json!({"custom_fields": {HASHES[0]: null}, "stage_id": 427});
    // By what was changed: 0 to nobody, 1 to a call.
    for (previous, calls) in [
        (ours.clone(), 0),
        (nested.clone(), 0),
        (both.clone(), 1),
        (json!({"stage_id": 427}), 1),
        (json!({}), 1),
        (json!(null), 1),
    ] {
        let shop = shop(writes).await;
        way.send(&shop, &changed("7", previous.clone())).await;
        assert_eq!(shop.bookings().len(), calls, "{previous}");
    }
    // By who changed it.
    for (user, previous, calls) in [("1294", both.clone(), 0), ("7", both, 1), ("7", nested.clone(), 0)] {
        let shop = shop(|crm| {
            writes(crm);
            own(crm);
        })
        .await;
        way.send(&shop, &changed(user, previous.clone())).await;
        assert_eq!(shop.bookings().len(), calls, "{user} {previous}");
    }
    // Whoever has nothing written back has no echo; a person at the screen is none either.
    let shop = shop(|_| {}).await;
    way.send(&shop, &changed("7", nested.clone())).await;
    assert_eq!(shop.bookings().len(), 1);
    let shop = self::shop(writes).await;
    way.send(&shop, &with(way, &[("/previous", nested.clone())])).await;
    assert_eq!(shop.bookings().len(), 1);
    // What somebody made by the API is a lead like any other.
    let shop = self::shop(writes).await;
    let made = [("/meta/change_source", json!("api")), ("/meta/action", json!("create")), ("/previous", nested)];
    way.send(&shop, &with(way, &made)).await;
    assert_eq!(shop.bookings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_workflow_on_deals_has_its_end_at_the_deal() {
    let way = Way::HubSpotToken;
    let person =
        json!({"hs_object_id": 614, "firstname": "Asha", "lastname": "Example", "mobilephone": "+919000000001"});
    for (more, at) in [
        (json!({}), "contacts"),
        (json!({"objectType": "CONTACT", "dealname": "of the contact's own"}), "contacts"),
        (json!({"objectType": "DEAL"}), "deals"),
        (json!({"object": "0-3"}), "deals"),
        (json!({"dealstage": "appointmentscheduled"}), "deals"),
        (json!({"properties": {"dealname": {"value": "demo"}}}), "deals"),
    ] {
        let shop = hubspot(|_| {}).await;
        let mut body = person.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        way.send(&shop, &body.to_string()).await;
        shop.settle().await;
        let crms = shop.world.sim.crms();
        let calls: Vec<_> = crms.calls_to("hubspot").into_iter().map(|call| call.path).collect();
        assert_eq!(calls, [format!("crm/v3/objects/{at}/614")], "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_salesforce_record_of_no_said_kind_is_known_by_its_id() {
    let way = Way::Callout;
    for (id, object, at) in [
        ("00Q000000000001AAA", None, Some("Lead")),
        ("003000000000001AAA", None, Some("Contact")),
        ("003000000000001AAA", Some("Person__c"), Some("Person__c")),
        ("a01000000000001AAA", None, None),
    ] {
        let shop = shop(|crm| {
            crm["salesforce"]["api_base"] = "http://salesforce.test/crm/salesforce".into();
            crm["salesforce"]["write_back"] =
                json!({"client_id": "client", "client_secret": KEY, "fields": {"state": "Call_State__c"}});
        })
        .await;
        way.send(&shop, &with(way, &[("/record_id", json!(id)), ("/object", json!(object))])).await;
        shop.settle().await;
        let crms = shop.world.sim.crms();
        let calls: Vec<_> = crms.calls_to("salesforce").into_iter().map(|call| call.path).collect();
        let expected = at.map(|at| format!("services/data/v62.0/sobjects/{at}/{id}"));
        assert_eq!(calls, expected.into_iter().collect::<Vec<_>>(), "{id}");
        let booking = shop.bookings()[0]["pk"].as_str().unwrap().strip_prefix("acme#").unwrap().to_owned();
        let told = shop.booking(&booking).await.body["write_backs"][0].clone();
        let code = if at.is_some() { json!(null) } else { json!("object_unknown") };
        assert_eq!(told["code"], code, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_names_no_record_is_parked_and_one_without_a_time_is_known_by_all_it_says() {
    let way = Way::ZohoNotification;
    for ids in [json!([]), json!("415086800001"), json!([null]), json!([{"id": "1"}]), json!(null)] {
        let shop = Shop::with_crms().await;
        let body = with(way, &[("/ids", ids.clone())]);
        for _ in 0..2 {
            let said = way.send(&shop, &body).await;
            assert_eq!((said.status, &said.json()["parked"]), (200, &json!(1)), "{ids}");
        }
        assert_eq!(shop.parked_list("").await.body["parked"][0]["code"], "event_unknown", "{ids}");
        assert_eq!(shop.parked().len(), 1, "{ids}");
    }
    let shop = Shop::with_crms().await;
    let said = way.send(&shop, &with(way, &[("/ids", json!(["415086800001", null]))])).await;
    assert_eq!((&said.json()["pending"], &said.json()["parked"]), (&json!(1), &json!(1)));
    let shop = Shop::with_crms().await;
    let edited =
        |field: &str| with(way, &[("/server_time", json!(null)), ("/affected_fields", json!([{"1": [field]}]))]);
    for (field, known) in [("Phone", 1), ("Phone", 1), ("Lead_Status", 2)] {
        way.send(&shop, &edited(field)).await;
        assert_eq!(shop.parked().len(), known, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_contact_and_a_deal_of_one_number_are_two() {
    let shop = Shop::with_crms().await;
    let body = |portal: u32, object: &str| {
        json!({"portalId": portal, "objectType": object, "hs_object_id": 614, "lastmodifieddate": "2026-11-23", "firstname": "Asha", "lastname": "Example",
            "mobilephone": "+919000000001"})
        .to_string()
    };
    let keys = |shop: &Shop| {
        let items = shop.world.items("bookings").into_iter();
        items.filter(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with("acme#idem#"))).count()
    };
    for (portal, object, known) in [(1, "CONTACT", 1), (1, "DEAL", 2), (2, "CONTACT", 3), (1, "CONTACT", 3)] {
        Way::HubSpotToken.send(&shop, &body(portal, object)).await;
        assert_eq!(keys(&shop), known, "{portal} {object}");
    }
}
