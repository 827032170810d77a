//! What is taken for a person and what is not, text by text.

use super::*;
use proptest::prelude::*;
use std::time::Instant;

fn found(text: &str) -> Vec<String> {
    find(text, Country::parse("IN").unwrap()).iter().map(|one| one.value().to_owned()).collect()
}

#[test]
fn a_number_is_found_however_it_is_written() {
    for text in [
        "9000054321",
        r#"{"contact":"9000054321"}"#,
        r#"{"Cell":"90000 54321"}"#,
        r#"{"contact":9000054321}"#,
        r#"{"contact":9000054321.0}"#,
        r#"{"9000054321":true}"#,
        r#"["x",["9000054321"]]"#,
        r#"{"a":{"b":{"c":"tel:+919000054321"}}}"#,
        r#"{"remark":"call me at +91 90000-54321 ext 2, please"}"#,
        r#"{"remark":"9000054321x2"}"#,
        r#"{"remark":"mobile:9000054321."}"#,
        r#"{"remark":"Room 12 9000054321, or 2 9000054321"}"#,
        r#"{"remark":"9000054321 12"}"#,
        r#"{"remark":"on 2026-02-27 9000054321 called"}"#,
        r#"{"remark":"0 90000 54321"}"#,
        r#"{"remark":"(+91) 90000 54321"}"#,
        r#"{"remark":"0091 90000 54321"}"#,
        r#"{"remark":"90000.54321 and 900.005.4321"}"#,
        r#"{"remark":"90000/54321"}"#,
        r#"{"remark":"90 00 05 43 21"}"#,
        r#"{"remark":"９００００５４３２１"}"#,
        r#"{"remark":"90000\u200b54321"}"#,
        r#"{"remark":"90000\u00a054321"}"#,
        r#"{"url":"https://shop.example.com/p?mobile=9000054321&x=1"}"#,
        r#"{"url":"https://shop.example.com/p?mobile=%2B91+90000+54321"}"#,
        r#"{"url":"https://shop.example.com/p?mobile=%252B91%252090000%252054321"}"#,
        r#"{"url":"https:\/\/shop.example.com\/9000054321\/x"}"#,
        r#"{"text":"\u0039\u0030\u0030\u0030\u0030\u0035\u0034\u0033\u0032\u0031"}"#,
        r#"{"meta":"{\"user\":\"{\\\"mobile\\\":9000054321}\"}"}"#,
        r#"{"meta":"{\"user\":\"{\\\"mobile\\\":\\\"\\\\u0039000054321\\\"}\"}"}"#,
        r#"{"a":"\ud800","contact":"9000054321"}"#,
        r#"{"a":1e400,"contact":"9000054321"}"#,
        r#"{"contact":"9000054321"#,
        r#"{"event":"popin_9000054321"}"#,
        "50%9000054321",
        "Mob-9000054321",
        "फोन9000054321",
    ] {
        assert!(found(text).contains(&"+919000054321".to_owned()), "{text}: {:?}", found(text));
    }
    let deep = format!("{}\"9000054321\"{}", "[".repeat(130), "]".repeat(130));
    assert_eq!(found(&deep), ["+919000054321"]);
}

#[test]
fn an_address_is_found_however_it_is_written() {
    for text in [
        "guest@example.com",
        r#"{"email":" Guest@Example.com "}"#,
        r#"{"to":"Asha Example <guest@example.com>"}"#,
        r#"{"to":"a@example.com, guest@example.com;b@example.com"}"#,
        r#"{"to":"mailto:guest@example.com?subject=x"}"#,
        r#"{"remark":"write to guest@example.com."}"#,
        r#"{"url":"https://shop.example.com/p?email=guest@example.com&x"}"#,
        r#"{"url":"https://shop.example.com/p?email=guest%40example.com"}"#,
        r#"{"guest@example.com":1}"#,
        r#"{"a":"\nguest\u0040example.com\n"}"#,
        r#"{"a":"{\"b\":\"guest@example.com\"}"}"#,
        "\u{200B}guest@example.com",
    ] {
        assert!(found(text).contains(&"guest@example.com".to_owned()), "{text}: {:?}", found(text));
    }
    assert_eq!(found("o'guest@example.com"), ["guest@example.com", "o'guest@example.com"]);
    assert_eq!(Identifier::email("Asha <O'Guest@example.com>").unwrap().value(), "o'guest@example.com");
    for none in ["", "no", "a@b", "@example.com", "a@.com", "a@@b", "a@example..com"] {
        assert_eq!(Identifier::email(none), None, "{none}");
    }
}

#[test]
fn a_time_an_id_and_a_price_are_nobody() {
    for text in [
        r#"{"timestamp":1771832273}"#,
        r#"{"timestamp":"1771832273"}"#,
        r#"{"timestamp":1771832273000,"at":"1771832273.123"}"#,
        r#"{"time":"2026-02-27T16:00:00.000Z","end":"2026-02-27 16:30:00+05:30"}"#,
        r#"{"scheduled_date":"27-02-2026","scheduled_time":"09:30 PM"}"#,
        r#"{"day":"27/02/2026 09:30"}"#,
        r#"{"day":"09-02-2026 16:30"}"#,
        r#"{"day":"20260227","hour":"2026022716"}"#,
        r#"{"uid":"9b0f6f0e-3c55-4a0e-9c59-0a6f6a5b1c11"}"#,
        r#"{"uid":"018f2b6e-7c1a-7e3b-9d0a-000000000001"}"#,
        r#"{"uid":"90000543-2100-4000-8000-919000054321"}"#,
        r#"{"id":"5b2124533a906b5f0bff32ad","agent":"0051N000001S8LUUA0","hash":"a9000054321b"}"#,
        r#"{"id":"SKU9000054321","user_id":58559,"call_id":28844,"group":"5211"}"#,
        r#"{"price":129900,"amount":"₹ 1,29,900.00","paise":12990000,"total":45000.50}"#,
        r#"{"lat":12.9715987612,"lon":77.5945661234,"chance":0.9000054321}"#,
        r#"{"ip":"192.168.100.200","agent":"Chrome/128.0.6613.120"}"#,
        r#"{"card":"4111111111111111","order":"900005432112","row":129000054321}"#,
        r#"{"_ga":"GA1.1.987654321.1771832273","slot":{"start":1536355315,"end":1536356315}}"#,
        r#"{"pin_code":"682001","duration":"312","rating":5}"#,
        r#"{"phone":null,"is_mobile":1,"mobile":true,"phone_model":"A1234567","mail":"a@b","handle":"@example"}"#,
    ] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
}

#[test]
fn under_its_label_a_number_needs_no_more_than_its_digits() {
    let india = |number: &str| found(&format!(r#"{{"phone_number":{number}}}"#));
    assert_eq!(india("\"2223456789\""), ["+912223456789"]);
    assert!(india("919000054321").contains(&"+919000054321".to_owned()));
    assert!(india("447946095812").contains(&"+447946095812".to_owned()));
    assert_eq!(found(r#"{"contact":"2223456789"}"#), [""; 0]);
    assert_eq!(found(r#"{"contact":"02223456789"}"#), ["+912223456789"]);
}

#[test]
fn a_number_without_its_country_is_read_at_home_and_in_the_countries_that_the_text_names() {
    let british = found(r#"{"contact":"7946095812","country_code":"+44"}"#);
    assert!(british.contains(&"+447946095812".to_owned()), "{british:?}");
    // A wrong neighbour does not hide the number at home.
    let wrong = found(r#"{"country":"+1","mobile":"9000054321"}"#);
    assert!(wrong.contains(&"+919000054321".to_owned()), "{wrong:?}");
    assert!(found("+44 (0)20 7946 0958").contains(&"+442079460958".to_owned()));
    assert_eq!(found("+1 202-555-0173"), ["+12025550173"]);
}

fn found_once(text: &str) -> Vec<String> {
    find_once(text, Country::parse("IN").unwrap()).iter().map(|one| one.value().to_owned()).collect()
}

#[test]
fn each_group_of_digits_is_read_once_where_anyone_may_send_it() {
    let rows: [(&str, &[&str]); 11] = [
        ("9000054321", &["+919000054321"]),
        ("+91 90000-54321 ext 2", &["+919000054321"]),
        ("Room 12 9000054321, or 2 9000054321", &["+919000054321"]),
        ("90000 54321 90000 54322", &["+919000054321", "+919000054322"]),
        (r#"{"mobile":"919000054321"}"#, &["+919000054321"]),
        (r#"{"phone":"447946095812"}"#, &["+447946095812"]),
        // The country beside a number speaks before the one at home, and does not hide it.
        (r#"{"contact":"7946095812","country_code":"+44"}"#, &["+447946095812"]),
        (r#"{"country":"+1","mobile":"9000054321"}"#, &["+919000054321"]),
        (r#"{"_ga":"GA1.1.987654321.1771832273"}"#, &[]),
        ("x?email=guest@example.com", &["guest@example.com", "x?email=guest@example.com"]),
        // However many there are of one kind, both kinds are among the first.
        (
            "90000 54321, 90000 54322, 90000 54323, a@example.com, b@example.com",
            &["+919000054321", "a@example.com", "+919000054322", "b@example.com", "+919000054323"],
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(found_once(text), expected, "{text}");
    }
    // No more numbers than a third of the groups: the shortest number there is has six digits, two a group.
    let flood = format!(r#"{{"phone":"{}"}}"#, (10..99).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
    assert!(found_once(&flood).len() <= 90 / 3 && found(&flood).len() > 90, "{:?}", found_once(&flood));
}

#[test]
fn a_hostile_text_costs_no_more_than_its_length() {
    let long = 1 << 17;
    for text in ["1 ", "91 ", "90000 54321 ", "a@", "\\", "%25", "\"\":", "9\"", "+", "(", "\"country\":1,", "9-"] {
        let text = text.repeat(long / text.len());
        let began = Instant::now();
        drop((found(&text), found_once(&text)));
        // A debug build on a busy machine; a square of the length would take minutes.
        assert!(began.elapsed().as_secs() < 20, "{} took {:?}", &text[..10], began.elapsed());
    }
}

#[test]
fn an_identifier_does_not_reach_a_log() {
    assert!(!format!("{:?}", find("9000054321 guest@example.com", Country::parse("IN").unwrap())).contains(['9', '@']));
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in any::<String>(), odd in r#"[\\%"+@u0-9a-f .:{}-]{0,80}"#) {
        drop(found(&text));
        drop(found(&odd));
    }

    #[test]
    fn a_number_is_found_in_any_surroundings(before in r"[^\p{Nd}\x{FF01}-\x{FF5E}\x{2010}-\x{2015}\x{2212}a-zA-Z+.\\%-]{0,20}", after in r"[^\p{Nd}\x{FF01}-\x{FF5E}a-zA-Z]{0,20}", tail in 0u32..100_000) {
        let number = format!("90000{tail:05}");
        let text = format!("{before}{number}{after}");
        let whole = format!("+91{number}");
        prop_assert!(found(&text).contains(&whole), "{}", text);
        prop_assert!(found_once(&text).contains(&whole), "{}", text);
    }
}
