//! Whom events are about, and what an appointment says.

use super::*;
use crate::model::{
    people::Identifier,
    phone::{Country, Phone},
};
use serde_json::json;

fn spelled(draft: &Draft, page: Option<&str>) -> Vec<String> {
    people(draft, page, india(), Trust::Bearer).iter().map(|one| one.value().to_owned()).collect()
}

/// The persons of a fixture.
fn of(family: Family, name: &str) -> Vec<String> {
    let Read::Event(draft) = read(family, &fixture(family, name)) else { panic!("{name} is chatter") };
    spelled(&draft, None)
}

#[test]
fn people_are_found_in_every_family() {
    assert_eq!(of(Family::PopinPage, "popin_captured"), ["+919000000001", "guest@example.com"]);
    assert_eq!(of(Family::PopinPage, "popin_auto_captured"), ["+919000000001"]);
    assert_eq!(
        of(Family::PopinWebhook, "popin_call_successful"),
        ["+919000000001", "agent@example.com", "guest@example.com"]
    );
    assert_eq!(of(Family::PopinWebhook, "popin_call_guest_connected"), ["+919000000001", "guest@example.com"]);
    assert_eq!(of(Family::PopinOutgoing, "popin_outgoing_call_ringing"), ["agent@example.com", "guest@example.com"]);
    assert_eq!(
        of(Family::ChiliPiperWebhook, "Created"),
        ["+919000000001", "friend@example.com", "guest@example.com", "host@example.com"]
    );
    assert_eq!(of(Family::FullviewPage, "callRequested"), [""; 0]);
}

#[test]
fn a_fixture_tells_of_those_who_are_in_it_and_of_nobody_else() {
    for family in Family::ALL {
        for name in names(family, ".json") {
            let Read::Event(draft) = read(family, &fixture(family, &name)) else { continue };
            for one in spelled(&draft, None) {
                let known = one.starts_with("+9190000000") || one.ends_with("@example.com");
                assert!(known, "{}/{name}: {one}", family.as_str());
            }
        }
    }
}

#[test]
fn people_are_found_in_what_is_stored_beside_the_payload() {
    let page = page(Vendor::Popin, "call 9000000001", "{}");
    assert_eq!(spelled(&page, None), ["+919000000001"]);
    let known = popin(&json!({"event": "popin_call_missed"}));
    assert_eq!(spelled(&known, Some("https://shop.example.com/guest@example.com")), ["guest@example.com"]);
}

#[test]
fn people_are_found_in_json_within_text() {
    let inner = json!({"user": {"mobile": 9_000_000_001_u64, "email": " guest@example.com "}}).to_string();
    let draft = popin(&json!({"event": "popin_user_captured", "meta": json!({"captured": inner}).to_string()}));
    assert_eq!(spelled(&draft, None), ["+919000000001", "guest@example.com"]);
}

#[test]
fn people_are_found_in_what_the_parser_cannot_hold() {
    let deep = format!("{}{}", "[".repeat(130), "]".repeat(130));
    for odd in [r#""\ud800""#, "1e400", &deep] {
        let body = format!(r#"{{"odd":{odd},"x":"9000000001 guest@example.com"}}"#);
        assert_eq!(spelled(&webhook(Vendor::Popin, &body), None), ["+919000000001", "guest@example.com"], "{body}");
    }
}

#[test]
fn a_vendors_own_id_of_a_person_is_popins_alone() {
    for id in [json!(58559), json!("58559")] {
        let data = json!({"event": "popin_call_missed", "user_id": id}).to_string();
        assert_eq!(user(Vendor::Popin, &data).as_deref(), Some("58559"));
        assert_eq!(user(Vendor::ChiliPiper, &data), None);
    }
    for none in [r#"{"user_id":null}"#, r#"{"user_id":""}"#, "[]", "nope"] {
        assert_eq!(user(Vendor::Popin, none), None);
    }
}

#[test]
fn an_agent_is_told_from_the_customer() {
    let in_text = |data: &str, who: &str| only_of_staff(data, |one| *one == Identifier::email(who).unwrap(), india());
    let only_of_staff = |data: &Value, who: &str| in_text(&data.to_string(), who);
    for family in [Family::PopinWebhook, Family::PopinOutgoing] {
        let name = if family == Family::PopinWebhook { "popin_call_successful" } else { "popin_outgoing_call_ringing" };
        let data: Value = serde_json::from_str(&fixture(family, name)).unwrap();
        assert!(only_of_staff(&data, "agent@example.com"));
        assert!(!only_of_staff(&data, "guest@example.com") && !only_of_staff(&data, "nobody@example.com"));
    }
    let meeting: Value = serde_json::from_str(&fixture(Family::ChiliPiperWebhook, "Created")).unwrap();
    assert!(only_of_staff(&meeting, "host@example.com") && !only_of_staff(&meeting, "friend@example.com"));
    assert!(!in_text("nope agent@example.com", "agent@example.com"));
}

#[test]
fn an_appointment_does_not_reach_a_log() {
    let booked = appointment(&fixture(Family::PopinWebhook, "popin_scheduled_created")).unwrap();
    assert!(!format!("{booked:?}").contains("9000000001"));
}

#[test]
fn an_appointment_is_read_whatever_its_types() {
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
fn an_appointment_without_the_full_number_joins_code_and_number() {
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
fn the_local_pair_speaks_only_when_the_other_does_not() {
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
