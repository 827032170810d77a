//! The documents: their sizes, that every link, anchor and path in them exists, and that they refer to nothing outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};
use system_tests::pages::{page, root};

/// Every page that a reader may look for.
const PAGES: [&str; 23] = [
    "README.md",
    "functions/README.md",
    "functions/booking-worker/README.md",
    "functions/crm-intake/README.md",
    "functions/crm-intake/crm/freshsales.md",
    "functions/crm-intake/crm/hubspot.md",
    "functions/crm-intake/crm/leadsquared.md",
    "functions/crm-intake/crm/pipedrive.md",
    "functions/crm-intake/crm/salesforce.md",
    "functions/crm-intake/crm/shopify.md",
    "functions/crm-intake/crm/standard.md",
    "functions/crm-intake/crm/zoho.md",
    "functions/event-intake/README.md",
    "infra/OPERATIONS.md",
    "infra/README.md",
    "infra/RUNBOOK.md",
    "infra/SELLERS.md",
    "infra/local/README.md",
    "shared/DECISIONS.md",
    "shared/README.md",
    "tests/PERFORMANCE.md",
    "tests/README.md",
    "tests/mutations/README.md",
];

/// The first page is read by everybody, and at once.
const README_LINES: usize = 170;
const README_BYTES: usize = 12 * 1024;
const README_WIDTH: usize = 140;
const PAGE_LINES: usize = 300;

/// What a path in a document begins with: from the repository's folder, or from the document's own.
const FOLDERS: [&str; 7] = ["functions/", "shared/", "infra/", "tests/", "src/", ".ci/", ".config/"];

/// What stands for a name in a path.
const PLACEHOLDERS: [&str; 3] = ["FILE", "FUNCTION", "NAME"];

/// Folders of what was built, fetched or left by a run.
const NOT_OURS: [&str; 5] = ["target", "node_modules", ".git", ".frontdesk", "__pycache__"];

/// Every file of the repository, relative to its folder.
fn files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if NOT_OURS.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_path_buf());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    found
}

fn documents() -> Vec<String> {
    let documents = files().into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    documents.map(|path| path.to_str().unwrap().to_owned()).collect()
}

fn folder(file: &str) -> &Path {
    Path::new(file).parent().unwrap()
}

/// `path` as it is meant in a file that lies in `folder`; `None` when it leads out of the repository.
fn resolve(folder: &Path, path: &str) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::Normal(part) => resolved.push(part),
            Component::CurDir => {}
            Component::ParentDir if resolved.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

fn exists(folder: &Path, path: &str) -> bool {
    resolve(folder, path).is_some_and(|path| root().join(path).exists())
}

/// A document's paragraphs without its code blocks, and the lines of its code blocks.
fn parts(text: &str) -> (Vec<String>, Vec<&str>) {
    let (mut prose, mut code, mut fenced) = (vec![String::new()], Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            prose.push(String::new());
        } else if fenced {
            code.push(line);
        } else if line.trim().is_empty() || line.starts_with(['|', '#']) {
            prose.push(line.to_owned());
            prose.push(String::new());
        } else {
            let paragraph = prose.last_mut().unwrap();
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    (prose, code)
}

/// What stands between backticks, and the rest.
fn spans(paragraph: &str) -> (Vec<&str>, String) {
    let pieces: Vec<_> = paragraph.split('`').collect();
    (pieces.iter().skip(1).step_by(2).copied().collect(), pieces.iter().step_by(2).copied().collect())
}

/// The targets of a document's links.
fn links(text: &str) -> Vec<String> {
    let (prose, _) = parts(text);
    let targets = |paragraph: &String| {
        let (_, plain) = spans(paragraph);
        let ends = plain.split("](").skip(1).filter_map(|rest| rest.split(')').next().map(str::to_owned));
        ends.collect::<Vec<_>>()
    };
    prose.iter().flat_map(targets).collect()
}

/// The anchors that GitHub makes of a document's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let (prose, _) = parts(text);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for heading in prose.iter().filter(|line| line.starts_with('#')) {
        let title = heading.trim_start_matches('#').trim();
        // Of a link, its text.
        let title: String = title.split('[').flat_map(|part| part.split("](").take(1)).collect();
        let kept =
            title.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
        let anchor = kept.replace(' ', "-");
        let again = counts.entry(anchor.clone()).or_default();
        anchors.insert(if *again == 0 { anchor } else { format!("{anchor}-{again}") });
        *again += 1;
    }
    anchors
}

fn is_path(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b))
}

/// The words that are paths of the repository, or claim to be.
fn paths(text: &str) -> BTreeSet<String> {
    let (prose, code) = parts(text);
    let spans: Vec<_> = prose.iter().flat_map(|paragraph| spans(paragraph).0).collect();
    let words = spans.iter().copied().chain(code).flat_map(str::split_whitespace);
    let words = words.map(|word| word.trim_matches(['(', ')', ',', ';', ':', '"', '\'']).trim_end_matches('.'));
    let begins = |word: &&str| FOLDERS.iter().any(|folder| word.starts_with(folder)) || word.starts_with("../");
    let placeholder = |word: &&str| word.split(['/', '.']).any(|part| PLACEHOLDERS.contains(&part));
    words.filter(begins).filter(|word| is_path(word) && !placeholder(word)).map(str::to_owned).collect()
}

/// Files of sources and documents that are named without their folder.
fn names(text: &str) -> BTreeSet<String> {
    let (prose, _) = parts(text);
    let spans: Vec<_> = prose.iter().flat_map(|paragraph| spans(paragraph).0).collect();
    let named = |span: &&&str| {
        let ending = Path::new(**span).extension().and_then(|ending| ending.to_str());
        is_path(span) && !span.contains('/') && ["rs", "md"].contains(&ending.unwrap_or_default())
    };
    spans.iter().filter(named).map(|span| (*span).to_owned()).collect()
}

#[test]
fn every_page_exists() {
    let missing: Vec<_> = PAGES.iter().filter(|path| !root().join(path).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn readme_is_short() {
    let readme = page("README.md");
    assert!(readme.lines().count() <= README_LINES, "{} lines", readme.lines().count());
    assert!(readme.len() <= README_BYTES, "{} bytes", readme.len());
    let wide: Vec<_> = readme.lines().filter(|line| line.chars().count() > README_WIDTH).collect();
    assert!(wide.is_empty(), "over {README_WIDTH} characters: {wide:#?}");
}

#[test]
fn other_pages_have_at_most_300_lines() {
    for path in documents() {
        let lines = page(&path).lines().count();
        assert!(lines <= PAGE_LINES, "{path} has {lines} lines");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for path in documents() {
        for link in links(&page(&path)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (to, anchor) = link.split_once('#').map_or((link.as_str(), None), |(to, anchor)| (to, Some(anchor)));
            let target = if to.is_empty() { Some(PathBuf::from(&path)) } else { resolve(folder(&path), to) };
            let Some(target) = target.filter(|target| root().join(target).exists()) else {
                broken.push(format!("{path}: {link}"));
                continue;
            };
            if let Some(anchor) = anchor
                && !anchors(&page(target.to_str().unwrap())).contains(anchor)
            {
                broken.push(format!("{path}: {link}: no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_path_in_a_document_exists() {
    let files = files();
    let known: BTreeSet<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    let mut missing = Vec::new();
    for document in documents() {
        let text = page(&document);
        let found = |path: &String| exists(Path::new(""), path) || exists(folder(&document), path);
        missing.extend(paths(&text).iter().filter(|path| !found(path)).map(|path| format!("{document}: {path}")));
        let unknown = |name: &&String| !known.contains(name.as_str());
        missing.extend(names(&text).iter().filter(unknown).map(|name| format!("{document}: {name}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Words that mean something only on the machine of whoever wrote them.
const OUTSIDE: [&str; 8] = ["DESIGN", "design page", "/work/", "/tmp/", "/home/", "/root/", "WORDS.md", "STYLE.md"];

/// The lines of a file that a person reads as text: all of a document or a script, of Rust's the comments.
fn prose(path: &Path, text: &str) -> Vec<String> {
    let comment = |line: &str| match line.trim_start() {
        whole if whole.starts_with("//") => Some(whole.to_owned()),
        _ => line.split_once(" // ").map(|(_, comment)| comment.to_owned()),
    };
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("rs") => text.lines().filter_map(comment).collect(),
        Some("md" | "py" | "toml" | "yaml" | "js" | "mjs" | "sh") => text.lines().map(str::to_owned).collect(),
        None if text.starts_with("#!") => text.lines().map(str::to_owned).collect(),
        Some(_) | None => Vec::new(),
    }
}

#[test]
fn nothing_outside_the_repository_is_referred_to() {
    let files = files();
    let known: BTreeSet<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    let mut found = Vec::new();
    for path in &files {
        // What is no text says nothing.
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        for line in prose(path, &text) {
            let outside = OUTSIDE.iter().any(|word| line.contains(word));
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || "._/-".contains(c)));
            let words = words.map(|word| word.trim_end_matches(['.', '/']));
            let astray = words.filter(|word| {
                let page = Path::new(word).extension().is_some_and(|ending| ending == "md");
                let unknown = page && !word.rsplit('/').next().is_some_and(|name| known.contains(name));
                let up = word.starts_with("../");
                let leads_out = up && resolve(path.parent().unwrap(), word).is_none();
                let another = up && word.contains("/shared") && !exists(path.parent().unwrap(), word);
                unknown || leads_out || another
            });
            if outside || astray.count() > 0 {
                found.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn links_anchors_and_paths_are_read_as_they_are_meant() {
    let text = "# One `two`: three\n\nSee [`a`](b.md#c), `tests/it x.rs` and `house.rs`.\n\n## Again\n## Again\n\n```sh\ninfra/build arm64 ](no)\n```\n";
    assert_eq!(links(text), ["b.md#c"]);
    assert_eq!(anchors(text), ["one-two-three", "again", "again-1"].map(str::to_owned).into());
    assert_eq!(paths(text), ["tests/it", "infra/build"].map(str::to_owned).into());
    assert_eq!(names(text), ["house.rs"].map(str::to_owned).into());
    assert_eq!(resolve(Path::new("tests"), "../shared/README.md"), Some("shared/README.md".into()));
    assert_eq!(resolve(Path::new("tests"), "../../shared"), None);
}
