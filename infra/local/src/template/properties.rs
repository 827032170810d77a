//! Tables and functions, property by property: one that is not known here is refused rather than ignored.

use super::{Function, Grants, Route, Schedule, StreamMapping, Table, Unreadable, Variable, part};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};

/// What `CreateTable` takes as it is written.
const COPIED: [&str; 5] =
    ["BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
/// What changes nothing that one machine could show.
const CLOUD_ONLY: [&str; 5] =
    ["OnDemandThroughput", "PointInTimeRecoverySpecification", "SSESpecification", "DeletionProtectionEnabled", "Tags"];

pub(super) fn table(id: &str, resource: &Value) -> Result<Table, Unreadable> {
    let properties: Map<String, Value> = part(id, &resource["Properties"])?;
    let mut create = Map::new();
    let (mut name, mut ttl) = (None, None);
    for (property, value) in properties {
        match property.as_str() {
            "TableName" => name = value.as_str().filter(|name| !name.contains("${")).map(str::to_owned),
            "StreamSpecification" => {
                let view = json!({ "StreamEnabled": true, "StreamViewType": value["StreamViewType"] });
                create.insert(property, view);
            }
            "TimeToLiveSpecification" if value["Enabled"] == true => {
                ttl = Some(part(&format!("{id}.{property}.AttributeName"), &value["AttributeName"])?);
            }
            _ if COPIED.contains(&property.as_str()) => drop(create.insert(property, value)),
            _ if CLOUD_ONLY.contains(&property.as_str()) => {}
            _ => return Err(Unreadable(format!("{id}: the table property {property} is not known here"))),
        }
    }
    let name = name.ok_or_else(|| Unreadable(format!("{id} has no TableName that can be worked out")))?;
    create.insert("TableName".to_owned(), Value::String(name.clone()));
    Ok(Table { name, create: Value::Object(create), ttl })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionProperties {
    function_name: Option<String>,
    memory_size: u32,
    timeout: u64,
    environment: Environment,
    events: BTreeMap<String, Event>,
    /// Not where there is a role, whose these are: SAM would pass them over.
    policies: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(tag = "Type", content = "Properties")]
enum Event {
    HttpApi(HttpApi),
    DynamoDB(Box<Stream>),
    ScheduleV2(Rate),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpApi {
    path: String,
    method: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Stream {
    #[serde(rename = "Stream")]
    source: String,
    starting_position: StartingPosition,
    #[serde(default = "hundred")]
    batch_size: usize,
    #[serde(default)]
    bisect_batch_on_function_error: bool,
    #[serde(default = "for_ever")]
    maximum_retry_attempts: i32,
    /// What is given up after a number of tries is never that old here.
    #[serde(rename = "MaximumRecordAgeInSeconds")]
    _maximum_record_age: Option<i32>,
    #[serde(default)]
    function_response_types: Vec<ResponseType>,
    #[serde(rename = "DestinationConfig")]
    _destination: Option<Value>,
    filter_criteria: Option<Filters>,
}

#[derive(Deserialize)]
enum StartingPosition {
    #[serde(rename = "TRIM_HORIZON")]
    TrimHorizon,
}

#[derive(Deserialize)]
enum ResponseType {
    ReportBatchItemFailures,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filters {
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rate {
    schedule_expression: String,
    #[serde(default = "empty")]
    input: String,
}

fn hundred() -> usize {
    100
}

fn for_ever() -> i32 {
    -1
}

fn empty() -> String {
    "{}".to_owned()
}

/// The name of a function's binary: `../target/lambda/NAME` is the folder that is sent.
fn binary(resource: &Value) -> Option<&str> {
    resource["Properties"]["CodeUri"].as_str()?.strip_prefix("../target/lambda/")
}

pub(super) fn function(id: &str, resource: &Value) -> Result<Function, Unreadable> {
    let at = format!("{id}.CodeUri");
    let binary =
        binary(resource).ok_or_else(|| Unreadable(format!("{at} is not where `cargo lambda build` puts a binary")))?;
    let properties: FunctionProperties = part(id, &resource["Properties"])?;
    if properties.policies.is_some() {
        return Err(Unreadable(format!("{id} has Policies, which stand in a role of its own")));
    }
    let name = properties.function_name.as_deref().and_then(|name| name.strip_prefix("frontdesk-")).unwrap_or(binary);
    let mut function = Function {
        memory_mb: properties.memory_size,
        timeout: Duration::from_secs(properties.timeout),
        environment: variables(id, properties.environment.variables)?,
        routes: Vec::new(),
        streams: Vec::new(),
        schedules: Vec::new(),
        grants: Grants::default(),
        name: name.to_owned(),
        binary: binary.to_owned(),
    };
    for (event, trigger) in properties.events {
        let at = format!("{id}.Events.{event}");
        match trigger {
            Event::HttpApi(http) => function.routes.push(route(&at, http)?),
            Event::DynamoDB(stream) => {
                function.streams.push(mapping(&at, format!("{}.{event}", function.name), *stream)?);
            }
            Event::ScheduleV2(rate) => function.schedules.push(schedule(&at, &rate)?),
        }
    }
    Ok(function)
}

fn variables(id: &str, raw: BTreeMap<String, String>) -> Result<BTreeMap<String, Variable>, Unreadable> {
    raw.into_iter()
        .map(|(name, value)| match value.as_str() {
            "${SellersSecret}" | "${PublicSellersSecret}" => Ok((name, Variable::Sellers)),
            text if text.contains("${") => Err(Unreadable(format!("{id}: {name} is {text}, which is not known here"))),
            _ => Ok((name, Variable::Text(value))),
        })
        .collect()
}

fn route(at: &str, http: HttpApi) -> Result<Route, Unreadable> {
    let method = http.method.to_ascii_uppercase();
    if method == "ANY" || method == "*" || http.path.contains("+}") || !http.path.starts_with('/') {
        return Err(Unreadable(format!("{at}: {method} {} is a kind of route that is not known here", http.path)));
    }
    Ok(Route { method, path: http.path })
}

fn mapping(at: &str, name: String, stream: Stream) -> Result<StreamMapping, Unreadable> {
    let StartingPosition::TrimHorizon = stream.starting_position;
    let patterns = stream.filter_criteria.map_or_else(Vec::new, |criteria| criteria.filters);
    let patterns = patterns
        .iter()
        .map(|filter| {
            serde_json::from_str(&filter.pattern)
                .map_err(|error| Unreadable(format!("{at}: a pattern is not JSON ({error})")))
        })
        .collect::<Result<_, _>>()?;
    if stream.batch_size == 0 {
        return Err(Unreadable(format!("{at}: BatchSize is 0")));
    }
    Ok(StreamMapping {
        name,
        table: stream.source,
        batch_size: stream.batch_size,
        retries: u32::try_from(stream.maximum_retry_attempts).ok(),
        bisect: stream.bisect_batch_on_function_error,
        reports_failures: stream
            .function_response_types
            .iter()
            .any(|kind| matches!(kind, ResponseType::ReportBatchItemFailures)),
        patterns,
    })
}

fn schedule(at: &str, rate: &Rate) -> Result<Schedule, Unreadable> {
    let unknown = || Unreadable(format!("{at}: {} is not rate(N minutes|hours|days)", rate.schedule_expression));
    let inner =
        rate.schedule_expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(unknown)?;
    let (number, unit) = inner.split_once(' ').ok_or_else(unknown)?;
    let seconds = match unit {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3600,
        "day" | "days" => 86400,
        _ => return Err(unknown()),
    };
    let number: u64 = number.parse().map_err(|_| unknown())?;
    let input =
        serde_json::from_str(&rate.input).map_err(|error| Unreadable(format!("{at}: Input is not JSON ({error})")))?;
    Ok(Schedule { every: Duration::from_secs(number * seconds), input })
}
