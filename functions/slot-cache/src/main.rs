//! The slot cache as a Lambda: wiring only.

use frontdesk::edge::{env, telemetry};
use lambda_runtime::{Error, run, service_fn};
use slot_cache::{App, config::Config, handle};
use std::process::ExitCode;

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    telemetry::until_end(work()).await
}

async fn work() -> Result<(), Error> {
    let config = Config::read(&env::variable)?;
    telemetry::init(config.basics.log_level);
    // It lives as long as the process.
    let app: &App = Box::leak(Box::new(App::connect(config).await?));
    // Boxed: it would be moved from layer to layer otherwise, all its kilobytes.
    run(service_fn(|event| Box::pin(handle(app, event)))).await
}
