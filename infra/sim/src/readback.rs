//! The CRMs as far as records are read back from them: `HubSpot`, Zoho and Pipedrive, with what they keep and how they fail.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Sim;
use crate::crms::Crms;
use crate::replies::ConnectionReset;

/// What a CRM does instead of answering.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordFault {
    Status(u16),
    /// 429 with `Retry-After`.
    RateLimited(u32),
    Reset,
}

/// A record that was asked for, and what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRead {
    /// `hubspot/contacts/614`.
    pub name: String,
    pub status: u16,
}

#[derive(Default)]
pub(crate) struct Records {
    kept: BTreeMap<String, Value>,
    faults: VecDeque<RecordFault>,
    reads: Vec<RecordRead>,
}

/// Which record of which CRM a path names.
struct Wanted {
    crm: &'static str,
    object: String,
    id: String,
}

impl Wanted {
    /// By the end of the path: whatever stands before it is the base that a seller laid down.
    fn at(uri: &Uri) -> Option<Self> {
        let path = uri.path();
        let roots = [("hubspot", "/crm/v3/objects/"), ("zoho", "/crm/v8/"), ("pipedrive", "/api/v2/")];
        let (crm, rest) = roots.into_iter().find_map(|(crm, root)| Some((crm, path.split_once(root)?.1)))?;
        let (object, id) = rest.split_once('/')?;
        (!id.contains('/')).then(|| Self { crm, object: object.to_owned(), id: id.to_owned() })
    }

    /// ASSUMPTION: each CRM takes its own header only, and whoever shows none is 401; at Zoho, whoever shows another token than
    /// it gave out.
    fn is_let_in(&self, headers: &HeaderMap, crms: &Crms) -> bool {
        let (name, scheme) = match self.crm {
            "hubspot" => ("authorization", "Bearer "),
            "zoho" => ("authorization", "Zoho-oauthtoken "),
            _ => ("x-api-token", ""),
        };
        let shown = headers.get(name).and_then(|value| value.to_str().ok());
        shown
            .and_then(|shown| shown.strip_prefix(scheme))
            .is_some_and(|token| if self.crm == "zoho" { crms.knows_token(token) } else { !token.is_empty() })
    }

    /// `HubSpot` tells the properties that were asked for and no others; a deal's contacts on request.
    fn told(&self, record: &Value, query: &str) -> Value {
        match self.crm {
            "hubspot" => {
                let of = |name: &str| {
                    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
                };
                let asked: Vec<&str> = of("properties").split(',').collect();
                let fields = record.as_object().into_iter().flatten();
                let mut properties: Map<String, Value> = fields
                    .filter(|(name, _)| asked.contains(&name.as_str()))
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                properties.insert("hs_object_id".to_owned(), self.id.as_str().into());
                let mut told = json!({ "id": self.id, "properties": properties, "archived": false });
                if let Some(contacts) = record["contacts"].as_array().filter(|_| of("associations") == "contacts") {
                    let results: Vec<_> =
                        contacts.iter().map(|id| json!({ "id": id, "type": "deal_to_contact" })).collect();
                    told["associations"] = json!({ "contacts": { "results": results } });
                }
                told
            }
            "zoho" => json!({ "data": [record] }),
            _ => json!({ "success": true, "data": record }),
        }
    }
}

impl Sim {
    /// Keeps a record under its name, `zoho/Leads/4150868000004` say.
    pub fn put_record(&self, name: impl Into<String>, record: Value) {
        self.inside().records.kept.insert(name.into(), record);
    }

    /// The next `times` reads of whatever record end like this.
    pub fn fail_records(&self, fault: &RecordFault, times: usize) {
        self.inside().records.faults.extend(std::iter::repeat_n(fault.clone(), times));
    }

    pub fn record_reads(&self) -> Vec<RecordRead> {
        self.inside().records.reads.clone()
    }

    /// A CRM's answer, when the request asks one for a record.
    pub fn read_record(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let wanted = Wanted::at(request.uri()).filter(|_| request.method() == Method::GET)?;
        let name = format!("{}/{}/{}", wanted.crm, wanted.object, wanted.id);
        let let_in = wanted.is_let_in(request.headers(), self.crms());
        let mut inside = self.inside();
        let records = &mut inside.records;
        let reply = if let_in {
            match (records.faults.pop_front(), records.kept.get(&name)) {
                (Some(fault), _) => failed(&fault),
                (None, Some(record)) => {
                    json_reply(StatusCode::OK, &wanted.told(record, request.uri().query().unwrap_or_default()))
                }
                // ASSUMPTION: Zoho says of a record that is not there that it has no content.
                (None, None) if wanted.crm == "zoho" => plain(StatusCode::NO_CONTENT),
                (None, None) => json_reply(StatusCode::NOT_FOUND, &json!({ "message": "resource not found" })),
            }
        } else {
            json_reply(StatusCode::UNAUTHORIZED, &json!({ "message": "unauthorized" }))
        };
        let unseen = reply.extensions().get::<ConnectionReset>().is_some();
        records.reads.push(RecordRead { name, status: if unseen { 0 } else { reply.status().as_u16() } });
        Some(reply)
    }
}

fn failed(fault: &RecordFault) -> Response<Bytes> {
    match fault {
        RecordFault::Status(status) => plain(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY)),
        RecordFault::RateLimited(seconds) => {
            let mut reply = plain(StatusCode::TOO_MANY_REQUESTS);
            reply.headers_mut().insert(http::header::RETRY_AFTER, (*seconds).into());
            reply
        }
        RecordFault::Reset => {
            let mut reply = plain(StatusCode::BAD_GATEWAY);
            reply.extensions_mut().insert(ConnectionReset);
            reply
        }
    }
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = status;
    reply
}

fn json_reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut reply = plain(status);
    *reply.body_mut() = body.to_string().into();
    let json = http::HeaderValue::from_static("application/json");
    reply.headers_mut().insert(http::header::CONTENT_TYPE, json);
    reply
}
