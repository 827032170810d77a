//! The variables of this function, by name.

use frontdesk::edge::env::{Basics, Env, Unconfigured};
use std::num::NonZeroU32;

#[derive(Debug)]
pub struct Config {
    pub basics: Basics,
    pub events_table: String,
    /// Write units a second that anonymous callers may cause in this process.
    pub anonymous_write_units: u32,
}

/// As the template has it.
pub const ANONYMOUS_WRITE_UNITS: u32 = 500;

impl Config {
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Unconfigured> {
        let env = Env::new(get);
        let config = Self {
            basics: Basics::read(&env),
            events_table: env.var("EVENTS_TABLE"),
            anonymous_write_units: write_units(&env),
        };
        env.checked(config)
    }
}

fn write_units(env: &Env<'_>) -> u32 {
    const NAME: &str = "ANONYMOUS_WRITE_UNITS";
    let Some(text) = env.maybe(NAME) else { return ANONYMOUS_WRITE_UNITS };
    text.parse().map_or_else(
        |_| {
            env.problem(format!("{NAME} is not a whole number from 1 up"));
            ANONYMOUS_WRITE_UNITS
        },
        NonZeroU32::get,
    )
}
