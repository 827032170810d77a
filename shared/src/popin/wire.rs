//! Bodies as Popin documents them; answers are read leniently, as a PHP back end may spell them.

use serde::Serialize;
use serde_json::{Map, Value};

/// `POST /external/capture`.
#[derive(Serialize)]
pub struct Capture<'a> {
    pub name: &'a str,
    pub mobile: &'a str,
    /// Digits. Left out, any foreign number would silently become Indian.
    pub country: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pincode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<&'a Map<String, Value>>,
    pub native: bool,
}

/// `POST /external/schedule`.
#[derive(Serialize)]
pub struct Schedule<'a> {
    pub customer_id: &'a str,
    /// As it was offered, byte for byte.
    pub time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<i64>,
    pub native: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
}

/// What the slots call offers, in Popin's own spelling and order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// A date and its times.
    pub days: Vec<(String, Vec<String>)>,
    pub slot_minutes: u32,
    pub timezone: String,
}

/// What the schedule call confirmed, as far as it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduled {
    /// `+919544510895`.
    pub phone: Option<String>,
    /// `Fri, Sep 19 | 07:30 PM`.
    pub time: Option<String>,
}

/// Whether `status` says yes (1, "1", true), no (anything else), or nothing.
pub fn status(body: &Value) -> Option<bool> {
    match body.get("status")? {
        Value::Bool(yes) => Some(*yes),
        Value::Number(number) => Some(number.as_f64() == Some(1.0)),
        Value::String(text) => Some(matches!(text.trim(), "1" | "true")),
        Value::Null => None,
        Value::Array(_) | Value::Object(_) => Some(false),
    }
}

/// An id that may be text or a number.
pub fn id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// In bytes. A longer link cannot be stored with its booking, and every try to do so would capture the lead again.
const MOST_JOIN_URL: usize = 2048;

/// In bytes, of a time that Popin repeats: it is stored where it differs from ours.
const MOST_TIME: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// The link of a captured lead; `None` when there is none.
pub fn join_url(body: &Value) -> Result<Option<&str>, TooLong> {
    match body.get("url").and_then(Value::as_str).filter(|url| !url.is_empty()) {
        Some(url) if url.len() > MOST_JOIN_URL => Err(TooLong),
        url => Ok(url),
    }
}

/// `None` when there is no `availability` to be read: an error body, not an empty diary.
pub fn availability(body: &Value) -> Option<Availability> {
    let days = listed(body.get("availability").filter(|days| !days.is_null())?)?;
    let slot_minutes = match body.get("slotDiff") {
        Some(Value::Number(number)) => u32::try_from(number.as_u64()?).ok()?,
        Some(Value::String(text)) => text.trim().parse().ok()?,
        None | Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => 15,
    };
    let days = days.into_iter().map(day).collect::<Option<_>>()?;
    Some(Availability { days, slot_minutes, timezone: body.get("timezone")?.as_str()?.to_owned() })
}

fn day(value: &Value) -> Option<(String, Vec<String>)> {
    let slots = value.get("slots").map_or(Some(Vec::new()), listed)?;
    let times = slots.into_iter().map(|slot| slot.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    Some((value.get("date")?.as_str()?.to_owned(), times))
}

/// A list, or an object of index to item, as PHP writes a filtered list.
fn listed(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Object(map) => Some(map.values().collect()),
        Value::Null => Some(Vec::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

pub fn scheduled(body: &Value) -> Scheduled {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let time = text(body.pointer("/schedule/data/time")).filter(|time| time.len() <= MOST_TIME);
    Scheduled { phone: text(body.get("data")), time }
}

/// Popin's message to a person: bounded, and without long runs of digits, which would be somebody's number.
pub fn message(body: &Value) -> String {
    let raw = body.get("message").and_then(Value::as_str).unwrap_or("Popin refused without a message");
    let mut text = String::new();
    let mut digits = 0;
    for c in raw.chars().filter(|c| !c.is_control()).take(300) {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        match digits {
            0..=4 => text.push(c),
            5 => {
                text.truncate(text.len() - 4);
                text.push('…');
            }
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn slots_are_an_array_or_an_object_of_index() {
        let body = json!({"availability": [{"date": "Wed, 24 Sep 2025", "slots": {"3": "01:45 PM", "4": "02:00 PM"}}, {"date": "Thu, 25 Sep 2025", "slots": []}], "slotDiff": "15", "timezone": "Asia/Kolkata"});
        let read = availability(&body).unwrap();
        assert_eq!(read.days[0], ("Wed, 24 Sep 2025".into(), vec!["01:45 PM".into(), "02:00 PM".into()]));
        assert_eq!((read.days[1].1.len(), read.slot_minutes), (0, 15));
    }

    #[test]
    fn an_error_body_is_not_an_empty_diary() {
        assert_eq!(availability(&json!({"status": 0, "message": "no"})), None);
        assert_eq!(availability(&json!({"availability": "none", "timezone": "Asia/Kolkata"})), None);
        assert!(availability(&json!({"availability": [], "timezone": "Asia/Kolkata"})).unwrap().days.is_empty());
    }

    #[test]
    fn a_yes_is_one_in_any_spelling() {
        for yes in [json!(1), json!("1"), json!(true), json!(1.0)] {
            assert_eq!(status(&json!({"status": yes})), Some(true));
        }
        for no in [json!(0), json!("0"), json!(2), json!("error"), json!([])] {
            assert_eq!(status(&json!({"status": no})), Some(false));
        }
        assert_eq!(status(&json!({})), None);
    }

    #[test]
    fn a_message_does_not_repeat_a_number() {
        assert_eq!(
            message(&json!({"message": "Mobile +919544510895 is taken since 2025"})),
            "Mobile +… is taken since 2025"
        );
    }
}
