//! The rules of the house (shared/README.md), held by reading the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without its comments.
fn code(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules that `crate::x` and `crate::{x, y::z}` name.
fn used(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && depth == 0 && c.is_alphabetic() => {
                    names.insert(word(&list[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn each_layer_uses_only_the_layers_below_it() {
    let layers: [(&str, &[&str]); 7] = [
        ("model", &["model"]),
        ("popin", &["popin", "model"]),
        ("vendors", &["vendors", "model"]),
        ("crm", &["crm", "model"]),
        ("store", &["store", "model"]),
        ("flow", &["flow", "model", "popin", "vendors", "crm", "store"]),
        ("edge", &["edge", "flow", "model", "popin", "vendors", "crm", "store"]),
    ];
    for (layer, allowed) in layers {
        for path in sources(&root().join("shared/src").join(layer)) {
            for name in used(&code(&path)) {
                assert!(allowed.contains(&name.as_str()), "{} uses {name}", path.display());
            }
        }
    }
}

#[test]
fn no_flow_calls_another_save_the_one_that_may() {
    let flows = sources(&root().join("shared/src/flow"));
    let names: Vec<_> = flows
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "mod")
        .collect();
    for path in flows.iter().filter(|path| !path.ends_with("mod.rs")) {
        let (own, code) = (path.file_stem().unwrap().to_str().unwrap(), code(path));
        for other in names.iter().filter(|other| *other != own) {
            let may = (own, other.as_str()) == ("request_booking", "advance_booking");
            assert!(may || !code.contains(&format!("{other}(")), "{own} calls {other}");
        }
    }
}

#[test]
fn outside_crates_are_used_where_they_belong() {
    let rules: [(&str, &[&str]); 7] = [
        ("lambda_http", &["shared/src/edge", "functions", "infra/local", "tests"]),
        ("lambda_runtime", &["shared/src/edge", "functions", "infra/local", "tests"]),
        ("reqwest", &["shared/src/edge"]),
        ("aws_config", &["shared/src/edge", "functions/event-intake/examples"]),
        ("hyper_util", &["infra/sim"]),
        (
            "aws_sdk_dynamodb",
            &["shared/src/store", "shared/src/edge", "infra/local", "functions/event-intake/examples"],
        ),
        ("dynoxide", &["infra/local", "tests"]),
    ];
    for (name, places) in rules {
        for path in sources(&root()) {
            let here = path.strip_prefix(root()).unwrap();
            if code(&path).contains(&format!("{name}::")) {
                assert!(places.iter().any(|place| here.starts_with(place)), "{} uses {name}", here.display());
            }
        }
    }
}

#[test]
fn only_local_and_the_tests_use_the_functions() {
    for path in sources(&root()) {
        let here = path.strip_prefix(root()).unwrap();
        if here.starts_with("infra/local") || here.starts_with("tests") {
            continue;
        }
        for function in ["event_intake", "slot_cache", "slots_api", "crm_intake", "booking_worker"] {
            let own = here.starts_with(format!("functions/{}", function.replace('_', "-")));
            assert!(own || !code(&path).contains(&format!("{function}::")), "{} uses {function}", here.display());
        }
    }
}

#[test]
fn every_function_is_one_of_our_own_to_the_log() {
    let entries = fs::read_dir(root().join("functions")).unwrap().map(Result::unwrap);
    for folder in entries.filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().to_str().unwrap().replace('-', "_");
        assert!(
            frontdesk::edge::telemetry::OWN_CRATES.contains(&name.as_str()),
            "{name} would not be heard below info"
        );
    }
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_for() {
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with a sentence", path.display());
    }
}

#[test]
fn no_folder_is_a_drawer_for_odds_and_ends() {
    for path in sources(&root()) {
        for drawer in ["utils", "helpers", "common", "types", "util"] {
            assert!(!path.components().any(|part| part.as_os_str() == drawer), "{}", path.display());
            assert!(path.file_stem().is_none_or(|stem| stem != drawer), "{}", path.display());
        }
    }
}

#[test]
fn production_code_has_no_switch_for_tests() {
    let patches = fs::read_dir(root().join("tests/mutations")).unwrap().map(|entry| entry.unwrap().path());
    let mutations = patches.filter(|path| path.extension().is_some_and(|ending| ending == "patch"));
    let names: Vec<_> = mutations.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert!(!names.is_empty());
    let spellings = names.iter().flat_map(|name| [name.clone(), name.replace('-', "_"), name.replace('-', "")]);
    let switches: Vec<_> = ["cfg(feature", "cfg!(feature", "debug_assertions", "planted"]
        .map(str::to_owned)
        .into_iter()
        .chain(spellings)
        .collect();
    let functions = fs::read_dir(root().join("functions")).unwrap().map(|entry| entry.unwrap().path());
    for folder in functions.filter(|path| path.is_dir()).chain([root().join("shared")]) {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("[features]"), "{} has features", folder.display());
        for path in sources(&folder.join("src")) {
            let code = code(&path).to_lowercase();
            for switch in &switches {
                assert!(!code.contains(switch), "{} has {switch}", path.display());
            }
        }
    }
}
