//! A key that a faulty document no longer has lets nobody in.

use super::super::{Sellers, tests::good};
use serde_json::{Value, json};

/// Where callers' credentials stand in a seller's part of a document.
const CALLERS: [&str; 12] = [
    "/api_keys",
    "/webhooks/popin/keys",
    "/webhooks/chili-piper/path_secrets",
    "/crm/standard/secrets",
    "/crm/hubspot/client_secrets",
    "/crm/hubspot/tokens",
    "/crm/salesforce/path_secrets",
    "/crm/salesforce/tokens",
    "/crm/zoho/tokens",
    "/crm/leadsquared/tokens",
    "/crm/freshsales/tokens",
    "/crm/shopify/secrets",
];

/// A document in which each list of [`CALLERS`] has two.
fn with_callers() -> Value {
    let mut document = good();
    document["acme"]["webhooks"] = json!({"popin": {}, "chili-piper": {}});
    document["acme"]["crm"] = json!({
        "standard": {}, "hubspot": {"public_url": "https://api.example.com/v1/crm/acme/hubspot"}, "salesforce": {},
        "zoho": {}, "leadsquared": {}, "freshsales": {}, "shopify": {},
        "pipedrive": {"users": [{"name": "u", "password": "pipedrive-0-of-some-length"}]},
    });
    for (at, path) in CALLERS.iter().enumerate() {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let secret = |n: u8| json!(format!("whsec_{at}\"{n}-of-some-length"));
        document["acme"].pointer_mut(parent).unwrap()[name] = json!([secret(0), secret(1)]);
    }
    document
}

/// What is honoured of each list, and of Pipedrive's users.
fn honoured(sellers: &Sellers) -> Vec<Vec<String>> {
    let (_, acme) = sellers.get("acme").unwrap();
    let of_webhook = |vendor: &str| acme.webhooks.get(vendor).cloned().unwrap_or_default();
    let crm = &acme.crm;
    let (hubspot, salesforce) = (crm.hubspot.clone().unwrap(), crm.salesforce.clone().unwrap());
    let lists = [
        acme.api_keys.clone(),
        of_webhook("popin").keys,
        of_webhook("chili-piper").path_secrets,
        crm.standard.clone().unwrap().secrets,
        hubspot.client_secrets,
        hubspot.tokens,
        salesforce.path_secrets,
        salesforce.tokens,
        crm.zoho.clone().unwrap().tokens,
        crm.leadsquared.clone().unwrap().tokens,
        crm.freshsales.clone().unwrap().tokens,
        crm.shopify.clone().unwrap().secrets,
        crm.pipedrive.clone().unwrap().users.into_iter().map(|user| user.password).collect(),
    ];
    lists.iter().map(|list| list.iter().map(|secret| secret.expose().to_owned()).collect()).collect()
}

#[test]
fn credential_that_a_faulty_document_lacks_is_revoked_in_every_list() {
    let document = with_callers();
    let sellers = Sellers::parse(document.to_string().as_bytes()).unwrap();
    let all = honoured(&sellers);
    assert!(all[..12].iter().all(|list| list.len() == 2) && all[12].len() == 1);
    let mut faulty = document.clone();
    faulty["acme"]["booking"] = json!({"max_attempts": 0});
    let broken = |document: &Value| document.to_string() + "}";
    for text in [faulty.to_string(), broken(&faulty)] {
        assert_eq!(honoured(&sellers.without_revoked(text.as_bytes())), all, "{text}");
    }
    for (at, path) in CALLERS.iter().enumerate() {
        let mut less = faulty.clone();
        less["acme"].pointer_mut(path).unwrap().as_array_mut().unwrap().remove(0);
        // It has stood as a part of another one, and in another seller's.
        let other = format!("{}-and-more", all[at][0]);
        less["acme"]["name"] = json!(other);
        let mut expected = all.clone();
        expected[at].remove(0);
        assert_eq!(honoured(&sellers.without_revoked(broken(&less).as_bytes())), expected, "{path}");
        less["beta"] = json!({"api_keys": [all[at][0]]});
        assert_eq!(honoured(&sellers.without_revoked(less.to_string().as_bytes())), expected, "{path}");
    }
    faulty["acme"]["crm"]["pipedrive"]["users"] = json!([]);
    assert!(honoured(&sellers.without_revoked(faulty.to_string().as_bytes()))[12].is_empty());
    for text in ["[]", "{}", "", r#"{"acme": null}"#] {
        let left = sellers.without_revoked(text.as_bytes());
        assert!(honoured(&left).iter().all(Vec::is_empty), "{text}");
        assert_eq!(left.get("acme").unwrap().1.popin.api_key.expose(), "k", "{text}: Popin is called as before");
    }
}

#[test]
fn webhook_that_needs_two_secrets_is_not_let_in_by_one() {
    let mut document = good();
    let (key, path) = ("a-key-of-some-length", "a-path-of-some-length");
    document["acme"]["webhooks"] = json!({"popin": {"keys": [key], "path_secrets": [path]}});
    let sellers = Sellers::parse(document.to_string().as_bytes()).unwrap();
    for gone in ["keys", "path_secrets"] {
        let mut faulty = document.clone();
        faulty["acme"]["webhooks"]["popin"][gone] = json!(1);
        assert!(sellers.without_revoked(faulty.to_string().as_bytes()).get("acme").unwrap().1.webhooks.is_empty());
    }
}
