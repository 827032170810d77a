//! For any payload: nothing panics, nothing is lost, and only meaning makes an identity.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};
use std::fmt::Write;

/// Any JSON, its keys often ours.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(TABLE).prop_map(|(_, name, _)| Value::from(name)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    const OURS: &[&str] = &[
        "event",
        "type",
        "action",
        "args",
        "slot",
        "start",
        "end",
        "eventId",
        "routeId",
        "uid",
        "callId",
        "user_id",
        "session_id",
        "call_id",
        "guest_id",
        "timestamp",
        "properties",
        "meta",
        "full_phone_number",
        "phone_number",
        "country_code",
        "email",
        "scheduled_date",
        "scheduled_time",
        "meetingIdChili",
    ];
    prop_oneof![3 => prop::sample::select(OURS).prop_map(str::to_owned), 1 => any::<String>()]
}

/// The same document with its keys the other way round, blanks everywhere and every character escaped.
fn respell(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            text.push_str("{ ");
            for (at, (key, value)) in map.iter().rev().enumerate() {
                text.push_str(if at == 0 { "" } else { " ,\n" });
                escape(key, text);
                text.push_str("\t: ");
                respell(value, text);
            }
            text.push_str("\r\n}");
        }
        Value::Array(items) => {
            text.push_str("[ ");
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { " , " });
                respell(item, text);
            }
            text.push_str(" ]");
        }
        Value::String(plain) => escape(plain, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

fn escape(plain: &str, text: &mut String) {
    text.push('"');
    plain.encode_utf16().for_each(|unit| write!(text, "\\u{unit:04X}").unwrap());
    text.push('"');
}

fn respelled(value: &Value) -> String {
    let mut text = " \n".to_owned();
    respell(value, &mut text);
    text.push('\n');
    text
}

/// Every integer of the top level as text: the same ids (trap 5).
fn ids_as_text(body: &Map<String, Value>) -> Value {
    let text = |value: &Value| if value.is_i64() { Value::from(value.to_string()) } else { value.clone() };
    Value::Object(body.iter().map(|(key, value)| (key.clone(), text(value))).collect())
}

/// A complete body of each family whose copies are told by ids and time.
fn keyed() -> impl Strategy<Value = Map<String, Value>> {
    let ids = (1i64..99_999_999, 1i64..99_999_999, 1_500_000_000i64..2_000_000_000);
    let rows: Vec<_> =
        TABLE.iter().filter(|row| matches!(row.0, Family::PopinWebhook | Family::PopinOutgoing)).collect();
    (prop::sample::select(rows), ids, any_json()).prop_filter_map("keyed", |(row, (id, other, at), extra)| {
        let body = match row.0 {
            Family::PopinWebhook => json!({"event": row.1, "user_id": id, "full_phone_number": other, "guest_id": 1}),
            Family::PopinOutgoing => json!({"event": row.1, "session_id": id, "call_id": other}),
            Family::PopinPage | Family::ChiliPiperPage | Family::ChiliPiperWebhook | Family::FullviewPage => {
                return None;
            }
        };
        let mut body = body.as_object()?.clone();
        body.insert("timestamp".to_owned(), Value::from(at));
        body.insert("meta".to_owned(), extra);
        Some(body)
    })
}

fn same(one: &Draft, other: &Draft) -> bool {
    (&one.identity, &one.subject, one.kind, &one.name, one.time)
        == (&other.identity, &other.subject, other.kind, &other.name, other.time)
}

proptest! {
    #[test]
    fn the_same_event_in_another_spelling_is_the_same(value in any_json()) {
        for vendor in Vendor::ALL {
            prop_assert!(same(&webhook(vendor, &value.to_string()), &webhook(vendor, &respelled(&value))));
            for &(_, name, _) in TABLE {
                prop_assert!(same(&page(vendor, name, &value.to_string()), &page(vendor, name, &respelled(&value))));
            }
        }
    }

    #[test]
    fn a_copy_with_ids_as_text_is_the_same(body in keyed()) {
        let (one, other) = (popin(&Value::Object(body.clone())), popin(&ids_as_text(&body)));
        prop_assert!(matches!(one.identity, Identity::Key(_)));
        prop_assert!(same(&one, &other));
    }

    #[test]
    fn a_meaningful_field_changed_is_another_event(body in keyed(), by in 1i64..1000) {
        let one = popin(&Value::Object(body.clone()));
        for (field, value) in &body {
            let mut other = body.clone();
            let changed = value.as_i64().filter(|_| field != "meta").map_or(json!("popin_of_another_name"), |n| json!(n + by));
            other.insert(field.clone(), changed);
            prop_assert_eq!(one.identity == popin(&Value::Object(other)).identity, field == "meta", "{}", field);
        }
    }

    #[test]
    fn any_change_of_a_body_without_ids_is_another_event(value in any_json(), other in any_json()) {
        let one = json!({"event": "popin_call_missed", "meta": value});
        let other = json!({"event": "popin_call_missed", "meta": other});
        prop_assert_eq!(popin(&one).identity == popin(&other).identity, canonical_value(&one) == canonical_value(&other));
    }

    #[test]
    fn a_slot_moved_is_another_booking(start in 1_500_000_000i64..2_000_000_000, by in 1i64..100_000) {
        let confirmed = |start: i64, end: i64| {
            let args = json!({"eventId": "e-1", "slot": {"start": start, "end": end}});
            page(Vendor::ChiliPiper, "booking-confirmed", &json!({"args": args}).to_string()).identity
        };
        let one = confirmed(start, start + 1800);
        prop_assert_eq!(&one, &confirmed(start * 1000, (start + 1800) * 1000));
        prop_assert_ne!(&one, &confirmed(start + by, start + 1800));
        prop_assert_ne!(&one, &confirmed(start, start + 1800 + by));
    }

    #[test]
    fn any_json_is_kept_and_panics_nowhere(value in any_json(), name in any::<String>()) {
        let text = respelled(&value);
        for vendor in Vendor::ALL {
            for draft in [webhook(vendor, &text), page(vendor, &name, &text)] {
                prop_assert_eq!(draft.data.expose().get(), text.trim());
                prop_assert!(draft.name.chars().count() <= 128);
                people(&draft, None, india());
                appointment(draft.data.expose().get());
            }
        }
    }

    #[test]
    fn any_bytes_are_json_or_refused(bytes in any::<Vec<u8>>(), cut in 0usize..400) {
        let whole = fixture(Family::PopinWebhook, "popin_call_successful");
        for bytes in [&bytes[..], &whole.as_bytes()[..cut.min(whole.len())]] {
            for vendor in Vendor::ALL {
                let json = serde_json::from_slice::<Box<RawValue>>(bytes).is_ok();
                prop_assert_eq!(read_webhook(vendor, bytes).is_ok(), json);
            }
        }
    }
}
