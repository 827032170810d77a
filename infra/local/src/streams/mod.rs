//! DynamoDB streams into functions, by Lambda's rules: in order, filtered, in batches, tried again, split, given up.

mod dead_letters;
mod delivery;
mod filter;
mod positions;
mod pump;
#[cfg(test)]
mod tests;

pub use dead_letters::DeadLetters;
pub use filter::UnknownPattern;
pub use positions::Positions;
pub use pump::{Batches, NoPump, Pump, PumpOptions};

use std::io;

/// Why the pump's own files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file} cannot be used: {source}")]
pub struct Unkept {
    pub file: String,
    pub source: io::Error,
}
