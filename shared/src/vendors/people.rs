//! Whom an event is about: the phone numbers and e-mail addresses in it, for whoever must find or forget a person.

use super::fields;
use crate::model::{event::Draft, sensitive::Sensitive};
use serde_json::{Map, Value};

/// One personal detail, as it stands in the payload. Shop staff are persons too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    Phone { raw: Sensitive<String>, country: Option<String> },
    Email(Sensitive<String>),
}

/// Every number under a key that speaks of a phone, and every text that is an e-mail address, at any depth and within
/// JSON kept as text (vendors.md, trap 27); as often as it stands there. Free text and URLs are not searched.
pub fn people(draft: &Draft) -> Vec<Person> {
    let mut found = Vec::new();
    if let Ok(data) = serde_json::from_str(draft.data.expose().get()) {
        collect(&data, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut Vec<Person>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match phone(key, value) {
                    Some(raw) => found.push(Person::Phone { raw: Sensitive::new(raw), country: country(map) }),
                    None => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::String(text) if is_email(text.trim()) => {
            found.push(Person::Email(Sensitive::new(text.trim().to_owned())));
        }
        // Each text within a text doubles its escapes, so this goes a few levels down at most.
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            if let Ok(inner) = serde_json::from_str(text) {
                collect(&inner, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn phone(key: &str, value: &Value) -> Option<String> {
    let key = key.to_lowercase();
    if !["phone", "mobile", "whatsapp"].iter().any(|word| key.contains(word)) {
        return None;
    }
    fields::id(Some(value)).filter(|raw| {
        let digits = raw.chars().filter(|c| c.is_numeric()).count();
        (6..=20).contains(&digits) && !raw.chars().any(char::is_alphabetic)
    })
}

/// The country that a number's neighbours tell.
fn country(map: &Map<String, Value>) -> Option<String> {
    ["country_code", "customer_country_code", "country"].into_iter().find_map(|key| fields::text(map.get(key)))
}

fn is_email(text: &str) -> bool {
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || "/:,;<>\"{}[]".contains(c));
    let parts = text.rsplit_once('@').is_some_and(|(person, host)| !person.is_empty() && host.contains('.'));
    plain && parts && text.len() <= 254
}
