//! AWS clients: region, credentials and endpoints by `aws-config`, retries and time-outs by configuration.

use crate::store::retries::PassingRefusal;
use aws_config::{
    AppName, BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use std::time::Duration;

pub use aws_config::SdkConfig;

/// Bounds of one attempt, and of a call with all its attempts.
const ATTEMPT: Duration = Duration::from_secs(3);
const OPERATION: Duration = Duration::from_secs(9);
const ATTEMPTS: u32 = 4;
/// The first pause is at most this long, each further one twice as long.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
#[error("cannot start: no AWS region is configured (AWS_REGION is not set)")]
pub struct NoRegionError;

/// Settings of every AWS client of this process, as the environment has them. `function` becomes `app/<function>` in
/// `User-Agent`.
pub async fn load(http: SharedHttpClient, function: &'static str) -> Result<SdkConfig, NoRegionError> {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .app_name(app_name(function))
        .http_client(http)
        .retry_config(retries())
        .timeout_config(timeouts());
    // Lambda hands them over there. The default chain looks there first, too, but makes a client of every other source beforehand.
    let environment = EnvironmentVariableCredentialsProvider::new();
    let loader = match environment.provide_credentials().await {
        Ok(_) => loader.credentials_provider(environment),
        Err(_) => loader,
    };
    let config = loader.load().await;
    if config.region().is_some() { Ok(config) } else { Err(NoRegionError) }
}

/// The same limits for a service at `endpoint`, with a region and credentials that the caller names.
pub fn at(http: SharedHttpClient, endpoint: &str, region: String, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .http_client(http)
        .retry_config(retries())
        .timeout_config(timeouts())
        .build()
}

pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config).retry_classifier(PassingRefusal);
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// A function's name as its clients send it.
pub fn app_name(function: &'static str) -> AppName {
    AppName::new(function).expect("a function's name is made of letters and hyphens")
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build()
}
