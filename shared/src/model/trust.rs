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
    /// Keeping it: `flow::take_event`.
    Store,
    /// Telling which of a vendor's persons it is about: `flow::take_event`, `flow::forget_person`.
    Identify,
    /// Settling a booking whose outcome is unknown: `flow::witness`.
    Witness,
    /// Making a booking: `flow::request_booking`.
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

    /// The same for a caller who is told: the flow that takes an action begins with this.
    pub fn require(self, trust: Trust) -> Result<(), NotProven> {
        if self.allowed_to(trust) { Ok(()) } else { Err(NotProven) }
    }
}

/// Whoever says so is proven less than the action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not proven enough")]
pub struct NotProven;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_allowed_from_its_least_trust_on() {
        let allowed = |action: Action| Trust::ALL.map(|trust| action.allowed_to(trust));
        assert_eq!(allowed(Action::Store), [true; 4]);
        assert_eq!(allowed(Action::Identify), [false, true, true, true]);
        assert_eq!(allowed(Action::Witness), [false, true, true, true]);
        assert_eq!(allowed(Action::Book), [false, true, true, true]);
        assert_eq!(Action::Book.require(Trust::Claimed), Err(NotProven));
    }
}
