//! One spelling for JSON that means the same: keys sorted, no white space, the last of duplicate keys.

use serde_json::Value;

/// The canonical text of a JSON document, or `None` when it is not JSON (or nested deeper than the parser goes).
pub fn canonical(json: &[u8]) -> Option<String> {
    serde_json::from_slice::<Value>(json).ok().map(|value| canonical_value(&value))
}

/// The same for a value at hand. Sorted here and not by the map, whose order is a feature flag of a neighbour.
pub fn canonical_value(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn the_same_document_in_another_spelling_is_the_same_text() {
        let one = canonical(br#"{"b":1,"a":{"y":[1,2],"x":"\u0041"}}"#);
        assert_eq!(one, canonical(br#" { "a" : {"x":"A", "y":[1, 2]}, "b":1 } "#));
        assert_ne!(one, canonical(br#"{"b":1,"a":{"y":[2,1],"x":"A"}}"#));
        assert_eq!(canonical(b"{nope"), None);
    }
}
