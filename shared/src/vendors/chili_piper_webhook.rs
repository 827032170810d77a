//! Chili Piper's webhook: what its server says about a meeting.

use super::{Family, Found, fields};
use crate::model::hash;
use serde_json::Value;

/// The body says what happened in `type` and when the meeting is, but not when it happened: no time. A meeting is made
/// once and cancelled once for the slot that it has, so these two are told by type, meeting and slot. It may be updated
/// as often as somebody likes, to another host and back, and nothing in the body tells the second such update from a
/// copy of the first: those are told by the whole body within a window. Its meeting id is none that the page knows, so
/// the two do not join.
pub(super) fn read(body: &Value) -> Found<'_> {
    let family = Family::ChiliPiperWebhook;
    let (name, meeting) = (fields::name(body.get("type")), fields::id(body.get("meetingIdChili")));
    let key =
        name.filter(|name| matches!(*name, "Created" | "Canceled")).zip(meeting.as_deref()).map(|(name, meeting)| {
            let at = |end| fields::moment(body.get(end));
            hash::short(&[family.as_str(), name, meeting, &at("meetingStartTime"), &at("meetingEndTime")])
        });
    Found { family, name, subject: meeting, key, time: None }
}
