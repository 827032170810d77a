//! The answer in the words of the CRM that asked.

use super::{
    Form,
    rules::{self, Ending},
    salesforce,
};
use crate::model::connector::Connector;
use serde_json::{Map, Value, json};

/// What became of one trigger.
#[derive(Clone, Debug, PartialEq)]
pub enum Became {
    /// The booking's flat facts.
    Booking(Map<String, Value>),
    /// It is read back from the CRM, and becomes a booking then.
    Pending,
    Parked(String),
    Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

const JSON: &str = "application/json";

/// For triggers that are all stored.
pub fn taken(connector: Connector, form: Form, became: &[Became]) -> Answer {
    let code = became.iter().find_map(|one| match one {
        Became::Parked(code) => Some(code.as_str()),
        Became::Booking(_) | Became::Pending | Became::Ignored => None,
    });
    let status = rules::status(connector, if code.is_some() { Ending::Unusable } else { Ending::Taken });
    let (content_type, body) = match form {
        Form::Plain => (JSON, counted(became).to_string()),
        Form::Action { patience } => (JSON, json!({"outputFields": action(became, patience)}).to_string()),
        Form::Outbound => ("text/xml; charset=utf-8", salesforce::acknowledgement(true)),
        Form::Callout => (JSON, flat(became).to_string()),
        Form::Status => {
            // "Error" would switch the webhook off in time: whoever looks finds the reason all the same.
            let reason = code.map_or_else(String::new, |code| format!("parked: {code}"));
            (JSON, json!({"Status": "Success", "StatusReason": reason}).to_string())
        }
    };
    Answer { status, content_type, body }
}

/// For a request of which nothing is stored, or not all: the CRM comes again.
pub fn not_stored(connector: Connector, form: Form) -> Answer {
    let status = rules::status(connector, Ending::NotStored);
    match form {
        Form::Outbound => {
            Answer { status, content_type: "text/xml; charset=utf-8", body: salesforce::acknowledgement(false) }
        }
        Form::Status => {
            let body = json!({"Status": "Error", "StatusReason": "not stored: send it again"});
            Answer { status, content_type: JSON, body: body.to_string() }
        }
        Form::Plain | Form::Action { .. } | Form::Callout => {
            Answer { status, content_type: JSON, body: json!({"stored": false}).to_string() }
        }
    }
}

/// How many of what; nobody reads more of it than the status.
fn counted(became: &[Became]) -> Value {
    let count = |is: fn(&Became) -> bool| became.iter().filter(|one| is(one)).count();
    json!({
        "stored": true,
        "bookings": count(|one| matches!(one, Became::Booking(_))),
        "pending": count(|one| matches!(one, Became::Pending)),
        "parked": count(|one| matches!(one, Became::Parked(_))),
        "ignored": count(|one| matches!(one, Became::Ignored)),
    })
}

/// The workflow waits only where it is called back; what nobody will tell it the end of lets it go on at once.
fn action(became: &[Became], patience: Option<i64>) -> Value {
    match (became.first(), patience) {
        (Some(Became::Booking(_)), Some(patience)) => {
            json!({"hs_execution_state": "BLOCK", "hs_expiration_duration": format!("PT{patience}S")})
        }
        (Some(Became::Booking(facts)), None) => {
            json!({"hs_execution_state": "SUCCESS", "booking_id": facts.get("booking_id"), "state": facts.get("state")})
        }
        (Some(Became::Pending), Some(_) | None) => json!({"hs_execution_state": "SUCCESS", "state": "pending"}),
        (Some(Became::Parked(code)), Some(_) | None) => {
            json!({"hs_execution_state": "FAIL_CONTINUE", "frontdesk_code": code})
        }
        (Some(Became::Ignored) | None, Some(_) | None) => {
            json!({"hs_execution_state": "FAIL_CONTINUE", "frontdesk_code": "ignored"})
        }
    }
}

/// Text, whole numbers and yes or no; no list, and nothing empty.
fn flat(became: &[Became]) -> Value {
    let mut facts = Map::new();
    let (accepted, state) = match became.first() {
        Some(Became::Booking(booking)) => {
            facts.extend(booking.iter().filter(|(_, value)| is_flat(value)).map(|(k, v)| (k.clone(), v.clone())));
            (true, None)
        }
        Some(Became::Pending) => (true, Some("pending")),
        Some(Became::Parked(code)) => {
            facts.insert("code".to_owned(), code.as_str().into());
            (false, Some("parked"))
        }
        Some(Became::Ignored) | None => (false, Some("ignored")),
    };
    facts.insert("accepted".to_owned(), accepted.into());
    facts.extend(state.map(|state| ("state".to_owned(), state.into())));
    Value::Object(facts)
}

fn is_flat(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) => true,
        Value::Number(number) => number.is_i64(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}
