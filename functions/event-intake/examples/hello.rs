//! The baseline that `infra/measure/run` compares everything with: a function that answers a constant.

use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent, service_fn},
};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |_: LambdaEvent<Value>| Ok::<_, Error>(json!({"statusCode": 200})))).await
}
