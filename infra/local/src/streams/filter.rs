//! Event filter patterns, as far as the template has them: lists of values that a field may equal.

use serde_json::Value;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stream's filter asks about {0}, in a way that is not known here (only lists of values, of eventName, dynamodb.Keys and dynamodb.NewImage)"
)]
pub struct UnknownPattern(pub String);

/// One pattern: every field has to equal one of its values.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Condition>);

#[derive(Clone, Debug)]
struct Condition {
    path: Vec<String>,
    values: Vec<Value>,
}

impl Pattern {
    pub(super) fn parse(pattern: &Value) -> Result<Self, UnknownPattern> {
        let mut conditions = Vec::new();
        collect(pattern, &mut Vec::new(), &mut conditions)?;
        if conditions.is_empty() { Err(UnknownPattern("nothing".to_owned())) } else { Ok(Self(conditions)) }
    }

    pub(super) fn lets_pass(&self, record: &Value) -> bool {
        self.0.iter().all(|condition| {
            let field = condition.path.iter().try_fold(record, |value, name| value.get(name));
            field.is_some_and(|field| condition.values.contains(field))
        })
    }
}

fn collect(pattern: &Value, path: &mut Vec<String>, conditions: &mut Vec<Condition>) -> Result<(), UnknownPattern> {
    let unknown = |path: &[String]| UnknownPattern(path.join("."));
    match pattern {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, inner) in fields {
                path.push(name.clone());
                collect(inner, path, conditions)?;
                path.pop();
            }
            Ok(())
        }
        Value::Array(values) if !values.is_empty() && is_known(path) => {
            if values.iter().any(|value| value.is_object() || value.is_array()) {
                return Err(unknown(path));
            }
            conditions.push(Condition { path: path.clone(), values: values.clone() });
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err(unknown(path))
        }
    }
}

fn is_known(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(path.as_slice(), ["eventName"] | ["dynamodb", "Keys" | "NewImage", _, _])
}
