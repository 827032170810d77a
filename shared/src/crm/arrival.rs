//! A CRM's request as it arrived, and the credentials that several CRMs show alike.

use crate::model::{seller::Secret, trust::Trust};
use http::{HeaderMap, header};

#[derive(Clone, Copy, Debug)]
pub struct Arrival<'r> {
    pub headers: &'r HeaderMap,
    /// What follows the connector in the path.
    pub path_secret: Option<&'r str>,
    pub body: &'r [u8],
}

impl<'r> Arrival<'r> {
    /// A missing header is empty, and proves nothing.
    pub fn header(&self, name: &str) -> &'r str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    pub fn is_form(&self) -> bool {
        self.header(header::CONTENT_TYPE.as_str()).to_ascii_lowercase().contains("x-www-form-urlencoded")
    }

    /// `X-Frontdesk-Token`, or `Authorization: Bearer`: what a CRM without signatures is told to send.
    pub fn shows_token(&self, tokens: &[Secret]) -> Option<Trust> {
        let own = self.header("x-frontdesk-token").as_bytes();
        let shown = Secret::among(tokens, own) | self.shows_bearer(tokens);
        shown.then_some(Trust::Bearer)
    }

    pub fn shows_bearer(&self, keys: &[Secret]) -> bool {
        let given = self.header(header::AUTHORIZATION.as_str()).as_bytes();
        let token = match given.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
            Some(_) | None => &[],
        };
        Secret::among(keys, token)
    }

    pub fn shows_path_secret(&self, secrets: &[Secret]) -> bool {
        Secret::among(secrets, self.path_secret.unwrap_or_default().as_bytes())
    }
}
