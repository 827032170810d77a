//! What vendors do that a careless reader gets wrong, as far as it shows at this layer.

use super::*;
use serde_json::json;

const OUTGOING: &str = "popin_outgoing_call_initiated";

/// A fixture with one field set.
fn with(family: Family, name: &str, field: &str, value: Value) -> Value {
    let mut body: Value = serde_json::from_str(&fixture(family, name)).unwrap();
    body[field] = value;
    body
}

fn missed(field: &str, value: Value) -> Draft {
    popin(&with(Family::PopinWebhook, "popin_call_missed", field, value))
}

fn confirmed(data: &Value) -> Draft {
    page(Vendor::ChiliPiper, "booking-confirmed", &data.to_string())
}

fn is_window(draft: &Draft) -> bool {
    matches!(draft.identity, Identity::Window(_))
}

#[test]
fn an_id_is_opaque_and_never_decoded() {
    for id in ["NTg1NTk=", "MzE1NQ==", "058559", " 58559", "58559.0"] {
        assert_eq!(missed("user_id", json!(id)).subject.as_str(), id);
        assert_ne!(missed("user_id", json!(id)).identity, missed("user_id", json!("58559")).identity);
    }
}

#[test]
fn an_id_is_the_same_as_text_and_as_a_number() {
    assert_eq!(missed("user_id", json!(58559)).identity, missed("user_id", json!("58559")).identity);
    let (text, number) = (fixture(Family::PopinOutgoing, "odd_ids_are_text"), fixture(Family::PopinOutgoing, OUTGOING));
    assert_eq!(webhook(Vendor::Popin, &text).identity, webhook(Vendor::Popin, &number).identity);
    let call = |id: Value| page(Vendor::Fullview, "callEnded", &json!({"callId": id}).to_string());
    assert_eq!(call(json!(7311)).identity, call(json!("7311")).identity);
    assert_eq!(call(json!(7311)).subject.as_str(), "7311");
    // Too long for the parser's integers, these two would be equal as fractions.
    let long = |id: &str| {
        webhook(Vendor::Popin, &format!(r#"{{"event":"popin_call_missed","user_id":{id},"timestamp":1771832273}}"#))
    };
    assert!(is_window(&long("123456789012345678901234567890")));
}

#[test]
fn a_time_is_read_in_every_spelling_and_refused_in_none() {
    let at = crate::model::instant::rfc3339("2026-02-23T07:37:53Z");
    for time in [json!("1771832273"), json!(1_771_832_273), json!(1_771_832_273_000_i64), json!("2026-02-23T07:37:53Z")]
    {
        assert_eq!(missed("timestamp", time).time, at);
    }
    for time in [json!("?"), json!("2026-02-23 07:37:53"), json!({"date": "x"}), json!(true), json!([])] {
        let draft = missed("timestamp", time);
        assert_eq!((draft.time, draft.kind), (None, Kind::CallMissed));
    }
}

#[test]
fn a_list_may_stand_for_an_empty_map() {
    for field in ["properties", "meta", "user", "agent", "extra"] {
        assert_eq!(missed(field, json!([])).kind, Kind::CallMissed);
        assert_eq!(popin(&with(Family::PopinOutgoing, OUTGOING, field, json!([]))).kind, Kind::CallRequested);
    }
    assert_eq!(page(Vendor::Popin, "popin_auto_captured", "[]").kind, Kind::LeadCaptured);
    assert_eq!(confirmed(&json!({"args": [], "eventId": "e-1"})).subject.as_str(), "e-1");
}

#[test]
fn a_name_means_what_its_family_says() {
    let [old, new] = ["popin_expert_busy", "popin_call_missed"].map(|name| page(Vendor::Popin, name, "{}").kind);
    assert_eq!((old, new), (Kind::CallBusy, Kind::CallBusy));
    assert_eq!(missed("meta", json!({})).kind, Kind::CallMissed);
}

#[test]
fn twins_have_one_kind_and_stay_two_events() {
    let twins = [
        ("popin_captured", "popin_user_captured", Kind::LeadCaptured),
        ("popin_auto_captured", "popin_user_captured", Kind::LeadCaptured),
        ("popin_schedule_created", "popin_scheduled_created", Kind::BookingCreated),
        ("popin_rating_done", "popin_call_rated", Kind::CallRated),
    ];
    for (in_page, at_server, kind) in twins {
        let one = page(Vendor::Popin, in_page, "{}");
        let other = webhook(Vendor::Popin, &fixture(Family::PopinWebhook, at_server));
        assert_eq!((one.kind, other.kind), (kind, kind));
        assert_ne!(one.identity, other.identity);
    }
}

#[test]
fn a_uid_alone_is_a_thread_and_no_person() {
    let draft = page(Vendor::Popin, "popin_open", r#"{"uid":"u-1"}"#);
    assert_eq!(draft.subject.as_str(), "u-1");
    assert_eq!(people(&draft, None, india(), Trust::Bearer), []);
}

#[test]
fn absent_null_and_blank_are_the_same() {
    for blank in [json!(null), json!(""), json!("  ")] {
        assert!(is_window(&missed("timestamp", blank.clone())));
        let no_user = missed("user_id", blank.clone());
        assert!(matches!(no_user.identity, Identity::Key(_)));
        assert_eq!(no_user.subject.as_str().len(), 16);
        assert!(!no_user.subject.as_str().contains("9000000001"));
        let uid = page(Vendor::Popin, "popin_open", &json!({"uid": blank}).to_string());
        assert_eq!(uid.subject.as_str(), page_id().as_str());
    }
    let nobody = webhook(Vendor::Popin, &fixture(Family::PopinWebhook, "odd_nobody"));
    let Identity::Window(hash) = &nobody.identity else { panic!("nobody is told apart by the body") };
    assert_eq!(nobody.subject.as_str(), &hash[..16]);
}

#[test]
fn what_is_unknown_is_kept() {
    let draft = webhook(Vendor::Popin, &fixture(Family::PopinWebhook, "odd_unknown_name"));
    assert_eq!((draft.kind, draft.reason), (Kind::Unknown, Some(UnknownReason::Name)));
    assert_eq!(missed("meta", json!({"new": 1})).identity, missed("extra", json!(true)).identity);
    for body in ["[]", "0", "\"x\"", "null", "{}", r#"{"event":{}}"#, r#"{"event":["popin_call_missed"]}"#] {
        for vendor in Vendor::ALL {
            let draft = webhook(vendor, body);
            assert_eq!((draft.kind, draft.reason), (Kind::Unknown, Some(UnknownReason::Shape)), "{body}");
            assert!(is_window(&draft) && draft.name.is_empty());
        }
    }
    for bytes in [&b""[..], b"{", b"{}x", b"\xff", b"event=popin_call_missed", b"\xef\xbb\xbf{}"] {
        assert_eq!(read_webhook(Vendor::Popin, bytes).unwrap_err(), NotJson);
    }
}

#[test]
fn json_that_the_parser_cannot_hold_is_kept() {
    let nested =
        |depth| format!(r#"{{"event":"popin_call_missed","meta":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let surrogate = r#"{"event":"popin_call_rated","properties":{"comments":"\ud800"}}"#.to_owned();
    let huge = r#"{"event":"popin_call_rated","rating":1e400}"#.to_owned();
    let bodies = [
        (nested(200), UnknownReason::Depth),
        (nested(100_000), UnknownReason::Depth),
        (hostile::many_keys(100_000), UnknownReason::Keys),
        (surrogate, UnknownReason::Shape),
        (huge, UnknownReason::Shape),
    ];
    for (body, reason) in bodies {
        let draft = webhook(Vendor::Popin, &format!(" {body}\n"));
        assert_eq!((draft.kind, draft.reason), (Kind::Unknown, Some(reason)));
        assert!(is_window(&draft));
        assert_eq!(draft.data.expose().get(), body);
        assert_eq!(draft.identity, webhook(Vendor::Popin, &body).identity);
        assert_eq!(appointment(draft.data.expose().get()), None);
        // The page's name does not stand in the payload, so the kind is known all the same.
        let draft = page(Vendor::Popin, "popin_rating_done", &body);
        assert_eq!((draft.kind, draft.data.expose().get()), (Kind::CallRated, body.as_str()));
    }
    assert_ne!(webhook(Vendor::Popin, &nested(200)).identity, webhook(Vendor::Popin, &nested(201)).identity);
}

#[test]
fn a_long_name_is_bounded_only_where_it_is_stored() {
    let long = |end: &str| missed("event", json!(format!("popin_{}{end}", "ö".repeat(140))));
    assert_eq!(long("a").name.chars().count(), 128);
    assert_eq!(long("a").name, long("b").name);
    assert_ne!(long("a").identity, long("b").identity);
}

#[test]
fn a_second_missed_call_is_not_swallowed() {
    let (first, second) = (missed("timestamp", json!("1771832273")), missed("timestamp", json!("1771832274")));
    assert_ne!(first.identity, second.identity);
    assert_eq!(first.subject, second.subject);
    // What cannot be read as an instant may still tell; what is no moment must not.
    assert!(!is_window(&missed("timestamp", json!("23-Feb-2026 01:07:53 PM"))));
    for no_moment in
        [json!("?"), json!(0), json!("0"), json!("2026-02-23"), json!("0000-00-00 00:00:00"), json!({}), json!(true)]
    {
        assert!(is_window(&missed("timestamp", no_moment)));
    }
    // Without a time only a window tells: the same now, another event later.
    let v1 = webhook(Vendor::Popin, &fixture(Family::PopinWebhook, "odd_v1_without_timestamp"));
    assert!(is_window(&v1));
    // A shape without a name is never told by its time alone.
    assert!(is_window(&missed("event", json!(null))));
}

#[test]
fn two_stages_within_one_second_are_two_events() {
    let at = |name: &str| popin(&with(Family::PopinOutgoing, name, "timestamp", json!(1_771_832_273)));
    let stages: Vec<_> = TABLE.iter().filter(|row| row.0 == Family::PopinOutgoing).map(|row| at(row.1)).collect();
    for (one, stage) in stages.iter().enumerate() {
        assert_eq!(stage.subject, stages[0].subject);
        assert!(stages[one + 1..].iter().all(|other| other.identity != stage.identity), "{}", stage.name);
    }
    assert_ne!(at("popin_outgoing_call_network_failure").identity, at("odd_participant_agent").identity);
}

#[test]
fn the_prefix_tells_the_family_and_not_the_shape() {
    let shaped = popin(&with(Family::PopinWebhook, "popin_call_missed", "event", json!("popin_outgoing_call_missed")));
    assert_eq!((shaped.kind, shaped.subject.as_str()), (Kind::CallMissed, "58559"));
    let shaped = popin(&with(Family::PopinOutgoing, OUTGOING, "event", json!("popin_call_missed")));
    assert_eq!((shaped.kind, shaped.subject.as_str()), (Kind::CallMissed, "58559"));
    let unknown = popin(&with(Family::PopinOutgoing, OUTGOING, "event", json!("popin_outgoing_call_held")));
    assert_eq!(
        (unknown.reason, unknown.subject.as_str()),
        (Some(UnknownReason::Name), "bf0b3a76-0596-4602-a2c3-43e0db01b991")
    );
}

#[test]
fn meta_may_be_of_any_type() {
    for meta in [json!({}), json!([]), json!(null), json!("{\"product\":\"{}\"}"), json!("not json"), json!(7)] {
        assert_eq!(missed("meta", meta.clone()).identity, missed("meta", json!({})).identity);
        assert_eq!(popin(&with(Family::PopinOutgoing, OUTGOING, "meta", meta)).kind, Kind::CallRequested);
    }
}

#[test]
fn only_the_confirmation_is_a_booking_and_its_copies_are_one() {
    let [booked, confirmed_once] = ["booked", "booking-confirmed"].map(|name| {
        let Read::Event(draft) = read(Family::ChiliPiperPage, &fixture(Family::ChiliPiperPage, name)) else { panic!() };
        draft
    });
    assert_eq!((booked.kind, confirmed_once.kind), (Kind::BookingStarted, Kind::BookingCreated));
    assert!(matches!(booked.identity, Identity::Page(_)));
    for copy in ["odd_confirmed_flat", "odd_confirmed_milliseconds", "odd_confirmed_text"] {
        let Read::Event(copy) = read(Family::ChiliPiperPage, &fixture(Family::ChiliPiperPage, copy)) else { panic!() };
        assert_eq!((copy.identity, copy.subject), (confirmed_once.identity.clone(), confirmed_once.subject.clone()));
    }
    let args = |start: i64| json!({"args": {"eventId": "e-1", "slot": {"start": start, "end": 1_771_840_000}}});
    assert_ne!(confirmed(&args(1_771_832_273)).identity, confirmed(&args(1_771_833_173)).identity);
    let moved = page(Vendor::ChiliPiper, "rescheduled", &args(1_771_832_273).to_string());
    assert!(matches!(moved.identity, Identity::Page(_)));
}

#[test]
fn what_a_page_posts_is_told_by_the_page_and_may_be_anything() {
    for data in ["null", "\"text\"", "[]", "0", "{}", r#"{"action":null}"#] {
        for vendor in Vendor::ALL {
            let draft = page(vendor, "popin_call_successful", data);
            assert_eq!((draft.kind, draft.reason), (Kind::Unknown, Some(UnknownReason::Name)));
            assert_eq!((draft.identity, draft.subject.as_str()), (Identity::Page(page_id()), page_id().as_str()));
        }
    }
}

#[test]
fn names_are_matched_exactly_and_chatter_is_dropped() {
    for name in ["redirect", "Booked", "prospect-cancel", "phone-close", "booked ", ""] {
        assert_eq!(page(Vendor::ChiliPiper, name, "{}").kind, Kind::Unknown, "{name}");
    }
    for args in [json!("text"), json!(7), json!(null), json!([1]), json!({"slot": "x"})] {
        assert_eq!(confirmed(&json!({"args": args})).kind, Kind::BookingCreated);
    }
    for name in ["started-listening-form-data-update", "stopped-listening-form-data-update"] {
        assert!(matches!(read_page(Vendor::ChiliPiper, name, None, &page_id(), None), Read::Chatter));
        assert_eq!(page(Vendor::Popin, name, "{}").reason, Some(UnknownReason::Name));
    }
}

#[test]
fn a_fullview_call_is_told_once_for_all_tabs() {
    let tab = |name: &str, id: &str| {
        let id = PageEventId::parse(format!("018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b{id}")).unwrap();
        let data: Box<RawValue> = serde_json::from_str(r#"{"callId":"c-1"}"#).unwrap();
        let Read::Event(draft) = read_page(Vendor::Fullview, name, Some(&data), &id, None) else { panic!() };
        draft.identity
    };
    assert_eq!(tab("fullview:callRequested", "01"), tab("callRequested", "02"));
    assert_ne!(tab("callRequested", "01"), tab("callEnded", "01"));
    // A name that we do not know may happen twice in a call.
    assert_ne!(tab("callMuted", "01"), tab("callMuted", "02"));
    let request = page(Vendor::Fullview, "fullview:supportRequested", "null");
    assert_eq!(request.identity, Identity::Page(page_id()));
}
