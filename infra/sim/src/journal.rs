//! The state and its file: one line of changes for each request, written before the reply leaves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Error;
use crate::state::{Change, Kept};

/// How many calls, and how many lines, a file holds before it is written anew.
const LIMIT: usize = 10_000;

/// What is kept, in memory and, when there is a file, on disk.
pub(crate) struct Books {
    kept: Kept,
    journal: Option<Journal>,
}

struct Journal {
    path: PathBuf,
    file: File,
    /// Up to here the file is whole lines.
    length: u64,
    lines: usize,
}

impl Books {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self { kept: Kept::default(), journal: None }) };
        let mut kept = read(path)?;
        let journal = Some(Journal::anew(path, &mut kept)?);
        Ok(Self { kept, journal })
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// All of the changes, or, when they cannot be written, none.
    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.append(&changes)?;
        }
        self.apply(changes);
        Ok(())
    }

    /// All of the changes, in memory at least.
    pub(crate) fn commit_anyway(&mut self, changes: Vec<Change>) {
        if let Some(Err(error)) = self.journal.as_mut().map(|journal| journal.append(&changes)) {
            tracing::error!(error = &error as &dyn std::error::Error, "the simulator's state was not kept");
        }
        self.apply(changes);
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.kept.apply(change);
        }
        let Some(journal) = self.journal.as_mut().filter(|journal| journal.lines >= LIMIT) else { return };
        match Journal::anew(&journal.path, &mut self.kept) {
            Ok(fresh) => *journal = fresh,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the simulator's file was not shortened");
            }
        }
    }
}

impl Journal {
    /// Writes the whole state beside the file, and puts it in the file's place in one step.
    fn anew(path: &Path, kept: &mut Kept) -> io::Result<Self> {
        kept.calls.drain(..kept.calls.len().saturating_sub(LIMIT));
        let line = line(&[Whole { everything: kept }]);
        let fresh = path.with_extension("new");
        fs::write(&fresh, &line)?;
        fs::rename(&fresh, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file, length: line.len() as u64, lines: 1 })
    }

    /// One `write`: a process killed here leaves half a line at the end, and `read` leaves it out.
    fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        let line = line(changes);
        if let Err(error) = self.file.write_all(&line) {
            // Half a line in the middle would make the file unreadable.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        self.lines += 1;
        Ok(())
    }
}

/// `Change::Everything` as it is written, without a copy.
#[derive(Serialize)]
struct Whole<'a> {
    everything: &'a Kept,
}

fn line(changes: &[impl Serialize]) -> Vec<u8> {
    let mut line = serde_json::to_vec(changes).expect("our own types have string keys only");
    line.push(b'\n');
    line
}

fn read(path: &Path) -> Result<Kept, Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut kept = Kept::default();
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        let changes: Vec<Change> =
            serde_json::from_slice(whole).map_err(|source| Error::Damaged { line: index + 1, source })?;
        for change in changes {
            kept.apply(change);
        }
    }
    Ok(kept)
}
