//! Answers: JSON, and RFC 9457 problems with a stable code and never a value that the caller sent.

use super::{
    clock::SystemClock,
    telemetry::{By, Invocation, Metrics, TRACE},
};
use crate::{
    flow::Clock as _,
    model::extent::{self, MOST_DEPTH},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, RequestExt as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The most that a webhook or a CRM may send, in bytes.
pub const MOST_WEBHOOK: usize = 1024 * 1024;
/// The most that a browser may send, in bytes.
pub const MOST_BEACON: usize = 64 * 1024;

/// A problem, from one table: the code decides the status and the title.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), more: Map::new(), retry_after: None }
    }

    pub fn not_authenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_authenticated",
            "Not authenticated",
            "No such seller, or the credential is missing or wrong.",
        )
    }

    pub fn origin_not_allowed() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "Origin not allowed",
            "No such seller, or the page's origin is not one of its origins.",
        )
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", "There is nothing under this address.")
    }

    pub fn too_deep() -> Self {
        let detail = format!("JSON may be nested {MOST_DEPTH} levels deep.");
        Self::new(StatusCode::BAD_REQUEST, "body_too_deep", "Body too deep", detail)
    }

    pub fn not_json() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "not_json",
            "Not JSON",
            "The body is not JSON of the form that this route takes.",
        )
    }

    pub fn body_too_large(most: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "Body too large",
            format!("This route takes {most} bytes at most."),
        )
    }

    pub fn encoded() -> Self {
        let detail = "Compressed bodies are not taken: send the body as it is.";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding_not_supported", "Encoding not supported", detail)
    }

    /// The store did not answer: the caller should come again.
    pub fn try_later() -> Self {
        let detail = "Nothing was lost that was acknowledged. Send the same request again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "try_later", "Try later", detail).retry_after(2)
    }

    /// The seller's anonymous callers have written as much as they may for now.
    pub fn too_many_writes(retry_after: u64) -> Self {
        let detail = "The pages of this seller send more than this API stores. Send the same request again later.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_writes", "Too many writes", detail).retry_after(retry_after)
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    pub fn response(self) -> Response<Body> {
        let mut body = json!({
            "type": format!("urn:frontdesk:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Value::Object(fields) = &mut body {
            fields.extend(self.more);
        }
        let mut response = with_body(self.status, "application/problem+json", body.to_string());
        response.extensions_mut().insert(Code(self.code));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON body that a caller of ours sent.
pub fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Problem> {
    if extent::is_too_deep(body) {
        return Err(Problem::too_deep());
    }
    serde_json::from_slice(body).map_err(|_| Problem::not_json())
}

/// A JSON answer that nobody keeps.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(body).expect("our answers are made of text, numbers and lists");
    with_body(status, "application/json", text)
}

/// An answer whose text is made already, a CRM's own words say.
pub fn text(status: StatusCode, media_type: &'static str, text: String) -> Response<Body> {
    with_body(status, media_type, text)
}

fn with_body(status: StatusCode, media_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A problem's code, for the log.
#[derive(Clone, Copy)]
struct Code(&'static str);

/// No content.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// The body's bytes, once they are known to be few enough and plain.
pub fn body(request: &Request, most: usize) -> Result<&[u8], Problem> {
    let bytes: &[u8] = request.body();
    if bytes.len() > most {
        return Err(Problem::body_too_large(most));
    }
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::encoded());
    }
    Ok(bytes)
}

/// What follows `/v1/` in the path, piece by piece. A stage or a mapping before it is passed over, and a secret comes
/// decoded, as API Gateway tells it.
pub fn path(request: &Request) -> Vec<String> {
    let raw = request.raw_http_path();
    let path = raw.split_once("/v1/").map_or("", |(_, rest)| rest);
    let mut pieces: Vec<String> = path.split('/').map(str::to_owned).collect();
    let secret = request.path_parameters_ref().and_then(|parameters| parameters.first("path_secret"));
    if let (Some(secret), Some(last)) = (secret, pieces.last_mut()) {
        secret.clone_into(last);
    }
    pieces
}

/// Whether the caller has this very answer.
pub fn knows(request: &Request, tag: &str) -> bool {
    let given = request.headers().get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// When Lambda ends this invocation; `None` where nobody does.
pub fn deadline(request: &Request) -> Option<jiff::Timestamp> {
    request
        .lambda_context_ref()
        .map(|context| context.deadline)
        .filter(|deadline| *deadline > 0)
        .map(super::clock::deadline)
}

/// The answer or the problem, with our request's id and its trace, and one line of log: ids and codes only. A refusal is
/// counted by its code.
pub fn finish(request: &Request, function: &'static str, answer: Result<Response<Body>, Problem>) -> Response<Body> {
    let mut response = answer.unwrap_or_else(Problem::response);
    let refused = response.extensions().get::<Code>().map(|code| code.0);
    // Where the answer says that a booking stands: from here on, the worker's lines name it by this id alone.
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let booking =
        location.and_then(|location| location.strip_prefix("/v1/bookings/")?.split_once('/')).map(|(_, id)| id);
    tracing::info!(booking.id = booking, http.method = %request.method(), http.status = response.status().as_u16(), code = refused.unwrap_or("ok"), "request");
    if let Some(code) = refused {
        Metrics::default().count("RequestsRefused", 1).emit(function, By::Code(code), SystemClock.now());
    }
    if let Some(Invocation { request, trace, .. }) = Invocation::current() {
        let trace = trace.map(|trace| format!("Root={trace}"));
        for (name, id) in [("x-request-id", Some(request)), (TRACE, trace)] {
            if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
                response.headers_mut().insert(name, id);
            }
        }
    }
    response
}

/// An answer that a page of this origin may read, problem or not.
pub fn shared(answer: Result<Response<Body>, Problem>, origin: Option<&str>) -> Response<Body> {
    let mut response = answer.unwrap_or_else(Problem::response);
    super::origin::share(response.headers_mut(), origin);
    response
}

/// What a browser asks before it sends; a page of another origin is told no.
pub fn preflight(
    request: &Request,
    seller: Option<&crate::model::seller::Seller>,
    methods: &'static str,
) -> Result<Response<Body>, Problem> {
    let origin = super::origin::of(request.headers());
    let origin = origin.filter(|origin| seller.is_some_and(|seller| super::origin::allowed(seller, origin)));
    let Some(origin) = origin else { return Err(Problem::origin_not_allowed()) };
    let mut response = shared(Ok(empty(StatusCode::NO_CONTENT)), Some(&origin));
    super::origin::preflight(response.headers_mut(), methods);
    Ok(response)
}

/// `Prefer: wait=10`, in seconds.
pub fn prefer_wait(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok())?
    })
}
