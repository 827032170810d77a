//! The embedded database, and the SDK's HTTP client that hands calls to it in process: counted, priced, and faulty on request.

use super::{
    access::{self, Access},
    dispatch,
    faults::{self, DbFault, FaultHook},
    plain,
};
use crate::fate::{self, Checkpoint, Passage};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, VecDeque},
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Notify,
};

/// How many calls are remembered: enough for any test, and little for a stack that runs for days.
const REMEMBERED: usize = 10_000;

#[derive(Debug, thiserror::Error)]
#[error("the embedded database failed: {0}")]
pub struct NoDatabase(pub(super) String);

/// How long a call is on its way there, and back.
pub type Pace = Arc<dyn Fn() -> (Duration, Duration) + Send + Sync>;

/// Is told of every write that took place: its operation and its body.
pub type Watch = Arc<dyn Fn(&str, &Value) + Send + Sync>;

/// Whether a function may; `None` of it is not asked.
pub type Grants = Arc<dyn Fn(&str, &Access) -> bool + Send + Sync>;

/// One database. Clones are the same.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    db: Database,
    calls: Mutex<VecDeque<DbCall>>,
    fault: Mutex<Option<FaultHook>>,
    pace: Mutex<Option<Pace>>,
    watch: Mutex<Option<Watch>>,
    checkpoint: Mutex<Option<Checkpoint>>,
    grants: Mutex<Option<Grants>>,
    written: Notify,
}

/// One call that the SDK made, its retries each for themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct DbCall {
    /// The function; empty when somebody else called.
    pub caller: String,
    /// What it has to be granted for that.
    pub needed: BTreeSet<Access>,
    pub operation: String,
    /// The first one, when there are several.
    pub table: String,
    /// Capacity units; none when the call failed.
    pub consumed: Option<f64>,
    /// 0 when no answer came.
    pub status: u16,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedded")
    }
}

impl Embedded {
    pub(super) fn over(db: Database) -> Self {
        Self(Arc::new(Inner {
            db,
            calls: Mutex::default(),
            fault: Mutex::default(),
            pace: Mutex::default(),
            watch: Mutex::default(),
            checkpoint: Mutex::default(),
            grants: Mutex::default(),
            written: Notify::new(),
        }))
    }

    pub fn database(&self) -> &Database {
        &self.0.db
    }

    /// The SDK's way here.
    pub fn http(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// The calls since the start or the last reset, oldest first.
    pub fn calls(&self) -> Vec<DbCall> {
        lock(&self.0.calls).iter().cloned().collect()
    }

    pub fn reset_calls(&self) {
        lock(&self.0.calls).clear();
    }

    /// From now on; `None` ends it.
    pub fn set_fault(&self, fault: Option<FaultHook>) {
        *lock(&self.0.fault) = fault;
    }

    /// From now on; without one, a call lets others in between and takes no time.
    pub fn set_pace(&self, pace: Option<Pace>) {
        *lock(&self.0.pace) = pace;
    }

    /// What functions may, from now on. Without it, everything.
    pub fn set_grants(&self, grants: Option<Grants>) {
        *lock(&self.0.grants) = grants;
    }

    /// From now on; `None` ends it.
    pub fn set_watch(&self, watch: Option<Watch>) {
        *lock(&self.0.watch) = watch;
    }

    /// From now on; `None` ends it.
    pub fn set_checkpoint(&self, checkpoint: Option<Checkpoint>) {
        *lock(&self.0.checkpoint) = checkpoint;
    }

    /// Ends when something was written through the SDK since it last did.
    pub async fn written(&self) {
        self.0.written.notified().await;
    }

    /// One call in DynamoDB's own JSON, which neither counts nor fails on request: the hand of whoever runs the database.
    pub fn call(&self, operation: &str, request: &Value) -> Result<Value, NoDatabase> {
        let (status, answer) = dispatch::answer(&self.0.db, operation, &request.to_string());
        let answer: Value = serde_json::from_str(&answer).map_err(|e| NoDatabase(e.to_string()))?;
        if status == 200 {
            Ok(answer)
        } else {
            Err(NoDatabase(answer["__type"].as_str().unwrap_or_default().to_owned()))
        }
    }

    /// Every item of a table as plain JSON, by its keys.
    pub fn items(&self, table: &str) -> Result<Vec<Value>, NoDatabase> {
        let mut items = Vec::new();
        let mut request = json!({ "TableName": table });
        loop {
            let mut answer = self.call("Scan", &request)?;
            items.extend(answer["Items"].as_array().into_iter().flatten().map(plain::item));
            if answer["LastEvaluatedKey"].is_null() {
                break;
            }
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"].take();
        }
        items.sort_by_key(|item| (item["pk"].to_string(), item["sk"].to_string()));
        Ok(items)
    }

    /// Deletes what has ended, and says how much it was.
    pub fn sweep_ended(&self) -> Result<usize, NoDatabase> {
        self.0.db.sweep_ttl().map_err(|error| NoDatabase(error.to_string()))
    }

    fn handle(&self, caller: Option<&str>, operation: &str, body: &[u8]) -> Result<(u16, String), ConnectorError> {
        let mut body: Value = serde_json::from_slice(body).map_err(|error| ConnectorError::user(error.into()))?;
        let needed = access::needed(operation, &body);
        if let Some(denied) = self.denied(caller, &needed) {
            return Ok(denied);
        }
        let hook = lock(&self.0.fault).clone();
        let fault = hook.map_or(DbFault::None, |hook| hook(operation, &body));
        let reply = match fault {
            DbFault::None | DbFault::LoseReply => self.run(operation, &mut body),
            DbFault::Throttle => faults::throttled(),
            DbFault::Conflict => faults::conflict(operation, &body),
            DbFault::CancelThrottled => faults::throttled_within(operation, &body),
            DbFault::Unreachable => (0, String::new()),
        };
        let lost = matches!(fault, DbFault::LoseReply | DbFault::Unreachable);
        self.remember((caller, needed), (operation, &body), &reply, lost);
        if lost { Err(ConnectorError::io("the connection broke, on request".into())) } else { Ok(reply) }
    }

    fn denied(&self, caller: Option<&str>, needed: &BTreeSet<Access>) -> Option<(u16, String)> {
        let (grants, caller) = (lock(&self.0.grants).clone()?, caller?);
        let missing = needed.iter().find(|access| !grants(caller, access))?;
        Some(access::denied(caller, missing))
    }

    /// Every call is asked what it consumes, so that tests can hold it against its price.
    fn run(&self, operation: &str, body: &mut Value) -> (u16, String) {
        if operation.ends_with("Item") || operation.ends_with("Items") || matches!(operation, "Query" | "Scan") {
            body["ReturnConsumedCapacity"] = "TOTAL".into();
        }
        let reply = dispatch::answer(&self.0.db, operation, &body.to_string());
        let reads = ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "DescribeTable"];
        if reply.0 == 200 && !reads.contains(&operation) {
            self.0.written.notify_waiters();
            self.0.written.notify_one();
            let watch = lock(&self.0.watch).clone();
            if let Some(watch) = watch {
                watch(operation, body);
            }
        }
        reply
    }

    fn remember(
        &self,
        (caller, needed): (Option<&str>, BTreeSet<Access>),
        (operation, body): (&str, &Value),
        (status, answer): &(u16, String),
        lost: bool,
    ) {
        let capacity = serde_json::from_str::<Value>(answer).unwrap_or_default()["ConsumedCapacity"].take();
        let sum = |tables: &Vec<Value>| tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
        let consumed = capacity.as_array().map(sum).or_else(|| capacity["CapacityUnits"].as_f64());
        let mut calls = lock(&self.0.calls);
        if calls.len() == REMEMBERED {
            calls.pop_front();
        }
        let status = if lost { 0 } else { *status };
        let (caller, operation) = (caller.unwrap_or_default().to_owned(), operation.to_owned());
        calls.push_back(DbCall { caller, needed, operation, table: table_of(body), consumed, status });
    }
}

fn table_of(body: &Value) -> String {
    let part = body["TransactItems"][0].as_object().and_then(|part| part.values().next());
    let batch = body["RequestItems"].as_object().and_then(|tables| tables.keys().next().map(String::as_str));
    let name = body["TableName"].as_str().or_else(|| part?["TableName"].as_str()).or(batch);
    name.unwrap_or_default().to_owned()
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpConnector for Embedded {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.split_once('.').map_or(target, |(_, operation)| operation).to_owned();
            let agent = request.headers().get("x-amz-user-agent").or_else(|| request.headers().get("user-agent"));
            let caller = agent.and_then(access::caller).map(str::to_owned);
            let body = mem::replace(request.body_mut(), SdkBody::empty());
            let body = body.bytes().ok_or_else(|| ConnectorError::user("a streaming body".into()))?;
            let checkpoint = lock(&this.0.checkpoint).clone();
            let escort = checkpoint.map(|checkpoint| checkpoint(&operation));
            fate::pass(escort.as_ref(), Passage::Leaves).await;
            let pace = lock(&this.0.pace).clone();
            let (there, back) = pace.map_or((Duration::ZERO, Duration::ZERO), |pace| pace());
            // As a call over a network would: whoever else is at it gets in between.
            tokio::task::yield_now().await;
            pass(there).await;
            let (status, answer) = if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
                tokio::task::block_in_place(|| this.handle(caller.as_deref(), &operation, body))?
            } else {
                this.handle(caller.as_deref(), &operation, body)?
            };
            fate::pass(escort.as_ref(), Passage::Done).await;
            pass(back).await;
            fate::pass(escort.as_ref(), Passage::Answered).await;
            let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(answer));
            response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(response)
        })
    }
}

impl HttpClient for Embedded {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
