//! Reading a record back where a trigger carries ids only: what to ask the CRM, from what it has answered so far.

use super::{
    Unusable,
    back::{Token, is_plain},
    fields::{Fields, text},
};
use crate::model::{
    connector::Connector,
    seller::{
        Seller,
        crm::{HubSpot, Pipedrive, Zoho},
    },
    trigger::Thin,
};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The next step on the way to a person.
#[derive(Debug)]
pub enum Next {
    Ask(Request<Bytes>),
    /// The record, as if it had come with the trigger.
    Have(Value),
    /// For good: a stable code.
    Cannot(&'static str),
}

/// Never by an address that the trigger names: a CRM's key goes to that CRM only. `token` where the CRM has a log-in.
pub fn next(connector: Connector, thin: &Thin, seller: &Seller, token: Option<&Token>, answers: &[Value]) -> Next {
    // What a CRM sent is nobody's path.
    if ![&thin.object, &thin.id].into_iter().all(|part| is_plain(part)) {
        return Next::Cannot("record_id_unusable");
    }
    let crm = &seller.crm;
    match connector {
        Connector::HubSpot => crm.hubspot.as_ref().map_or(Next::Cannot(NOT_SET_UP), |c| hubspot(c, thin, answers)),
        Connector::Zoho => crm.zoho.as_ref().map_or(Next::Cannot(NOT_SET_UP), |c| zoho(c, thin, token, answers)),
        Connector::Pipedrive => {
            crm.pipedrive.as_ref().map_or(Next::Cannot(NOT_SET_UP), |c| pipedrive(c, thin, answers))
        }
        Connector::Standard
        | Connector::Salesforce
        | Connector::LeadSquared
        | Connector::Freshsales
        | Connector::Shopify => Next::Cannot(NOT_SET_UP),
    }
}

/// Why a record that was read back may have been told of for what we wrote there ourselves; for a person to look at.
pub fn doubt(connector: Connector, thin: &Thin, seller: &Seller, record: &Value) -> Option<Unusable> {
    match connector {
        Connector::Zoho => seller.crm.zoho.as_ref().and_then(|config| super::zoho::doubt(config, thin, record)),
        // These say what changed.
        Connector::HubSpot | Connector::Pipedrive => None,
        Connector::Standard
        | Connector::Salesforce
        | Connector::LeadSquared
        | Connector::Freshsales
        | Connector::Shopify => None,
    }
}

const NOT_SET_UP: &str = "crm_not_set_up";
const NO_TOKEN: &str = "access_token_missing";
const NOBODY: &str = "record_without_person";

fn hubspot(config: &HubSpot, thin: &Thin, answers: &[Value]) -> Next {
    let Some(token) = &config.access_token else { return Next::Cannot(NO_TOKEN) };
    let base = base(config.api_base.as_ref(), "https://api.hubapi.com");
    let fields = Fields::new(Connector::HubSpot, &config.fields, &config.only);
    let ask = |object: &str, id: &str, more: &str| {
        let is_deal = object == "deals";
        let names: BTreeSet<&str> = fields
            .names()
            .filter_map(|path| match path.strip_prefix("deal.") {
                Some(rest) => is_deal.then_some(rest),
                // A field that only the trigger's own stage is held against may be of either.
                None => Some(path),
            })
            .map(|path| path.split('.').next().unwrap_or(path))
            .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
            .collect();
        let names: Vec<_> = names.into_iter().collect();
        let url = format!("{base}/crm/v3/objects/{object}/{id}?properties={}{more}", names.join(","));
        get(&url, header::AUTHORIZATION.as_str(), &format!("Bearer {}", token.expose()))
    };
    match (thin.object.as_str(), answers) {
        ("contacts", []) => ask("contacts", &thin.id, ""),
        ("contacts", [contact, ..]) => Next::Have(contact["properties"].clone()),
        ("deals", []) => ask("deals", &thin.id, "&associations=contacts"),
        ("deals", [deal]) => match text(&deal["associations"]["contacts"]["results"][0]["id"]) {
            Some(contact) if is_plain(&contact) => ask("contacts", &contact, ""),
            Some(_) | None => Next::Cannot(NOBODY),
        },
        ("deals", [deal, contact, ..]) => {
            // The deal's own fields stand beside the contact's, and under `deal` where both have one.
            let (mut record, deal) = (contact["properties"].clone(), &deal["properties"]);
            if let (Some(record), Some(of_deal)) = (record.as_object_mut(), deal.as_object()) {
                for (name, value) in of_deal {
                    if record.get(name).is_none_or(Value::is_null) {
                        record.insert(name.clone(), value.clone());
                    }
                }
                record.insert("deal".to_owned(), deal.clone());
            }
            Next::Have(record)
        }
        _ => Next::Cannot(NOBODY),
    }
}

fn zoho(config: &Zoho, thin: &Thin, token: Option<&Token>, answers: &[Value]) -> Next {
    let (Some(token), Some(base)) = (token, &config.api_base) else { return Next::Cannot(NO_TOKEN) };
    let base = base.trim_end_matches('/');
    let ask = |module: &str, id: &str| {
        let authorization = format!("Zoho-oauthtoken {}", token.value.expose());
        get(&format!("{base}/crm/v8/{module}/{id}"), header::AUTHORIZATION.as_str(), &authorization)
    };
    match (thin.object.as_str(), answers) {
        (module, []) => ask(module, &thin.id),
        ("Deals", [deal]) => match text(&deal["data"][0]["Contact_Name"]["id"]) {
            Some(contact) if is_plain(&contact) => ask("Contacts", &contact),
            Some(_) | None => Next::Cannot(NOBODY),
        },
        ("Deals", [deal, contact, ..]) => {
            let mut record = contact["data"][0].clone();
            if let Some(record) = record.as_object_mut() {
                record.insert("deal".to_owned(), deal["data"][0].clone());
            }
            Next::Have(record)
        }
        (_, [record, ..]) => Next::Have(record["data"][0].clone()),
    }
}

fn pipedrive(config: &Pipedrive, thin: &Thin, answers: &[Value]) -> Next {
    let Some(token) = &config.access_token else { return Next::Cannot(NO_TOKEN) };
    let base = base(config.api_base.as_ref(), "https://api.pipedrive.com");
    let ask = |object: &str, id: &str| get(&format!("{base}/api/v2/{object}/{id}"), "x-api-token", token.expose());
    let with = |person: &Value, more: &Value| {
        let mut record = person["data"].clone();
        if let (Some(record), Some(more)) = (record.as_object_mut(), more.as_object()) {
            record.extend(more.clone());
        }
        Next::Have(record)
    };
    match (thin.object.as_str(), answers) {
        // One that had no person when it was told of.
        ("deals", []) => ask("deals", &thin.id),
        ("deals", [deal]) => match text(&deal["data"]["person_id"]) {
            Some(person) if is_plain(&person) => ask("persons", &person),
            Some(_) | None => Next::Cannot("deal_without_person"),
        },
        ("deals", [deal, person, ..]) => with(person, &json!({"deal": deal["data"]})),
        (_, []) => ask("persons", &thin.id),
        (_, [person, ..]) => with(person, thin.known.expose()),
    }
}

fn base<'c>(configured: Option<&'c String>, default: &'c str) -> &'c str {
    configured.map_or(default, |base| base.trim_end_matches('/'))
}

fn get(url: &str, name: &str, credential: &str) -> Next {
    let Ok(mut credential) = HeaderValue::from_str(credential) else { return Next::Cannot(NO_TOKEN) };
    credential.set_sensitive(true);
    let request = Request::get(url).header(header::ACCEPT, "application/json").header(name, credential);
    request.body(Bytes::new()).map_or(Next::Cannot("record_id_unusable"), Next::Ask)
}
