//! YAML with CloudFormation's tags becomes plain JSON: parameters, table names and conditions are filled in, the rest keeps
//! its `${...}`.

use super::Unreadable;
use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;
use std::collections::BTreeMap;

/// What names stand for.
struct Known {
    names: BTreeMap<String, String>,
    conditions: BTreeMap<String, bool>,
}

/// The resources that a deployment at the defaults has, in the template's order of names.
pub(super) fn resources(yaml: &str) -> Result<Map<String, Value>, Unreadable> {
    let document: Yaml = serde_yaml_ng::from_str(yaml).map_err(|error| Unreadable(error.to_string()))?;
    let mut known = Known { names: parameters(&document)?, conditions: BTreeMap::new() };
    // Each stands on those above it.
    for (name, condition) in mapping(&document["Conditions"]) {
        let holds = holds(condition, &known)?;
        known.conditions.insert(name, holds);
    }
    for (id, resource) in mapping(&document["Resources"]) {
        if resource["Type"].as_str() == Some("AWS::DynamoDB::Table") {
            let name = &resource["Properties"]["TableName"];
            let Value::String(name) = plain(name, &known)? else {
                return Err(Unreadable(format!("{id} has no TableName")));
            };
            known.names.insert(id, name);
        }
    }
    let mut resources = Map::new();
    for (id, resource) in mapping(&document["Resources"]) {
        if resource["Condition"].as_str().map_or(Ok(true), |name| condition(name, &known))? {
            resources.insert(id, plain(resource, &known)?);
        }
    }
    Ok(resources)
}

fn condition(name: &str, known: &Known) -> Result<bool, Unreadable> {
    known.conditions.get(name).copied().ok_or_else(|| Unreadable(format!("there is no condition {name}")))
}

fn holds(yaml: &Yaml, known: &Known) -> Result<bool, Unreadable> {
    let Yaml::Tagged(tagged) = yaml else { return Err(Unreadable("a condition is no function".to_owned())) };
    let tag = tagged.tag.to_string();
    match (tag.as_str(), &tagged.value, tagged.value.as_sequence().map(Vec::as_slice)) {
        ("!Condition", Yaml::String(name), _) => condition(name, known),
        ("!Equals", _, Some([one, other])) => Ok(plain(one, known)? == plain(other, known)?),
        ("!Not", _, Some([one])) => Ok(!holds(one, known)?),
        ("!And", _, Some(all)) => {
            all.iter().try_fold(true, |so_far, one| holds(one, known).map(|holds| so_far && holds))
        }
        _ => Err(Unreadable(format!("{tag} is not known here (only !Condition, !Equals, !Not, !And)"))),
    }
}

/// Every parameter at its default: what a deployment that sets none has.
fn parameters(document: &Yaml) -> Result<BTreeMap<String, String>, Unreadable> {
    let mut names = BTreeMap::from([("AWS::StackName".to_owned(), "frontdesk".to_owned())]);
    for (name, parameter) in mapping(&document["Parameters"]) {
        let default = &parameter["Default"];
        let number = default.as_i64().map(|number| number.to_string());
        let Some(default) = default.as_str().map(str::to_owned).or(number) else {
            return Err(Unreadable(format!("the parameter {name} has no default")));
        };
        names.insert(name, default);
    }
    Ok(names)
}

fn mapping(yaml: &Yaml) -> impl Iterator<Item = (String, &Yaml)> {
    yaml.as_mapping().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)))
}

fn plain(yaml: &Yaml, known: &Known) -> Result<Value, Unreadable> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(*value),
        Yaml::Number(number) => {
            serde_json::to_value(number).map_err(|_| Unreadable(format!("{number} is not a number of JSON")))?
        }
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Sequence(items) => items.iter().map(|item| plain(item, known)).collect::<Result<_, _>>()?,
        Yaml::Mapping(_) => mapping(yaml)
            .map(|(key, value)| Ok((key, plain(value, known)?)))
            .collect::<Result<Map<_, _>, Unreadable>>()?
            .into(),
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            match (tag.as_str(), &tagged.value) {
                ("!Ref", Yaml::String(name)) if name == "AWS::NoValue" => Value::Null,
                ("!Ref", Yaml::String(name)) => Value::String(filled(&format!("${{{name}}}"), &known.names)),
                ("!Sub", Yaml::String(text)) => Value::String(filled(text, &known.names)),
                ("!GetAtt", Yaml::String(path)) => Value::String(format!("${{{path}}}")),
                ("!If", Yaml::Sequence(parts)) => match parts.as_slice() {
                    [Yaml::String(name), then, or] => plain(if condition(name, known)? { then } else { or }, known)?,
                    _ => return Err(Unreadable("!If takes a condition's name and two values".to_owned())),
                },
                _ => {
                    let these = "only !Ref, !Sub of a text, !GetAtt, !If";
                    return Err(Unreadable(format!("{tag} is not known here ({these})")));
                }
            }
        }
    })
}

/// What is not known stays as it is, so that whoever depends on it can say so.
fn filled(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}
