//! The slot cache as a Lambda: wiring only.

use frontdesk::edge::{aws, env, http::HttpClients, telemetry};
use lambda_runtime::{Error, run, service_fn};
use slot_cache::{App, FUNCTION, config::Config, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = telemetry::startup(connect()).await?;
    run(service_fn(|event| Box::pin(handle(&app, event)))).await
}

async fn connect() -> Result<App, Error> {
    let config = Config::read(&env::variable)?;
    telemetry::init(config.basics.log_level);
    let http = HttpClients::new()?;
    let aws = aws::load(http.aws()?, FUNCTION).await?;
    App::connect(config, &http, &aws).await
}
