//! What a history, or many of them, came to.

use std::{collections::BTreeMap, fmt, time::Instant};

/// A promise that was broken, and the seed that shows it.
#[derive(Clone, Debug)]
pub struct Violation {
    pub seed: u64,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub seeds: u64,
    /// Everything that was written and every effect, in order: equal for equal seeds.
    pub trace: u64,
    pub bookings: usize,
    pub effects: usize,
    pub faults: BTreeMap<&'static str, usize>,
    /// How often each state was entered.
    pub states: BTreeMap<String, usize>,
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.trace = self.trace.wrapping_add(other.trace);
        self.bookings += other.bookings;
        self.effects += other.effects;
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (state, count) in &other.states {
            *self.states.entry(state.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seeds, {} bookings, {} effects at Popin", self.seeds, self.bookings, self.effects)?;
        writeln!(f, "faults injected:")?;
        for (kind, count) in &self.faults {
            writeln!(f, "  {kind:<40} {count:>9}")?;
        }
        writeln!(f, "states entered:")?;
        for (state, count) in &self.states {
            writeln!(f, "  {state:<40} {count:>9}")?;
        }
        Ok(())
    }
}

/// Seeds a second.
#[expect(clippy::cast_precision_loss, reason = "nobody walks 2^52 seeds")]
pub fn rate(seeds: u64, since: Instant) -> f64 {
    seeds as f64 / since.elapsed().as_secs_f64()
}
