//! Thousands of histories from their seeds: none breaks a promise, and each can be told again.

use frontdesk::edge::env::variable;
use std::{
    io::{self, Write as _},
    time::Instant,
};
use system_tests::simulation::{rate, run, run_many};

/// How many seeds a plain test run takes; `SEEDS` says otherwise, and `SEED` takes one again.
const SEEDS: u64 = 2000;

/// Some of each kind; one that takes place, and is not only tried.
const TROUBLES: [&str; 5] = [
    "popin: a slot taken by a shopper",
    "webhooks: wrong slot",
    "forged: a webhook and a page's event",
    "poison: rows that nobody can read",
    "poison: a write that is always throttled",
];

#[test]
fn whatever_happens_in_whatever_order_the_promises_hold() {
    let number = |name: &str| variable(name).and_then(|raw| raw.parse::<u64>().ok());
    let seeds = number("SEED").map_or_else(|| 0..number("SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    match run_many(seeds, threads, |_| {}) {
        // Past the test runner, which shows what a test prints only when it fails.
        Ok(report) => {
            let rate = rate(report.seeds, began);
            writeln!(io::stdout(), "\n{report}{rate:.0} seeds a second").expect("standard output is open");
            // A trouble that its actor only means to make is none.
            let missing = TROUBLES.iter().filter(|trouble| !report.faults.contains_key(*trouble));
            assert!(report.seeds < 200 || missing.count() == 0, "a trouble that never came: {:?}", report.faults);
        }
        Err(violation) => panic!("{violation}\nSEED={} tells it again", violation.seed),
    }
}

#[test]
fn a_seed_tells_the_same_history_again() {
    for seed in 0..20 {
        let once = run(seed).unwrap_or_else(|violation| panic!("{violation}"));
        assert_eq!(once, run(seed).unwrap_or_else(|violation| panic!("{violation}")), "seed {seed}");
    }
}
