//! LeadSquared: fields of the lead, and an activity of the seller's own making.

use super::{Call, Meaning, NoCall, record, values};
use crate::model::{origin::Origin, seller::LeadSquaredBack, write_back::News};
use http::Method;
use serde_json::{Value, json};

pub(super) fn calls(back: &LeadSquaredBack, base: &str, origin: &Origin, news: &News) -> Result<Vec<Call>, NoCall> {
    let lead = record(origin)?;
    let mut calls = Vec::new();
    let fields: Vec<_> = values(&back.fields, news, &json!(""))
        .into_iter()
        .map(|(attribute, value)| json!({"Attribute": attribute, "Value": value}))
        .collect();
    if !fields.is_empty() {
        let url = format!("{base}/v2/LeadManagement.svc/Lead.Update?leadId={lead}");
        calls.push(Call::new("fields", Method::POST, url, Value::Array(fields).to_string()));
    }
    // Last: what is known to have been done is not done again, and an activity is one more each time.
    if let Some(activity) = back.activity {
        let url = format!("{base}/v2/ProspectActivity.svc/Create?leadId={lead}");
        let note = match &news.start_local {
            Some(start) => format!("Video call: {}, {start}", news.state),
            None => format!("Video call: {}", news.state),
        };
        let at = news.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let body = json!({"ActivityEvent": activity, "ActivityNote": note, "ActivityDateTime": at});
        calls.push(Call::new("activity", Method::POST, url, body.to_string()));
    }
    if calls.is_empty() {
        return Err(NoCall("nothing_to_write"));
    }
    let keyed = |call: Call| {
        call.with("x-lsq-accesskey", back.access_key.expose()).with("x-lsq-secretkey", back.secret_key.expose())
    };
    Ok(calls.into_iter().map(keyed).collect())
}

/// An error may come with 200, and a fault of the request with 500.
pub(super) fn meaning(known: Meaning, body: &Value) -> Meaning {
    match (known, body["Status"].as_str(), body["ExceptionType"].as_str()) {
        (Meaning::Done, Some("Error"), _) => Meaning::Refused("refused"),
        (Meaning::Later { code: "server_error", .. }, Some("Error"), Some("MXInvalidRequestException")) => {
            Meaning::Refused("refused")
        }
        (known, Some(_) | None, Some(_) | None) => known,
    }
}
