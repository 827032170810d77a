//! What each CRM is told, whatever it sends: its own success, and its own table for everything else.

use frontdesk::{
    crm::rules::{Ending, parks, reason, status},
    model::connector::Connector,
};
use http::Method;
use serde_json::json;
use std::collections::BTreeSet;
use system_tests::{
    crm_ways::{SECRET, Said, Way, hubspot_v3, outbound, said},
    pages::assert_block,
    shop::{Shop, sellers},
};

fn connector(way: Way) -> Connector {
    Connector::parse(way.connector()).unwrap()
}

fn expected(way: Way, ending: Ending) -> u16 {
    status(connector(way), ending)
}

/// The CRM's own success, as far as it reads it.
fn assert_success(way: Way, said: &Said) {
    assert_eq!(said.status, expected(way, Ending::Taken), "{way:?} {said:?}");
    match way {
        Way::Standard | Way::Bearer => assert_eq!(said.json()["state"], "requested"),
        // Nothing is written back, so nobody would complete what waits.
        Way::HubSpotAction => {
            let outputs = &said.json()["outputFields"];
            assert_eq!((&outputs["hs_execution_state"], &outputs["state"]), (&json!("SUCCESS"), &json!("requested")));
        }
        Way::Outbound => {
            assert!(said.content_type.starts_with("text/xml"), "{said:?}");
            let ack = "<notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse>";
            assert!(said.text.contains(ack), "{said:?}");
        }
        Way::Callout => {
            let answer = said.json();
            assert_eq!((&answer["accepted"], &answer["state"]), (&json!(true), &json!("requested")));
            for value in answer.as_object().unwrap().values() {
                let flat = value.is_boolean() || value.is_i64() || value.as_str().is_some_and(|text| !text.is_empty());
                assert!(flat, "a flow cannot read {answer}");
            }
        }
        Way::LeadSquared => assert_eq!(said.text, r#"{"Status":"Success","StatusReason":""}"#),
        Way::HubSpotApp
        | Way::HubSpotWorkflow
        | Way::HubSpotToken
        | Way::ZohoJson
        | Way::ZohoForm
        | Way::ZohoNotification
        | Way::Freshsales
        | Way::PipedrivePerson
        | Way::PipedriveDeal
        | Way::Shopify => assert_eq!(said.json()["stored"], true, "{way:?} {said:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_authentic_gets_its_crms_own_success_and_a_booking_and_again_makes_nothing_new() {
    for way in Way::ALL {
        let shop = Shop::with_crms().await;
        way.keep_record(&shop, 1);
        let body = way.body(1);
        let first = way.send(&shop, &body).await;
        assert_success(way, &first);
        shop.settle().await;
        let booked = shop.bookings();
        assert_eq!(booked.len(), 1, "{way:?}");
        assert_eq!((&booked[0]["state"], shop.parked().len()), (&json!("scheduled"), 0), "{way:?}");
        let schedules = shop.world.sim.schedules();
        assert_eq!((schedules.len(), schedules[0].mobile.as_str()), (1, "+919000000001"), "{way:?}");
        // The same event again: at once, and after whatever window joins two requests of one person.
        for wait in [1, 3600] {
            shop.advance(wait);
            let again = way.send(&shop, &body).await;
            assert_eq!(again.status, first.status, "{way:?} {again:?}");
            shop.settle().await;
            assert_eq!((shop.bookings().len(), shop.parked().len()), (1, 0), "{way:?}");
        }
        assert_eq!(shop.world.sim.schedules().len(), 1, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_authentic_is_one_and_the_same_401_and_nothing_of_it_is_stored() {
    let shop = Shop::with_crms().await;
    let mut refusals = Vec::new();
    for way in Way::ALL {
        let body = way.body(1);
        let (path, good) = way.proof(&shop, &body, SECRET);
        if way == Way::ZohoNotification {
            refusals.push((way, said(&shop, &path, &good, body.replace(SECRET, "another-token-0123456789")).await));
            refusals.push((way, said(&shop, &path, &good, body.replace(SECRET, "")).await));
        } else {
            let (wrong_path, wrong) = way.proof(&shop, &body, "another-secret-0123456789");
            refusals.push((way, said(&shop, &wrong_path, &wrong, body.clone()).await));
            let (path, none) = (format!("/v1/crm/acme/{}", way.connector()), vec![good[0].clone()]);
            refusals.push((way, said(&shop, &path, &none, body.clone()).await));
        }
        refusals.push((way, said(&shop, &path.replace("acme", "nobody"), &good, body.clone()).await));
        if way.is_signed() {
            for at in [0, body.len() / 2, body.len() - 1] {
                let mut changed = body.clone().into_bytes();
                changed[at] ^= 1;
                refusals.push((way, said(&shop, &path, &good, changed).await));
            }
            refusals.push((way, said(&shop, &path, &good, format!("{body} ")).await));
        }
    }
    // Signed a little more than five minutes ago, and as much too early.
    let body = Way::HubSpotApp.body(1);
    for off in [-300_001, 300_001] {
        let headers = hubspot_v3(&body, SECRET, shop.clock_seconds() * 1000 + off);
        refusals.push((Way::HubSpotApp, said(&shop, "/v1/crm/acme/hubspot", &headers, body.clone()).await));
    }
    // A newer signature that is wrong is not made good by a right older one.
    let action = Way::HubSpotAction.body(1);
    let (path, mut older) = Way::HubSpotAction.proof(&shop, &action, SECRET);
    older.push(("x-hubspot-signature-v3", "AAAA".to_owned()));
    refusals.push((Way::HubSpotAction, said(&shop, &path, &older, action).await));
    for (way, refusal) in &refusals {
        assert_eq!((refusal.status, &refusal.text), (401, &refusals[0].1.text), "{way:?}");
    }
    assert!(shop.world.items("bookings").is_empty());
    for off in [-300_000, 300_000] {
        let headers = hubspot_v3(&body, SECRET, shop.clock_seconds() * 1000 + off);
        assert_eq!(said(&shop, "/v1/crm/acme/hubspot", &headers, body.clone()).await.status, 200, "{off}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_authentic_and_cannot_be_read_is_told_by_the_table_and_kept_where_a_refusal_does_harm() {
    let nonsense = ["", "{", "null", "[1", "\u{0}", "<html>", "[[[[", "{\"a\":"];
    for way in Way::ALL.into_iter().filter(|way| *way != Way::ZohoNotification) {
        for body in nonsense {
            let shop = Shop::with_crms().await;
            let said = way.send(&shop, body).await;
            let by_v2 = matches!(way, Way::HubSpotAction | Way::HubSpotWorkflow);
            let ending = if way == Way::ZohoForm && !body.is_empty() {
                Ending::Unusable
            } else if by_v2 && !body.starts_with('{') {
                // v2 proves objects alone.
                Ending::NotProven
            } else {
                Ending::Unreadable
            };
            assert_eq!(said.status, expected(way, ending), "{way:?} {body:?} {said:?}");
            let kept = usize::from(parks(connector(way), ending));
            assert_eq!((shop.parked().len(), shop.bookings().len()), (kept, 0), "{way:?} {body:?}");
            // And once.
            way.send(&shop, body).await;
            assert_eq!(shop.parked().len(), kept, "{way:?} {body:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lead_without_a_number_is_parked_with_its_reason_and_the_crm_is_content() {
    for way in Way::ALL.into_iter().filter(|way| !way.is_thin() && *way != Way::Standard && *way != Way::Bearer) {
        let shop = Shop::with_crms().await;
        let body = way.body(1).replace("90000", "1").replace("%2B91", "");
        let said = way.send(&shop, &body).await;
        assert_eq!(said.status, expected(way, Ending::Unusable), "{way:?} {said:?}");
        let listed = shop.parked_list("").await;
        let parked = &listed.body["parked"][0];
        assert_eq!(
            (&parked["connector"], &parked["code"], &parked["problems"][0]["field"]),
            (&json!(way.connector()), &json!("lead_mobile_invalid"), &json!("lead.mobile")),
            "{way:?} {listed:?}"
        );
        assert!(!listed.body.to_string().contains("Asha"), "{listed:?}");
        match way {
            Way::HubSpotAction => assert_eq!(
                said.json()["outputFields"],
                json!({"hs_execution_state": "FAIL_CONTINUE", "frontdesk_code": "lead_mobile_invalid"})
            ),
            Way::LeadSquared => {
                assert_eq!(said.text, r#"{"Status":"Success","StatusReason":"parked: lead_mobile_invalid"}"#);
            }
            Way::Callout => {
                assert_eq!(said.json(), json!({"accepted": false, "state": "parked", "code": "lead_mobile_invalid"}));
            }
            Way::Outbound => assert!(said.text.contains("<Ack>true</Ack>")),
            Way::Standard
            | Way::Bearer
            | Way::HubSpotApp
            | Way::HubSpotWorkflow
            | Way::HubSpotToken
            | Way::ZohoJson
            | Way::ZohoForm
            | Way::ZohoNotification
            | Way::Freshsales
            | Way::PipedrivePerson
            | Way::PipedriveDeal
            | Way::Shopify => assert_eq!(said.json()["parked"], 1, "{way:?}"),
        }
        assert_eq!(shop.bookings().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_more_than_a_mebibyte_is_told_by_the_table_and_ten_megabytes_of_xml_are_not_read() {
    let shop = Shop::with_crms().await;
    let mut kept = BTreeSet::new();
    for way in Way::ALL {
        let body = format!("{}{}", way.body(1), " ".repeat(1024 * 1024));
        assert_eq!(way.send(&shop, &body).await.status, expected(way, Ending::TooLarge), "{way:?}");
        // Some ways of one CRM differ in their proof only.
        if parks(connector(way), Ending::TooLarge) {
            kept.insert((way.connector(), body));
        }
        assert_eq!(shop.parked().len(), kept.len(), "{way:?}");
    }
    let (path, headers) = Way::Outbound.proof(&shop, "", SECRET);
    let giant = format!("<a>{}</a>", "<b/>".repeat(2_600_000));
    assert_eq!(said(&shop, &path, &headers, giant).await.status, 413);
    assert_eq!(shop.bookings().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_xml_makes_more_of_itself_than_it_is() {
    let shop = Shop::with_crms().await;
    let (path, headers) = Way::Outbound.proof(&shop, "", SECRET);
    let entity = |level: u32| match level {
        0 => "<!ENTITY l0 \"lol\">".to_owned(),
        _ => format!("<!ENTITY l{level} \"{}\">", format!("&l{};", level - 1).repeat(10)),
    };
    let entities = (0..10).map(entity).collect::<Vec<_>>().concat();
    let attributes = (0..60_000).map(|n| format!("a{n}=\"\" ")).collect::<Vec<_>>().concat();
    let good = outbound("00D000000000001EAA", &[1]);
    let (head, rest) = good.split_once("?>").unwrap();
    let with = |dtd: &str, name: &str| format!("{head}?>{dtd}{}", rest.replace("Asha Example", name));
    for bomb in [
        with(&format!("<!DOCTYPE lolz [{entities}]>"), "&l9;"),
        with("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "&x;"),
        with("<!DOCTYPE a SYSTEM \"http://elsewhere.example.com/a.dtd\">", "Asha Example"),
        "<a>".repeat(300_000),
        format!("{}{}", "<a>".repeat(140_000), "</a>".repeat(140_000)),
        format!("<a {attributes}/>"),
    ] {
        assert_eq!(said(&shop, &path, &headers, bomb).await.status, 400);
    }
    assert!(shop.world.items("bookings").is_empty());
    // Another prefix for the same namespaces is the same message.
    let prefixed = good
        .replace("<notifications xmlns=", "<ns0:notifications xmlns:ns0=")
        .replace("sf:", "x:")
        .replace("xmlns:sf", "xmlns:x");
    let names = ["OrganizationId", "ActionId", "SessionId", "EnterpriseUrl", "Notification>", "Id>04l", "sObject"];
    let prefixed = names.iter().fold(prefixed, |xml, name| {
        xml.replace(&format!("<{name}"), &format!("<ns0:{name}"))
            .replace(&format!("</{name}"), &format!("</ns0:{name}"))
    });
    let prefixed = prefixed.replace("</notifications>", "</ns0:notifications>").replace("AAA</Id>", "AAA</ns0:Id>");
    let told = said(&shop, &path, &headers, prefixed.clone()).await;
    assert!(told.text.contains("<Ack>true</Ack>"), "{told:?} {prefixed}");
    assert_eq!(shop.bookings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn json_is_read_whatever_its_content_type_says() {
    for way in Way::ALL.into_iter().filter(|way| !way.is_thin() && *way != Way::ZohoForm) {
        let shop = Shop::with_crms().await;
        let body = way.body(1);
        let (path, mut headers) = way.proof(&shop, &body, SECRET);
        for content_type in ["text/plain", "application/octet-stream", ""] {
            headers[0] = ("content-type", content_type.to_owned());
            let said = said(&shop, &path, &headers, body.clone()).await;
            assert_eq!(said.status, expected(way, Ending::Taken), "{way:?} {content_type}");
        }
        assert_eq!(shop.bookings().len(), 1, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_shakes_hands_is_told_that_somebody_is_there_and_nothing_else() {
    let shop = Shop::with_crms().await;
    for path in ["/v1/crm/acme/leadsquared", "/v1/crm/nobody/leadsquared", "/v1/crm/acme/leadsquared/x"] {
        let reply = shop.send(Method::HEAD, path, &[], "").await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &json!(null)), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_the_seller_has_not_set_up_lets_nobody_in() {
    let all = Shop::with_crms().await;
    let none = Shop::with(sellers(|seller| seller["crm"] = json!({}))).await;
    for way in Way::ALL {
        let body = way.body(1);
        let (path, headers) = way.proof(&all, &body, SECRET);
        assert_eq!(said(&none, &path, &headers, body).await.status, 401, "{way:?}");
    }
    assert!(none.world.items("bookings").is_empty());
}

#[test]
fn page_prints_the_table_of_answers() {
    let head = "| connector | stored | no booking can be made of it | not readable | wrong credential | over 1 MiB | not stored | because |\n|---|---|---|---|---|---|---|---|\n";
    let row = |connector: Connector| {
        let cells = Ending::ALL.map(|ending| {
            let kept = if parks(connector, ending) { ", parked" } else { "" };
            format!("{}{kept}", status(connector, ending))
        });
        format!("| `{}` | {} | {} |\n", connector.as_str(), cells.join(" | "), reason(connector))
    };
    let table = format!("{head}{}", Connector::ALL.map(row).concat());
    assert_block("functions/crm-intake/README.md", "crm", &table);
}
