//! Our own booking request, which is also what `standard` carries.

use super::Unusable;
use crate::model::{
    instant,
    lead::{CallRequest, IfTaken, Lead, When},
    name,
    phone::{Country, Phone},
    seller::{Seller, is_public_url},
    sensitive::Sensitive,
};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// What is free-form goes along with every write of a booking.
const MOST_CAMPAIGN: usize = 16 * 1024;
const MOST_URL: usize = 2048;

/// The lead and the call, with the seller's defaults filled in; or every problem at once.
pub fn parse(body: &Value, seller: &Seller, now: Timestamp) -> Result<(Lead, CallRequest), Vec<Unusable>> {
    let mut problems = Problems::default();
    let lead = lead(&body["lead"], seller, &mut problems);
    let call = call(body, seller, now, &mut problems);
    match (lead, call) {
        (Some(lead), Some(call)) if problems.0.is_empty() => Ok((lead, call)),
        _ => Err(problems.0),
    }
}

#[derive(Default)]
struct Problems(Vec<Unusable>);

impl Problems {
    fn note<T>(&mut self, field: &'static str, code: &'static str) -> Option<T> {
        self.0.push(Unusable { field, code });
        None
    }
}

/// Text, or a number as text; blanks are absent.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            Some(text.trim()).filter(|text| !text.is_empty()).map(|text| text.chars().take(500).collect())
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn lead(lead: &Value, seller: &Seller, problems: &mut Problems) -> Option<Lead> {
    let name = text(&lead["name"]).and_then(|raw| name::trimmed(&raw).map(str::to_owned));
    let name = match name {
        None => problems.note("lead.name", "lead_name_missing"),
        Some(name) if !name::is_printable(&name) => problems.note("lead.name", "lead_name_invalid"),
        Some(name) => Some(name),
    };
    let country = text(&lead["country"]).map_or(Some(seller.default_country), |raw| {
        Country::parse(&raw).or_else(|| problems.note("lead.country", "lead_country_invalid"))
    });
    let mobile = match (text(&lead["mobile"]), country) {
        (None, _) => problems.note("lead.mobile", "lead_mobile_missing"),
        (Some(raw), Some(country)) => {
            Phone::parse(&raw, country).ok().or_else(|| problems.note("lead.mobile", "lead_mobile_invalid"))
        }
        (Some(_), None) => None,
    };
    let campaign = Some(campaign(&lead["campaign"]))
        .filter(|campaign| serde_json::to_string(campaign).is_ok_and(|text| text.len() <= MOST_CAMPAIGN))
        .or_else(|| problems.note("lead.campaign", "campaign_too_large"));
    Some(Lead {
        external_id: text(&lead["external_id"]),
        name: Sensitive::new(name?),
        mobile: mobile?,
        // A call needs no e-mail: one that is none must not cost the call.
        email: text(&lead["email"]).filter(|email| email.contains('@')).map(Sensitive::new),
        group: text(&lead["group"]).or_else(|| seller.booking.group.clone()),
        // An agent that is no integer is the CRM's, not Popin's.
        agent: text(&lead["agent"]).and_then(|agent| agent.parse().ok()).or(seller.booking.agent),
        pincode: text(&lead["pincode"]).map(Sensitive::new),
        campaign: Sensitive::new(campaign?),
    })
}

/// An object as it is, or a single word as one.
fn campaign(value: &Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map.clone(),
        value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            text(value).map(|name| ("campaign".to_owned(), Value::from(name))).into_iter().collect()
        }
    }
}

fn call(body: &Value, seller: &Seller, now: Timestamp, problems: &mut Problems) -> Option<CallRequest> {
    let call = &body["call"];
    if !call.is_object() && !call.is_null() {
        return problems.note("call", "call_invalid");
    }
    let at = time(call, "start_at", "call.start_at", problems);
    let from = time(call, "from", "call.from", problems);
    let to = time(call, "to", "call.to", problems);
    let when = match (at, from, to) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => problems.note("call", "call_ambiguous"),
        (Some(at), None, None) if at <= now => problems.note("call.start_at", "start_at_in_past"),
        (Some(at), None, None) => Some(When::At(at)),
        (None, Some(from), Some(to)) if from >= to => problems.note("call.to", "window_empty"),
        (None, _, Some(to)) if to <= now => problems.note("call.to", "window_in_past"),
        (None, from, to) => Some(When::Between { from, to }),
    };
    let if_taken = match text(&call["if_taken"]) {
        None => Some(seller.booking.if_taken),
        Some(raw) => IfTaken::parse(&raw).or_else(|| problems.note("call.if_taken", "if_taken_invalid")),
    };
    let native = match &body["native"] {
        Value::Null => Some(seller.booking.native),
        Value::Bool(native) => Some(*native),
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            problems.note("native", "native_invalid")
        }
    };
    let url = match body["url"].as_str().map(str::trim) {
        None | Some("") => Some(seller.booking.url.clone()),
        Some(url) if url.len() <= MOST_URL && is_public_url(url) => Some(Some(url.to_owned())),
        Some(_) => problems.note("url", "url_invalid"),
    };
    Some(CallRequest { when: when?, if_taken: if_taken?, native: native?, url: url? })
}

/// A missing offset is its own mistake: it would be a time of our own making.
fn time(call: &Value, key: &str, field: &'static str, problems: &mut Problems) -> Option<Timestamp> {
    let value = &call[key];
    if value.is_null() || value.as_str().is_some_and(|raw| raw.trim().is_empty()) {
        return None;
    }
    let raw = value.as_str().unwrap_or_default().trim();
    instant::rfc3339(raw).or_else(|| {
        let (bare, bad) = match key {
            "start_at" => ("start_at_without_offset", "start_at_invalid"),
            _ => ("window_without_offset", "window_invalid"),
        };
        problems.note(field, if instant::lacks_offset(raw) { bare } else { bad })
    })
}
