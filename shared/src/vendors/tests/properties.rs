//! For any payload: nothing panics, nothing is lost, and only meaning makes an identity.

mod identity;

use super::{hostile, *};
use proptest::prelude::*;
use serde_json::json;
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
    fn any_change_of_a_body_without_ids_is_another_event(value in any_json(), other in any_json()) {
        let one = json!({"event": "popin_call_missed", "meta": value});
        let other = json!({"event": "popin_call_missed", "meta": other});
        prop_assert_eq!(popin(&one).identity == popin(&other).identity, canonical_value(&one) == canonical_value(&other));
    }

    #[test]
    fn any_json_is_kept_and_panics_nowhere(text in hostile::any_text(), name in any::<String>()) {
        for vendor in Vendor::ALL {
            for draft in [webhook(vendor, &text), page(vendor, &name, &text)] {
                prop_assert_eq!(draft.data.expose().get(), text.trim());
                prop_assert_eq!(draft.reason.is_some(), draft.kind == Kind::Unknown);
                prop_assert!(draft.name.chars().count() <= 128);
                people(&draft, None, india(), Trust::Claimed);
                appointment(draft.data.expose().get());
            }
            let spaced = format!("\n{text} ");
            prop_assert!(same(&webhook(vendor, &text), &webhook(vendor, &spaced)));
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
