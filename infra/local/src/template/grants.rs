//! A function's policy, as far as it is about tables: which action on which table or index.

use super::{Unreadable, part, properties};
use crate::dynamodb::Access;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    statement: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: OneOrMore,
    resource: OneOrMore,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

/// By the binary's name. A resource that is no table of the template is refused rather than passed over.
pub(super) fn of(function: &str, resources: &Map<String, Value>) -> Result<BTreeSet<Access>, Unreadable> {
    let named = |resource: &&Value| properties::binary(resource) == Some(function);
    let policies = resources.values().find(named).map_or(&Value::Null, |resource| &resource["Properties"]["Policies"]);
    let policies: Option<Vec<Policy>> = part(&format!("{function}: Policies"), policies)?;
    let mut grants = BTreeSet::new();
    for Statement { action, resource } in policies.into_iter().flatten().flat_map(|policy| policy.statement) {
        let resources_named = resource.into_vec();
        for action in action.into_vec() {
            let Some(action) = action.strip_prefix("dynamodb:") else { continue };
            for named in &resources_named {
                let (table, index) = table(named, resources)
                    .ok_or_else(|| Unreadable(format!("{function}: {action} on {named}, which is no table here")))?;
                grants.insert(Access { action: action.to_owned(), table, index });
            }
        }
    }
    Ok(grants)
}

/// `${EventsTable.Arn}` or `${BookingsTable.Arn}/index/due`.
fn table(named: &str, resources: &Map<String, Value>) -> Option<(String, Option<String>)> {
    let (id, rest) = named.strip_prefix("${")?.split_once(".Arn}")?;
    let name = resources.get(id)?["Properties"]["TableName"].as_str()?;
    let index = if rest.is_empty() { None } else { Some(rest.strip_prefix("/index/")?.to_owned()) };
    Some((name.to_owned(), index))
}
