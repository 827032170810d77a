//! HubSpot: completes the workflow's action that waits (`BLOCK`), and writes properties of the seller's own.

use super::{Call, NoCall, plain, record, values};
use crate::model::{origin::Origin, seller::HubSpotBack, write_back::News};
use http::{Method, header};
use serde_json::{Map, Value, json};

/// The workflow goes on after it: a later end cannot be told to it, only to the record.
pub(super) const CALLBACK: &str = "callback";

pub(super) fn calls(back: &HubSpotBack, base: &str, origin: &Origin, news: &News) -> Result<Vec<Call>, NoCall> {
    let bearer = format!("Bearer {}", back.access_token.expose());
    let fields = values(&back.fields, news, &json!(""));
    let callback = origin.callback.as_deref().map(|id| completion(base, id, news));
    let properties = (origin.record.is_some() && !fields.is_empty()).then(|| properties(base, origin, &fields));
    let (mut calls, mut why) = (Vec::new(), NoCall("nothing_to_write"));
    // The callback first: a workflow waits for it, whatever is the matter with the record.
    for call in [callback, properties].into_iter().flatten() {
        match call {
            Ok(call) => calls.push(call.with(header::AUTHORIZATION.as_str(), &bearer)),
            Err(no_call) => why = no_call,
        }
    }
    if calls.is_empty() { Err(why) } else { Ok(calls) }
}

fn completion(base: &str, callback: &str, news: &News) -> Result<Call, NoCall> {
    let url = format!("{base}/automation/v4/actions/callbacks/{}/complete", plain(Some(callback))?);
    let body = json!({"outputFields": outputs(news), "typedOutputs": {}}).to_string();
    Ok(Call::new(CALLBACK, Method::POST, url, body))
}

fn properties(base: &str, origin: &Origin, fields: &Map<String, Value>) -> Result<Call, NoCall> {
    let url = format!("{base}/crm/v3/objects/{}/{}", object(origin)?, record(origin)?);
    Ok(Call::new("properties", Method::PATCH, url, json!({"properties": fields}).to_string()))
}

fn object(origin: &Origin) -> Result<&'static str, NoCall> {
    match origin.object.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("contact" | "contacts" | "0-1") => Ok("contacts"),
        Some("deal" | "deals" | "0-3") => Ok("deals"),
        Some(_) => Err(NoCall("object_unknown")),
    }
}

/// Text throughout: HubSpot takes no other values here.
fn outputs(news: &News) -> Map<String, Value> {
    let execution = if news.scheduled { "SUCCESS" } else { "FAIL_CONTINUE" };
    let mut outputs = Map::new();
    let mut put = |name: &str, value: Option<&str>| {
        outputs.extend(value.map(|value| (name.to_owned(), json!(value))));
    };
    put("hs_execution_state", Some(execution));
    put("booking_id", Some(news.booking.as_str()));
    put("state", Some(news.state));
    put("reason", news.reason);
    put("join_url", news.join_url.as_ref().map(|url| url.expose().as_str()));
    put("start_at", news.start_at.as_deref());
    put("start_local", news.start_local.as_deref());
    outputs
}
