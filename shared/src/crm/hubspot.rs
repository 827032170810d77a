//! `HubSpot`: app webhooks, the custom workflow action, and the workflow's "send a webhook".

use super::{Arrival, Batch, Form, Replay, Unread, back, body, echo, fields::Fields};
use crate::model::{
    connector::Connector,
    hash,
    origin::Origin,
    seller::{
        Secret,
        crm::{HubSpot, HubSpotSignature},
    },
    sensitive::Sensitive,
    trigger::{About, Thin, Told},
    trust::Trust,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A signed time stamp is good for this long, either way. HubSpot's own libraries forget the future.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What no key would know again is not taken: HubSpot itself gives up after a day.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// v3 alone where it is there: one that is stale or wrong is not made good by an older one beside it. Else v2, where the
/// seller accepts it, and a key in a header where a workflow sends no signature. v1 proves nothing: `HubSpot` sends it
/// with app batches only, and v3 with all of those.
pub fn prove(arrival: &Arrival<'_>, config: &HubSpot, now: Timestamp) -> Option<Trust> {
    let uri = signed_uri(&config.public_url);
    let signed = if arrival.has("x-hubspot-signature-v3") {
        is_recent(arrival.header("x-hubspot-request-timestamp"), now) && v3(arrival, &config.client_secrets, &uri)
    } else {
        config.signatures.contains(&HubSpotSignature::V2)
            && arrival.header("x-hubspot-signature-version") == "v2"
            && v2(arrival, &config.client_secrets, &uri)
    };
    if signed { Some(Trust::Signed) } else { arrival.shows_token(&config.tokens) }
}

/// Under v2 what was taken by v3 comes again, too.
pub fn replay(config: &HubSpot) -> Replay {
    if config.signatures.contains(&HubSpotSignature::V2) { Replay::Unbounded } else { Replay::Bounded }
}

fn is_recent(millis: &str, now: Timestamp) -> bool {
    let sent_at = millis.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    sent_at.is_some_and(|sent_at| now.duration_since(sent_at).abs() <= TOLERANCE)
}

/// An HMAC over method, URI, body and time.
fn v3(arrival: &Arrival<'_>, secrets: &[Secret], uri: &str) -> bool {
    let Ok(signature) = STANDARD.decode(arrival.header("x-hubspot-signature-v3")) else { return false };
    let timestamp = arrival.header("x-hubspot-request-timestamp");
    let mut proven = false;
    for secret in secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
        for part in [b"POST", uri.as_bytes(), arrival.body, timestamp.as_bytes()] {
            mac.update(part);
        }
        proven |= mac.verify_slice(&signature).is_ok();
    }
    proven
}

/// A plain hash over secret, method, URI and body. Whoever has one can compute that of a longer body, which contains the
/// padding of the shorter one: NUL bytes, which no JSON has.
fn v2(arrival: &Arrival<'_>, secrets: &[Secret], uri: &str) -> bool {
    let given = arrival.header("x-hubspot-signature").as_bytes();
    let mut proven = subtle::Choice::from(0);
    for secret in secrets {
        let message = [secret.expose().as_bytes(), b"POST", uri.as_bytes(), arrival.body].concat();
        proven |= hash::hex(&message).as_bytes().ct_eq(given);
    }
    bool::from(proven) && is_of_workflow(arrival.body) && !arrival.body.contains(&0)
}

/// Workflows send an object. An app's batch is a list, and comes with v3.
fn is_of_workflow(body: &[u8]) -> bool {
    let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    text.trim_ascii_start().starts_with(b"{")
}

/// What HubSpot undoes of a URI's encoding before it signs.
const DECODED: [(&str, &str); 12] = [
    ("3A", ":"),
    ("2F", "/"),
    ("3F", "?"),
    ("40", "@"),
    ("21", "!"),
    ("24", "$"),
    ("27", "'"),
    ("28", "("),
    ("29", ")"),
    ("2A", "*"),
    ("2C", ","),
    ("3B", ";"),
];

fn signed_uri(public_url: &str) -> String {
    let url = public_url.split('#').next().unwrap_or_default();
    let mut pieces = url.split('%');
    let mut uri = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).unwrap_or_default();
        let (plain, rest) = DECODED
            .iter()
            .find(|(hex, _)| hex.eq_ignore_ascii_case(code))
            .map_or(("%", piece), |(_, plain)| (*plain, &piece[2..]));
        uri.push_str(plain);
        uri.push_str(rest);
    }
    uri
}

/// Why a delivery of another account starts nothing.
pub const NOT_OURS: &str = "portal_not_ours";

/// Whether the accounts that a delivery names are all the seller's. One that names none is nobody's.
fn is_ours(named: &[&Value], config: &HubSpot) -> bool {
    let is_listed = |name: &str| name.parse().is_ok_and(|account| config.portal_ids.contains(&account));
    let mut named = named.iter().filter(|name| !name.is_null()).peekable();
    config.portal_ids.is_empty()
        || named.peek().is_some() && named.all(|name| super::fields::text(name).is_some_and(|name| is_listed(&name)))
}

/// A list is an app's batch, an object with a `callbackId` an action, any other object a workflow's webhook.
pub fn read(
    arrival: &Arrival<'_>,
    config: &HubSpot,
    now: Timestamp,
    patience: SignedDuration,
) -> Result<Batch, Unread> {
    let fields = Fields::new(Connector::HubSpot, &config.fields, &config.only);
    let body = match body::json(arrival.body).ok_or(Unread::NotReadable)? {
        Value::Array(events) => {
            let (taken, rest) = body::split(&events);
            let mut told: Vec<_> = taken.iter().map(|event| told(event, config, &fields, now)).collect();
            let (ours, others): (Vec<_>, Vec<_>) =
                rest.iter().partition(|event| is_ours(&[&event["portalId"]], config));
            told.extend(body::left_over(ours.into_iter(), |some| json!(some)));
            told.extend(others.first().map(|_| body::ignored(arrival.body, NOT_OURS)));
            return Ok(Batch { form: Form::Plain, told });
        }
        body @ Value::Object(_) => body,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(Unread::NotReadable),
    };
    let is_action = body.get("callbackId").is_some();
    let accounts = [&body["origin"]["portalId"], &body["portalId"], &body["portal-id"]];
    if !is_ours(&accounts, config) {
        let form = if is_action { Form::Action { patience: None } } else { Form::Plain };
        return Ok(Batch { form, told: vec![body::ignored(arrival.body, NOT_OURS)] });
    }
    if is_action {
        let told = of_action(&body, &fields);
        let waits = config.write_back.is_some() && told.origin.callback.as_deref().is_some_and(back::is_plain);
        return Ok(Batch { form: Form::Action { patience: waits.then(|| patience.as_secs()) }, told: vec![told] });
    }
    let portal = accounts.into_iter().find_map(super::fields::text).unwrap_or_default();
    let record = flat(body);
    let object = object_of(&record);
    let told = body::record(record, Some(&object), &fields);
    // A contact and a deal may have the same number, and so may two accounts.
    let key = format!("{portal}#{object}#{}", told.key);
    Ok(Batch { form: Form::Plain, told: vec![Told { key, ..told }] })
}

/// One event of an app's batch: ids, and one property at most.
fn told(event: &Value, config: &HubSpot, fields: &Fields<'_>, now: Timestamp) -> Told {
    let text = |name: &str| super::fields::text(&event[name]).unwrap_or_default();
    let parts =
        ["portalId", "subscriptionType", "objectTypeId", "objectId", "propertyName", "propertyValue", "occurredAt"];
    // `eventId` is not promised to be unique, and `attemptNumber` changes with every try.
    let key = hash::short(&parts.map(text).each_ref().map(String::as_str));
    let (subscription, record) = (text("subscriptionType"), text("objectId"));
    let (kind, change) = subscription.split_once('.').unwrap_or_default();
    let object = match (kind, text("objectTypeId").as_str()) {
        ("contact", _) | ("object", "0-1") => Some(("contact", "contacts")),
        ("deal", _) | ("object", "0-3") => Some(("deal", "deals")),
        _ => None,
    };
    let occurred_at = event["occurredAt"].as_i64().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let ours = is_ours(&[&event["portalId"]], config);
    let own = config.write_back.as_ref().map(|back| &back.fields);
    let about = match (object, change) {
        _ if !ours => About::Ignored(NOT_OURS),
        _ if echo::is_ours([text("propertyName").as_str()], own, &[]) => About::Ignored("own_echo"),
        _ if occurred_at.is_some_and(|at| now.duration_since(at) > TOO_OLD) => About::Ignored("too_old"),
        _ if change.is_empty() || record.is_empty() => {
            About::Unusable { code: "event_unknown".to_owned(), body: Sensitive::new(event.to_string()) }
        }
        (Some(_), "propertyChange") if fields.unwanted_value(&text("propertyName"), &text("propertyValue")) => {
            About::Ignored("not_asked_for")
        }
        (Some((_, collection)), "creation" | "propertyChange") => {
            About::Thin(Thin { object: collection.to_owned(), id: record.clone(), known: Sensitive::new(Value::Null) })
        }
        (Some(_) | None, _) => About::Ignored("event_not_used"),
    };
    let origin = Origin {
        event: super::fields::text(&event["eventId"]),
        object: object.map(|(object, _)| object.to_owned()),
        record: Some(record).filter(|record| !record.is_empty()),
        ..Origin::default()
    };
    Told { key, origin, about }
}

/// What the workflow's author filled in comes before what the record has.
fn of_action(action: &Value, fields: &Fields<'_>) -> Told {
    let mut record = Map::new();
    for part in [&action["object"]["properties"], &action["inputFields"]] {
        record.extend(part.as_object().cloned().unwrap_or_default());
    }
    let id = super::fields::text(&action["object"]["objectId"]);
    record.entry("hs_object_id").or_insert_with(|| id.clone().into());
    let callback = super::fields::text(&action["callbackId"]);
    let object = action["object"]["objectType"].as_str().map(str::to_ascii_lowercase);
    let record = Value::Object(record);
    let told = body::record(record, object.as_deref(), fields);
    let origin = Origin { record: id.or(told.origin.record), callback: callback.clone(), ..told.origin };
    Told { key: callback.map_or(told.key, |callback| format!("callback#{callback}")), origin, about: told.about }
}

/// What a workflow's record is: as the body says, else by what only a deal has.
fn object_of(record: &Value) -> String {
    let said = ["objectType", "object", "objectTypeId"].into_iter().find_map(|name| super::fields::text(&record[name]));
    let of_deal = ["dealstage", "dealname"].into_iter().any(|name| !record[name].is_null());
    said.map_or_else(|| if of_deal { "deal" } else { "contact" }.to_owned(), |said| said.to_ascii_lowercase())
}

/// Properties come flat, or each as an object with its `value` and history.
fn flat(mut record: Value) -> Value {
    let Some(fields) = record.as_object_mut() else { return record };
    if let Some(Value::Object(properties)) = fields.remove("properties") {
        for (name, property) in properties {
            let value = property.get("value").cloned().unwrap_or(property);
            fields.entry(name).or_insert(value);
        }
    }
    record
}

#[cfg(test)]
mod tests;
