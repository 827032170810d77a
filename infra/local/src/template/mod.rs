//! The deployed template as this machine reads it: tables, routes, stream mappings, schedules, environment.

mod grants;
mod properties;
mod resolve;
#[cfg(test)]
mod tests;

pub use grants::Grants;

use crate::dynamodb::Access;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

/// The file that is deployed, kept in the binary so that it runs from anywhere.
const DEPLOYED: &str = include_str!("../../../template.yaml");

/// What the template says that this machine cannot stand in for.
#[derive(Debug, thiserror::Error)]
#[error("infra/template.yaml: {0}")]
pub struct Unreadable(String);

/// The template, with parameters at their defaults.
#[derive(Clone, Debug)]
pub struct Template {
    pub tables: Vec<Table>,
    pub functions: Vec<Function>,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    /// The body of its `CreateTable`.
    pub create: Value,
    /// The attribute that says when an item ends.
    pub ttl: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Function {
    /// Without the stack's, `event-intake` say.
    pub name: String,
    /// Two functions may share one.
    pub binary: String,
    pub memory_mb: u32,
    pub timeout: Duration,
    pub environment: BTreeMap<String, Variable>,
    pub routes: Vec<Route>,
    pub streams: Vec<StreamMapping>,
    pub schedules: Vec<Schedule>,
    /// What its role lets it do.
    pub grants: Grants,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    Text(String),
    /// The sellers document, which is a secret in the cloud and a file here.
    Sellers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: String,
    pub path: String,
}

#[derive(Clone, Debug)]
pub struct StreamMapping {
    /// The function's and the event's name: what positions and dead letters are kept under.
    pub name: String,
    pub table: String,
    pub batch_size: usize,
    /// How often a batch is tried again; none is for ever.
    pub retries: Option<u32>,
    pub bisect: bool,
    /// The function names the records that failed.
    pub reports_failures: bool,
    /// Event patterns, any of which lets a record pass.
    pub patterns: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub every: Duration,
    pub input: Value,
}

impl Template {
    pub fn deployed() -> Result<Self, Unreadable> {
        /// Once: a simulation starts a world for each of its seeds.
        static READ: OnceLock<Template> = OnceLock::new();
        if let Some(read) = READ.get() {
            return Ok(read.clone());
        }
        let read = Self::parse(DEPLOYED)?;
        Ok(READ.get_or_init(|| read).clone())
    }

    pub fn parse(yaml: &str) -> Result<Self, Unreadable> {
        let resources = resolve::resources(yaml)?;
        let mut template = Self { tables: Vec::new(), functions: Vec::new() };
        for (id, resource) in &resources {
            match resource["Type"].as_str() {
                Some("AWS::DynamoDB::Table") => template.tables.push(properties::table(id, resource)?),
                Some("AWS::Serverless::Function") => {
                    let mut function = properties::function(id, resource)?;
                    function.grants = grants::of(&function.name, resource, &resources)?;
                    template.functions.push(function);
                }
                // The API is this machine's front door; secrets, queues and log groups have stand-ins of their own. What
                // watches, names and releases changes nothing that one machine could show.
                Some(
                    "AWS::Serverless::HttpApi"
                    | "AWS::ApiGatewayV2::DomainName"
                    | "AWS::ApiGatewayV2::ApiMapping"
                    | "AWS::Route53::RecordSet"
                    | "AWS::Lambda::Function"
                    | "AWS::SecretsManager::Secret"
                    | "AWS::SQS::Queue"
                    | "AWS::SQS::QueuePolicy"
                    | "AWS::Logs::LogGroup"
                    | "AWS::Events::Rule"
                    | "AWS::Lambda::Permission"
                    | "AWS::CloudWatch::Alarm"
                    | "AWS::CloudWatch::Dashboard"
                    | "AWS::SNS::Topic"
                    | "AWS::SNS::Subscription"
                    | "AWS::SNS::TopicPolicy"
                    | "AWS::KMS::Key"
                    | "AWS::Budgets::Budget"
                    | "AWS::IAM::Role",
                ) => {}
                Some(other) => {
                    return Err(Unreadable(format!("{id} is a {other}, which this machine has no stand-in for")));
                }
                None => return Err(Unreadable(format!("{id} has no Type"))),
            }
        }
        template.name_stream_tables(&resources)?;
        Ok(template)
    }

    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The table that functions know by this variable, `EVENTS_TABLE` say.
    pub fn table_of(&self, variable: &str) -> Result<String, Unreadable> {
        let found = self.functions.iter().find_map(|function| match function.environment.get(variable) {
            Some(Variable::Text(name)) => Some(name.clone()),
            Some(Variable::Sellers) | None => None,
        });
        found.ok_or_else(|| Unreadable(format!("no function has {variable}")))
    }

    /// Whether a function's role lets it do this.
    pub fn grants(&self, function: &str, access: &Access) -> bool {
        self.function(function).is_some_and(|function| function.grants.tables.contains(access))
    }

    /// Mappings name a stream by its table's logical id.
    fn name_stream_tables(&mut self, resources: &Map<String, Value>) -> Result<(), Unreadable> {
        for mapping in self.functions.iter_mut().flat_map(|function| &mut function.streams) {
            let id = mapping.table.strip_prefix("${").and_then(|rest| rest.strip_suffix(".StreamArn}"));
            let properties = &resources.get(id.unwrap_or_default()).unwrap_or(&Value::Null)["Properties"];
            let Some(name) = properties["TableName"].as_str().filter(|_| properties["StreamSpecification"].is_object())
            else {
                return Err(Unreadable(format!("{}: {} is no table's stream", mapping.name, mapping.table)));
            };
            name.clone_into(&mut mapping.table);
        }
        Ok(())
    }
}

/// A resource's part, or the reason why it is not as this machine knows it.
fn part<T: DeserializeOwned>(at: &str, value: &Value) -> Result<T, Unreadable> {
    serde_json::from_value(value.clone()).map_err(|error| Unreadable(format!("{at}: {error}")))
}
