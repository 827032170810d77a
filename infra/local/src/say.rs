//! What the terminal is told: the one place that writes to it.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// To whoever started this. A terminal that is gone cannot be told so.
pub fn line(text: impl Display) {
    drop(writeln!(io::stdout(), "{text}"));
}

/// Trouble, on standard error.
pub fn trouble(text: impl Display) {
    drop(writeln!(io::stderr(), "{text}"));
}
