//! Access tokens, as Salesforce and Zoho give them out.

use jiff::{SignedDuration, Timestamp};

/// How every token begins.
pub const ISSUED: &str = "a-simulated-access-token";
const LIFE: SignedDuration = SignedDuration::from_hours(1);

#[derive(Default)]
pub(super) struct Issued {
    count: u32,
    alive: Vec<(String, Timestamp)>,
}

impl Issued {
    pub(super) fn issue(&mut self, crm: &str, now: Timestamp) -> String {
        self.count += 1;
        let token = format!("{ISSUED}-{crm}-{}", self.count);
        self.alive.push((token.clone(), now + LIFE));
        token
    }

    pub(super) fn knows(&self, token: &str, now: Timestamp) -> bool {
        self.alive.iter().any(|(known, ends)| known == token && *ends > now)
    }

    pub(super) fn revoke(&mut self) {
        self.alive.clear();
    }
}
