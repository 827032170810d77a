//! How far an event is proven, and the least that each action needs.

/// In rising order, so that `trust >= Trust::Bearer` reads as it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trust {
    /// A browser said so.
    Claimed,
    /// A static key or a secret path came with it.
    Bearer,
    /// A signature over the body.
    Signed,
    /// It matches what Popin answered us.
    Confirmed,
}

impl Trust {
    pub const ALL: [Self; 4] = [Self::Claimed, Self::Bearer, Self::Signed, Self::Confirmed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Bearer => "bearer",
            Self::Signed => "signed",
            Self::Confirmed => "confirmed",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trust| trust.as_str() == raw)
    }
}

/// What an event may set in motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keeping it.
    Store,
    /// Telling which of a vendor's persons it is about.
    Identify,
    /// Settling a booking whose outcome is unknown.
    Witness,
    /// Making a booking.
    Book,
}

impl Action {
    /// The one place where an action states the least trust it needs.
    pub fn least_trust(self) -> Trust {
        match self {
            Self::Store => Trust::Claimed,
            Self::Identify | Self::Witness | Self::Book => Trust::Bearer,
        }
    }

    pub fn allowed_to(self, trust: Trust) -> bool {
        trust >= self.least_trust()
    }
}
