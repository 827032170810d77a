//! Event intake as a Lambda: wiring only.

use event_intake::{App, config::Config, handle};
use frontdesk::edge::{answer::Answer, env, telemetry};
use lambda_http::{Error, run, service_fn};
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
    run(service_fn(|request| Box::pin(async move { handle(app, request).await.map(Answer) }))).await
}
