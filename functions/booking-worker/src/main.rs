//! The booking worker as a Lambda: wiring only.

use booking_worker::{App, config::Config, handle};
use frontdesk::edge::{env, telemetry};
use lambda_runtime::{Error, run, service_fn};
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::ended(work().await)
}

async fn work() -> Result<(), Error> {
    let config = Config::read(&env::variable)?;
    telemetry::init(config.basics.log_level);
    let app = &App::connect(config).await?;
    run(service_fn(async |event| handle(app, event).await)).await
}
