//! A seller who has everything written back, and triggers as their CRMs' connectors hand them on.

use crate::{
    back_room::BackRoom,
    crm_ways::CLIENT_SECRET,
    shop::{Shop, lead, sellers},
};
use frontdesk::{
    flow::request_booking::{Requested, Trigger, request_booking},
    model::{hash, origin::Origin, trust::Trust},
};
use serde_json::{Value, json};
use sim::crms::KEY;

/// The prefix of the simulated CRMs; no packet goes there.
const AT: &str = "https://crm.test/crm";
pub const NOTIFY_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A field of Pipedrive's, by its hash.
pub const HASHES: [&str; 2] = ["0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"];

/// What CRMs without a signature show.
pub const TOKEN: &str = "a-token-of-16-characters";

/// Every CRM, and the seller's own URL when `notify` says so.
pub fn written_back(notify: bool) -> Value {
    sellers(|seller| {
        let token = TOKEN;
        seller["crm"]["hubspot"] = json!({
            "client_secrets": [token], "public_url": "https://api.example.com/v1/crm/acme/hubspot", "api_base": format!("{AT}/hubspot"),
            "write_back": {"access_token": KEY, "fields": {"state": "vc_state", "join_url": "vc_join_url", "start_at": "vc_start_at", "reason": "vc_reason", "booking_id": "vc_booking"}},
        });
        seller["crm"]["salesforce"] = json!({
            "path_secrets": [token], "api_base": format!("{AT}/salesforce"),
            "write_back": {"client_id": "client", "client_secret": KEY, "fields": {"state": "Call_State__c", "join_url": "Call_Link__c", "start_at": "Call_At__c"}},
        });
        seller["crm"]["zoho"] = json!({
            "tokens": [token], "api_base": format!("{AT}/zoho"),
            "write_back": {"client_id": "client", "client_secret": CLIENT_SECRET, "refresh_token": KEY, "accounts_base": format!("{AT}/zoho"), "fields": {"state": "Call_State", "join_url": "Call_Link"}},
        });
        seller["crm"]["leadsquared"] = json!({
            "tokens": [token], "api_base": format!("{AT}/leadsquared"),
            "write_back": {"access_key": KEY, "secret_key": KEY, "activity": 201, "fields": {"state": "mx_Call_State", "start_at": "mx_Call_At"}},
        });
        seller["crm"]["pipedrive"] = json!({
            "users": [{"name": "u", "password": token}], "api_base": format!("{AT}/pipedrive"),
            "write_back": {"api_token": KEY, "fields": {"state": HASHES[0], "join_url": HASHES[1]}},
        });
        seller["crm"]["freshsales"] = json!({
            "tokens": [token], "api_base": format!("{AT}/freshsales/crm/sales"),
            "write_back": {"api_key": KEY, "fields": {"state": "cf_call_state", "start_local": "cf_call_at"}},
        });
        seller["crm"]["shopify"] = json!({
            "secrets": [token], "api_base": format!("{AT}/shopify"), "write_back": {"access_token": KEY},
        });
        if notify {
            seller["notify"] = json!({"url": format!("{AT}/receiver/frontdesk"), "secrets": [NOTIFY_SECRET]});
        }
    })
}

pub fn origin(object: Option<&str>, record: &str) -> Origin {
    let (object, record) = (object.map(str::to_owned), Some(record.to_owned()));
    Origin { event: Some("event-1".to_owned()), object, record, ..Origin::default() }
}

/// What a connector makes of a CRM's call for the lead with this number; not waited for.
pub async fn trigger(
    shop: &Shop,
    document: &Value,
    (connector, key): (&'static str, &str),
    number: u32,
    origin: Origin,
) -> Requested {
    let seed = u64::from_str_radix(&hash::hex(key.as_bytes())[..8], 16).unwrap_or_default();
    let room = BackRoom::of(shop, document, seed);
    let desk = room.desk();
    let wanted = frontdesk::crm::request::parse(&lead(number), desk.seller, desk.clock.now());
    let (key, fingerprint) = (key.to_owned(), "f".to_owned());
    let trigger =
        Trigger { connector, trust: Trust::Bearer, key, fingerprint, replayable: false, origin: Some(origin), wanted };
    request_booking(&desk, trigger, None).await.expect("a good trigger is taken")
}

/// Ticks of the sweep, a minute apart.
pub async fn minutes(shop: &Shop, minutes: u32) {
    for _ in 0..minutes {
        shop.advance(60);
        shop.tick("booking-worker").await;
    }
}
