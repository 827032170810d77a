//! The least that a function can be, which `infra/measure/run` holds the others against.

use lambda_http::{Error, lambda_runtime};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let answer = lambda_runtime::service_fn(async |_: lambda_runtime::LambdaEvent<serde_json::Value>| {
        Ok::<_, Error>(serde_json::json!({"statusCode": 200}))
    });
    lambda_runtime::run(answer).await
}
