//! infra/SELLERS.md lists every setting of the sellers document: the code's names, its defaults, and examples that are valid.

use frontdesk::model::seller::{
    Fields, FreshsalesBack, HubSpotBack, LeadSquaredBack, Notify, PipedriveBack, Popin, SalesforceBack, Sellers,
    ShopifyBack, WebhookSecrets, ZohoBack,
    crm::{BasicUser, Crm, HubSpot, Pipedrive, Salesforce, Shopify, Standard, Tokens, Zoho},
    mapping::Mapping,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn full_example() -> Value {
    serde_json::from_str(&read("infra/sellers.full.example.json")).unwrap()
}

/// One row of a settings table.
struct Row {
    default: String,
    example: String,
}

/// The rows by setting: tables of five columns, the name first, in backticks.
fn rows() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in read("infra/SELLERS.md").lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [setting, _, default, meaning, example] = cells.as_slice() else { continue };
        let Some(setting) = setting.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else { continue };
        assert!(meaning.ends_with('.'), "{setting} has no meaning");
        let row = Row { default: (*default).to_owned(), example: example.trim_matches('`').to_owned() };
        assert!(rows.insert(setting.to_owned(), row).is_none(), "{setting} has two rows");
    }
    rows
}

/// The name that the page has for a setting: what several blocks share stands there once.
fn shared_name(path: &str) -> String {
    match path.split('.').collect::<Vec<_>>().as_slice() {
        ["webhooks", _, key] => format!("webhooks.*.{key}"),
        ["crm", _, "fields", word] => format!("crm.*.fields.{word}"),
        ["crm", _, "write_back", "fields", word] => format!("crm.*.write_back.fields.{word}"),
        ["crm", _, name @ ("only" | "api_base")] => format!("crm.*.{name}"),
        _ => path.to_owned(),
    }
}

/// Every setting under `value`, with the values that it has.
fn settings(value: &Value, path: &str, found: &mut BTreeMap<String, Vec<Value>>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(block) if path.rsplit('.').next() != Some("only") => {
            block.iter().for_each(|(name, value)| settings(value, &below(name), found));
        }
        Value::Array(list) if list.iter().all(Value::is_object) => {
            for value in list {
                settings(value, &format!("{path}[]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            found.entry(shared_name(path)).or_default().push(value.clone());
        }
    }
}

/// The settings of the full example, by the page's names.
fn example_settings() -> BTreeMap<String, Vec<Value>> {
    let mut found = BTreeMap::new();
    settings(&full_example()["acme"], "", &mut found);
    found
}

#[test]
fn every_setting_of_the_full_example_has_a_row() {
    let (rows, settings) = (rows(), example_settings());
    let names = |keys: Vec<&String>| keys.into_iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(rows.keys().collect()), names(settings.keys().collect()));
    for (setting, row) in &rows {
        // A shortened secret is no JSON.
        if row.example.contains('…') {
            continue;
        }
        let example: Value = serde_json::from_str(&row.example).unwrap_or_else(|e| panic!("{setting}: {e}"));
        assert!(settings[setting].contains(&example), "{setting}: {example} is not in the full example");
    }
}

/// The names that a block takes, which serde lists when it refuses another one.
fn names<T>(block: Result<T, serde_json::Error>) -> BTreeSet<String> {
    let message = block.err().expect("an unknown setting is refused").to_string();
    let (_, expected) = message.split_once("expected ").unwrap_or_else(|| panic!("{message}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The same of a block that is private: the fields of a struct in the source.
fn fields(source: &str, name: &str) -> BTreeSet<String> {
    let (_, rest) = source.split_once(&format!("struct {name} {{\n")).unwrap_or_else(|| panic!("no struct {name}"));
    let (body, _) = rest.split_once("\n}").unwrap();
    let field = |line: &str| Some(line.trim().split_once(": ")?.0.to_owned()).filter(|name| !name.contains(['#', '/']));
    body.lines().filter_map(field).collect()
}

#[test]
fn the_full_example_has_every_setting_of_the_code() {
    let (odd, example) = (json!({"?": 0}), full_example());
    let acme = &example["acme"];
    let source = read("shared/src/model/seller/document.rs");
    macro_rules! of {
        ($block:ty) => {
            names(serde_json::from_value::<$block>(odd.clone()))
        };
    }
    let check = |block: &str, names: BTreeSet<String>| {
        let here = acme.pointer(block).and_then(Value::as_object).unwrap_or_else(|| panic!("no {block}"));
        assert_eq!(here.keys().cloned().collect::<BTreeSet<_>>(), names, "{block}");
    };
    for (block, names) in [
        ("", fields(&source, "Document")),
        ("/slots", fields(&source, "SlotsDocument")),
        ("/booking", fields(&source, "BookingDocument")),
        ("/popin", of!(Popin)),
        ("/webhooks/fullview", of!(WebhookSecrets)),
        ("/notify", of!(Notify)),
        ("/crm", of!(Crm)),
        ("/crm/standard", of!(Standard)),
        ("/crm/standard/fields", of!(Mapping)),
        ("/crm/hubspot", of!(HubSpot)),
        ("/crm/hubspot/write_back", of!(HubSpotBack)),
        ("/crm/salesforce", of!(Salesforce)),
        ("/crm/salesforce/write_back", of!(SalesforceBack)),
        ("/crm/zoho", of!(Zoho)),
        ("/crm/zoho/write_back", of!(ZohoBack)),
        ("/crm/leadsquared", of!(Tokens<LeadSquaredBack>)),
        ("/crm/leadsquared/write_back", of!(LeadSquaredBack)),
        ("/crm/freshsales", of!(Tokens<FreshsalesBack>)),
        ("/crm/freshsales/write_back", of!(FreshsalesBack)),
        ("/crm/pipedrive", of!(Pipedrive)),
        ("/crm/pipedrive/users/0", of!(BasicUser)),
        ("/crm/pipedrive/write_back", of!(PipedriveBack)),
        ("/crm/shopify", of!(Shopify)),
        ("/crm/shopify/write_back", of!(ShopifyBack)),
    ] {
        check(block, names);
    }
    for crm in ["hubspot", "salesforce", "zoho", "leadsquared", "freshsales", "pipedrive"] {
        check(&format!("/crm/{crm}/write_back/fields"), of!(Fields));
    }
}

#[test]
fn the_defaults_are_those_of_the_code() {
    let document = json!({"acme": {"name": "Acme", "popin": {"base_url": "https://popin.example.com", "api_key": "k", "token": "t"}}});
    let sellers = Sellers::parse(document.to_string().as_bytes()).unwrap();
    let (_, acme) = sellers.get("acme").unwrap();
    let (slots, booking) = (&acme.slots, &acme.booking);
    let rows = rows();
    for (setting, default) in [
        ("default_country", json!(acme.default_country.code())),
        ("popin.timeout_seconds", json!(acme.popin.timeout.as_secs())),
        ("slots.refresh_seconds", json!(slots.refresh.as_secs())),
        ("slots.stale_after_seconds", json!(slots.stale_after.as_secs())),
        ("slots.unusable_after_seconds", json!(slots.unusable_after.as_secs())),
        ("slots.lead_seconds", json!(slots.lead.as_secs())),
        ("slots.capacity", json!(slots.capacity)),
        ("booking.in_doubt_seconds", json!(booking.in_doubt.as_secs())),
        ("booking.lease_seconds", json!(booking.lease.as_secs())),
        ("booking.give_up_seconds", json!(booking.give_up.as_secs())),
        ("booking.max_attempts", json!(booking.max_attempts)),
        ("booking.join_window_seconds", json!(booking.join_window.as_secs())),
        ("booking.max_at_once", json!(booking.max_at_once)),
        ("booking.if_taken", json!(booking.if_taken.as_str())),
        ("booking.native", json!(booking.native)),
    ] {
        assert_eq!(rows[setting].default, format!("`{default}`"), "{setting}");
    }
    assert!(booking.group.is_none() && booking.agent.is_none() && booking.url.is_none());
    assert!(acme.origins.is_empty() && acme.api_keys.is_empty() && acme.webhooks.is_empty() && acme.notify.is_none());
}

#[test]
fn example_of_the_public_part_is_valid_and_the_whole_document_is_none() {
    let public = read("infra/sellers.public.example.json");
    let sellers = Sellers::parse_public(public.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    let whole = Sellers::parse(read("infra/sellers.full.example.json").as_bytes()).unwrap();
    let ((_, public), (_, whole)) = (sellers.get("acme").unwrap(), whole.get("acme").unwrap());
    assert_eq!(public.secrets().collect::<Vec<_>>(), whole.secrets().collect::<Vec<_>>());
    assert_eq!((&public.origins, public.slots), (&whole.origins, whole.slots));
    assert!(Sellers::parse_public(read("infra/sellers.full.example.json").as_bytes()).is_err());
    assert!(Sellers::parse(read("infra/sellers.public.example.json").as_bytes()).is_err());
}

#[test]
fn both_examples_are_valid_in_the_cloud() {
    for path in ["infra/sellers.example.json", "infra/sellers.full.example.json"] {
        let document = read(path);
        let sellers = Sellers::parse(document.as_bytes()).unwrap_or_else(|faults| panic!("{path}: {faults}"));
        assert_eq!(sellers.iter().count(), 1, "{path}");
        assert!(document.len() < 64 * 1024, "{path}");
    }
}
