//! Credentials compared in constant time against every secret that is valid.

use crate::model::seller::{Secret, WebhookSecrets};
use http::{HeaderMap, header};

/// `Authorization: Bearer <key>`.
pub fn bearer(headers: &HeaderMap, keys: &[Secret]) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let token = match given.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        Some(_) | None => &[],
    };
    Secret::among(keys, token)
}

/// A webhook's header and path secret: what is configured is required, and nothing configured lets nobody in.
pub fn webhook(secrets: &WebhookSecrets, headers: &HeaderMap, path_secret: Option<&str>) -> bool {
    let key = headers.get("x-api-key").map(http::HeaderValue::as_bytes).unwrap_or_default();
    let header_fits = Secret::among(&secrets.keys, key) || secrets.keys.is_empty();
    let path_fits = Secret::among(&secrets.path_secrets, path_secret.unwrap_or_default().as_bytes())
        || secrets.path_secrets.is_empty();
    let some = !secrets.keys.is_empty() || !secrets.path_secrets.is_empty();
    some & header_fits & path_fits
}
