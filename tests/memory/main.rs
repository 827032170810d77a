//! What reading a hostile body costs, in memory and in steps: counted by an allocator, so this is a binary of its own.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

use frontdesk::{
    model::{
        event::{Draft, Vendor},
        ids::PageEventId,
        phone::Country,
        trust::Trust,
    },
    vendors::{self, Read, collect},
};
use serde_json::value::RawValue;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

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

/// One test, so that nobody else's allocations are counted.
#[test]
fn whatever_a_body_is_made_of_its_cost_is_bounded_and_grows_as_its_size() {
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
            println!("{told}");
            assert!(whole.bytes <= MOST_BODIES * size + FLAT, "{told}");
            // Twice the body, twice the steps: nothing in there looks at everything for each thing.
            assert!(whole.pieces <= half.pieces * 5 / 2 + 1000, "{told}; {} pieces for half", half.pieces);
            assert!(whole.bytes <= half.bytes * 5 / 2 + FLAT, "{told}; {} bytes for half", half.bytes);
        }
    }
}
