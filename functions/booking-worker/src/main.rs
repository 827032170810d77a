//! The booking worker as a Lambda: wiring only.

use booking_worker::{App, config::Config, handle};
use frontdesk::edge::{clock::deadline, env, telemetry};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::read(&env::variable)?;
    telemetry::init(config.basics.log_level);
    let app = &App::connect(config).await?;
    run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        handle(app, event.payload, deadline(event.context.deadline)).await
    }))
    .await
}
