//! Pipedrive's webhooks, version 2: a person comes whole, a deal names one.

use super::{Arrival, Batch, Form, Unread, body, echo, fields::text};
use crate::model::{
    origin::Origin,
    seller::{Secret, crm::Pipedrive},
    sensitive::Sensitive,
    trigger::{About, Thin, Told},
    trust::Trust,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// `Authorization: Basic`, which is all that Pipedrive has.
pub fn prove(arrival: &Arrival<'_>, config: &Pipedrive) -> Option<Trust> {
    let given = arrival.header("authorization");
    let encoded = given.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic ")).map(|_| given[6..].trim())?;
    let decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|b| *b == b':')?;
    let (name, password) = (&decoded[..colon], &decoded[colon + 1..]);
    let mut found = false;
    for user in &config.users {
        let named: bool = user.name.as_bytes().ct_eq(name).into();
        found |= Secret::among(std::slice::from_ref(&user.password), password) & named;
    }
    found.then_some(Trust::Bearer)
}

pub fn read(arrival: &Arrival<'_>, config: &Pipedrive) -> Result<Batch, Unread> {
    let event = body::parse(arrival).filter(|event| event["meta"].is_object()).ok_or(Unread::NotReadable)?;
    Ok(Batch { form: Form::Plain, told: vec![told(&event, config)] })
}

/// What Pipedrive sets of its own accord at any change.
const STAMPS: [&str; 1] = ["update_time"];

/// The fields that changed; those of the seller's own making stand apart.
fn changed(event: &Value) -> impl Iterator<Item = &str> {
    let previous = event["previous"].as_object().into_iter().flatten();
    previous.flat_map(|(name, value)| match (name.as_str(), value.as_object()) {
        ("custom_fields", Some(own)) => own.keys().map(String::as_str).collect(),
        (name, _) => vec![name],
    })
}

/// A change that the API made is our own note where our user made it, or nothing else was changed. Another
/// integration's is news, and nobody here creates a record.
fn is_echo(event: &Value, config: &Pipedrive) -> bool {
    let meta = &event["meta"];
    let user = text(&meta["user_id"]);
    let by_us = user.is_some_and(|user| config.own_user_ids.iter().any(|own| own.to_string() == user));
    let own = config.write_back.as_ref().map(|back| &back.fields);
    let by_api = meta["action"] == "change" && meta["change_source"] == "api";
    by_api && (by_us || echo::is_ours(changed(event), own, &STAMPS))
}

fn told(event: &Value, config: &Pipedrive) -> Told {
    let (meta, data) = (&event["meta"], &event["data"]);
    let (action, entity) = (meta["action"].as_str().unwrap_or_default(), meta["entity"].as_str().unwrap_or_default());
    let record = text(&meta["entity_id"]).or_else(|| text(&data["id"]));
    let event_id = text(&meta["id"]);
    // `attempt` tells the tries of one event apart, and is no part of it.
    let key = match &event_id {
        Some(id) => format!("event#{id}"),
        None => body::unreadable(event.to_string().as_bytes(), "").key,
    };
    let person = text(&data["person_id"]).or_else(|| text(&data["person_id"]["value"]));
    let about = match (entity, person) {
        _ if action == "delete" => About::Ignored("event_not_used"),
        _ if is_echo(event, config) => About::Ignored("own_echo"),
        ("person", _) => About::Record(Sensitive::new(data.clone())),
        ("deal" | "lead", Some(id)) if id.bytes().all(|b| b.is_ascii_digit()) => {
            let known = Sensitive::new(json!({"deal": data}));
            About::Thin(Thin { object: "persons".to_owned(), id, known })
        }
        ("deal" | "lead", _) => {
            let body = Sensitive::new(event.to_string());
            About::Unusable { code: "deal_without_person".to_owned(), body }
        }
        _ => About::Ignored("event_not_used"),
    };
    let origin = Origin { event: event_id, object: Some(entity.to_owned()), record, ..Origin::default() };
    Told { key, origin, about }
}
