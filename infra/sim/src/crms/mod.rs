//! The CRMs and a seller's own receiver, as far as a booking's end is told to them: who asks, in what shape, and what stays.
//!
//! Each lives under `/crm/{name}/`. ASSUMPTION: their answers look as their public references show them; no CRM was called.

mod faults;
mod hubspot;
mod leadsquared;
mod receiver;
mod salesforce;
mod shopify;
mod small;
mod tokens;
mod zoho;

pub use faults::{CrmFault, CrmFaultOrder};
pub use receiver::Message;
pub use tokens::ISSUED;

use crate::replies;
use bytes::Bytes;
use faults::Sent;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What they take for a key: plain to see, and good for nothing else.
pub const KEY: &str = "simulated-crm-key-not-a-secret";

/// All of them. Clones are the same.
#[derive(Clone)]
pub struct Crms(Arc<Shared>);

struct Shared {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    calls: Vec<CrmCall>,
    faults: Vec<CrmFaultOrder>,
    books: Books,
}

/// What stays of the calls.
#[derive(Default)]
struct Books {
    /// By `{crm}/{object}/{id}`.
    records: BTreeMap<String, Map<String, Value>>,
    callbacks: BTreeMap<String, Value>,
    activities: Vec<Value>,
    tags: BTreeMap<String, BTreeSet<String>>,
    messages: Vec<Message>,
    tokens: tokens::Issued,
}

/// A call, whatever became of it.
#[derive(Clone, Debug, Serialize)]
pub struct CrmCall {
    pub at: Timestamp,
    pub crm: String,
    pub method: String,
    pub path: String,
    pub body: Value,
    /// 0 where the caller got no answer.
    pub status: u16,
}

/// A request, taken apart.
struct Ask<'a> {
    method: &'a Method,
    /// Without the CRM's own prefix.
    path: Vec<&'a str>,
    query: &'a str,
    headers: &'a HeaderMap,
    raw: &'a [u8],
    body: Value,
    now: Timestamp,
}

impl Ask<'_> {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A form's field, unescaped as far as our own keys need it.
    fn form(&self, name: &str) -> Option<String> {
        let text = std::str::from_utf8(self.raw).ok()?;
        let value = text.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.replace("%20", " "))
    }
}

impl Crms {
    pub fn new(now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self(Arc::new(Shared { now, inside: Mutex::default() }))
    }

    /// A call that hangs never resolves: the caller has its own time-out.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (reply, sent) = self.answer(&request);
        match sent {
            Sent::Now => reply,
            Sent::After(wait) => {
                tokio::time::sleep(wait).await;
                reply
            }
            Sent::Never => std::future::pending().await,
        }
    }

    fn answer(&self, request: &Request<Bytes>) -> (Response<Bytes>, Sent) {
        let path = request.uri().path().trim_start_matches("/crm/").to_owned();
        let (crm, rest) = path.split_once('/').unwrap_or((&path, ""));
        let ask = Ask {
            method: request.method(),
            path: rest.split('/').collect(),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            raw: request.body(),
            body: serde_json::from_slice(request.body()).unwrap_or_default(),
            now: (self.0.now)(),
        };
        let mut inside = self.inside();
        let fault = faults::take(&mut inside.faults, crm, rest);
        let reply = match fault.as_ref().and_then(CrmFaultOrder::instead) {
            Some(reply) => reply,
            None => work(&mut inside.books, crm, &ask),
        };
        let (reply, sent) = fault.as_ref().map_or((reply.clone(), Sent::Now), |fault| fault.disguise(reply));
        let status = if matches!(sent, Sent::Never) { 0 } else { reply.status().as_u16() };
        let call = CrmCall {
            at: ask.now,
            crm: crm.to_owned(),
            method: ask.method.to_string(),
            path: rest.to_owned(),
            body: ask.body,
            status,
        };
        inside.calls.push(call);
        (reply, sent)
    }

    pub fn calls(&self) -> Vec<CrmCall> {
        self.inside().calls.clone()
    }

    /// The calls to one of them that are no log-in.
    pub fn calls_to(&self, crm: &str) -> Vec<CrmCall> {
        let is_login = |call: &CrmCall| call.path.ends_with("/token");
        self.calls().into_iter().filter(|call| call.crm == crm && !is_login(call)).collect()
    }

    pub fn add_fault(&self, order: CrmFaultOrder) {
        self.inside().faults.push(order);
    }

    pub fn clear_faults(&self) {
        self.inside().faults.clear();
    }

    /// Every token that was given out is worth nothing from now on.
    pub fn revoke_tokens(&self) {
        self.inside().books.tokens.revoke();
    }

    /// Whether it was given out, and has not ended.
    pub(crate) fn knows_token(&self, token: &str) -> bool {
        self.inside().books.tokens.knows(token, (self.0.now)())
    }

    /// A record's fields, `hubspot/contacts/614` say; null when nothing was ever written to it.
    pub fn record(&self, path: &str) -> Value {
        self.inside().books.records.get(path).cloned().map_or(Value::Null, Value::Object)
    }

    /// How a callback was completed.
    pub fn callback(&self, id: &str) -> Value {
        self.inside().books.callbacks.get(id).cloned().unwrap_or_default()
    }

    pub fn activities(&self) -> Vec<Value> {
        self.inside().books.activities.clone()
    }

    pub fn tags(&self, id: &str) -> Vec<String> {
        self.inside().books.tags.get(id).into_iter().flatten().cloned().collect()
    }

    /// What the seller's own receiver took, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.inside().books.messages.clone()
    }

    /// All that stays, for whoever looks from outside.
    pub fn shown(&self) -> Value {
        let inside = self.inside();
        let books = &inside.books;
        json!({
            "records": books.records, "callbacks": books.callbacks, "activities": books.activities, "tags": books.tags,
            "messages": books.messages, "calls": inside.calls,
        })
    }

    pub fn reset(&self) {
        *self.inside() = Inside::default();
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(books: &mut Books, crm: &str, ask: &Ask<'_>) -> Response<Bytes> {
    match crm {
        "hubspot" => hubspot::answer(books, ask),
        "salesforce" => salesforce::answer(books, ask),
        "zoho" => zoho::answer(books, ask),
        "leadsquared" => leadsquared::answer(books, ask),
        "pipedrive" => small::pipedrive(books, ask),
        "freshsales" => small::freshsales(books, ask),
        "shopify" => shopify::answer(books, ask),
        "receiver" => receiver::answer(books, ask),
        _ => replies::html(StatusCode::NOT_FOUND),
    }
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = status;
    reply
}

/// Writes over the fields that are named, and over no other.
fn write(books: &mut Books, path: String, fields: &Map<String, Value>) {
    books.records.entry(path).or_default().extend(fields.clone());
}
