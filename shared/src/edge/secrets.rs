//! Secrets Manager: where the sellers document lives in the cloud.

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};

/// Says what failed, never what was read.
#[derive(Debug, thiserror::Error)]
#[error("the sellers secret cannot be read ({0})")]
pub struct NoSecret(pub(super) String);

pub(super) async fn read(client: &Client, arn: &str) -> Result<Vec<u8>, NoSecret> {
    let reply = client.get_secret_value().secret_id(arn).send().await;
    let reply = reply.map_err(|error| NoSecret(code(&error).to_owned()))?;
    match (reply.secret_string, reply.secret_binary) {
        (Some(text), _) => Ok(text.into_bytes()),
        (None, Some(blob)) => Ok(blob.into_inner()),
        (None, None) => Err(NoSecret("empty".into())),
    }
}

/// AWS's code for a refusal, or ours where no answer came. The SDK's own text is left out: it may repeat the secret.
fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("service error"),
        SdkError::ConstructionFailure(_) => "not built",
        SdkError::TimeoutError(_) => "timed out",
        SdkError::DispatchFailure(_) => "not reached",
        SdkError::ResponseError(_) => "unreadable",
        _ => "failed",
    }
}
