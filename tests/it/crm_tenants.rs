//! A credential that several accounts of a CRM share: only the seller's own account may ask for calls, in every form.

use serde_json::{Value, json};
use system_tests::{
    crm_ways::{ORGANIZATION, SECRET, Said, Way, hubspot_v3, outbound, said, with_crms},
    overheard,
    shop::Shop,
};

const OURS: u64 = 44_001_122;

async fn shop(change: impl FnOnce(&mut Value)) -> Shop {
    let shop = Shop::with(with_crms(|seller| change(&mut seller["crm"]))).await;
    shop.tick("slot-cache").await;
    shop
}

/// A body of this form with another value at the path; `null` takes the name away.
fn with(way: Way, path: &str, value: &Value) -> String {
    let mut body: Value = serde_json::from_str(&way.body(1)).unwrap();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), value.clone());
    }
    body.to_string()
}

/// Answered as what starts nothing is, with its code in the log, and nothing of it stored.
fn assert_ignored(shop: &Shop, said: &Said, code: &str) {
    assert_eq!(said.status, 200, "{said:?}");
    let log = overheard::kept();
    assert!(log.contains(&format!("\"code\":\"{code}\"")), "{log}");
    assert!(shop.world.items("bookings").is_empty(), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn hubspots_other_accounts_ask_for_nothing_in_any_form() {
    let forms = [
        (Way::HubSpotApp, "/0/portalId"),
        (Way::HubSpotAction, "/origin/portalId"),
        (Way::HubSpotWorkflow, "/portalId"),
        (Way::HubSpotWorkflow, "/portal-id"),
        (Way::HubSpotToken, "/portalId"),
        (Way::HubSpotToken, "/portal-id"),
    ];
    for (way, path) in forms {
        let shop = shop(|crm| crm["hubspot"]["portal_ids"] = json!([7, OURS])).await;
        way.keep_record(&shop, 1);
        for portal in [json!(62_515), json!("62515"), json!(null), json!(""), json!({}), json!(-1)] {
            overheard::keep();
            let said = way.send(&shop, &with(way, path, &portal)).await;
            assert_ignored(&shop, &said, "portal_not_ours");
        }
        for portal in [json!(OURS), json!(OURS.to_string())] {
            assert_eq!(way.send(&shop, &with(way, path, &portal)).await.status, 200);
        }
        shop.settle().await;
        assert_eq!(shop.world.sim.schedules().len(), 1, "{way:?} {path}");
    }
    // Two that disagree are none of ours; neither is what nobody can read.
    let shop = shop(|crm| crm["hubspot"]["portal_ids"] = json!([OURS])).await;
    let both =
        json!({"portalId": OURS, "portal-id": 62_515, "vid": 1, "firstname": "Asha", "mobilephone": "+919000000001"});
    for body in [both.to_string(), "{".to_owned(), "[1".to_owned(), format!("{}{}", both, " ".repeat(1024 * 1024))] {
        overheard::keep();
        let headers = hubspot_v3(&body, SECRET, shop.clock_seconds() * 1000);
        assert_ignored(&shop, &said(&shop, "/v1/crm/acme/hubspot", &headers, body).await, "portal_not_ours");
    }
}

#[tokio::test(start_paused = true)]
async fn salesforces_other_organizations_ask_for_nothing_in_any_form() {
    let shop = Shop::with_crms().await;
    let named = outbound(ORGANIZATION, &[1]);
    let unnamed = named.replace(&format!("<OrganizationId>{ORGANIZATION}</OrganizationId>"), "");
    for body in [outbound("00D000000000002EAA", &[1]), outbound("", &[1]), unnamed] {
        overheard::keep();
        let said = Way::Outbound.send(&shop, &body).await;
        assert!(said.text.contains("<Ack>true</Ack>"), "{said:?}");
        assert_ignored(&shop, &said, "organization_not_ours");
    }
    for organization in [json!("00D000000000002EAA"), json!("00D"), json!(""), json!(null), json!(7)] {
        for path in ["/organization_id", "/OrganizationId"] {
            let mut body: Value = serde_json::from_str(&with(Way::Callout, path, &organization)).unwrap();
            if path == "/OrganizationId" {
                body.as_object_mut().unwrap().remove("organization_id");
            }
            overheard::keep();
            let said = Way::Callout.send(&shop, &body.to_string()).await;
            assert_eq!(said.json()["state"], "ignored", "{said:?}");
            assert_ignored(&shop, &said, "organization_not_ours");
        }
    }
    Way::Callout.send(&shop, &with(Way::Callout, "/organization_id", &json!("00D000000000001"))).await;
    Way::Outbound.send(&shop, &outbound("00D000000000001", &[2])).await;
    assert_eq!(shop.bookings().len(), 2);
    // Where no organization is listed, any will do.
    let any = self::shop(|crm| crm["salesforce"]["organization_ids"] = json!([])).await;
    Way::Callout.send(&any, &with(Way::Callout, "/organization_id", &json!(null))).await;
    Way::Outbound.send(&any, &outbound("00D000000000002EAA", &[2])).await;
    assert_eq!(any.bookings().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_shop_of_the_same_app_asks_for_nothing() {
    let domain = |crm: &mut Value| crm["shopify"]["shop_domain"] = "acme.myshopify.com".into();
    let body = Way::Shopify.body(1);
    let redact = json!({"shop_id": 1, "shop_domain": "other.myshopify.com", "customer": {"id": 1}}).to_string();
    let shop = shop(domain).await;
    let named = |body: &str, name: Option<&str>| {
        let (path, mut headers) = Way::Shopify.proof(&shop, body, SECRET);
        headers.extend(name.map(|name| ("x-shopify-shop-domain", name.to_owned())));
        (path, headers)
    };
    for (body, name) in [
        (&body, Some("other.myshopify.com")),
        (&body, Some("acme.myshopify.com.example.com")),
        (&body, Some("")),
        (&body, None),
        (&redact, Some("acme.myshopify.com")),
        (&"{".to_owned(), None),
        (&format!("{body}{}", " ".repeat(1024 * 1024)), Some("other.myshopify.com")),
    ] {
        overheard::keep();
        let (path, headers) = named(body, name);
        assert_ignored(&shop, &said(&shop, &path, &headers, body.clone()).await, "shop_not_ours");
    }
    let (path, headers) = named("{", Some("acme.myshopify.com"));
    assert_eq!(said(&shop, &path, &headers, "{").await.json()["parked"], 1);
    let (path, headers) = named(&body, Some("ACME.myshopify.com"));
    assert_eq!(said(&shop, &path, &headers, body.clone()).await.json()["bookings"], 1);
}
