//! The repository's documents, for the tests that compare them with the code.

use frontdesk::edge::env::variable;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository's own folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository").to_path_buf()
}

/// A document's text; `path` is relative to the repository's folder.
pub fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Demands that the block between a document's markers `<!-- block: begin -->` and `<!-- block: end -->` is `expected`.
/// `UPDATE=1` writes it there instead, and the change is reviewed like any other.
pub fn assert_block(path: &str, block: &str, expected: &str) {
    let page = page(path);
    let (begin, end) = (format!("<!-- {block}: begin -->\n"), format!("<!-- {block}: end -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{path} has no block {block}"));
    let (printed, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the block {block} of {path} has no end"));
    let expected = format!("{}\n", expected.trim_end());
    if variable("UPDATE").is_some() {
        fs::write(root().join(path), format!("{before}{begin}{expected}{end}{after}"))
            .unwrap_or_else(|e| panic!("{path}: {e}"));
    } else {
        assert_eq!(printed, expected, "the block {block} of {path} is not what the code says: UPDATE=1 rewrites it");
    }
}
