//! `LeadSquared`: a lead that is flat, or `Before` and `After`, or alone in a list.

use super::{Arrival, Batch, Form, Unread, body, echo, fields::Fields};
use crate::model::{
    connector::Connector,
    seller::{self, LeadSquaredBack, crm::Tokens},
    trigger::{About, Told},
};
use serde_json::{Value, json};

pub fn read(arrival: &Arrival<'_>, config: &Tokens<LeadSquaredBack>) -> Result<Batch, Unread> {
    let fields = Fields::new(Connector::LeadSquared, &config.fields, &config.only);
    let leads = match body::parse(arrival).ok_or(Unread::NotReadable)? {
        Value::Array(leads) => leads,
        lead @ Value::Object(_) => vec![lead],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(Unread::NotReadable),
    };
    let own = config.write_back.as_ref().map(|back| &back.fields);
    let (taken, rest) = body::split(&leads);
    let left_over = body::left_over(rest.iter(), |some| json!(some));
    let told = taken.iter().map(|lead| told(lead.clone(), &fields, own)).chain(left_over).collect();
    Ok(Batch { form: Form::Status, told })
}

/// What LeadSquared sets of its own accord at any change.
const STAMPS: [&str; 3] = ["ModifiedOn", "ModifiedBy", "ModifiedByName"];

/// The fields that differ between `Before` and `After`, where both are told.
fn changed(lead: &Value) -> Vec<&str> {
    let (Some(before), Some(after)) = (lead["Before"].as_object(), lead["After"].as_object()) else {
        return Vec::new();
    };
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).map(String::as_str).collect()
}

/// What the lead is by now.
fn told(mut lead: Value, fields: &Fields<'_>, own: Option<&seller::Fields>) -> Told {
    let echo = echo::is_ours(changed(&lead), own, &STAMPS);
    let after = ["After", "Current", "Data"].iter().find(|name| lead[**name].is_object());
    let lead = after.map(|name| lead[*name].take()).unwrap_or(lead);
    if lead.is_object() {
        let told = body::record(lead, Some("lead"), fields);
        return if echo { Told { about: About::Ignored("own_echo"), ..told } } else { told };
    }
    body::unreadable(lead.to_string().as_bytes(), "body_unreadable")
}
