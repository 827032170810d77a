//! Zoho: the workflow's webhook as JSON or a form, and the notification channel.

use super::{Arrival, Batch, Form, Unread, Unusable, body, echo, fields::Fields};
use crate::model::{
    canonical::canonical_value,
    connector::Connector,
    hash,
    origin::Origin,
    seller::{Secret, crm::Zoho},
    sensitive::Sensitive,
    trigger::{About, Thin, Told},
    trust::Trust,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// As much of a notification as proves it.
#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    token: std::borrow::Cow<'a, str>,
}

/// A webhook shows its token in a header. A notification repeats in its body what the channel was given, and there
/// only: this one has to be looked into before it is proven.
pub fn prove(arrival: &Arrival<'_>, config: &Zoho) -> Option<Trust> {
    arrival.shows_token(&config.tokens).or_else(|| {
        let shown: Shown<'_> = serde_json::from_slice(arrival.body).ok()?;
        Secret::among(&config.tokens, shown.token.as_bytes()).then_some(Trust::Bearer)
    })
}

pub fn read(arrival: &Arrival<'_>, config: &Zoho) -> Result<Batch, Unread> {
    let fields = Fields::new(Connector::Zoho, &config.fields, &config.only);
    let body = body::parse(arrival).filter(Value::is_object).ok_or(Unread::NotReadable)?;
    let has = |name: &str| !body[name].is_null();
    let is_notification = has("channel_id") && (has("ids") || has("operation"));
    let told = if is_notification {
        let (ids, rest) = body::split(body["ids"].as_array().map(Vec::as_slice).unwrap_or_default());
        // Without the token, which is no part of what is told.
        let left_over = body::left_over(rest.iter(), |some| {
            let [module, operation, channel_id] = ["module", "operation", "channel_id"].map(|name| &body[name]);
            json!({"module": module, "operation": operation, "channel_id": channel_id, "ids": some})
        });
        let named: Vec<_> = ids.iter().filter_map(super::fields::text).collect();
        let unnamed = named.is_empty() || named.len() < ids.len();
        let unnamed = unnamed.then(|| body::unreadable(arrival.body, "event_unknown"));
        // Without a time, all that it says has to tell one edit from the next.
        let at = super::fields::text(&body["server_time"])
            .unwrap_or_else(|| format!("body#{}", hash::hex(canonical_value(&body).as_bytes())));
        named.iter().map(|id| notified(&body, id, &at, config)).chain(unnamed).chain(left_over).collect()
    } else {
        let module = super::fields::text(&body["module"]).or_else(|| module(&body).map(str::to_owned));
        vec![body::record(body, module.as_deref(), &fields)]
    };
    Ok(Batch { form: Form::Plain, told })
}

/// By the id that the merge fields filled in.
fn module(record: &Value) -> Option<&'static str> {
    let ids = [("lead_id", "Leads"), ("contact_id", "Contacts"), ("deal_id", "Deals")];
    ids.into_iter().find(|(field, _)| !record[field].is_null()).map(|(_, module)| module)
}

/// What Zoho sets of its own accord at any change.
const STAMPS: [&str; 3] = ["Modified_Time", "Modified_By", "Last_Activity_Time"];

/// The fields of this record that changed, where the channel tells them: by record, by module, or alone.
fn affected<'v>(body: &'v Value, module: &str, id: &str) -> Option<Vec<&'v str>> {
    let told = &body["affected_fields"];
    let of = |name: &str| told.as_array()?.iter().find_map(|one| one.get(name));
    of(id).or_else(|| of(module)).unwrap_or(told).as_array()?.iter().map(Value::as_str).collect()
}

/// An edit that the channel does not explain, and the mark of its record until it is read back.
const UNEXPLAINED: Unusable = Unusable { field: "affected_fields", code: "edit_unexplained" };

/// Whether the edit of this record may have been our own note: the channel does not say what changed, and the record has it.
pub fn doubt(config: &Zoho, thin: &Thin, record: &Value) -> Option<Unusable> {
    let mut own = config.write_back.iter().flat_map(|back| back.fields.named());
    let noted = own.any(|(_, field)| !record[field].is_null() || !record["deal"][field].is_null());
    (noted && !thin.known.expose()[UNEXPLAINED.code].is_null()).then_some(UNEXPLAINED)
}

fn notified(body: &Value, id: &str, at: &str, config: &Zoho) -> Told {
    let text = |name: &str| super::fields::text(&body[name]).unwrap_or_default();
    let (module, operation) = (text("module"), text("operation"));
    let own = config.write_back.as_ref().map(|back| &back.fields);
    let explained = operation == "insert"
        || affected(body, &module, id).is_some_and(|changed| changed.iter().any(|name| !STAMPS.contains(name)));
    let known = if explained { Value::Null } else { json!({ UNEXPLAINED.code: true }) };
    let about = match operation.as_str() {
        "delete" => About::Ignored("event_not_used"),
        // `trigger` keeps workflows from starting again, and says nothing of channels.
        _ if affected(body, &module, id).is_some_and(|changed| echo::is_ours(changed, own, &STAMPS)) => {
            About::Ignored("own_echo")
        }
        _ if !is_name(&module) || !is_name(id) => {
            About::Unusable { code: "event_unknown".to_owned(), body: Sensitive::new(body.to_string()) }
        }
        _ => About::Thin(Thin { object: module.clone(), id: id.to_owned(), known: Sensitive::new(known) }),
    };
    let origin = Origin { object: Some(module), record: Some(id.to_owned()), ..Origin::default() };
    Told { key: format!("{}#{operation}#{id}#{at}", text("channel_id")), origin, about }
}

/// It becomes a piece of a path.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
