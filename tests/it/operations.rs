//! `infra/OPERATIONS.md` lists every log message and every metric of the code, and no other.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = "infra/OPERATIONS.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Production code: files of the functions and of `shared`, without their test modules.
fn sources() -> Vec<String> {
    let functions = fs::read_dir(root().join("functions")).unwrap().map(|entry| entry.unwrap().path().join("src"));
    let mut folders: Vec<PathBuf> = functions.filter(|folder| folder.is_dir()).collect();
    folders.push(root().join("shared/src"));
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.extend((!path.ends_with("tests")).then_some(path));
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
            }
        }
    }
    assert!(sources.len() > 50, "{} files", sources.len());
    sources
}

/// What stands between the opening parenthesis and its closing one.
fn arguments(rest: &str) -> &str {
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    &rest[..end.unwrap()]
}

/// The texts in double quotes.
fn literals(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split('"').collect::<Vec<_>>().into_iter().enumerate().filter(|(at, _)| at % 2 == 1).map(|(_, text)| text)
}

fn messages(source: &str) -> Vec<String> {
    let levels = ["error", "warn", "info", "debug", "trace"].map(|level| format!("tracing::{level}!("));
    let calls = levels.iter().flat_map(|call| source.split(call.as_str()).skip(1));
    calls.filter_map(|rest| literals(arguments(rest)).next_back()).map(str::to_owned).collect()
}

fn metrics(source: &str) -> Vec<String> {
    let calls = [".count(\"", ".amount(\"", ".seconds(\""].into_iter();
    let counted = calls.flat_map(|call| source.split(call).skip(1)).filter_map(|rest| rest.split('"').next());
    let listed = literals(source).filter(|name| name.starts_with("WriteBacks"));
    counted.chain(listed).map(str::to_owned).collect()
}

/// The names in the first cells of a section's table.
fn listed(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page.split(&format!("\n{heading}\n")).nth(1).unwrap().split("\n#").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect()
}

fn difference(here: &BTreeSet<String>, there: &BTreeSet<String>) -> Vec<String> {
    here.difference(there).cloned().collect()
}

fn assert_listed(page: &str, heading: &str, used: &BTreeSet<String>) {
    let listed = listed(page, heading);
    let (missing, unused) = (difference(used, &listed), difference(&listed, used));
    assert!(missing.is_empty() && unused.is_empty(), "{PAGE}, {heading}: without {missing:?}, and with {unused:?}");
}

#[test]
fn every_log_message_is_documented() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let used: BTreeSet<String> = sources().iter().flat_map(|source| messages(source)).collect();
    assert_listed(&page, "### Messages", &used);
}

#[test]
fn every_metric_is_documented() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let used: BTreeSet<String> = sources().iter().flat_map(|source| metrics(source)).collect();
    assert_listed(&page, "## Metrics", &used);
    assert!(page.contains(&format!(" {} names,", used.len())), "{PAGE} counts other than {}", used.len());
}
