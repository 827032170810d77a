//! Secrets Manager: where the sellers document lives in the cloud.

use crate::aws::{Client, Request as _, requests};
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueInputBuilder;

requests! { aws_sdk_secretsmanager:
    get_secret_value { GetSecretValue, GetSecretValueInputBuilder, GetSecretValueOutput, GetSecretValueError }
}

/// Says what failed, never what was read.
#[derive(Debug, thiserror::Error)]
#[error("the sellers secret cannot be read ({0})")]
pub struct NoSecret(pub(super) String);

pub(super) async fn read(client: &Client, arn: &str) -> Result<Vec<u8>, NoSecret> {
    let reply = GetSecretValueInputBuilder::default().secret_id(arn).sent_by(client).await;
    let reply = reply.map_err(|failure| NoSecret(failure.code().to_owned()))?;
    match (reply.secret_string, reply.secret_binary) {
        (Some(text), _) => Ok(text.into_bytes()),
        (None, Some(blob)) => Ok(blob.into_inner()),
        (None, None) => Err(NoSecret("empty".into())),
    }
}
