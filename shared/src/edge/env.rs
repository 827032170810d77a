//! The environment, read once and as an argument; every problem is named at once, never a value.

use crate::model::seller::Reach;
use std::cell::RefCell;

/// The variables that every function shares.
pub const SELLERS_FILE: &str = "SELLERS_FILE";
pub const SELLERS_SECRET_ARN: &str = "SELLERS_SECRET_ARN";
/// In place of [`SELLERS_SECRET_ARN`], for functions that anyone can call.
pub const PUBLIC_SELLERS_SECRET_ARN: &str = "PUBLIC_SELLERS_SECRET_ARN";
/// `true`: the document may name private addresses. For tests of what is deployed; the template never sets it.
pub const ALLOW_PRIVATE_ADDRESSES: &str = "ALLOW_PRIVATE_ADDRESSES";
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
    /// A secret with the document's public part.
    PublicSecret(String),
}

/// What every function needs besides its tables.
#[derive(Clone, Debug)]
pub struct Basics {
    pub sellers: SellersAt,
    /// Where the document's URLs may lead.
    pub reach: Reach,
    pub log_level: tracing::Level,
}

impl Basics {
    pub fn read(env: &Env<'_>) -> Self {
        let file = env.maybe(SELLERS_FILE).map(SellersAt::File);
        let public = || env.maybe(PUBLIC_SELLERS_SECRET_ARN).map(SellersAt::PublicSecret);
        let whole = || env.maybe(SELLERS_SECRET_ARN).map(SellersAt::Secret);
        let sellers = file.or_else(public).or_else(whole).unwrap_or_else(|| {
            env.problem(format!("neither {SELLERS_SECRET_ARN} nor {SELLERS_FILE} is set"));
            SellersAt::File(String::new())
        });
        // A file is of a stack on somebody's own machine, whose Popin and CRMs may be simulated on it.
        let reach = match (&sellers, env.maybe(ALLOW_PRIVATE_ADDRESSES).as_deref()) {
            (SellersAt::File(_), _) | (_, Some("true")) => Reach::Local,
            (_, None) => Reach::Public,
            (_, Some(_)) => {
                env.problem(format!("{ALLOW_PRIVATE_ADDRESSES} is not true"));
                Reach::Public
            }
        };
        let log_level =
            env.maybe(LOG_LEVEL).map_or(Ok(tracing::Level::INFO), |level| level.parse()).unwrap_or_else(|_| {
                env.problem(format!("{LOG_LEVEL} is none of error, warn, info, debug, trace"));
                tracing::Level::INFO
            });
        check_aws(env);
        Self { sellers, reach, log_level }
    }
}

/// The SDKs read these themselves, and would fail at the first call or look for a region on the network: what is wrong with
/// them stops the function at its start.
fn check_aws(env: &Env<'_>) {
    if ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"].iter().all(|name| env.maybe(name).is_none()) {
        env.problem("AWS_REGION is not set".to_owned());
    }
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER"] {
        let uri = env.maybe(name).map(|url| url.parse::<http::Uri>().ok());
        let is_url = |uri: http::Uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty());
        if uri.is_some_and(|uri| !uri.is_some_and(is_url)) {
            env.problem(format!("{name} is no URL"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_no_url_is_named() {
        let read = |set: &[(&str, &str)]| {
            let set = [set, &[("AWS_REGION", "ap-south-1")]].concat();
            let get = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let env = Env::new(&get);
            check_aws(&env);
            env.checked(()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&[]), Ok(()));
        assert_eq!(
            read(&[("AWS_ENDPOINT_URL_DYNAMODB", "http://own.test:8000"), ("AWS_ENDPOINT_URL", "https://all.test")]),
            Ok(())
        );
        let bad = [("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000"), ("AWS_ENDPOINT_URL", "//")];
        let message = "cannot start: AWS_ENDPOINT_URL is no URL, AWS_ENDPOINT_URL_DYNAMODB is no URL";
        assert_eq!(read(&bad), Err(message.to_owned()));
    }

    #[test]
    fn private_addresses_are_for_files_and_where_they_are_allowed() {
        let read = |set: &[(&str, &str)]| {
            let set = [set, &[("AWS_REGION", "ap-south-1")]].concat();
            let get = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let env = Env::new(&get);
            let basics = Basics::read(&env);
            env.checked(basics.reach).map_err(|error| error.to_string())
        };
        for secret in [SELLERS_SECRET_ARN, PUBLIC_SELLERS_SECRET_ARN] {
            assert_eq!(read(&[(secret, "arn")]), Ok(Reach::Public));
            assert_eq!(read(&[(secret, "arn"), (ALLOW_PRIVATE_ADDRESSES, "true")]), Ok(Reach::Local));
        }
        assert_eq!(read(&[(SELLERS_FILE, "sellers.json")]), Ok(Reach::Local));
        let refused = read(&[(SELLERS_SECRET_ARN, "arn"), (ALLOW_PRIVATE_ADDRESSES, "yes")]);
        assert_eq!(refused, Err("cannot start: ALLOW_PRIVATE_ADDRESSES is not true".to_owned()));
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
             LOG_LEVEL is none of error, warn, info, debug, trace, AWS_REGION is not set, EVENTS_TABLE is not set"
        );
    }
}
