//! The demo seller, and the accounts that sellers have at the simulated Popin.

use frontdesk::model::seller::{Seller, Sellers};
use serde_json::{Value, json};
use sim::{SellerAccount, WebhookTarget};

pub const SELLER: &str = "demo";
pub const API_KEY: &str = "demo-api-key-not-a-secret";
pub const ORIGIN: &str = "https://shop.example.com";
/// 32 bytes in plain sight; `SIGNING_SECRET` is the same in the form of Standard Webhooks.
pub const SIGNING_KEY: &str = "demo-signing-key-that-is-public.";
pub const SIGNING_SECRET: &str = "whsec_ZGVtby1zaWduaW5nLWtleS10aGF0LWlzLXB1YmxpYy4=";
pub const WEBHOOK_KEY: &str = "demo-popin-webhook-key-not-a-secret";

/// What the demo's CRMs show: a client secret, a path secret, a token, a password.
pub const CRM_SECRET: &str = "demo-crm-secret-not-a-secret";
pub const ORGANIZATION: &str = "00D000000000001EAA";
/// What HubSpot would call, and signs.
pub const HUBSPOT_URL: &str = "https://api.example.com/v1/crm/demo/hubspot";

/// The sellers document of the demo: one shop, at the simulated Popin.
pub fn sellers(api_port: u16, sim_port: u16) -> Value {
    let mut origins: Vec<String> = ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{api_port}")).into();
    origins.push(ORIGIN.to_owned());
    json!({ SELLER: {
        "name": "Demo Jewels",
        "origins": origins,
        "api_keys": [API_KEY],
        "popin": {
            "base_url": format!("http://127.0.0.1:{sim_port}/api/v1"),
            "api_key": "demo-popin-api-key-not-a-secret",
            "token": "demo-popin-token-not-a-secret",
        },
        "webhooks": { "popin": { "keys": [WEBHOOK_KEY] } },
        "crm": crms(sim_port),
        "notify": { "url": format!("http://127.0.0.1:{sim_port}/crm/receiver/frontdesk"), "secrets": [SIGNING_SECRET] },
        "slots": { "refresh_seconds": 60, "lead_seconds": 1800 },
        "booking": { "webhooks_wired": true },
    }})
}

/// All of them; their records are kept by the simulator.
fn crms(sim_port: u16) -> Value {
    let base = format!("http://127.0.0.1:{sim_port}");
    json!({
        "standard": { "secrets": [SIGNING_SECRET] },
        "hubspot": {
            "client_secrets": [CRM_SECRET], "signatures": ["v3", "v2"], "public_url": HUBSPOT_URL, "access_token": "demo-token",
            "api_base": format!("{base}/crm/hubspot"),
            "write_back": { "access_token": sim::crms::KEY, "fields": { "state": "vc_state", "join_url": "vc_join_url" } },
        },
        "salesforce": { "path_secrets": [CRM_SECRET], "tokens": [CRM_SECRET], "organization_ids": [ORGANIZATION] },
        "zoho": {
            "tokens": [CRM_SECRET],
            "api_base": format!("{base}/crm/zoho"),
            "write_back": { "client_id": "demo", "client_secret": "demo", "refresh_token": sim::crms::KEY, "accounts_base": format!("{base}/crm/zoho") },
        },
        "leadsquared": { "tokens": [CRM_SECRET] },
        "freshsales": { "tokens": [CRM_SECRET] },
        "pipedrive": { "users": [{ "name": "demo", "password": CRM_SECRET }], "access_token": "demo-token", "api_base": base },
        "shopify": { "secrets": [CRM_SECRET] },
    })
}

/// An account for every seller that is at this Popin, with its webhooks sent to `api` when it has a way to prove them.
pub fn accounts(sellers: &Sellers, api: &str, is_here: impl Fn(&Seller) -> bool) -> Vec<SellerAccount> {
    let here = sellers.iter().filter(|(_, seller)| is_here(seller));
    here.map(|(id, seller)| {
        let webhook = seller.webhooks.get("popin").map(|secrets| {
            let path_secret = secrets.path_secrets.first().map(|secret| format!("/{}", secret.expose()));
            WebhookTarget {
                url: format!("{api}/v1/webhooks/{id}/popin{}", path_secret.unwrap_or_default()),
                api_key: secrets.keys.first().map(|key| key.expose().to_owned()).unwrap_or_default(),
            }
        });
        SellerAccount { webhook, ..SellerAccount::new(seller.popin.token.expose(), seller.popin.api_key.expose()) }
    })
    .collect()
}

/// The seller is at the simulator on this port.
pub fn is_at(seller: &Seller, sim_port: u16) -> bool {
    ["127.0.0.1", "localhost"].iter().any(|host| {
        let rest = seller.popin.base_url.strip_prefix(&format!("http://{host}:{sim_port}"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}
