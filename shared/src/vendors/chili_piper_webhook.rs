//! Chili Piper's webhook: what its server says about a meeting.

use super::{Family, Found, fields};
use serde_json::Value;

/// The body says what happened in `type` and when the meeting is, but not when it happened: no time, and copies are told
/// by the whole body. Its meeting id is none that the page knows, so the two do not join.
pub(super) fn read(body: &Value) -> Found<'_> {
    Found {
        family: Family::ChiliPiperWebhook,
        name: fields::name(body.get("type")),
        subject: fields::id(body.get("meetingIdChili")),
        key: None,
        time: None,
    }
}
