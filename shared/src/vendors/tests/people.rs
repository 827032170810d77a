//! Whom events are about, and what an appointment says.

use super::*;
use crate::model::{
    phone::{Country, Phone},
    sensitive::Sensitive,
};
use serde_json::json;

/// The persons of a fixture, as text in order.
fn of(family: Family, name: &str) -> Vec<String> {
    let Read::Event(draft) = read(family, &fixture(family, name)) else { panic!("{name} is chatter") };
    let mut people: Vec<_> = people(&draft).iter().map(spell).collect();
    people.sort();
    people
}

fn spell(person: &Person) -> String {
    match person {
        Person::Phone { raw, country } => format!("{} in {}", raw.expose(), country.as_deref().unwrap_or("?")),
        Person::Email(raw) => raw.expose().clone(),
    }
}

#[test]
fn people_are_found_in_every_family() {
    assert_eq!(of(Family::PopinPage, "popin_captured"), ["9000000001 in +91", "guest@example.com"]);
    assert_eq!(of(Family::PopinPage, "popin_auto_captured"), ["9000000001 in 91"]);
    assert_eq!(
        of(Family::PopinWebhook, "popin_call_successful"),
        ["+919000000001 in +91", "9000000001 in +91", "agent@example.com", "guest@example.com"]
    );
    assert_eq!(of(Family::PopinWebhook, "popin_call_guest_connected"), ["9000000001 in +91", "guest@example.com"]);
    assert_eq!(of(Family::PopinOutgoing, "popin_outgoing_call_ringing"), ["agent@example.com", "guest@example.com"]);
    assert_eq!(
        of(Family::ChiliPiperWebhook, "Created"),
        ["+919000000001 in ?", "friend@example.com", "guest@example.com", "host@example.com"]
    );
    assert_eq!(of(Family::FullviewPage, "callRequested"), [""; 0]);
}

#[test]
fn trap_27_people_are_found_in_json_within_text() {
    let inner = json!({"user": {"mobile": 9_000_000_001_u64, "email": " guest@example.com "}}).to_string();
    let draft = popin(&json!({"event": "popin_user_captured", "meta": json!({"captured": inner}).to_string()}));
    let people: Vec<_> = people(&draft).iter().map(spell).collect();
    assert_eq!(people, ["guest@example.com", "9000000001 in ?"]);
}

#[test]
fn what_only_looks_like_a_person_is_none() {
    let draft = popin(&json!({
        "event": "x", "phone": null, "is_mobile": 1, "mobile": true, "phone_model": "A1234567", "email": "", "mail": "a@b",
        "url": "https://user@example.com/p", "remark": "write to guest@example.com", "timestamp": 1_771_832_273,
    }));
    assert_eq!(people(&draft), []);
}

#[test]
fn a_person_does_not_reach_a_log() {
    let person = Person::Phone { raw: Sensitive::new("9000000001".to_owned()), country: None };
    assert!(
        !format!("{person:?} {:?}", Person::Email(Sensitive::new("guest@example.com".to_owned()))).contains("0001")
    );
    let booked = appointment(&fixture(Family::PopinWebhook, "popin_scheduled_created")).unwrap();
    assert!(!format!("{booked:?}").contains("9000000001"));
}

#[test]
fn trap_5_an_appointment_is_read_whatever_its_types() {
    let text = appointment(&fixture(Family::PopinWebhook, "popin_scheduled_created")).unwrap();
    let numbers = appointment(&fixture(Family::PopinWebhook, "odd_numbers_for_text")).unwrap();
    assert_eq!((text.date.as_str(), text.time.as_str()), ("27-Feb-2026", "09:30 PM"));
    assert_eq!((text.country_code.as_deref(), text.user_id.as_deref()), (Some("+91"), Some("58559")));
    assert_eq!(text.user_id, numbers.user_id);
    for booked in [text, numbers] {
        let country = Country::parse(booked.country_code.as_deref().unwrap()).unwrap();
        let phone = Phone::parse(booked.phone.expose(), country).unwrap();
        assert_eq!(phone.e164().expose(), "+919000000001");
    }
}

#[test]
fn trap_3_an_appointment_without_the_full_number_joins_code_and_number() {
    let phone = |code: Value, number: Value| {
        let properties = json!({"scheduled_date": "27-2-2026", "scheduled_time": "09:30 PM"});
        let body = json!({"country_code": code, "phone_number": number, "properties": properties});
        appointment(&body.to_string()).map(|booked| booked.phone.expose().clone())
    };
    for code in [json!("+91"), json!("91"), json!(91), json!("IN")] {
        for number in [json!("9000000001"), json!(9_000_000_001_u64), json!("09000000001"), json!("+919000000001")] {
            assert_eq!(phone(code.clone(), number.clone()).as_deref(), Some("+919000000001"), "{code} {number}");
        }
    }
    assert_eq!(phone(json!(null), json!("9000000001")).as_deref(), Some("9000000001"));
    assert_eq!(phone(json!("?"), json!("12")).as_deref(), Some("12"));
    assert_eq!(phone(json!("+91"), json!(null)), None);
}

#[test]
fn trap_10_the_local_pair_speaks_only_when_the_other_does_not() {
    let booked = |properties: Value| {
        let body = json!({"full_phone_number": "+919000000001", "properties": properties});
        appointment(&body.to_string()).map(|booked| format!("{} {}", booked.date, booked.time))
    };
    let local =
        json!({"scheduled_date": "", "scheduled_date_local": "27-Feb-2026", "scheduled_time_local": "04:00 PM"});
    assert_eq!(booked(local).as_deref(), Some("27-Feb-2026 04:00 PM"));
    let within_text = json!(r#"{"scheduled_date":"27-Feb-2026","scheduled_time":"09:30 PM"}"#);
    assert_eq!(booked(within_text).as_deref(), Some("27-Feb-2026 09:30 PM"));
    // Never the date of one pair with the time of the other.
    assert_eq!(booked(json!({"scheduled_date": "27-Feb-2026", "scheduled_time_local": "09:30 PM"})), None);
    for nothing in [json!([]), json!(null), json!("x"), json!(7), json!({"scheduled_date": []})] {
        assert_eq!(booked(nothing), None);
    }
    assert_eq!(appointment("[]"), None);
    assert_eq!(appointment("nope"), None);
}
