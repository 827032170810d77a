//! What a seed stands for: the seller's rules, who comes, and which troubles there are at all.

use crate::{poison::with_poisonous, shop::sellers, written_back::NOTIFY_SECRET};
use fastrand::Rng;
use serde_json::{Value, json};
use std::time::Duration;

/// Not every history has every trouble: what is always there hides what only shows without it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub seed: u64,
    /// How long the troubles last.
    pub chaos: Duration,
    pub requests: usize,
    pub people: u32,
    pub retries_silence: bool,
    pub capacity: u32,
    /// How often Popin takes a slot: where that is oftener than we ask, a second ask is a second effect.
    pub seats: u32,
    pub rules: Value,
    pub troubles: Vec<Trouble>,
    /// People who ask twice within the window join their first booking; in some shops nobody does.
    pub joins: bool,
    /// The shop has its bookings' ends told to its own URL.
    pub tells: bool,
}

/// What may go wrong at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Popin,
    Database,
    Kills,
    Freezes,
    Streams,
    Schedules,
    Clock,
    Webhooks,
    WrongSlots,
    Person,
    Shoppers,
    Forgers,
    /// Another seller, whose rows nobody can read.
    Poison,
}

/// In how many of ten histories there is one.
const TROUBLES: [(Trouble, u8); 13] = [
    (Trouble::Popin, 8),
    (Trouble::Database, 5),
    (Trouble::Kills, 5),
    (Trouble::Freezes, 4),
    (Trouble::Streams, 5),
    (Trouble::Schedules, 5),
    (Trouble::Clock, 2),
    (Trouble::Webhooks, 7),
    (Trouble::WrongSlots, 2),
    (Trouble::Person, 3),
    (Trouble::Shoppers, 5),
    (Trouble::Forgers, 5),
    (Trouble::Poison, 3),
];

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let retries_silence = rng.u8(0..5) == 0;
        let capacity = rng.u32(1..3);
        let joins = rng.u8(0..3) > 0;
        let rules = json!({
            "join_window_seconds": if joins { 600 } else { 0 },
            "in_doubt_seconds": one_of(&mut rng, &[60, 300]),
            "lease_seconds": one_of(&mut rng, &[10, 20, 60]),
            "give_up_seconds": one_of(&mut rng, &[300, 1200]),
            "max_attempts": rng.u32(1..5),
            "max_at_once": rng.u32(1..5),
            "webhooks_wired": true,
            "on_silence": if retries_silence { "retry" } else { "ask_human" },
        });
        let seats = capacity + rng.u32(0..2);
        Self {
            seed,
            chaos: Duration::from_secs(rng.u64(240..900)),
            requests: rng.usize(2..9),
            people: rng.u32(2..9),
            retries_silence,
            capacity,
            seats,
            rules,
            troubles: TROUBLES
                .into_iter()
                .filter(|(_, of_ten)| rng.u8(0..10) < *of_ten)
                .map(|(trouble, _)| trouble)
                .collect(),
            joins,
            tells: Self::stream(seed, 6).u8(0..2) == 0,
        }
    }

    pub(super) fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    pub(super) fn sellers(&self) -> Value {
        let change = |seller: &mut Value| {
            seller["booking"] = self.rules.clone();
            seller["popin"]["timeout_seconds"] = json!(5);
            seller["slots"] = json!({"refresh_seconds": 120, "capacity": self.capacity});
            if self.tells {
                seller["notify"] = json!({"url": "https://crm.test/crm/receiver/shop", "secrets": [NOTIFY_SECRET]});
            }
        };
        if self.has(Trouble::Poison) { with_poisonous(change) } else { sellers(change) }
    }

    /// A source of chance of its own for each who draws, so that one more draw here changes nothing there.
    pub(super) fn rng(&self, who: u64) -> Rng {
        Self::stream(self.seed, who)
    }

    fn stream(seed: u64, who: u64) -> Rng {
        Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ who.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }
}

fn one_of(rng: &mut Rng, choices: &[u32]) -> u32 {
    choices[rng.usize(0..choices.len())]
}
