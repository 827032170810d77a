//! Bugs that the simulation must catch, each one way in which a booking desk goes wrong. Without the feature `planted`,
//! which only the simulation has, there are none, and asking for one costs nothing.

macro_rules! bugs { ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Bug { $($(#[$doc])* $name),+ }

    impl Bug {
        pub const ALL: &'static [Self] = &[$(Self::$name),+];
    }
} }

bugs! {
    /// A booking is written over whatever stands there.
    NoVersionCheck,
    LeaseNeverExpires,
    /// Whoever comes works on the booking.
    LeaseNotAsked,
    /// A write that lost is taken for done.
    ConflictIsDone,
    /// The lease that another took is taken for our own write, whose reply was lost.
    LeaseIsOurWrite,
    /// A schedule call that was not answered is sent once more at once.
    BlindRetry,
    UnansweredIsNotSent,
    ServerErrorIsRefusal,
    UnreadableIsRefusal,
    /// 200 with `status` 0 is 200.
    RefusalIsSuccess,
    SilenceIsSuccess,
    /// The same key with another body is the same request.
    BodyOutOfFingerprint,
    KeyCut,
    PageIsTrusted,
    WebhookKeyNotChecked,
    ClaimNotReleased,
    ClaimReleasedInDoubt,
    /// The slot is claimed before anybody looks whether it is free.
    ClaimUnconditional,
    /// The key is looked up, and then written whatever was found.
    CheckThenPut,
    /// The key is written, and then the booking.
    NotAtomic,
    IntentNotWritten,
    /// A call that a dead worker had begun is begun once more.
    DeadIntentStartsAfresh,
    DoubtForEver,
    SilenceAlwaysRetried,
    DueTimeForgotten,
    BookingNotStored,
    EventNotStored,
    /// A person's second request is another booking.
    WindowIgnored,
    CapacityOffByOne,
    /// The claim is given back when a person is asked.
    HeldLostAtWindowsEnd,
    WitnessLeavesDue,
    /// A no to the second ask for a slot is taken for a no to the first.
    SecondRefusalBelieved,
    /// A trigger is not noted as owed its end: only who tells it at once does.
    NothingOwed,
    /// A person's decision, or Popin's contradiction, is told to nobody who was told of another end.
    ChangedEndNotOwed,
    /// Whoever told an old end ticks the new one off.
    OwedWithoutVersion,
    /// Who is about to tell takes it off the sweep's list first.
    TellingNotDue,
}

#[cfg(feature = "planted")]
mod bed {
    use super::Bug;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static PLANTED: AtomicUsize = AtomicUsize::new(usize::MAX);

    /// From now on, in the whole process.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(usize::MAX, |bug| bug as usize), Ordering::Relaxed);
    }

    pub fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as usize
    }
}

#[cfg(feature = "planted")]
pub use bed::{plant, planted};

/// Never. So a mutant that leaves a guard with it out, or changes what stands behind it, is no other program, and `cargo mutants`
/// finds such survivors wherever a bug is planted: they are argued here, and the simulation itself kills each bug.
#[cfg(not(feature = "planted"))]
pub const fn planted(_: Bug) -> bool {
    false
}
