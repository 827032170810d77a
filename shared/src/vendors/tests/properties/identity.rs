//! Family by family: the same event again has the same id, one meaningful field changed makes another, nothing else does.

use super::{any_json, respelled};
use crate::vendors::{tests::*, *};
use proptest::prelude::*;
use serde_json::json;

fn page_of(number: u32) -> PageEventId {
    PageEventId::parse(format!("018f2b6e-7c1a-7e3b-9d0a-{number:012x}")).unwrap()
}

/// What tells an event: its identity and, as its key is made of both, its subject.
fn told_by(draft: &Draft) -> (Identity, String) {
    (draft.identity.clone(), draft.subject.as_str().to_owned())
}

fn on_page(vendor: Vendor, name: &str, data: &str, page: u32) -> (Identity, String) {
    let data: Box<RawValue> = serde_json::from_str(data).unwrap();
    match read_page(vendor, name, Some(&data), &page_of(page), None) {
        Read::Event(draft) => told_by(&draft),
        Read::Chatter => panic!("{name} is chatter"),
    }
}

fn at_server(vendor: Vendor, body: &str) -> (Identity, String) {
    told_by(&webhook(vendor, body))
}

fn is_key(told: &(Identity, String)) -> bool {
    matches!(told.0, Identity::Key(_))
}

/// The payload with one field, at a JSON pointer, set to something else.
fn with(payload: &Value, pointer: &str, value: Value) -> Value {
    let mut payload = payload.clone();
    *payload.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    payload
}

/// A name of the family that is not `name`.
fn another(family: Family, name: &str) -> &'static str {
    TABLE.iter().find(|row| row.0 == family && row.1 != name).unwrap().1
}

fn names_of(family: Family) -> impl Strategy<Value = &'static str> {
    let names: Vec<_> = TABLE.iter().filter(|row| row.0 == family).map(|row| row.1).collect();
    prop::sample::select(names)
}

/// All of Chili Piper's in the page but the one that has ids of its own.
fn other_messages() -> impl Strategy<Value = &'static str> {
    let names = TABLE.iter().filter(|row| row.0 == Family::ChiliPiperPage && row.1 != "booking-confirmed");
    prop::sample::select(names.map(|row| row.1).collect::<Vec<_>>())
}

const SECOND: std::ops::Range<i64> = 1_500_000_000..1_900_000_000;

proptest! {
    #[test]
    fn popin_in_the_page_is_told_by_the_pages_id(
        name in names_of(Family::PopinPage), data in any_json(), page in 0u32..1000, other in 1000u32..2000,
    ) {
        let told = |data: &str, page| on_page(Vendor::Popin, name, data, page).0;
        let one = told(&data.to_string(), page);
        prop_assert_eq!(&one, &told(&respelled(&data), page));
        prop_assert_ne!(&one, &told(&data.to_string(), other));
    }

    #[test]
    fn popins_webhook_is_told_by_name_person_guest_and_time(
        name in names_of(Family::PopinWebhook), ids in (1i64..9999, 1i64..9999, 1i64..9999), at in SECOND, by in 1i64..9999, extra in any_json(),
    ) {
        let body = json!({"event": name, "user_id": ids.0, "full_phone_number": ids.1, "guest_id": ids.2, "timestamp": at, "meta": extra});
        let told = |body: &Value| at_server(Vendor::Popin, &body.to_string());
        let one = told(&body);
        prop_assert!(is_key(&one));
        prop_assert_eq!(&one, &at_server(Vendor::Popin, &respelled(&body)));
        prop_assert_eq!(&one, &told(&with(&body, "/meta", json!(by))));
        for (field, value) in [("user_id", ids.0), ("full_phone_number", ids.1), ("guest_id", ids.2), ("timestamp", at)] {
            let pointer = format!("/{field}");
            prop_assert_eq!(&one, &told(&with(&body, &pointer, json!(value.to_string()))), "{} as text", field);
            prop_assert_ne!(&one.0, &told(&with(&body, &pointer, json!(value + by))).0, "{}", field);
        }
        prop_assert_ne!(&one.0, &told(&with(&body, "/event", json!(another(Family::PopinWebhook, name)))).0);
    }

    #[test]
    fn popins_webhook_without_a_time_is_told_by_its_whole_body(
        name in names_of(Family::PopinWebhook), user in 1i64..9999, remark in any_json(), other in any_json(),
    ) {
        let body = |user: i64, name: &str, remark: &Value| json!({"event": name, "user_id": user, "properties": {"remark": remark}});
        let told = |body: Value| at_server(Vendor::Popin, &body.to_string());
        let one = told(body(user, name, &remark));
        prop_assert!(matches!(one.0, Identity::Window(_)));
        prop_assert_eq!(&one, &at_server(Vendor::Popin, &respelled(&body(user, name, &remark))));
        prop_assert_eq!(one.0 == told(body(user, name, &other)).0, canonical_value(&remark) == canonical_value(&other));
        prop_assert_ne!(&one.0, &told(body(user + 1, name, &remark)).0);
        prop_assert_ne!(&one.0, &told(body(user, another(Family::PopinWebhook, name), &remark)).0);
    }

    #[test]
    fn popins_outgoing_call_is_told_by_name_call_participant_and_time(
        name in names_of(Family::PopinOutgoing), ids in (1i64..9999, 1i64..9999), at in SECOND, by in 1i64..9999, extra in any_json(),
    ) {
        let body = json!({"event": name, "session_id": ids.0, "call_id": ids.1, "participant": "user", "timestamp": at, "meta": extra});
        let told = |body: &Value| at_server(Vendor::Popin, &body.to_string());
        let one = told(&body);
        prop_assert!(is_key(&one));
        prop_assert_eq!(&one, &at_server(Vendor::Popin, &respelled(&body)));
        prop_assert_eq!(&one, &told(&with(&body, "/meta", json!(by))));
        for (field, value) in [("session_id", ids.0), ("call_id", ids.1), ("timestamp", at)] {
            let pointer = format!("/{field}");
            prop_assert_eq!(&one, &told(&with(&body, &pointer, json!(value.to_string()))), "{} as text", field);
            prop_assert_ne!(&one.0, &told(&with(&body, &pointer, json!(value + by))).0, "{}", field);
        }
        prop_assert_ne!(&one.0, &told(&with(&body, "/participant", json!("agent"))).0);
        prop_assert_ne!(&one.0, &told(&with(&body, "/event", json!(another(Family::PopinOutgoing, name)))).0);
    }

    #[test]
    fn chili_pipers_confirmation_is_told_by_event_and_slot(
        event in 1i64..9999, start in SECOND, by in 1i64..9999, extra in any_json(), page in 0u32..1000,
    ) {
        let data = json!({"action": "booking-confirmed", "args": {"routeId": "r-1", "eventId": event, "assigneeId": extra, "slot": {"start": start, "end": start + 1800}}});
        let told = |data: &Value, page| on_page(Vendor::ChiliPiper, "booking-confirmed", &data.to_string(), page);
        let one = told(&data, page);
        prop_assert!(is_key(&one));
        // Each frame that hears it gives it another page id; the route comes with some copies only.
        prop_assert_eq!(&one, &told(&data, page + 1000));
        prop_assert_eq!(&one, &on_page(Vendor::ChiliPiper, "booking-confirmed", &respelled(&data), page));
        let alike = [("/args/routeId", json!(null)), ("/args/routeId", json!("r-2")), ("/args/assigneeId", json!(by)), ("/args/eventId", json!(event.to_string())), ("/args/slot/start", json!(start * 1000))];
        for (pointer, value) in alike {
            prop_assert_eq!(&one, &told(&with(&data, pointer, value), page), "{}", pointer);
        }
        for (pointer, value) in [("/args/eventId", json!(event + by)), ("/args/slot/start", json!(start + by)), ("/args/slot/end", json!(start + 1800 + by))] {
            prop_assert_ne!(&one.0, &told(&with(&data, pointer, value), page).0, "{}", pointer);
        }
        prop_assert_ne!(&one.0, &on_page(Vendor::ChiliPiper, "rescheduled", &data.to_string(), page).0);
    }

    #[test]
    fn chili_pipers_other_messages_are_told_by_the_pages_id(
        name in other_messages(), data in any_json(), page in 0u32..1000, other in 1000u32..2000,
    ) {
        let told = |data: &str, page| on_page(Vendor::ChiliPiper, name, data, page).0;
        let one = told(&data.to_string(), page);
        prop_assert_eq!(&one, &told(&respelled(&data), page));
        prop_assert_ne!(&one, &told(&data.to_string(), other));
    }

    #[test]
    fn chili_pipers_webhook_is_told_by_type_meeting_and_slot(
        name in prop::sample::select(&["Created", "Canceled"][..]), meeting in 1i64..9999, start in SECOND, by in 1i64..9999, extra in any_json(),
    ) {
        let body = json!({"type": name, "meetingIdChili": meeting, "meetingStartTime": start, "meetingEndTime": start + 1800, "hostEmail": extra});
        let told = |body: &Value| at_server(Vendor::ChiliPiper, &body.to_string());
        let one = told(&body);
        prop_assert!(is_key(&one));
        prop_assert_eq!(&one, &at_server(Vendor::ChiliPiper, &respelled(&body)));
        let text = Timestamp::from_second(start).unwrap().to_string();
        for (pointer, value) in [("/hostEmail", json!(by)), ("/meetingIdChili", json!(meeting.to_string())), ("/meetingStartTime", json!(text))] {
            prop_assert_eq!(&one, &told(&with(&body, pointer, value)), "{}", pointer);
        }
        let other = if name == "Created" { "Canceled" } else { "Created" };
        let meaningful = [("/type", json!(other)), ("/meetingIdChili", json!(meeting + by)), ("/meetingStartTime", json!(start + by)), ("/meetingEndTime", json!(start + 1800 + by))];
        for (pointer, value) in meaningful {
            prop_assert_ne!(&one.0, &told(&with(&body, pointer, value)).0, "{}", pointer);
        }
    }

    #[test]
    fn chili_pipers_update_is_told_by_its_whole_body(meeting in 1i64..9999, host in any_json(), other in any_json()) {
        let body = |meeting: i64, host: &Value| json!({"type": "Updated", "meetingIdChili": meeting, "hostEmail": host});
        let told = |body: Value| at_server(Vendor::ChiliPiper, &body.to_string());
        let one = told(body(meeting, &host));
        prop_assert!(matches!(one.0, Identity::Window(_)));
        prop_assert_eq!(&one, &at_server(Vendor::ChiliPiper, &respelled(&body(meeting, &host))));
        prop_assert_eq!(one.0 == told(body(meeting, &other)).0, canonical_value(&host) == canonical_value(&other));
        prop_assert_ne!(&one.0, &told(body(meeting + 1, &host)).0);
    }

    #[test]
    fn fullviews_event_is_told_by_name_and_call_or_else_by_the_pages_id(
        name in names_of(Family::FullviewPage), call in 1i64..9999, by in 1i64..9999, extra in any_json(), page in 0u32..1000, other in 1000u32..2000,
    ) {
        let detail = json!({"callId": call, "more": extra});
        let told = |name: &str, detail: &Value, page| on_page(Vendor::Fullview, name, &detail.to_string(), page);
        let one = told(name, &detail, page);
        prop_assert!(is_key(&one));
        // Another tab, the browser's name for it, another spelling.
        prop_assert_eq!(&one, &told(&format!("fullview:{name}"), &detail, other));
        prop_assert_eq!(&one, &on_page(Vendor::Fullview, name, &respelled(&detail), page));
        prop_assert_eq!(&one, &told(name, &with(&detail, "/more", json!(by)), page));
        prop_assert_ne!(&one.0, &told(name, &with(&detail, "/callId", json!(call + by)), page).0);
        prop_assert_ne!(&one.0, &told(another(Family::FullviewPage, name), &detail, page).0);
        let without = with(&detail, "/callId", json!(null));
        prop_assert_eq!(told(name, &without, page), on_page(Vendor::Fullview, name, &respelled(&without), page));
        prop_assert_ne!(told(name, &without, page).0, told(name, &without, other).0);
    }

    /// From so few values that two bodies often have the same ids.
    #[test]
    fn one_identity_of_a_vendors_own_never_stands_under_two_subjects(
        one in prop::collection::vec(0usize..6, 12), other in prop::collection::vec(0usize..6, 12),
    ) {
        const FIELDS: [&str; 12] = ["event", "type", "user_id", "full_phone_number", "guest_id", "session_id", "call_id", "meetingIdChili", "routeId", "eventId", "callId", "timestamp"];
        let payload = |picks: &[usize]| {
            let fields = FIELDS.iter().zip(picks).filter_map(|(field, pick)| {
                let names = ["popin_call_missed", "popin_outgoing_call_missed", "Created"];
                let value = match (*field, *pick) {
                    (_, 0) => return None,
                    (_, 1) => json!(null),
                    ("event" | "type", pick) => json!(names[pick % names.len()]),
                    ("timestamp", pick) => json!(1_771_832_273 + pick % 2),
                    (_, pick) if pick % 2 == 0 => json!(pick / 2),
                    (_, pick) => json!((pick / 2).to_string()),
                };
                Some(((*field).to_owned(), value))
            });
            Value::Object(fields.collect())
        };
        let drafts = |payload: &Value| {
            let text = payload.to_string();
            let mut told: Vec<_> = Vendor::ALL.map(|vendor| at_server(vendor, &text)).into();
            told.push(on_page(Vendor::ChiliPiper, "booking-confirmed", &text, 1));
            told.push(on_page(Vendor::Fullview, "callEnded", &text, 1));
            told
        };
        for (one, other) in drafts(&payload(&one)).into_iter().zip(drafts(&payload(&other))) {
            // What has only the page's id is told apart by the page, which gives every event one of its own.
            if one.0 == other.0 && !matches!(one.0, Identity::Page(_)) {
                prop_assert_eq!(one.1, other.1);
            }
        }
    }
}
