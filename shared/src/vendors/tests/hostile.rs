//! Payloads that no vendor means: JSON as text, so that it can be what no parsed value is.

use proptest::prelude::*;
use std::ops::Range;

/// Any JSON text, now and then too deep or with too many keys.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        700 => document(),
        280 => (document(), 1usize..=200, any::<bool>()).prop_map(|(inner, depth, map)| nested(&inner, depth, map)),
        19 => keys(900..3_000),
        // A megabyte each: rare, or nothing else would be tried.
        1 => keys(90_000..100_001),
    ]
}

/// `depth` lists or maps around a document.
pub(crate) fn nested(inner: &str, depth: usize, map: bool) -> String {
    let (open, close) = if map { (r#"{"meta":"#, "}") } else { ("[", "]") };
    [open.repeat(depth).as_str(), inner, close.repeat(depth).as_str()].concat()
}

/// A map of `count` keys, every one of its own.
pub(crate) fn many_keys(count: usize) -> String {
    let entries: Vec<_> = (0..count).map(|n| format!("\"k{n}\":0")).collect();
    format!("{{{}}}", entries.join(","))
}

fn keys(count: Range<usize>) -> impl Strategy<Value = String> {
    count.prop_map(many_keys)
}

fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => prop::sample::select(ODD).prop_map(str::to_owned),
        2 => any::<i64>().prop_map(|number| format!("\"{number}\"")),
        1 => any::<f64>().prop_filter_map("finite", |number| serde_json::to_string(&number).ok()),
        2 => any::<String>().prop_filter_map("text", |text| serde_json::to_string(&text).ok()),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            // So few names that most maps have one twice.
            2 => prop::collection::vec((prop::sample::select(NAMES), inner), 0..6).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                format!("{{ {} }}", entries.join(" , "))
            }),
        ]
    })
}

/// Nulls, numbers as text, numbers beyond all bounds, halves of a pair that stands for one character.
const ODD: &[&str] = &[
    "null",
    "true",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"1771832273\"",
    "\"1e5\"",
    "1771832273.5",
    "-0",
    "1e400",
    "123456789012345678901234567890",
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\u0000""#,
    r#""popin_call_missed""#,
    r#""popin_outgoing_call_missed""#,
    r#""Created""#,
    r#""+919000000001""#,
];

const NAMES: &[&str] = &[
    r#""event""#,
    r#""type""#,
    r#""timestamp""#,
    r#""user_id""#,
    r#""session_id""#,
    r#""properties""#,
    r#""callId""#,
    r#""args""#,
    r#""eventId""#,
    r#""slot""#,
    r#""meetingIdChili""#,
    r#""mobile""#,
    r#""\ud800""#,
    r#""""#,
];
