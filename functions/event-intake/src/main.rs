//! Event intake as a Lambda: wiring only.

use event_intake::{App, config::Config, handle};
use frontdesk::edge::{answer::Answer, env, telemetry};
use lambda_http::{Error, run, service_fn};
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::ended(work().await)
}

async fn work() -> Result<(), Error> {
    let config = Config::read(&env::variable)?;
    telemetry::init(config.basics.log_level);
    let app = &App::connect(config).await?;
    run(service_fn(async |request| handle(app, request).await.map(Answer))).await
}
