//! What a function's role lets it do: which action on which table or index, and what else.

use super::{Unreadable, part};
use crate::dynamodb::Access;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What a stream mapping asks in its function's name.
const STREAM: [&str; 4] =
    ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy_document: Document,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
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

/// What a function may.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// With tables and indices.
    pub tables: BTreeSet<Access>,
    /// `{action} on {resource}`, as the template names both.
    pub others: BTreeSet<String>,
    /// What Lambda does in the function's name, in the same form.
    pub platform: BTreeSet<String>,
}

/// Of a function's resource. DynamoDB on what is no table of the template is refused rather than passed over.
pub(super) fn of(function: &str, resource: &Value, resources: &Map<String, Value>) -> Result<Grants, Unreadable> {
    let mut grants = Grants::default();
    let Some(role) = resource["Properties"]["Role"].as_str() else {
        return Ok(grants);
    };
    let id = role.strip_prefix("${").and_then(|rest| rest.strip_suffix(".Arn}"));
    let role = id.and_then(|id| resources.get(id)).filter(|resource| resource["Type"] == "AWS::IAM::Role");
    let role = role.ok_or_else(|| Unreadable(format!("{function}: its Role is no role here")))?;
    let policies: Vec<Policy> = part(&format!("{function}: its role's Policies"), &role["Properties"]["Policies"])?;
    for Statement { action, resource } in policies.into_iter().flat_map(|policy| policy.policy_document.statement) {
        let resources_named = resource.into_vec();
        for action in action.into_vec() {
            for named in &resources_named {
                let told = format!("{action} on {named}");
                let no = |what: &str| Unreadable(format!("{function}: {told}, which is no {what} here"));
                if STREAM.contains(&action.as_str()) {
                    if !is_stream(named, resources) {
                        return Err(no("stream"));
                    }
                    grants.platform.insert(told);
                } else if let Some(action) = action.strip_prefix("dynamodb:") {
                    let (table, index) = table(named, resources).ok_or_else(|| no("table"))?;
                    grants.tables.insert(Access { action: action.to_owned(), table, index });
                } else if action.starts_with("logs:") || action == "sqs:SendMessage" {
                    grants.platform.insert(told);
                } else {
                    grants.others.insert(told);
                }
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

/// `${EventsTable.StreamArn}`, or all of a table's: `${EventsTable.Arn}/stream/*`.
fn is_stream(named: &str, resources: &Map<String, Value>) -> bool {
    let inner = named.strip_prefix("${").unwrap_or_default();
    let id = inner.strip_suffix(".StreamArn}").or_else(|| inner.strip_suffix(".Arn}/stream/*"));
    let table = id.and_then(|id| resources.get(id)).unwrap_or(&Value::Null);
    table["Properties"]["StreamSpecification"].is_object()
}
