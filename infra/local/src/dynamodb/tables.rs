//! The template's tables, made where they are missing: here, or at another endpoint.

use crate::template::Table;
use aws_sdk_dynamodb::{
    Client,
    config::{
        Credentials,
        retry::{RetryPartition, TokenBucket},
    },
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::describe_table::DescribeTableError,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::body::SdkBody;
use frontdesk::edge::{
    aws::{self, SdkConfig},
    env::variable,
};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum NoTables {
    #[error("the table {0} cannot be made: {1}")]
    Refused(String, String),
    #[error("the table {0} is there, but not as infra/template.yaml has it: use an empty place for it")]
    Different(String),
    #[error("the table {0} did not become active")]
    Slow(String),
}

/// How long a new table may take to be of use.
const ACTIVE: Duration = Duration::from_mins(1);

/// Settings with the environment's region and credentials, and placeholders where it has none: nobody checks them on one
/// machine.
pub fn sdk_config(http: SharedHttpClient, endpoint: &str) -> SdkConfig {
    let or = |name: &str, placeholder: &str| variable(name).unwrap_or_else(|| placeholder.to_owned());
    let (id, secret) = (or("AWS_ACCESS_KEY_ID", "local"), or("AWS_SECRET_ACCESS_KEY", "local"));
    let credentials = Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment");
    aws::at(http, endpoint, or("AWS_REGION", "us-east-1"), credentials)
}

/// A client of nobody's: every call is granted.
pub fn client(http: SharedHttpClient, endpoint: &str) -> Client {
    let client = aws::dynamodb(&sdk_config(http, endpoint));
    Client::from_conf(client.config().to_builder().retry_partition(own_quota()).build())
}

/// The same client under a function's name, by which the database knows what it was granted.
pub fn named(client: &Client, function: &'static str) -> Client {
    let config = client.config().to_builder().app_name(aws::app_name(function)).retry_partition(own_quota());
    Client::from_conf(config.build())
}

/// A quota of retries of its own, as a function has in a process of its own: by default the SDK shares one in the whole
/// process, so that one simulated world would use up the retries of the next.
fn own_quota() -> RetryPartition {
    RetryPartition::custom("own").token_bucket(TokenBucket::default()).build()
}

pub async fn create_missing(client: &Client, tables: &[Table]) -> Result<(), NoTables> {
    for table in tables {
        if !is_there(client, table).await? {
            call(client, "CreateTable", &table.create).await.map_err(|why| refused(table, why))?;
            tokio::time::timeout(ACTIVE, until_active(client, &table.name))
                .await
                .map_err(|_| NoTables::Slow(table.name.clone()))?;
        }
        let Some(attribute) = &table.ttl else { continue };
        let specification = json!({ "AttributeName": attribute, "Enabled": true });
        let request = json!({ "TableName": table.name, "TimeToLiveSpecification": specification });
        match call(client, "UpdateTimeToLive", &request).await {
            // It is enabled already.
            Ok(()) | Err(Refusal { code: Some("ValidationException"), .. }) => {}
            Err(why) => return Err(refused(table, why)),
        }
    }
    Ok(())
}

async fn is_there(client: &Client, table: &Table) -> Result<bool, NoTables> {
    match client.describe_table().table_name(&table.name).send().await {
        Ok(described) => {
            let Some(described) = described.table else { return Err(NoTables::Different(table.name.clone())) };
            let mut have: Vec<_> = described.global_secondary_indexes().iter().filter_map(|i| i.index_name()).collect();
            let indices = table.create["GlobalSecondaryIndexes"].as_array();
            let mut want: Vec<_> = indices.into_iter().flatten().filter_map(|i| i["IndexName"].as_str()).collect();
            have.sort_unstable();
            want.sort_unstable();
            let streams = described.stream_specification().is_some_and(|stream| stream.stream_enabled);
            if have == want && streams == table.create["StreamSpecification"].is_object() {
                Ok(true)
            } else {
                Err(NoTables::Different(table.name.clone()))
            }
        }
        Err(error) if error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception) => {
            Ok(false)
        }
        Err(error) => Err(refused(table, Refusal::of(&error))),
    }
}

async fn until_active(client: &Client, table: &str) {
    loop {
        let described = client.describe_table().table_name(table).send().await;
        let status = described.ok().and_then(|answer| answer.table?.table_status);
        if status.is_some_and(|status| status.as_str() == "ACTIVE") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

struct Refusal {
    code: Option<&'static str>,
    text: String,
}

impl Refusal {
    fn of<E: ProvideErrorMetadata + std::error::Error + 'static>(
        error: &SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
    ) -> Self {
        let code = (error.code() == Some("ValidationException")).then_some("ValidationException");
        Self { code, text: DisplayErrorContext(error).to_string() }
    }
}

fn refused(table: &Table, why: Refusal) -> NoTables {
    NoTables::Refused(table.name.clone(), why.text)
}

/// A signed call whose body is the JSON at hand: the template's own words, not a copy of them in the SDK's types.
async fn call(client: &Client, operation: &str, body: &Value) -> Result<(), Refusal> {
    let (target, body) = (format!("DynamoDB_20120810.{operation}"), body.to_string());
    let sent = client.list_tables().customize().mutate_request(move |request| {
        request.headers_mut().insert("x-amz-target", target.clone());
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body.clone());
    });
    sent.send().await.map(drop).map_err(|error| Refusal::of(&error))
}
