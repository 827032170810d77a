//! The environment, read once and as an argument; every problem is named at once, never a value.

use super::clock;
use crate::{
    aws::{Client, Connection, parse_endpoint},
    model::seller::Reach,
    store,
};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use std::cell::RefCell;

/// The variables that every function shares.
pub const SELLERS_FILE: &str = "SELLERS_FILE";
pub const SELLERS_SECRET_ARN: &str = "SELLERS_SECRET_ARN";
pub const LOG_LEVEL: &str = "LOG_LEVEL";

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot start: {}", .0.join(", "))]
pub struct Unconfigured(Vec<String>);

/// `get` is [`variable`] in `main`, and a closure over a map in tests.
pub struct Env<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<String>>,
}

impl<'a> Env<'a> {
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, problems: RefCell::default() }
    }

    /// Set and not empty.
    pub fn maybe(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    /// A variable that must be set; it is noted as a problem when it is not.
    pub fn var(&self, name: &str) -> String {
        self.maybe(name).unwrap_or_else(|| {
            self.problem(format!("{name} is not set"));
            String::new()
        })
    }

    pub fn problem(&self, problem: String) {
        self.problems.borrow_mut().push(problem);
    }

    /// What was read, if all of it could be.
    pub fn checked<T>(self, config: T) -> Result<T, Unconfigured> {
        let problems = self.problems.into_inner();
        if problems.is_empty() { Ok(config) } else { Err(Unconfigured(problems)) }
    }
}

/// The process's own environment.
#[expect(clippy::disallowed_methods, reason = "this is the one door to the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the sellers document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SellersAt {
    File(String),
    Secret(String),
}

impl SellersAt {
    /// A file is of a stack on somebody's own machine, whose CRMs may be simulated on it.
    pub fn reach(&self) -> Reach {
        match self {
            Self::File(_) => Reach::Local,
            Self::Secret(_) => Reach::Public,
        }
    }
}

/// What every function needs besides its tables.
#[derive(Clone, Debug)]
pub struct Basics {
    pub sellers: SellersAt,
    pub log_level: tracing::Level,
    pub aws: Aws,
}

/// The AWS SDK's own variables, as Lambda sets them.
#[derive(Clone, Debug)]
pub struct Aws {
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: crate::model::sensitive::Sensitive<String>,
    pub session_token: Option<crate::model::sensitive::Sensitive<String>>,
    pub dynamodb_endpoint: Option<String>,
    pub secrets_endpoint: Option<String>,
}

impl Basics {
    pub fn read(env: &Env<'_>) -> Self {
        let sellers = match (env.maybe(SELLERS_FILE), env.maybe(SELLERS_SECRET_ARN)) {
            (Some(path), _) => SellersAt::File(path),
            (None, Some(arn)) => SellersAt::Secret(arn),
            (None, None) => {
                env.problem(format!("neither {SELLERS_SECRET_ARN} nor {SELLERS_FILE} is set"));
                SellersAt::File(String::new())
            }
        };
        let log_level =
            env.maybe(LOG_LEVEL).map_or(Ok(tracing::Level::INFO), |level| level.parse()).unwrap_or_else(|_| {
                env.problem(format!("{LOG_LEVEL} is none of error, warn, info, debug, trace"));
                tracing::Level::INFO
            });
        Self { sellers, log_level, aws: Aws::read(env) }
    }
}

impl Aws {
    fn read(env: &Env<'_>) -> Self {
        use crate::model::sensitive::Sensitive;
        Self {
            region: env.var("AWS_REGION"),
            access_key_id: env.var("AWS_ACCESS_KEY_ID"),
            secret_access_key: Sensitive::new(env.var("AWS_SECRET_ACCESS_KEY")),
            session_token: env.maybe("AWS_SESSION_TOKEN").map(Sensitive::new),
            dynamodb_endpoint: endpoint(env, "AWS_ENDPOINT_URL_DYNAMODB"),
            secrets_endpoint: endpoint(env, "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        }
    }

    /// The way to DynamoDB.
    pub fn dynamodb(&self, http: SharedHttpConnector) -> Client {
        self.client(store::SERVICE, self.dynamodb_endpoint.clone(), http)
    }

    /// The way to Secrets Manager.
    pub(super) fn secrets(&self, http: SharedHttpConnector) -> Client {
        self.client("secretsmanager", self.secrets_endpoint.clone(), http)
    }

    fn client(&self, service: &'static str, endpoint: Option<String>, http: SharedHttpConnector) -> Client {
        let token = self.session_token.as_ref().map(|token| token.expose().clone());
        let secret = self.secret_access_key.expose().clone();
        let identity = Credentials::new(&self.access_key_id, secret, token, None, "environment").into();
        let region = self.region.clone();
        Client::new(service, Connection { region, identity, endpoint, http, now: clock::wall })
    }
}

/// A service's own, or the one for all of them.
fn endpoint(env: &Env<'_>, name: &str) -> Option<String> {
    let (name, url) = [name, "AWS_ENDPOINT_URL"].into_iter().find_map(|name| Some((name, env.maybe(name)?)))?;
    if parse_endpoint(&url).is_none() {
        env.problem(format!("{name} is no URL"));
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_services_own_or_the_one_for_all() {
        let read = |set: &[(&str, &str)]| {
            let get = |name: &str| {
                let fixed = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].contains(&name);
                let found = set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
                found.or_else(|| fixed.then(|| "x".to_owned()))
            };
            let env = Env::new(&get);
            let aws = Aws::read(&env);
            env.checked((aws.dynamodb_endpoint, aws.secrets_endpoint)).map_err(|error| error.to_string())
        };
        let (own, all) = (("AWS_ENDPOINT_URL_DYNAMODB", "http://own.test"), ("AWS_ENDPOINT_URL", "http://all.test"));
        let url = |url: &str| Some(url.to_owned());
        assert_eq!(read(&[]), Ok((None, None)));
        assert_eq!(read(&[own]), Ok((url("http://own.test"), None)));
        assert_eq!(read(&[own, all]), Ok((url("http://own.test"), url("http://all.test"))));
        let ill = [("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000"), ("AWS_ENDPOINT_URL", "//")];
        let told = "cannot start: AWS_ENDPOINT_URL_DYNAMODB is no URL, AWS_ENDPOINT_URL is no URL";
        assert_eq!(read(&ill), Err(told.to_owned()));
    }

    #[test]
    fn every_problem_is_named_at_once_and_no_value() {
        let get = |name: &str| (name == LOG_LEVEL).then(|| "loud".to_owned());
        let env = Env::new(&get);
        let basics = Basics::read(&env);
        let table = env.var("EVENTS_TABLE");
        let error = env.checked((basics, table)).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot start: neither SELLERS_SECRET_ARN nor SELLERS_FILE is set, \
             LOG_LEVEL is none of error, warn, info, debug, trace, AWS_REGION is not set, \
             AWS_ACCESS_KEY_ID is not set, AWS_SECRET_ACCESS_KEY is not set, EVENTS_TABLE is not set"
        );
    }
}
