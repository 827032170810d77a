//! Phone numbers against another library's reading of them: `fixtures/phones/make.py` asked `phonenumbers` of `PyPI`.

use frontdesk::model::phone::{Country, Phone};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

#[test]
fn every_spelling_is_read_as_another_library_reads_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/phones/numbers.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let countries: BTreeSet<_> = cases.iter().map(|case| case["country"].as_str().unwrap()).collect();
    assert!(cases.len() >= 1000 && countries.len() >= 20, "{} of {}", cases.len(), countries.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let (country, raw) = (case["country"].as_str().unwrap(), case["raw"].as_str().unwrap());
        let read = Phone::parse(raw, Country::parse(country).unwrap()).ok();
        let read = read.map(|phone| phone.e164().expose().clone());
        if read.as_deref() != case["e164"].as_str() {
            wrong.push(format!("{country} {raw:?} is {read:?}, not {}", case["e164"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
