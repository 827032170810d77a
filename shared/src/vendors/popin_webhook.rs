//! Popin's webhook: what its server says about calls, appointments and people.

use super::{
    Family, Found,
    fields::{id, map, name, part, stamp, text},
};
use crate::model::{
    hash, instant,
    phone::{Country, Phone},
    sensitive::Sensitive,
};
use jiff::Timestamp;
use serde_json::Value;

/// What Popin says was booked, in its own words: no time zone comes with it, so it is matched against what we asked for
/// and never turned into an instant by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    /// `full_phone_number`, else the calling code and `phone_number` as one; to be parsed by `model::phone`.
    pub phone: Sensitive<String>,
    pub country_code: Option<String>,
    pub user_id: Option<String>,
    /// When it was booked; the older payloads do not say.
    pub booked_at: Option<Timestamp>,
    /// `27-Feb-2026` or `27-2-2026`.
    pub date: String,
    /// `09:30 PM`.
    pub time: String,
}

/// Popin gives its events no id. With a time they are told apart by who, what and when; without one (its older payloads)
/// only by the whole body and a window, or else a person's second missed call would be lost for good.
pub(super) fn read(body: &Value) -> Found<'_> {
    let family = Family::PopinWebhook;
    let name = name(body.get("event"));
    let (user, phone) = (id(body.get("user_id")), phone(body));
    let key = || {
        user.as_ref().or(phone.as_ref())?;
        let (at, guest) = (stamp(body.get("timestamp"))?, id(body.get("guest_id")));
        let (user, phone, guest) = (part(user.as_ref()), part(phone.as_ref()), part(guest.as_ref()));
        Some(hash::short(&[family.as_str(), name?, user, phone, guest, &at]))
    };
    let key = key();
    let time = body.get("timestamp").and_then(instant::vendor);
    Found { family, name, subject: user, key, time }
}

/// The number as it stands; an event about a guest has the customer's only among its properties.
fn phone(body: &Value) -> Option<String> {
    let property = || id(map(body.get("properties")).get("customer_phone_number"));
    id(body.get("full_phone_number")).or_else(|| id(body.get("phone_number"))).or_else(property)
}

/// What a `booking.created` of this family says was booked; `None` when it lacks a phone, a date or a time.
pub fn appointment(json: &str) -> Option<Appointment> {
    let body: Value = serde_json::from_str(json).ok()?;
    let properties = map(body.get("properties"));
    let at = |date, time| text(properties.get(date)).zip(text(properties.get(time)));
    let (date, time) =
        at("scheduled_date", "scheduled_time").or_else(|| at("scheduled_date_local", "scheduled_time_local"))?;
    let country_code = text(body.get("country_code"));
    let joined = || Some(international(id(body.get("phone_number"))?, country_code.as_deref()));
    let full = || Some(with_plus(id(body.get("full_phone_number"))?, country_code.as_deref()));
    let phone = full().or_else(joined)?;
    let booked_at = body.get("timestamp").and_then(instant::vendor);
    let user_id = id(body.get("user_id"));
    Some(Appointment { phone: Sensitive::new(phone), country_code, user_id, booked_at, date, time })
}

/// The full number begins with its country; one that came as a JSON number has lost its plus sign.
fn with_plus(number: String, code: Option<&str>) -> String {
    let code = code.map(|code| code.trim_start_matches(['+', '0'])).filter(|code| !code.is_empty());
    if code.is_some_and(|code| number.starts_with(code)) { format!("+{number}") } else { number }
}

/// The number with its country. Not a plain joining of the two: the number may have a trunk zero or a plus sign
/// and the code already. What cannot be read stays as it is, for the caller to refuse.
fn international(number: String, code: Option<&str>) -> String {
    let country = code.and_then(Country::parse);
    let phone = country.and_then(|country| Phone::parse(&number, country).ok());
    // It goes back into a `Sensitive` at once.
    phone.map_or(number, |phone| phone.e164().expose().clone())
}
