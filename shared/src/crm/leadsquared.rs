//! `LeadSquared`: a lead that is flat, or `Before` and `After`, or alone in a list (crm.md, 1.10).

use super::{Arrival, Batch, Form, Unread, body, fields::Fields};
use crate::model::{
    connector::Connector,
    seller::{LeadSquaredBack, crm::Tokens},
    trigger::Told,
};
use serde_json::Value;

pub fn read(arrival: &Arrival<'_>, config: &Tokens<LeadSquaredBack>) -> Result<Batch, Unread> {
    let fields = Fields::new(Connector::LeadSquared, &config.fields, &config.only);
    let leads = match body::parse(arrival).ok_or(Unread::NotReadable)? {
        Value::Array(leads) => leads,
        lead @ Value::Object(_) => vec![lead],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(Unread::NotReadable),
    };
    Ok(Batch { form: Form::Status, told: leads.into_iter().map(|lead| told(lead, &fields)).collect() })
}

/// What the lead is by now.
fn told(mut lead: Value, fields: &Fields<'_>) -> Told {
    let after = ["After", "Current", "Data"].iter().find(|name| lead[**name].is_object());
    let lead = after.map(|name| lead[*name].take()).unwrap_or(lead);
    if lead.is_object() {
        return body::record(lead, Some("lead"), fields);
    }
    body::unreadable(lead.to_string().as_bytes(), "body_unreadable")
}
