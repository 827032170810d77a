//! How far each mapping has come in its stream: kept before anything is forgotten, so that a crash repeats and never skips.

use super::Unkept;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The positions of all mappings, in a file or in memory.
#[derive(Debug, Default)]
pub struct Positions {
    file: Option<PathBuf>,
    kept: Mutex<BTreeMap<String, Position>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// A position in another stream, one of a table made anew say, is none.
    stream: String,
    after: String,
}

impl Positions {
    pub fn open(file: &Path) -> Result<Self, Unkept> {
        let unkept = |source| Unkept { file: file.display().to_string(), source };
        let kept = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unkept(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(unkept(error)),
        };
        Ok(Self { file: Some(file.to_owned()), kept: Mutex::new(kept) })
    }

    /// The sequence number after which to go on; none is the beginning.
    pub(super) fn after(&self, mapping: &str, stream: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(mapping).filter(|position| position.stream == stream).map(|position| position.after.clone())
    }

    /// It is in the file when this returns.
    pub(super) fn advance(&self, mapping: &str, stream: &str, after: &str) -> Result<(), Unkept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let position = Position { stream: stream.to_owned(), after: after.to_owned() };
        kept.insert(mapping.to_owned(), position);
        let Some(file) = &self.file else { return Ok(()) };
        replace(file, &kept).map_err(|source| Unkept { file: file.display().to_string(), source })
    }
}

/// A reader finds the old bytes or the new ones, whenever the writer is killed.
fn replace(file: &Path, kept: &BTreeMap<String, Position>) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut writer = File::create(&new)?;
    writer.write_all(&serde_json::to_vec_pretty(kept)?)?;
    writer.sync_all()?;
    fs::rename(new, file)
}
