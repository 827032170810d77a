//! What reading a hostile body costs, in memory and in steps: counted by an allocator, so this is a binary of its own.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

use bytes::Bytes;
use frontdesk::{
    crm::{self, Arrival, back, fields::Fields, request},
    model::{
        canonical::canonical,
        connector::Connector,
        event::{Draft, Vendor},
        ids::PageEventId,
        instant, people,
        phone::{Country, Phone},
        retry_after::RetryAfter,
        seller::{Reach, Sellers},
        trigger::About,
        trust::Trust,
        write_back::Destination,
    },
    popin::dates,
    vendors::{self, Read, collect},
};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::value::RawValue;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, hint::black_box};
use system_tests::crm_ways::with_crms;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The most that reading a body may ever take, in bodies: a list of zeros is 2 bytes an entry in the text and 32 as a
/// value, and it is built to be read and once more to look for persons. What is held at once can only be less.
const MOST_BODIES: usize = 64;
/// Beside it, for what any body costs.
const FLAT: usize = 64 * 1024;

/// All that a call takes, given back in between or not. Every byte of it has to be written: these are its steps.
struct Cost {
    pieces: usize,
    bytes: usize,
}

fn cost(act: impl FnOnce()) -> Cost {
    let region = Region::new(COUNTING);
    act();
    let change = region.change();
    Cost { pieces: change.allocations + change.reallocations, bytes: change.bytes_allocated }
}

/// Payloads of at most `size` bytes, each all of one hostile thing.
fn payloads(size: usize) -> Vec<(&'static str, String)> {
    let list = |entry: &str| format!("[{}0]", format!("{entry},").repeat((size - 3) / (entry.len() + 1)));
    let map = |entry: &dyn Fn(usize) -> String| {
        let mut text = "{".to_owned();
        for at in 0.. {
            let entry = entry(at);
            if text.len() + entry.len() + 8 > size {
                break;
            }
            text = text + &entry + ",";
        }
        text + "\"\":0}"
    };
    let nested = |open: &str, close: &str| {
        let depth = (size - 1) / (open.len() + close.len());
        [&open.repeat(depth), "0", &close.repeat(depth)].concat()
    };
    // Half as long with each level, as each doubles the backslashes of the one below it.
    let mut within = list("9000000001");
    within.truncate(size / 4096);
    within = format!("{}0]", &within[..=within.rfind(',').unwrap_or_default()]);
    while within.len() < size / 3 {
        within = serde_json::to_string(&[within]).unwrap();
    }
    vec![
        ("keys", map(&|at| format!("\"k{at}\":0"))),
        ("one key again and again", map(&|_| "\"event\":\"popin_call_missed\"".to_owned())),
        ("persons", map(&|at| format!("\"phone{at}\":\"9000000001\""))),
        ("zeros", list("0")),
        ("nulls", list("null")),
        ("numbers as text", list("\"1\"")),
        ("empty lists", list("[]")),
        ("empty maps", list("{}")),
        ("addresses", list("\"a@b.cd\"")),
        ("lone surrogates", list(r#""\ud800""#)),
        ("pairs of surrogates", list(r#""\ud83d\ude00""#)),
        ("one long text", format!("\"{}\"", "x".repeat(size - 2))),
        ("one long text of escapes", format!("\"{}\"", "\\u0041".repeat((size - 2) / 6))),
        ("one long number", format!("[{}]", "9".repeat(size - 2))),
        ("lists within lists", nested("[", "]")),
        ("maps within maps", nested(r#"{"a":"#, "}")),
        ("JSON within text", within),
    ]
}

fn look_at(draft: &Draft) {
    drop(vendors::people(draft, None, Country::parse("IN").unwrap(), Trust::Claimed));
    drop(vendors::appointment(draft.data.expose().get()));
}

fn read_webhook(vendor: Vendor, payload: &str) {
    look_at(&vendors::read_webhook(vendor, payload.as_bytes()).unwrap());
}

fn read_page(payload: &str) {
    let data: &RawValue = serde_json::from_str(payload).unwrap();
    let page = PageEventId::parse("018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a").unwrap();
    match vendors::read_page(Vendor::ChiliPiper, "booking-confirmed", Some(data), &page, None) {
        Read::Event(draft) => look_at(&draft),
        Read::Chatter => {}
    }
}

fn read_batch(payload: &str) {
    let body = format!("{{\"events\":{payload}}}");
    for (_, draft, _) in collect::read(body.as_bytes(), "https://shop.example.com").unwrap_or_default().events {
        look_at(&draft);
    }
}

/// Its name, the most bytes that it takes, and how it reads them.
type Door = (&'static str, usize, fn(&str));

/// What is read by each CRM's own parser, in every form that it takes.
fn read_crm(sellers: &Sellers, connector: Connector, content_type: &'static str, body: &str) {
    let (_, seller) = sellers.get("acme").unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    headers.insert("x-shopify-topic", HeaderValue::from_static("customers/create"));
    let arrival = Arrival { headers: &headers, path_secret: None, body: body.as_bytes() };
    let now = Timestamp::from_second(1_795_400_000).unwrap();
    black_box(crm::prove(connector, &arrival, Some(seller), now));
    let Ok(batch) = crm::read(connector, &arrival, seller, now) else { return };
    let fields = Fields::of(connector, seller).unwrap();
    for told in batch.told {
        if let About::Record(record) = told.about {
            drop(request::parse(&fields.request(record.expose()), seller, now));
        }
    }
}

/// Forms and documents of about `size` bytes, each all of one hostile thing.
fn forms_and_documents(size: usize) -> Vec<(&'static str, &'static str, String)> {
    let many = |piece: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for at in 0.. {
            if text.len() >= size {
                break;
            }
            text += &piece(at);
        }
        text
    };
    let message = |inner: &str| {
        format!(
            "<e><notifications xmlns='http://soap.sforce.com/2005/09/outbound'><OrganizationId>00D000000000001</OrganizationId>\
             <Notification><Id>1</Id><sObject>{inner}</sObject></Notification></notifications></e>"
        )
    };
    let (form, xml) = ("application/x-www-form-urlencoded", "text/xml");
    vec![
        ("pairs", form, many(&|at| format!("k{at}=v&"))),
        ("one name again and again", form, many(&|_| "mobile=9000000001&".to_owned())),
        ("escapes", form, "mobile=".to_owned() + &many(&|_| "%41".to_owned())),
        ("no ends", form, many(&|_| "&=".to_owned())),
        ("namespaces within namespaces", xml, message(&many(&|at| format!("<a xmlns:n{at}='u{at}'>")))),
        ("namespaces side by side", xml, message(&many(&|at| format!("<a xmlns:n{at}='u{at}'/>")))),
        ("namespaces of one element", xml, message(&format!("<a{}/>", many(&|at| format!(" xmlns:n{at}='u{at}'"))))),
        ("attributes of one element", xml, message(&format!("<a{}/>", many(&|at| format!(" n{at}='u'"))))),
        ("attributes side by side", xml, message(&many(&|at| format!("<a n{at}='u'/>")))),
        ("elements within elements", xml, message(&many(&|_| "<a>".to_owned()))),
        ("elements side by side", xml, message(&many(&|_| "<a/>".to_owned()))),
        ("fields of one name", xml, message(&many(&|_| "<MobilePhone>1</MobilePhone>".to_owned()))),
        ("references", xml, message(&format!("<a>{}</a>", many(&|_| "&amp;".to_owned())))),
        ("comments", xml, message(&many(&|_| "<!-- -->".to_owned()))),
        ("openings", xml, many(&|_| "<".to_owned())),
        ("quotes", xml, message(&format!("<a {}", many(&|_| "'\"".to_owned())))),
    ]
}

const CRMS: [Connector; 7] = [
    Connector::HubSpot,
    Connector::Salesforce,
    Connector::Zoho,
    Connector::LeadSquared,
    Connector::Freshsales,
    Connector::Pipedrive,
    Connector::Shopify,
];

/// A body of many records, as those CRMs send them that batch.
fn batches(connector: Connector, size: usize) -> Option<String> {
    let many = |piece: &dyn Fn(usize) -> String| {
        let piece_size = piece(1000).len() + 1;
        (0..size / piece_size).map(piece).collect::<Vec<_>>().join(",")
    };
    match connector {
        Connector::HubSpot => Some(format!(
            "[{}]",
            many(&|at| format!("{{\"eventId\":{at},\"objectId\":{at},\"subscriptionType\":\"contact.creation\"}}"))
        )),
        Connector::LeadSquared => Some(format!("[{}]", many(&|at| format!("{{\"ProspectID\":\"{at}\"}}")))),
        Connector::Zoho => Some(format!(
            "{{\"channel_id\":\"1\",\"operation\":\"update\",\"module\":\"Leads\",\"ids\":[{}]}}",
            many(&|at| format!("\"{at}\""))
        )),
        Connector::Salesforce
        | Connector::Freshsales
        | Connector::Pipedrive
        | Connector::Shopify
        | Connector::Standard => None,
    }
}

/// As each CRM wraps it.
fn wrapped(connector: Connector, payload: &str) -> String {
    match connector {
        Connector::HubSpot => format!("{{\"objectId\":1,\"properties\":{payload},\"callbackId\":\"c\"}}"),
        Connector::Pipedrive => format!(
            "{{\"meta\":{{\"action\":\"change\",\"entity\":\"person\"}},\"data\":{payload},\"previous\":{payload}}}"
        ),
        Connector::LeadSquared => format!("[{{\"Current\":{payload},\"ProspectID\":\"1\"}}]"),
        Connector::Zoho => format!(
            "{{\"token\":\"x\",\"channel_id\":\"1\",\"operation\":\"update\",\"module\":\"Leads\",\"ids\":[\"1\"],\"affected_fields\":{payload}}}"
        ),
        Connector::Salesforce | Connector::Freshsales | Connector::Shopify | Connector::Standard => {
            format!("{{\"mobile\":\"1\",\"beside\":{payload}}}")
        }
    }
}

type Parser<'a> = &'a dyn Fn(&str);

/// Four times the body, at most some four times the work: counted by what is allocated, whatever machine it runs on.
fn assert_linear(what: &str, size: usize, read: &dyn Fn(usize)) {
    let (one, four) = (cost(|| read(size)), cost(|| read(4 * size)));
    let told = format!(
        "{what}: {} bytes in {} pieces, and {} in {} for four times as much",
        one.bytes, one.pieces, four.bytes, four.pieces
    );
    assert!(four.pieces <= one.pieces * 5 + 1000, "{told}");
    assert!(four.bytes <= one.bytes * 5 + FLAT, "{told}");
}

fn every_parser_of_a_crm() {
    let sellers = Sellers::parse_within(with_crms(|_| {}).to_string().as_bytes(), Reach::Local).unwrap();
    let sizes = [16 * 1024, 64 * 1024];
    for connector in CRMS {
        let [small, large] = sizes.map(payloads);
        for ((what, small), (_, large)) in small.iter().zip(&large) {
            let bodies = [small, large].map(|payload| wrapped(connector, payload));
            let read = |size: usize| {
                read_crm(&sellers, connector, "application/json", &bodies[usize::from(size > sizes[0])]);
            };
            assert_linear(&format!("{connector:?}, {what}"), sizes[0], &read);
        }
        if let [Some(small), Some(large)] = sizes.map(|size| batches(connector, size)) {
            let read = |size: usize| {
                read_crm(&sellers, connector, "application/json", if size > sizes[0] { &large } else { &small });
            };
            assert_linear(&format!("{connector:?}, a batch"), sizes[0], &read);
        }
        let [small, large] = sizes.map(forms_and_documents);
        for ((what, content_type, small), (_, _, large)) in small.iter().zip(&large) {
            let read = |size: usize| {
                read_crm(&sellers, connector, content_type, if size > sizes[0] { large } else { small });
            };
            assert_linear(&format!("{connector:?}, {what}"), sizes[0], &read);
        }
    }
}

/// What stands in headers and fields, and what others answer.
fn every_parser_of_a_text() {
    let country = Country::parse("IN").unwrap();
    let pieces = [
        "9",
        "+91 ",
        "9000000001 ",
        "a@b.cd ",
        "@",
        "\\u0041",
        "\\\\",
        "{\"a\":",
        "%2B91",
        " ",
        "-",
        "é",
        "\u{202e}",
        "1.",
        "PM ",
    ];
    let parsers: [(&str, Parser<'_>); 6] = [
        ("persons", &|text| {
            black_box(people::find(text, country));
        }),
        ("a number", &|text| {
            drop(Phone::parse(text, country));
        }),
        ("a time", &|text| {
            black_box(instant::rfc3339(text));
        }),
        ("a slot", &|text| {
            black_box(dates::slot(text));
        }),
        ("Retry-After", &|text| {
            black_box(RetryAfter::read(text));
        }),
        ("canonical JSON", &|text| {
            black_box(canonical(text.as_bytes()));
        }),
    ];
    for (parser, parse) in parsers {
        for piece in pieces {
            assert_linear(&format!("{parser}, {piece:?}"), 16 * 1024, &|size| parse(&piece.repeat(size / piece.len())));
        }
    }
    let [small, large] = [16 * 1024, 64 * 1024].map(|size| {
        let answer = |(what, body): (&'static str, String)| {
            (what, http::Response::builder().status(200).body(Bytes::from(body)).unwrap())
        };
        payloads(size).into_iter().map(answer).collect::<Vec<_>>()
    });
    for place in Destination::ALL {
        for ((what, small), (_, large)) in small.iter().zip(&large) {
            let read = |size: usize| {
                black_box(back::meaning(place, if size > 16 * 1024 { large } else { small }));
            };
            assert_linear(&format!("{place:?}'s answer, {what}"), 16 * 1024, &read);
        }
    }
}

/// One test, so that nobody else's allocations are counted.
#[test]
fn whatever_a_body_is_made_of_its_cost_is_bounded_and_grows_as_its_size() {
    every_parser_of_a_crm();
    every_parser_of_a_text();
    let doors: [Door; 4] = [
        ("a webhook of Popin's", 1024 * 1024, |payload| read_webhook(Vendor::Popin, payload)),
        ("a webhook of Chili Piper's", 1024 * 1024, |payload| read_webhook(Vendor::ChiliPiper, payload)),
        ("a page's event", collect::MOST_EVENT_BYTES, read_page),
        ("a page's batch", 64 * 1024, read_batch),
    ];
    for (door, most, read) in doors {
        for ((what, half), (_, whole)) in payloads(most / 2).iter().zip(&payloads(most)) {
            assert!(whole.len() <= most && whole.len() >= most / 8, "{what} has {} of {most} bytes", whole.len());
            let (half, whole, size) = (cost(|| read(half)), cost(|| read(whole)), whole.len());
            let told = format!("{door}, {what}: {} bytes in {} pieces for {size}", whole.bytes, whole.pieces);
            assert!(whole.bytes <= MOST_BODIES * size + FLAT, "{told}");
            // Twice the body, twice the steps: nothing in there looks at everything for each thing.
            assert!(whole.pieces <= half.pieces * 5 / 2 + 1000, "{told}; {} pieces for half", half.pieces);
            assert!(whole.bytes <= half.bytes * 5 / 2 + FLAT, "{told}; {} bytes for half", half.bytes);
        }
    }
}
