//! Secrets Manager: where the sellers document lives in the cloud.

use crate::store;
use aws_sdk_secretsmanager::Client;

/// Says what failed, never what was read.
#[derive(Debug, thiserror::Error)]
#[error("the sellers secret cannot be read ({0})")]
pub struct NoSecret(pub(super) String);

pub(super) async fn read(client: &Client, arn: &str) -> Result<Vec<u8>, NoSecret> {
    let reply = client.get_secret_value().secret_id(arn).send().await;
    let reply = reply.map_err(|error| NoSecret(store::error_code(&error).to_owned()))?;
    match (reply.secret_string, reply.secret_binary) {
        (Some(text), _) => Ok(text.into_bytes()),
        (None, Some(blob)) => Ok(blob.into_inner()),
        (None, None) => Err(NoSecret("empty".into())),
    }
}
