//! Popin's events about calls that a seller's agent makes, posted to the same URL as its other webhooks.

use super::{
    Family, Found,
    fields::{id, name, part, stamp, text},
};
use crate::model::{hash, instant};
use serde_json::Value;

const PREFIX: &str = "popin_outgoing_call_";

/// Told by the name alone: both families may hit one URL, and their shapes overlap.
pub(super) fn is_outgoing(body: &Value) -> bool {
    name(body.get("event")).is_some_and(|name| name.starts_with(PREFIX))
}

/// Only the first event's payload is documented, so every field may be absent. Times count in seconds, and two stages of
/// a call may share one: the name is part of the key, and so is the participant whose network failed.
pub(super) fn read(body: &Value) -> Found<'_> {
    let family = Family::PopinOutgoing;
    let name = name(body.get("event"));
    let (session, call) = (id(body.get("session_id")), id(body.get("call_id")));
    let key = || {
        session.as_ref().or(call.as_ref())?;
        let (at, participant) = (stamp(body.get("timestamp"))?, text(body.get("participant")));
        let (session, call, participant) = (part(session.as_ref()), part(call.as_ref()), part(participant.as_ref()));
        Some(hash::short(&[family.as_str(), name?, session, call, participant, &at]))
    };
    Found {
        family,
        name,
        key: key(),
        time: body.get("timestamp").and_then(instant::vendor),
        subject: session.or(call).or_else(|| id(body.get("user_id"))),
    }
}
