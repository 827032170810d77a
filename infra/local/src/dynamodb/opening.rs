//! Where the embedded database is: in memory, or in a file; by which clock, and with which indices of our own.

use super::embedded::{Embedded, NoDatabase};
use dynoxide::{Database, storage_backend};
use frontdesk::flow::Clock;
use std::{path::Path, sync::Arc};

/// Frontdesk's clock, as the database asks for it.
struct DatabaseClock(Arc<dyn Clock>);

impl storage_backend::Clock for DatabaseClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now().as_second()).unwrap_or_default()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.0.now().as_duration().as_secs_f64()
    }
}

/// Without these the database looks through all stream records for every item that is written, and for every read of a stream.
const INDEX: &str = "\
    CREATE INDEX IF NOT EXISTS frontdesk_stream_next ON _stream_records(table_name, CAST(sequence_number AS INTEGER)); \
    CREATE INDEX IF NOT EXISTS frontdesk_stream_page ON _stream_records(table_name, shard_id, CAST(sequence_number AS INTEGER));";

fn index(path: &str) -> Result<(), NoDatabase> {
    let storage = dynoxide::storage::Storage::new(path).map_err(|e| NoDatabase(e.to_string()))?;
    storage.conn().execute_batch(INDEX).map_err(|e| NoDatabase(e.to_string()))
}

impl Embedded {
    /// In memory, by a clock of one's own.
    pub fn memory(clock: Arc<dyn Clock>) -> Result<Self, NoDatabase> {
        Database::memory_with_clock(Arc::new(DatabaseClock(clock)))
            .map(Self::over)
            .map_err(|e| NoDatabase(e.to_string()))
    }

    /// In memory, for as long as it may run: a file lends it the index, which only a file can be given.
    pub fn lasting(clock: Arc<dyn Clock>) -> Result<Self, NoDatabase> {
        let memory = Self::memory(clock)?;
        let name = format!("frontdesk-{}-{:x}.db", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        let lent = path.to_str().ok_or_else(|| NoDatabase("the path is not UTF-8".to_owned()));
        let lent = lent.and_then(|path| {
            index(path)?;
            memory.database().restore_from(path).map_err(|e| NoDatabase(e.to_string()))
        });
        for end in ["db", "db-wal", "db-shm"] {
            // Some are not there.
            drop(std::fs::remove_file(path.with_extension(end)));
        }
        lent.map(|()| memory)
    }

    /// In a file, which a killed process leaves as it was after its last answer.
    pub fn file(path: &Path) -> Result<Self, NoDatabase> {
        let path = path.to_str().ok_or_else(|| NoDatabase("the path is not UTF-8".to_owned()))?;
        index(path)?;
        Database::new(path).map(Self::over).map_err(|e| NoDatabase(e.to_string()))
    }
}
