//! Which web pages a seller lets in, and what a browser is told about it (CORS).

use crate::model::seller::Seller;
use http::{HeaderMap, HeaderValue, header};

/// The request's `Origin`, in lower case.
pub fn of(headers: &HeaderMap) -> Option<String> {
    headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("-").to_ascii_lowercase())
}

pub fn allowed(seller: &Seller, origin: &str) -> bool {
    seller.origins.iter().any(|known| known == origin)
}

/// An answer that the page of this origin may read.
pub fn share(headers: &mut HeaderMap, origin: Option<&str>) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, retry-after"));
    }
}

/// What a pre-flight asks: which methods and headers the page may use.
pub fn preflight(headers: &mut HeaderMap, methods: &'static str) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, if-none-match"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
}
