//! Secrets Manager: where the sellers document lives in the cloud.

use super::env::Aws;
use aws_sdk_secretsmanager::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, SharedHttpClient},
};

/// Says what failed, never what was read.
#[derive(Debug, thiserror::Error)]
#[error("the sellers secret cannot be read ({0})")]
pub struct NoSecret(pub(super) String);

pub(super) fn client(aws: &Aws, http: SharedHttpClient) -> Client {
    let token = aws.session_token.as_ref().map(|token| token.expose().clone());
    let credentials = Credentials::new(&aws.access_key_id, aws.secret_access_key.expose(), token, None, "environment");
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(credentials)
        .http_client(http);
    config.set_endpoint_url(aws.secrets_endpoint.clone());
    Client::from_conf(config.build())
}

pub(super) async fn read(client: &Client, arn: &str) -> Result<Vec<u8>, NoSecret> {
    use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
    let reply = client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        NoSecret(code.unwrap_or("not reached").to_owned())
    })?;
    match (reply.secret_string, reply.secret_binary) {
        (Some(text), _) => Ok(text.into_bytes()),
        (None, Some(blob)) => Ok(blob.into_inner()),
        (None, None) => Err(NoSecret("empty".into())),
    }
}
