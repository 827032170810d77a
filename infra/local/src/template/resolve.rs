//! YAML with CloudFormation's tags becomes plain JSON: parameters and table names are filled in, the rest keeps its `${...}`.

use super::Unreadable;
use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;
use std::collections::BTreeMap;

/// The resources, in the template's order of names.
pub(super) fn resources(yaml: &str) -> Result<Map<String, Value>, Unreadable> {
    let document: Yaml = serde_yaml_ng::from_str(yaml).map_err(|error| Unreadable(error.to_string()))?;
    let mut names = parameters(&document)?;
    for (id, resource) in mapping(&document["Resources"]) {
        if resource["Type"].as_str() == Some("AWS::DynamoDB::Table") {
            let name = &resource["Properties"]["TableName"];
            let Value::String(name) = plain(name, &names)? else {
                return Err(Unreadable(format!("{id} has no TableName")));
            };
            names.insert(id, name);
        }
    }
    let Value::Object(resources) = plain(&document["Resources"], &names)? else {
        return Err(Unreadable("there are no Resources".to_owned()));
    };
    Ok(resources)
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

fn plain(yaml: &Yaml, names: &BTreeMap<String, String>) -> Result<Value, Unreadable> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(*value),
        Yaml::Number(number) => {
            serde_json::to_value(number).map_err(|_| Unreadable(format!("{number} is not a number of JSON")))?
        }
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Sequence(items) => items.iter().map(|item| plain(item, names)).collect::<Result<_, _>>()?,
        Yaml::Mapping(_) => mapping(yaml)
            .map(|(key, value)| Ok((key, plain(value, names)?)))
            .collect::<Result<Map<_, _>, Unreadable>>()?
            .into(),
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            match (tag.as_str(), &tagged.value) {
                ("!Ref", Yaml::String(name)) => Value::String(filled(&format!("${{{name}}}"), names)),
                ("!Sub", Yaml::String(text)) => Value::String(filled(text, names)),
                ("!GetAtt", Yaml::String(path)) => Value::String(format!("${{{path}}}")),
                _ => return Err(Unreadable(format!("{tag} is not known here (only !Ref, !Sub of a text, !GetAtt)"))),
            }
        }
    })
}

/// What is not known stays as it is, so that whoever depends on it can say so.
fn filled(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}
