//! The variables of this function, by name.

use frontdesk::edge::env::{Basics, Env, Unconfigured};

#[derive(Debug)]
pub struct Config {
    pub basics: Basics,
    pub events_table: String,
    pub bookings_table: String,
    pub slots_table: String,
}

impl Config {
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Unconfigured> {
        let env = Env::new(get);
        let config = Self {
            basics: Basics::read(&env),
            events_table: env.var("EVENTS_TABLE"),
            bookings_table: env.var("BOOKINGS_TABLE"),
            slots_table: env.var("SLOTS_TABLE"),
        };
        env.checked(config)
    }
}
