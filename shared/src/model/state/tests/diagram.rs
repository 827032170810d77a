//! The diagram of the saga in booking-worker's README.md, drawn from what the code does with every pair of state and outcome.

use super::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/booking-worker/README.md");

#[test]
fn page_draws_the_saga_as_the_code_has_it() {
    let mut edges: BTreeMap<(usize, usize), BTreeSet<&str>> = BTreeMap::new();
    let order: Vec<&str> = states().iter().map(State::as_str).collect();
    let rank = |name: &str| order.iter().position(|known| *known == name).unwrap();
    for state in states() {
        for outcome in outcomes() {
            let (from, label) = (state.as_str(), outcome.as_str());
            if let Ok(next) = state.clone().after(outcome)
                && next.as_str() != from
            {
                edges.entry((rank(from), rank(next.as_str()))).or_default().insert(label);
            }
        }
    }
    let mut lines = vec!["```mermaid".to_owned(), "stateDiagram-v2".to_owned(), "    [*] --> requested".to_owned()];
    for ((from, to), labels) in edges {
        let labels: Vec<_> = labels.into_iter().collect();
        lines.push(format!("    {} --> {}: {}", order[from], order[to], labels.join(", ")));
    }
    lines.push("```".to_owned());
    printed(&lines.join("\n"));
}

/// `UPDATE=1` writes the block, and the change is reviewed like any other.
fn printed(should: &str) {
    let (begin, end) = ("<!-- saga: begin -->\n", "\n<!-- saga: end -->");
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(begin).expect("the page has a block for the saga");
    let (now, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PAGE, format!("{before}{begin}{should}{end}{after}")).unwrap();
    } else {
        assert_eq!(now, should, "the page's saga is not what the code does: UPDATE=1 rewrites it");
    }
}
