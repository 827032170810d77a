//! The vendors' loose fields: ids of two types, blanks that mean absent, maps that may be a list or a text.

use crate::model::{canonical::canonical_value, instant};
use serde_json::{Map, Value};

/// An id, which may be text or an integer and is the same id either way. A fraction is none: an
/// integer too long for the parser arrives as one, and two such ids would become equal.
pub(super) fn id(value: Option<&Value>) -> Option<String> {
    text(value.filter(|value| !value.is_f64()))
}

/// A text or a number as text; absent, null, blank and everything else are "not known".
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A time as text, fit to tell two events apart. One of fewer than nine digits (`0`, `?`, a bare date) or of zeros alone
/// is none: it would make all that a person does in a day one event.
pub(super) fn stamp(value: Option<&Value>) -> Option<String> {
    text(value).filter(|text| {
        let digits = || text.bytes().filter(u8::is_ascii_digit);
        digits().count() >= 9 && digits().any(|digit| digit != b'0')
    })
}

/// One spelling of a moment for seconds, milliseconds and text; what is no time is taken as it stands, absent and blank
/// are the same.
pub(super) fn moment(value: Option<&Value>) -> String {
    let known = value.filter(|value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty()));
    known.map_or_else(String::new, |value| {
        instant::vendor(value).map_or_else(|| canonical_value(value), |at| at.to_string())
    })
}

/// An event's name: it must be text, and it is compared as it is, case and all.
pub(super) fn name(value: Option<&Value>) -> Option<&str> {
    value?.as_str().filter(|name| !name.trim().is_empty())
}

/// A map, which PHP writes as `[]` when it is empty, or as JSON within a text.
pub(super) fn map(value: Option<&Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map.clone(),
        Some(Value::String(json)) => serde_json::from_str(json).unwrap_or_default(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => Map::new(),
    }
}

/// What stands in a hash for a part that may be absent. No field that is present reads as this.
pub(super) fn part(field: Option<&String>) -> &str {
    field.map_or("", String::as_str)
}
