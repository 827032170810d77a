//! DynamoDB's typed JSON as plain JSON, for people and for assertions.

use serde_json::{Map, Value};

/// An item, or any map of attributes.
pub(super) fn item(attributes: &Value) -> Value {
    let attributes = attributes.as_object().into_iter().flatten();
    Value::Object(attributes.map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>())
}

fn attribute(typed: &Value) -> Value {
    let Some((kind, value)) = typed.as_object().and_then(|object| object.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "N" => number(value),
        "M" => item(value),
        "L" => value.as_array().into_iter().flatten().map(attribute).collect(),
        "NS" => value.as_array().into_iter().flatten().map(number).collect(),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}

/// One that JSON cannot hold stays a text.
fn number(value: &Value) -> Value {
    value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone())
}
