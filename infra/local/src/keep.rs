//! The folder of `--data`: what is in it, and that only one process uses it.

use crate::streams::{DeadLetters, Positions, Unkept};
use serde_json::Value;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum NoFolder {
    #[error("{0} is in use by another process")]
    InUse(String),
    #[error("{folder} cannot be used: {source}")]
    Unusable { folder: String, source: io::Error },
}

/// Where files are kept: nowhere, without a folder.
pub struct Keep {
    folder: Option<PathBuf>,
    /// Held as long as this is.
    _lock: Option<File>,
    /// What goes when this does.
    temporary: PathBuf,
}

impl Keep {
    pub fn open(data: Option<&Path>) -> Result<Self, NoFolder> {
        let lock = data.map(lock).transpose()?;
        let temporary = std::env::temp_dir().join(format!("frontdesk-{}", std::process::id()));
        Ok(Self { folder: data.map(Path::to_owned), _lock: lock, temporary })
    }

    /// A file that outlives this process; none when nothing has to.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    pub fn positions(&self) -> Result<Positions, Unkept> {
        self.file("stream-positions.json").map_or_else(|| Ok(Positions::default()), |file| Positions::open(&file))
    }

    pub fn dead_letters(&self) -> Result<DeadLetters, Unkept> {
        self.file("dead-letters.jsonl").map_or_else(|| Ok(DeadLetters::default()), |file| DeadLetters::open(&file))
    }

    /// The sellers document as a file that nobody else may read, for functions that run as processes of their own.
    pub fn write_sellers(&self, document: &Value) -> Result<PathBuf, NoFolder> {
        let folder = self.folder.as_ref().unwrap_or(&self.temporary);
        // Not the name that somebody's own document would have here.
        let file = folder.join("demo-sellers.json");
        let write = || {
            private(folder)?;
            // Made anew, so that the mode is ours.
            fs::remove_file(&file).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
            let mut writer = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
            writer.write_all(&serde_json::to_vec_pretty(document)?)
        };
        write().map_err(|source| NoFolder::Unusable { folder: folder.display().to_string(), source })?;
        Ok(file)
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        // Most often it was never made.
        drop(fs::remove_dir_all(&self.temporary));
    }
}

fn private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn lock(folder: &Path) -> Result<File, NoFolder> {
    let unusable = |source| NoFolder::Unusable { folder: folder.display().to_string(), source };
    private(folder).map_err(unusable)?;
    let lock = File::create(folder.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(NoFolder::InUse(folder.display().to_string())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}
