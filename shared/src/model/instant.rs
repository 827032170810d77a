//! Reading instants: ours strictly, the vendors' leniently. The clock itself is not here.

use jiff::{
    Timestamp,
    fmt::temporal::{DateTimeParser, DateTimePrinter},
    tz::TimeZone,
};
use serde_json::Value;

/// An RFC 3339 instant. A time without an offset is refused: it would be an instant of our own making.
pub fn rfc3339(raw: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    // A zone annotation in brackets is jiff's own extension.
    if raw.len() > 64 || raw.contains('[') {
        return None;
    }
    PARSER.parse_timestamp(raw).ok()
}

/// Whether the text is a date and time that lacks only its offset.
pub fn lacks_offset(raw: &str) -> bool {
    rfc3339(raw).is_none() && raw.parse::<jiff::civil::DateTime>().is_ok()
}

/// A vendor's time: seconds or milliseconds as a number or digits, or RFC 3339. `None` is "not known", never an error.
pub fn vendor(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => epoch(number.as_f64()?),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => epoch(number),
            Err(_) => rfc3339(text.trim()),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
fn epoch(number: f64) -> Option<Timestamp> {
    match number {
        n if !(1e8..1e14).contains(&n) => None,
        n if n >= 1e11 => Timestamp::from_millisecond(n as i64).ok(),
        n => Timestamp::from_millisecond((n * 1000.0) as i64).ok(),
    }
}

const WHOLE: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
const MILLIS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// `2026-11-23T05:00:00Z`: to the second, as slots are.
pub fn seconds(at: Timestamp) -> String {
    WHOLE.timestamp_to_string(&at)
}

/// `2026-11-23T05:00:00.123Z`: a fixed width, so that text sorts as time does.
pub fn millis(at: Timestamp) -> String {
    MILLIS.timestamp_to_string(&at)
}

/// `2026-11-23T10:30:00+05:30`.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    WHOLE.timestamp_with_offset_to_string(&at, zone.to_offset(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_without_an_offset_is_told_apart_from_nonsense() {
        assert!(rfc3339("2026-11-23T10:30:00+05:30").is_some());
        assert!(rfc3339("2026-11-23T10:30:00").is_none() && lacks_offset("2026-11-23T10:30:00"));
        assert!(rfc3339("tomorrow").is_none() && !lacks_offset("tomorrow"));
        assert!(rfc3339("2026-11-23T10:30:00+05:30[Asia/Kolkata]").is_none());
    }

    #[test]
    fn vendor_times_are_read_in_every_spelling() {
        let at = rfc3339("2026-02-23T07:37:53Z");
        for value in [
            json!(1_771_832_273),
            json!("1771832273"),
            json!(1_771_832_273_000_i64),
            json!("1771832273000"),
            json!("2026-02-23T07:37:53Z"),
        ] {
            assert_eq!(vendor(&value), at, "{value}");
        }
        for value in [json!("?"), json!(null), json!({}), json!(0), json!("1e300"), json!("NaN")] {
            assert_eq!(vendor(&value), None, "{value}");
        }
    }

    #[test]
    fn text_forms_have_a_fixed_width() {
        let at = rfc3339("2026-11-23T05:00:00Z").unwrap();
        assert_eq!(millis(at), "2026-11-23T05:00:00.000Z");
        assert_eq!(seconds(at), "2026-11-23T05:00:00Z");
        let zone = jiff::tz::db().get("Asia/Kolkata").unwrap();
        assert_eq!(local(at, &zone), "2026-11-23T10:30:00+05:30");
        assert_eq!(local(at, &TimeZone::UTC), "2026-11-23T05:00:00+00:00");
        let later = at + jiff::SignedDuration::from_micros(7_999);
        assert_eq!(millis(Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_millis(1)), "1969-12-31T23:59:59.999Z");
        assert_eq!((millis(later), seconds(later)), ("2026-11-23T05:00:00.007Z".to_owned(), seconds(at)));
    }
}
