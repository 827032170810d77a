//! CRM triggers: one file per CRM, pure. Bytes, headers, configuration and now in; what was told out, or a refusal.

pub mod answer;
pub mod arrival;
pub mod back;
pub mod body;
pub mod echo;
pub mod fields;
pub mod freshsales;
pub mod hubspot;
pub mod leadsquared;
pub mod pipedrive;
pub mod readback;
pub mod request;
pub mod rules;
pub mod salesforce;
pub mod shopify;
pub mod standard;
pub mod xml;
pub mod zoho;

pub use arrival::Arrival;

use crate::model::{
    connector::Connector,
    seller::{Crm, Seller},
    trigger::Told,
    trust::Trust,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// What is wrong with a request that was read: the field and a stable code, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub field: &'static str,
    pub code: &'static str,
}

/// The form in which a CRM came, which is the form that its answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any 2xx will do.
    Plain,
    /// HubSpot's custom workflow action, which waits to be called back, so many seconds at most; `None` where nobody will.
    Action { patience: Option<i64> },
    /// Salesforce's outbound message, in SOAP.
    Outbound,
    /// Salesforce's flow, which reads one flat object.
    Callout,
    /// LeadSquared, which reads a `Status`.
    Status,
}

/// What one request told.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub form: Form,
    pub told: Vec<Told>,
}

/// It cannot be read as its CRM's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Not what this CRM ever sends.
    NotReadable,
    /// Only its content could prove it, and does not.
    NotProven,
}

/// How long the bytes of a delivery that is proven can be sent again by whoever has seen them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// No longer than keys are kept.
    Bounded,
    /// No signed time ends it.
    Unbounded,
    /// They were signed before the oldest key that is kept: nothing tells a late delivery from a repeated one.
    Late(Unusable),
}

/// Of a delivery that carries its record. What shows a token is not replayed by anybody who could not make it afresh.
pub fn replay(connector: Connector, trust: Trust, record: &Value, seller: &Seller, now: Timestamp) -> Replay {
    let crm = &seller.crm;
    match (connector, trust) {
        (_, Trust::Claimed | Trust::Bearer) => Replay::Bounded,
        (Connector::HubSpot, _) => crm.hubspot.as_ref().map_or(Replay::Bounded, hubspot::replay),
        (Connector::Shopify, _) => shopify::replay(record, now),
        (
            Connector::Standard
            | Connector::Salesforce
            | Connector::Zoho
            | Connector::LeadSquared
            | Connector::Freshsales
            | Connector::Pipedrive,
            _,
        ) => Replay::Bounded,
    }
}

/// In the place of a seller that is not there: what signs bodies, each with one secret, which nobody has and which proves
/// nothing.
static NOBODY: LazyLock<Crm> = LazyLock::new(|| {
    let secret = format!("whsec_{}", "A".repeat(44));
    let nobody = json!({
        "standard": {"secrets": [&secret]},
        "hubspot": {"client_secrets": [&secret], "public_url": "https://api.example.com/v1/crm/nobody/hubspot"},
        "shopify": {"secrets": [&secret]},
    });
    serde_json::from_value(nobody).expect("it is of a document's form")
});

/// How far a request is proven, if at all. Before anything of it is parsed, save where the CRM left no other way. A seller
/// that is not there, or has no such CRM, takes as long as one with one secret: how long a large body takes tells nobody.
pub fn prove(connector: Connector, arrival: &Arrival<'_>, seller: Option<&Seller>, now: Timestamp) -> Option<Trust> {
    let known = seller.filter(|seller| seller.crm.fields(connector).is_some());
    let (crm, api_keys) = known.map_or((&*NOBODY, &[][..]), |seller| (&seller.crm, &seller.api_keys[..]));
    let trust = match connector {
        Connector::Standard => crm.standard.as_ref().and_then(|config| standard::prove(arrival, config, api_keys, now)),
        Connector::HubSpot => crm.hubspot.as_ref().and_then(|config| hubspot::prove(arrival, config, now)),
        Connector::Salesforce => crm.salesforce.as_ref().and_then(|config| salesforce::prove(arrival, config)),
        Connector::Zoho => crm.zoho.as_ref().and_then(|config| zoho::prove(arrival, config)),
        Connector::LeadSquared => crm.leadsquared.as_ref().and_then(|config| arrival.shows_token(&config.tokens)),
        Connector::Freshsales => crm.freshsales.as_ref().and_then(|config| arrival.shows_token(&config.tokens)),
        Connector::Pipedrive => crm.pipedrive.as_ref().and_then(|config| pipedrive::prove(arrival, config)),
        Connector::Shopify => crm.shopify.as_ref().and_then(|config| shopify::prove(arrival, config)),
    };
    trust.filter(|_| known.is_some())
}

/// What a proven request tells. `standard` is read by its own caller, which answers as our bookings API does.
pub fn read(connector: Connector, arrival: &Arrival<'_>, seller: &Seller, now: Timestamp) -> Result<Batch, Unread> {
    let crm = &seller.crm;
    match connector {
        Connector::Standard => Err(Unread::NotReadable),
        Connector::HubSpot => crm.hubspot.as_ref().map_or(Err(Unread::NotProven), |config| {
            hubspot::read(arrival, config, now, seller.booking.give_up + seller.booking.in_doubt)
        }),
        Connector::Salesforce => {
            crm.salesforce.as_ref().map_or(Err(Unread::NotProven), |config| salesforce::read(arrival, config))
        }
        Connector::Zoho => crm.zoho.as_ref().map_or(Err(Unread::NotProven), |config| zoho::read(arrival, config)),
        Connector::LeadSquared => {
            crm.leadsquared.as_ref().map_or(Err(Unread::NotProven), |config| leadsquared::read(arrival, config))
        }
        Connector::Freshsales => {
            crm.freshsales.as_ref().map_or(Err(Unread::NotProven), |config| freshsales::read(arrival, config))
        }
        Connector::Pipedrive => {
            crm.pipedrive.as_ref().map_or(Err(Unread::NotProven), |config| pipedrive::read(arrival, config))
        }
        Connector::Shopify => {
            crm.shopify.as_ref().map_or(Err(Unread::NotProven), |config| shopify::read(arrival, config))
        }
    }
}

/// Of a proven body that nobody reads: why it is not taken for the seller's, where the seller lists its accounts.
pub fn stray(connector: Connector, arrival: &Arrival<'_>, seller: &Seller) -> Option<&'static str> {
    let crm = &seller.crm;
    let (is_stray, code) = match connector {
        Connector::HubSpot => (crm.hubspot.as_ref().is_some_and(|c| !c.portal_ids.is_empty()), hubspot::NOT_OURS),
        Connector::Salesforce => {
            (crm.salesforce.as_ref().is_some_and(|c| !c.organization_ids.is_empty()), salesforce::NOT_OURS)
        }
        // The shop's name is in a header.
        Connector::Shopify => {
            let config = crm.shopify.as_ref();
            (config.is_some_and(|config| !shopify::is_ours(arrival, &Value::Null, config)), shopify::NOT_OURS)
        }
        Connector::Standard
        | Connector::Zoho
        | Connector::LeadSquared
        | Connector::Freshsales
        | Connector::Pipedrive => return None,
    };
    is_stray.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn secret_of_nobody_proves_nothing() {
        let (now, body) = (Timestamp::UNIX_EPOCH, b"{}");
        let secret = NOBODY.standard.as_ref().unwrap().secrets[0].expose();
        let signature = standard::sign(secret, "msg_1", "0", body).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [("webhook-id", "msg_1"), ("webhook-timestamp", "0"), ("webhook-signature", &signature)] {
            headers.insert(name, value.parse().unwrap());
        }
        let arrival = Arrival { headers: &headers, path_secret: None, body };
        let config = NOBODY.standard.as_ref().unwrap();
        assert_eq!(standard::prove(&arrival, config, &[], now), Some(Trust::Signed), "it is compared");
        assert_eq!(prove(Connector::Standard, &arrival, None, now), None);
    }
}
