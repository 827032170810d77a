//! The await points as the sources have them, and where among them a call stands.

use std::{
    backtrace::Backtrace,
    fmt, fs,
    path::{Path, PathBuf},
};

/// One `.await`, or a line that a call passed on its way out of one. Paths begin at the crate's sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// An await point.
#[derive(Clone, Debug)]
pub struct Point {
    pub place: Place,
    /// Its line, for people.
    pub text: String,
    /// It waits for time and for nobody else: no call is made under it.
    pub pauses: bool,
}

/// Every `.await` of the two flows.
pub(super) fn points() -> Vec<Point> {
    let flows = sources().join("flow");
    let mut files = vec![flows.join("request_booking.rs"), flows.join("advance_booking.rs")];
    let further = fs::read_dir(flows.join("advance_booking")).expect("the flow has a folder of its own");
    files.extend(further.map(|entry| entry.expect("the folder can be read").path()));
    files.sort();
    files.iter().flat_map(|file| points_of(file)).collect()
}

fn points_of(path: &Path) -> Vec<Point> {
    let code = fs::read_to_string(path).expect("a source of this build is there");
    let file = path.strip_prefix(sources()).expect("it was found there").display().to_string();
    let mut points = Vec::new();
    for (at, line) in code.lines().enumerate() {
        assert!(!line.contains("#[cfg(test)]"), "{file} has tests: their awaits are no points");
        let line = line.split("//").next().unwrap_or_default();
        for (dot, _) in line.match_indices(".await") {
            let column = line[..dot].chars().count() + 2;
            let place = Place { file: file.clone(), line: at + 1, column };
            let pauses = line[..dot].contains("tokio::time::sleep(");
            points.push(Point { place, text: line.trim().to_owned(), pauses });
        }
    }
    points
}

fn sources() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository");
    root.join("shared/src")
}

/// The crate's own lines between an outside call, which is being made here and now, and whoever polls: innermost first.
/// A future is polled from the very line that awaits it, so these are the awaits that the call stands under.
pub(super) fn here() -> Vec<Place> {
    const ROOT: &str = "shared/src/";
    let told = Backtrace::force_capture().to_string();
    let frames = told.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let places = frames.filter_map(|frame| {
        let (_, place) = frame.split_once(ROOT)?;
        let mut parts = place.split(':');
        let (file, line, column) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Place { file: file.to_owned(), line: line.parse().ok()?, column: column.parse().ok()? })
    });
    places.collect()
}

/// Whether the call stands under one of the two flows.
pub(super) fn is_flows(path: &[Place]) -> bool {
    let of = |file: &str| file == "flow/request_booking.rs" || file.starts_with("flow/advance_booking");
    path.iter().any(|place| of(&place.file))
}
