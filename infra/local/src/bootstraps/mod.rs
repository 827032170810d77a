//! The real function binaries as child processes: one environment each, fed by a small Runtime API, and replaced when it dies.

mod environment;
mod runtime_api;
#[cfg(test)]
mod tests;

use crate::{
    functions::Failure,
    say,
    template::{Function, Template, Variable},
};
use environment::{Ended, Environment};
use frontdesk::{
    edge::env::{self, variable},
    flow::Clock,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
};

/// How long a binary may take to ask for its first work.
const START: Duration = Duration::from_secs(15);
/// The pause before a dead child is replaced.
const REPLACE: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum NoBootstraps {
    #[error("{} is not there: run `cargo build --workspace` first", .0.display())]
    Missing(PathBuf),
    #[error("{0} did not start: it ended, or asked for no work")]
    NotStarted(String),
    #[error("the Runtime API has no port: {0}")]
    NoPort(io::Error),
    #[error("this program's own folder is unknown: {0}")]
    Nowhere(io::Error),
}

/// What the children are told besides what the template says.
pub struct Surroundings {
    pub sellers_file: PathBuf,
    pub dynamodb: String,
    pub clock: Arc<dyn Clock>,
}

/// The running children; they die with this.
pub struct Bootstraps {
    environments: BTreeMap<String, Arc<Environment>>,
    _tasks: JoinSet<()>,
}

impl Bootstraps {
    /// Running, each of them waiting for work.
    pub async fn start(template: &Template, around: &Surroundings) -> Result<Self, NoBootstraps> {
        let folder = std::env::current_exe().map_err(NoBootstraps::Nowhere)?;
        let folder = folder.parent().map(Path::to_owned).unwrap_or_default();
        for function in &template.functions {
            let binary = folder.join(&function.binary);
            if !binary.is_file() {
                return Err(NoBootstraps::Missing(binary));
            }
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(NoBootstraps::NoPort)?;
        let address = listener.local_addr().map_err(NoBootstraps::NoPort)?;
        let environments: BTreeMap<String, Arc<Environment>> = template
            .functions
            .iter()
            .map(|f| (f.name.clone(), Arc::new(Environment::new(&f.name, f.timeout, around.clock.clone()))))
            .collect();
        let mut tasks = JoinSet::new();
        let router = runtime_api::router(environments.clone());
        tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                say::trouble(format_args!("the Runtime API ended: {error}"));
            }
        });
        for function in &template.functions {
            let environment = environments[&function.name].clone();
            let variables = variables(function, around);
            tasks.spawn(keep_alive(folder.join(&function.binary), variables, address, environment));
        }
        for (name, environment) in &environments {
            if tokio::time::timeout(START, environment.asked_for_work()).await.is_err() {
                return Err(NoBootstraps::NotStarted(name.clone()));
            }
        }
        Ok(Self { environments, _tasks: tasks })
    }

    /// An event in, the function's answer out; one at a time per function, the others wait.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Failure> {
        let environment = self.environments.get(function).ok_or_else(|| Failure::Unknown(function.to_owned()))?;
        environment.invoke(event).await
    }
}

/// What Lambda, the template and this machine set; the rest of our own environment is not passed on.
fn variables(function: &Function, around: &Surroundings) -> BTreeMap<String, String> {
    let name = &function.name;
    let mut variables: BTreeMap<String, String> = [
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
        ("AWS_REGION", variable("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned())),
        ("AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "local".to_owned())),
        ("AWS_SECRET_ACCESS_KEY", variable("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|| "local".to_owned())),
        ("AWS_ENDPOINT_URL_DYNAMODB", around.dynamodb.clone()),
        ("RUST_BACKTRACE", variable("RUST_BACKTRACE").unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(token) = variable("AWS_SESSION_TOKEN") {
        variables.insert("AWS_SESSION_TOKEN".to_owned(), token);
    }
    for (name, value) in &function.environment {
        match value {
            Variable::Text(text) => variables.insert(name.clone(), text.clone()),
            Variable::Sellers => {
                variables.insert(env::SELLERS_FILE.to_owned(), around.sellers_file.display().to_string())
            }
        };
    }
    variables.insert(env::LOG_LEVEL.to_owned(), variable(env::LOG_LEVEL).unwrap_or_else(|| "warn".to_owned()));
    variables
}

/// Starts a child, and another whenever one ends, however it does.
async fn keep_alive(
    binary: PathBuf,
    variables: BTreeMap<String, String>,
    runtime_api: SocketAddr,
    environment: Arc<Environment>,
) {
    loop {
        let base = format!("http://{runtime_api}/rt/{}/{}", environment.name(), environment.next_generation());
        let why = match spawn(&binary, &variables, &base) {
            Ok(mut child) => tokio::select! {
                ended = child.wait() => ended.map_or_else(|error| error.to_string(), |status| status.to_string()),
                // Dropped, it is killed.
                () = environment.stuck() => "it was not done in time".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if let Ended::Idle = environment.ended(&why) {
            say::trouble(format_args!("{} ended ({why}) and is started again", environment.name()));
        }
        tokio::time::sleep(REPLACE).await;
    }
}

/// Its log lines go to our standard error: standard output is for people.
fn spawn(binary: &Path, variables: &BTreeMap<String, String>, runtime_api: &str) -> io::Result<Child> {
    Command::new(binary)
        .env_clear()
        .envs(variables)
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .stdin(Stdio::null())
        .stdout(Stdio::from(io::stderr()))
        // Ctrl-C is for us: they end when we do.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}
