//! Records that a function failed at for the last time, with all that is needed to look into it.

use super::Unkept;
use serde_json::Value;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The dead letters, a line each in a file, or in memory.
#[derive(Debug, Default)]
pub struct DeadLetters {
    file: Option<PathBuf>,
    letters: Mutex<Vec<Value>>,
}

impl DeadLetters {
    pub fn open(file: &Path) -> Result<Self, Unkept> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Unkept { file: file.display().to_string(), source }),
        };
        // A last line that a kill cut short is written again: its position was not advanced.
        let letters = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { file: Some(file.to_owned()), letters: Mutex::new(letters) })
    }

    pub fn all(&self) -> Vec<Value> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn add(&self, letter: Value) -> Result<(), Unkept> {
        if let Some(file) = &self.file {
            append(file, &letter).map_err(|source| Unkept { file: file.display().to_string(), source })?;
        }
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        Ok(())
    }
}

fn append(file: &Path, letter: &Value) -> io::Result<()> {
    let mut writer = OpenOptions::new().create(true).append(true).open(file)?;
    // The line break comes first, so that a line cut short spoils no other.
    writer.write_all(format!("\n{letter}").as_bytes())?;
    writer.sync_all()
}
