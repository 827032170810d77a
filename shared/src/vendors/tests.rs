//! What holds for every family: each row of the table has a fixture, and each fixture reads as it is expected to.

pub(crate) mod hostile;
mod people;
mod properties;
mod traps;

use super::*;
use crate::model::{phone::Country, trust::Trust};
use serde::Deserialize;
use std::{collections::BTreeSet, fs, path::PathBuf};

#[derive(Deserialize)]
struct PageInput {
    name: String,
    data: Option<Box<RawValue>>,
}

fn page_id() -> PageEventId {
    PageEventId::parse("018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a").unwrap()
}

fn india() -> Country {
    Country::parse("IN").unwrap()
}

/// A page's event that is no chatter.
fn page(vendor: Vendor, name: &str, data: &str) -> Draft {
    let data: Box<RawValue> = serde_json::from_str(data).unwrap();
    match read_page(vendor, name, Some(&data), &page_id(), None) {
        Read::Event(draft) => draft,
        Read::Chatter => panic!("{name} is chatter"),
    }
}

fn webhook(vendor: Vendor, body: &str) -> Draft {
    read_webhook(vendor, body.as_bytes()).unwrap()
}

fn popin(body: &Value) -> Draft {
    webhook(Vendor::Popin, &body.to_string())
}

/// The file of a fixture, as text.
fn fixture(family: Family, name: &str) -> String {
    let path = folder(family).join(format!("{name}.json"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder(family: Family) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/vendors")).join(family.as_str())
}

fn names(family: Family, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder(family)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files.filter_map(|file| file.strip_suffix(ending).map(str::to_owned)).collect()
}

fn read(family: Family, text: &str) -> Read {
    let on_page = |vendor| {
        let PageInput { name, data } = serde_json::from_str(text).unwrap();
        let at = crate::model::instant::rfc3339("2026-02-23T07:37:53.250Z");
        read_page(vendor, &name, data.as_deref(), &page_id(), at)
    };
    match family {
        Family::PopinPage => on_page(Vendor::Popin),
        Family::ChiliPiperPage => on_page(Vendor::ChiliPiper),
        Family::FullviewPage => on_page(Vendor::Fullview),
        Family::PopinWebhook | Family::PopinOutgoing => Read::Event(webhook(Vendor::Popin, text)),
        Family::ChiliPiperWebhook => Read::Event(webhook(Vendor::ChiliPiper, text)),
    }
}

/// All of a draft but the payload and the hashes, a line each.
fn told(read: &Read) -> String {
    let Read::Event(draft) = read else { return "chatter\n".to_owned() };
    let identity = match &draft.identity {
        Identity::Page(_) => "page",
        Identity::Key(_) => "key",
        Identity::Window(_) => "window",
    };
    format!(
        "name: {}\nkind: {}\nsubject: {}\nidentity: {identity}\ntime: {}\nreason: {}\n",
        draft.name,
        draft.kind.as_str(),
        draft.subject.as_str(),
        draft.time.map_or_else(|| "none".to_owned(), crate::model::instant::millis),
        draft.reason.map_or("none", UnknownReason::as_str),
    )
}

#[test]
fn every_fixture_reads_as_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    for family in Family::ALL {
        assert_eq!(&names(family, ".expected") - &names(family, ".json"), BTreeSet::new(), "without their input");
        for name in names(family, ".json") {
            let told = told(&read(family, &fixture(family, &name)));
            let expected = folder(family).join(format!("{name}.expected"));
            if update {
                fs::write(expected, told).unwrap();
            } else {
                let expected = fs::read_to_string(expected).unwrap_or_default();
                assert_eq!(told, expected, "{}/{name} (UPDATE=1 rewrites)", family.as_str());
            }
        }
    }
}

#[test]
fn every_row_of_the_table_has_a_fixture_and_reads_as_its_kind() {
    for &(family, name, kind) in TABLE {
        let Read::Event(draft) = read(family, &fixture(family, name)) else { panic!("{name} is chatter") };
        assert_eq!(draft.name.strip_prefix("fullview:").unwrap_or(&draft.name), name, "{}", family.as_str());
        assert_eq!((draft.kind, draft.reason), (kind, None), "{}/{name}", family.as_str());
    }
}

#[test]
fn every_fixture_has_the_kind_of_the_table_or_none() {
    for family in Family::ALL {
        for name in names(family, ".json") {
            let Read::Event(draft) = read(family, &fixture(family, &name)) else { continue };
            let bare = draft.name.strip_prefix("fullview:").unwrap_or(&draft.name);
            assert_eq!(draft.kind, table::kind(family, bare).unwrap_or(Kind::Unknown), "{}/{name}", family.as_str());
            assert_eq!(draft.reason.is_some(), draft.kind == Kind::Unknown, "{}/{name}", family.as_str());
        }
    }
}

#[test]
fn the_table_has_each_name_once_and_every_kind() {
    let rows: BTreeSet<_> = TABLE.iter().map(|&(family, name, _)| (family.as_str(), name)).collect();
    assert_eq!(rows.len(), TABLE.len());
    let used: BTreeSet<_> = TABLE.iter().map(|(.., kind)| kind.as_str()).collect();
    let words: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(&words - &used, BTreeSet::from(["unknown"]));
}

#[test]
fn the_words_of_the_families_are_part_of_stored_ids() {
    let words = Family::ALL.map(Family::as_str);
    let pinned = ["popin-page", "popin-webhook", "popin-outgoing", "chili-piper-page", "chili-piper-webhook"];
    assert_eq!(words[..5], pinned);
    assert_eq!(words[5], "fullview-page");
    let draft = webhook(Vendor::Popin, &fixture(Family::PopinWebhook, "popin_call_missed"));
    assert_eq!(draft.identity, Identity::Key("f4eff2b9dddaf1f801b86271b10565c9".to_owned()));
}

#[test]
fn the_payload_is_kept_byte_for_byte() {
    for family in Family::ALL {
        for name in names(family, ".json") {
            let text = fixture(family, &name);
            let sent = match family {
                Family::PopinPage | Family::ChiliPiperPage | Family::FullviewPage => {
                    let input: PageInput = serde_json::from_str(&text).unwrap();
                    input.data.map_or_else(|| "null".to_owned(), |data| data.get().to_owned())
                }
                Family::PopinWebhook | Family::PopinOutgoing | Family::ChiliPiperWebhook => text.trim().to_owned(),
            };
            if let Read::Event(draft) = read(family, &text) {
                assert_eq!(draft.data.expose().get(), sent, "{}/{name}", family.as_str());
            }
        }
    }
}

#[test]
fn a_webhook_that_fullview_does_not_have_is_kept_as_an_unknown_shape() {
    let draft = webhook(Vendor::Fullview, r#"{"event":"callRequested","callId":"c-1"}"#);
    assert_eq!((draft.kind, draft.reason, draft.name.as_str()), (Kind::Unknown, Some(UnknownReason::Shape), ""));
    assert!(matches!(draft.identity, Identity::Window(_)));
}
