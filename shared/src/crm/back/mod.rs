//! Telling how a booking ended: one file per place, pure. News and settings in, calls out; an answer in, its meaning out.

mod freshsales;
mod hubspot;
mod leadsquared;
mod pipedrive;
mod salesforce;
mod shopify;
mod url;
mod zoho;

use crate::model::{
    origin::Origin,
    retry_after::RetryAfter,
    seller::{Back, Fields, Seller},
    sensitive::Sensitive,
    write_back::{Destination, News, WriteBack},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

/// One HTTP request of a telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Names it among the calls of a telling.
    pub step: &'static str,
    method: Method,
    url: String,
    headers: Vec<(&'static str, Sensitive<String>)>,
    body: Sensitive<String>,
}

impl Call {
    fn new(step: &'static str, method: Method, url: String, body: impl Into<String>) -> Self {
        let headers = vec![(header::CONTENT_TYPE.as_str(), Sensitive::new("application/json".to_owned()))];
        Self { step, method, url, headers, body: Sensitive::new(body.into()) }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, Sensitive::new(value.into())));
        self
    }

    /// `None` when a setting is no part of a request: the document's rules keep that from happening.
    pub fn request(&self) -> Option<Request<Bytes>> {
        let mut request = Request::builder().method(&self.method).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(*name, value.expose());
        }
        request.body(Bytes::from(self.body.expose().clone())).ok()
    }
}

/// The steps that can be made only once, whatever is told later.
pub const ONCE: [&str; 1] = [hubspot::CALLBACK];

/// What an answer means for the telling. The code is stable, and never the other side's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Done,
    /// Another time, and not before what was asked for.
    Later {
        code: &'static str,
        after: Option<RetryAfter>,
    },
    /// A fresh token may mend it; else somebody has to.
    Credentials,
    /// It will never be taken.
    Refused(&'static str),
}

/// An access token and how long it is good for.
#[derive(Clone, Debug)]
pub struct Token {
    pub value: Sensitive<String>,
    pub lives: SignedDuration,
}

/// Why there is nothing to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCall(pub &'static str);

/// Where a trigger's end is to be told: at the CRM that it came from, and at the seller's own URL.
pub fn destinations(seller: &Seller, connector: &str, origin: Option<&Origin>) -> Vec<Destination> {
    let crm = Destination::parse(connector).filter(|place| {
        origin.is_some_and(|origin| {
            let waits = origin.callback.is_some();
            (waits || origin.record.is_some()) && seller.crm.writes(*place, waits)
        })
    });
    seller.notify.iter().map(|_| Destination::Url).chain(crm).collect()
}

/// The calls that tell the news, in order. `token` where [`login`] asks for one.
pub fn calls(
    seller: &Seller,
    owed: &WriteBack,
    news: &News,
    token: Option<&Token>,
    now: Timestamp,
) -> Result<Vec<Call>, NoCall> {
    if owed.destination == Destination::Url {
        let notify = seller.notify.as_ref().ok_or(NoCall("not_configured"))?;
        return Ok(vec![url::call(notify, owed, news, now)]);
    }
    let (back, origin) = (seller.crm.back(owed.destination).ok_or(NoCall("not_configured"))?, &owed.origin);
    let token = token.map(|token| token.value.expose().as_str()).unwrap_or_default();
    match back {
        Back::HubSpot(back, base) => hubspot::calls(back, base, origin, news),
        Back::Salesforce(back, base) => Ok(vec![salesforce::call(back, base, origin, news, token)?]),
        Back::Zoho(back, base) => Ok(vec![zoho::call(back, base, origin, news, token)?]),
        Back::LeadSquared(back, base) => leadsquared::calls(back, base, origin, news),
        Back::Pipedrive(back, base) => Ok(vec![pipedrive::call(back, base, origin, news)?]),
        Back::Freshsales(back, base) => Ok(vec![freshsales::call(back, base, origin, news)?]),
        Back::Shopify(back, base) => Ok(vec![shopify::call(back, base, origin, news)?]),
    }
}

/// How a token is had, where a place wants one.
pub fn login(seller: &Seller, place: Destination) -> Option<Call> {
    match seller.crm.back(place)? {
        Back::Salesforce(back, base) => Some(salesforce::login(back, base)),
        Back::Zoho(back, _) => Some(zoho::login(back)),
        Back::HubSpot(..) | Back::LeadSquared(..) | Back::Pipedrive(..) | Back::Freshsales(..) | Back::Shopify(..) => {
            None
        }
    }
}

/// The token in an answer to [`login`].
pub fn token(answer: &Response<Bytes>) -> Result<Token, Meaning> {
    match by_status(answer) {
        Meaning::Done => {}
        // Salesforce says 400 for a client that it does not know.
        Meaning::Refused(_) => return Err(Meaning::Credentials),
        meaning @ (Meaning::Later { .. } | Meaning::Credentials) => return Err(meaning),
    }
    let body = json(answer);
    let Some(value) = body["access_token"].as_str().filter(|token| is_header(token)) else {
        // Zoho says 200 and `error`.
        return Err(if body["error"].is_string() { Meaning::Credentials } else { UNREADABLE });
    };
    // A token is let go before its end; Salesforce does not say when that is.
    let lives = body["expires_in"].as_i64().unwrap_or(1800).clamp(60, 3600) * 9 / 10;
    Ok(Token { value: Sensitive::new(value.to_owned()), lives: SignedDuration::from_secs(lives) })
}

/// What an answer to one of [`calls`] means.
pub fn meaning(place: Destination, answer: &Response<Bytes>) -> Meaning {
    let known = by_status(answer);
    match place {
        Destination::Zoho => zoho::meaning(known, &json(answer)),
        Destination::LeadSquared => leadsquared::meaning(known, &json(answer)),
        Destination::Shopify => shopify::meaning(known, &json(answer)),
        Destination::Salesforce => salesforce::meaning(known, &json(answer)),
        Destination::Url | Destination::HubSpot | Destination::Pipedrive | Destination::Freshsales => known,
    }
}

const UNREADABLE: Meaning = Meaning::Later { code: "answer_unreadable", after: None };

fn by_status(answer: &Response<Bytes>) -> Meaning {
    let header = answer.headers().get(header::RETRY_AFTER).and_then(|raw| raw.to_str().ok());
    let after = header.and_then(RetryAfter::read);
    match answer.status() {
        status if status.is_success() => Meaning::Done,
        StatusCode::TOO_MANY_REQUESTS => Meaning::Later { code: "rate_limited", after },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Meaning::Credentials,
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::LOCKED | StatusCode::TOO_EARLY => {
            Meaning::Later { code: "turned_away", after }
        }
        StatusCode::NOT_FOUND => Meaning::Refused("not_found"),
        StatusCode::GONE => Meaning::Refused("gone"),
        status if status.is_client_error() => Meaning::Refused("refused"),
        // No redirect is followed: it may lead anywhere.
        status if status.is_redirection() => Meaning::Refused("redirected"),
        _ => Meaning::Later { code: "server_error", after },
    }
}

fn json(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

fn is_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The record's id as part of a path: what a CRM sent is nobody's path.
fn record(origin: &Origin) -> Result<&str, NoCall> {
    plain(origin.record.as_deref())
}

fn plain(id: Option<&str>) -> Result<&str, NoCall> {
    match id {
        None => Err(NoCall("record_unknown")),
        Some(id) => Some(id).filter(|id| is_plain(id)).ok_or(NoCall("record_unusable")),
    }
}

/// Whether it may be a piece of a path.
pub(super) fn is_plain(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Every field that the seller named; what has no value is `empty`, lest an older end's is left standing.
fn values(fields: &Fields, news: &News, empty: &Value) -> Map<String, Value> {
    let value = |word: &str| match word {
        "state" => Some(news.state.to_owned()),
        "reason" => news.reason.map(str::to_owned),
        "join_url" => news.join_url.as_ref().map(|url| url.expose().clone()),
        "start_at" => news.start_at.clone(),
        "start_local" => news.start_local.clone(),
        "booking_id" => Some(news.booking.to_string()),
        _ => None,
    };
    let field =
        |(word, field): (&str, &str)| (field.to_owned(), value(word).map_or_else(|| empty.clone(), Value::String));
    fields.named().map(field).collect()
}

/// `a=b&c=d`, every byte that is not plain escaped.
fn form(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        let byte = |b: u8| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        };
        text.bytes().map(byte).collect::<String>()
    };
    pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}
