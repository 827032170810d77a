//! The record of a trigger that came with ids only, as its CRM tells it now.

use crate::{
    crm::{
        back::{Meaning, Token},
        readback::{self, Next},
    },
    flow::{
        Desk,
        access::{Caller, Tokens},
    },
    model::{connector::Connector, extent, retry_after::RetryAfter, trigger::Thin, write_back::Destination},
    popin::TransportError,
};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use serde_json::Value;
use std::time::Duration;

/// A record of the CRM's is answered within this.
const READ: Duration = Duration::from_secs(8);

/// Why there is no record.
pub(super) enum Unread {
    /// The CRM may answer later; not before this, if it says so.
    Later(Option<SignedDuration>),
    /// The CRM does not know us. A fresh token may mend it, or somebody before the trigger is given up.
    Credentials,
    Never(&'static str),
}

pub(super) async fn read_back(
    desk: &Desk<'_>,
    tokens: &Tokens,
    connector: Connector,
    thin: &Thin,
) -> Result<Value, Unread> {
    let caller = Caller { clock: desk.clock, transport: desk.transport, id: desk.id, seller: desk.seller };
    let place = Destination::parse(connector.as_str());
    let mut fresh = false;
    loop {
        let token = match place {
            Some(place) => tokens.token(&caller, place).await.map_err(|meaning| unread(desk, meaning))?,
            None => None,
        };
        let read = ask_all(desk, connector, thin, token.as_ref()).await;
        match (read, place) {
            // The token may have been taken back before its end: one more, and no other after that.
            (Err(Unread::Credentials), Some(place)) if token.is_some() && !fresh => {
                fresh = true;
                tokens.forget(desk.id, place);
            }
            (read, _) => return read,
        }
    }
}

/// A log-in that fails is what a record that cannot be read is.
fn unread(desk: &Desk<'_>, meaning: Meaning) -> Unread {
    match meaning {
        Meaning::Later { after, .. } => Unread::Later(after.map(|after| after.wait(desk.clock.now()))),
        Meaning::Refused(code) => Unread::Never(code),
        Meaning::Credentials => Unread::Credentials,
        // No log-in ends so.
        Meaning::Done => Unread::Later(None),
    }
}

async fn ask_all(desk: &Desk<'_>, connector: Connector, thin: &Thin, token: Option<&Token>) -> Result<Value, Unread> {
    let mut answers = Vec::new();
    loop {
        match readback::next(connector, thin, desk.seller, token, &answers) {
            Next::Have(record) if record.is_object() => return Ok(record),
            Next::Have(_) => return Err(Unread::Never("record_unreadable")),
            Next::Cannot(code) => return Err(Unread::Never(code)),
            Next::Ask(request) => answers.push(ask(desk, request).await?),
        }
    }
}

async fn ask(desk: &Desk<'_>, request: Request<Bytes>) -> Result<Value, Unread> {
    let answer = desk.transport.send(request, READ).await.map_err(|error| match error {
        TransportError::NotSent | TransportError::Unanswered => Unread::Later(None),
        TransportError::NotAllowed => Unread::Never("address_not_allowed"),
    })?;
    match answer.status() {
        // What makes a booking is stored with it.
        StatusCode::OK if extent::is_too_deep(answer.body()) => Err(Unread::Never("body_too_deep")),
        StatusCode::OK => serde_json::from_slice(answer.body()).map_err(|_| Unread::Later(None)),
        // Zoho says 204 of a record that is gone.
        StatusCode::NO_CONTENT | StatusCode::NOT_FOUND | StatusCode::GONE => Err(Unread::Never("record_not_found")),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Unread::Credentials),
        status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
            let after = answer.headers().get(header::RETRY_AFTER).and_then(|raw| RetryAfter::read(raw.to_str().ok()?));
            Err(Unread::Later(after.map(|after| after.wait(desk.clock.now()))))
        }
        _ => Err(Unread::Never("record_refused")),
    }
}
