//! One ear for the whole test run: a log line of any test that tells of a person or a secret makes that run fail.

use crate::{
    crm_ways::{ACCESS_TOKEN, CLIENT_SECRET, OLD_SECRET, SECRET},
    shop::{API_KEY, CHILI_SECRET, POPIN_KEY, POPIN_TOKEN, STANDARD_SECRET, WEBHOOK_KEY},
    written_back::{NOTIFY_SECRET, TOKEN},
};
use frontdesk::edge::telemetry;
use std::{
    cell::{Cell, RefCell},
    io,
    sync::{Mutex, Once, PoisonError},
};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _,
    filter::{FilterExt as _, dynamic_filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The line that told, for whoever looks after the thread that it told in is gone.
static TOLD: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// This thread's lines, while a test wants them.
    static KEPT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether this thread is not listened to.
    static DEAF: Cell<bool> = const { Cell::new(false) };
}

/// From now on, once for all threads: with a subscriber for each, the callsites' cache would forget what another wants to
/// hear. As loud as `LOG_LEVEL` can be set; what a library says of our calls is our log too. Not heard are the database and
/// the simulator, which stand in for others.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let off = ["dynoxide", "sim"].map(|name| (name, LevelFilter::OFF));
        let targets = telemetry::targets(Level::TRACE).with_targets(off);
        let targets = targets.and(dynamic_filter_fn(|_, _| !DEAF.get()));
        let layer = telemetry::json_layer(|| Ear).with_filter(targets);
        // A second one is a test's own, scoped or not: it hears instead of this one.
        drop(tracing_subscriber::registry().with(layer).try_init());
        telemetry::metrics_to(hear_line);
    });
}

/// Where log lines go: the layer writes each line whole, with its newline.
struct Ear;

impl io::Write for Ear {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(line).expect("JSON is UTF-8");
        hear_line(text.strip_suffix('\n').expect("a whole line"));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Without its end.
fn hear_line(line: &str) {
    if DEAF.get() {
        return;
    }
    KEPT.with_borrow_mut(|kept| kept.iter_mut().for_each(|kept| kept.extend([line, "\n"])));
    if tells(line) {
        TOLD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| line.to_owned());
        panic!("a log line tells of a person, or a secret: {line}");
    }
}

/// Whether this thread is listened to from now on: at the loudest level, thousands of histories would take twice as long.
pub fn hear(yes: bool) {
    listen();
    DEAF.set(!yes);
}

/// This thread's lines from now on.
pub fn keep() {
    listen();
    KEPT.set(Some(String::new()));
}

/// What was said in this thread since [`keep`].
pub fn kept() -> String {
    KEPT.take().unwrap_or_default()
}

/// Fails when any thread has told, also one whose panic nobody saw.
pub fn nothing_so_far() {
    let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(told, None, "a log line tells of a person, or a secret");
}

/// What only a person's data or a secret has in it. Everybody in the tests is called Example, lives at example.com, and
/// has a number from the block that is set aside, `90000 xxxxx`.
pub const TELLING: [&str; 18] = [
    "Asha",
    "Canary",
    "Guest Example",
    "@example.com",
    API_KEY,
    WEBHOOK_KEY,
    STANDARD_SECRET,
    POPIN_KEY,
    POPIN_TOKEN,
    SECRET,
    OLD_SECRET,
    ACCESS_TOKEN,
    NOTIFY_SECRET,
    CHILI_SECRET,
    CLIENT_SECRET,
    TOKEN,
    sim::crms::KEY,
    sim::crms::ISSUED,
];

/// Whether a line has any of it, or a number in any spelling that keeps its digits together.
pub fn tells(line: &str) -> bool {
    let numbers = || line.split(|c: char| !c.is_ascii_digit()).filter(|digits| (10..=13).contains(&digits.len()));
    TELLING.iter().any(|telling| line.contains(telling))
        || line.contains("live.popin.to")
        || numbers().any(|digits| digits[digits.len() - 10..].starts_with("90000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_tells_is_known() {
        for line in [
            "number=9000054321",
            "+919000054321",
            "tel:009000054321.",
            "name=\"Asha Example\"",
            "guest@example.com",
            API_KEY,
            WEBHOOK_KEY,
            STANDARD_SECRET,
            POPIN_KEY,
            POPIN_TOKEN,
            "https://live.popin.to/8131-a157",
        ] {
            assert!(tells(line), "{line}");
        }
        for line in ["", "booking.id=019a0000-0000-7000-8000-900000000001", "at=1795400000", "shop.example.com"] {
            assert!(!tells(line), "{line}");
        }
    }

    #[test]
    fn what_is_written_is_heard_and_fails_in_the_thread_that_wrote_it() {
        hear_line("a quiet line");
        nothing_so_far();
        let thread = std::thread::spawn(|| hear_line("call 9000054321"));
        assert!(thread.join().is_err());
        let later = std::panic::catch_unwind(nothing_so_far);
        *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = None;
        assert!(later.is_err());
    }
}
