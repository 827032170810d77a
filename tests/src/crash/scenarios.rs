//! Ways of a booking through the two flows: together they come to every await.

mod doubt;

use self::doubt::{
    dead_intent, doubt_after_doubt, doubt_then_person, doubt_then_retry, doubt_then_witness, untold,
    witness_before_reply,
};
use super::stage::{Rules, Stage};
use crate::simulation::door::Way;
use futures_util::future::{LocalBoxFuture, join};
use local::fate::Passage;
use serde_json::{Value, json};
use sim::{Fault, FaultOrder, Target};

pub(super) type Play = for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, ()>;

pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) rules: Rules,
    pub(super) play: Play,
    /// How many effects one booking may have at Popin.
    pub(super) most_effects: usize,
    /// Where a booking may end beside where it does unharmed: what Popin did once was done to whoever was killed.
    pub(super) or: &'static [&'static str],
}

macro_rules! scenarios { ($($name:literal $play:ident $(by $rules:expr)? $(, up to $most:literal effects)? $(, or $or:literal)?;)+) => {
    pub(super) const SCENARIOS: &[Scenario] = &[$(Scenario {
        name: $name,
        rules: first_of!($($rules,)? |_| {}),
        play: |stage| Box::pin($play(stage)),
        most_effects: first_of!($($most,)? 1),
        or: &[$($or)?],
    }),+];
} }

macro_rules! first_of {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

scenarios! {
    "no webhook ever comes" untold;
    "by stream" by_stream;
    "a caller waits" caller_waits;
    "two in one slot" two_in_one_slot by |seller| seller["slots"] = json!({"capacity": 2});
    "the same key again, before and after" same_key_again;
    "a key of before the secret's rotation" rotated_key by |seller| seller["person_key"] = json!(FIRST);
    "unusable by the time it is repeated" unusable_when_repeated;
    "another key of the same person" joined;
    "again after a booking that ended with nothing" in_place_of_the_refused, or "scheduled";
    "Popin refuses the slot: the next" next_slot;
    "Popin refuses the slot: no other is wanted" no_other_slot;
    "Popin refuses two slots to one person" two_slots_refused;
    "the one slot was never offered" never_offered;
    "nothing is free" nothing_free;
    "no diary yet" no_diary;
    "Popin is not reached" not_reached;
    "Popin is never reached" never_reached;
    "Popin turns the schedule call away" turned_away;
    "Popin asks for a pause, and another booking waits" pause_asked_for;
    "the slot passes meanwhile" slot_passes by |seller| seller["slots"] = json!({"lead_seconds": 60});
    "the slot passes meanwhile, and no other is wanted" only_slot_passes by |seller| seller["slots"] = json!({"lead_seconds": 60});
    "the gate is full for a moment" full_for_a_moment;
    "the gate is full for longer" full_for_longer by |seller| seller["popin"]["timeout_seconds"] = json!(15);
    "the dead are let out of the gate" dead_inside;
    "in doubt, then a webhook" doubt_then_witness;
    "in doubt, looked at too soon, then a person" doubt_then_person;
    "in doubt, then retried" doubt_then_retry by |seller| {
        seller["booking"]["on_silence"] = json!("retry");
        seller["booking"]["max_attempts"] = json!(2);
    }, up to 2 effects;
    "in doubt for good" doubt_after_doubt by |seller| {
        seller["booking"]["on_silence"] = json!("retry");
        seller["booking"]["max_attempts"] = json!(2);
    }, up to 2 effects;
    "killed between the intent and the call" dead_intent, or "scheduled";
    "the webhook is faster than the reply" witness_before_reply;
    "erased while Popin is silent" erased_meanwhile;
    "the caller's patience ends" impatient;
}

const FIRST: &str = "person-key-of-the-first-year";
const SECOND: &str = "person-key-of-the-second-year";
const ANY: fn() -> Value = || json!({});

fn at(start: &str) -> Value {
    json!({"start_at": start, "if_taken": "refuse"})
}

/// The diary is filled.
async fn open(stage: &Stage) {
    stage.tick("slot-cache").await;
}

/// Webhooks and what they lead to, then a tick.
async fn goes_on(stage: &Stage, seconds: u64) {
    stage.passes(seconds).await;
    stage.webhooks().await;
    stage.tick("booking-worker").await;
}

async fn by_stream(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Crm, ANY()).await;
    stage.streams().await;
    goes_on(stage, 2).await;
}

async fn caller_waits(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 2).await;
}

async fn two_in_one_slot(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Waits(10), ANY()).await;
    stage.ask(2, Way::Waits(10), at("2026-11-23T04:30:00Z")).await;
    goes_on(stage, 2).await;
}

async fn same_key_again(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Api, ANY()).await;
    stage.ask(1, Way::Waits(10), ANY()).await;
    stage.ask(1, Way::Api, ANY()).await;
    goes_on(stage, 2).await;
}

async fn rotated_key(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Api, ANY()).await;
    stage.redeploy(|seller| seller["person_key"] = json!([SECOND, FIRST])).await;
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 2).await;
}

async fn unusable_when_repeated(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Api, at("2026-11-23T04:30:00Z")).await;
    goes_on(stage, 2).await;
    goes_on(stage, 40).await;
    stage.passes(2 * 3600).await;
    stage.ask(1, Way::Waits(10), at("2026-11-23T04:30:00Z")).await;
}

async fn joined(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Api, ANY()).await;
    stage.ask_for(1, 2, Way::Waits(10), ANY()).await;
    stage.ask_for(1, 3, Way::Crm, ANY()).await;
    goes_on(stage, 2).await;
}

async fn in_place_of_the_refused(stage: &Stage) {
    open(stage).await;
    stage.fault(FaultOrder::new(Target::Capture, Fault::Unprocessable));
    stage.ask_for(1, 1, Way::Waits(10), ANY()).await;
    stage.ask_for(1, 2, Way::Waits(10), ANY()).await;
    goes_on(stage, 2).await;
}

async fn next_slot(stage: &Stage) {
    open(stage).await;
    stage.fault(FaultOrder::new(Target::Schedule, Fault::Refuse));
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 2).await;
}

async fn no_other_slot(stage: &Stage) {
    open(stage).await;
    stage.fault(FaultOrder::new(Target::Schedule, Fault::Refuse));
    stage.ask(1, Way::Waits(10), at("2026-11-23T05:00:00Z")).await;
    goes_on(stage, 2).await;
}

async fn two_slots_refused(stage: &Stage) {
    open(stage).await;
    stage.fault(FaultOrder { times: 2, ..FaultOrder::new(Target::Schedule, Fault::Refuse) });
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 2).await;
}

async fn never_offered(stage: &Stage) {
    open(stage).await;
    stage.ask(1, Way::Waits(10), at("2026-11-23T05:07:00Z")).await;
    goes_on(stage, 2).await;
}

async fn nothing_free(stage: &Stage) {
    stage.fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Slots, Fault::Empty) });
    open(stage).await;
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 2).await;
}

async fn no_diary(stage: &Stage) {
    stage.ask(1, Way::Waits(10), ANY()).await;
    open(stage).await;
    goes_on(stage, 10).await;
}

async fn not_reached(stage: &Stage) {
    open(stage).await;
    stage.cut_off(true);
    stage.ask(1, Way::Waits(10), ANY()).await;
    stage.cut_off(false);
    goes_on(stage, 10).await;
}

async fn never_reached(stage: &Stage) {
    open(stage).await;
    stage.cut_off(true);
    stage.ask(1, Way::Crm, ANY()).await;
    stage.streams().await;
    for _ in 0..7 {
        goes_on(stage, 61).await;
    }
}

async fn turned_away(stage: &Stage) {
    open(stage).await;
    stage.fault(FaultOrder::new(Target::Schedule, Fault::RateLimited));
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 10).await;
}

async fn pause_asked_for(stage: &Stage) {
    open(stage).await;
    let order = FaultOrder::new(Target::Capture, Fault::RateLimitedRetryAfter);
    stage.fault(FaultOrder { seconds: Some(40), ..order });
    stage.ask(1, Way::Waits(10), ANY()).await;
    stage.ask(2, Way::Crm, ANY()).await;
    stage.streams().await;
    goes_on(stage, 80).await;
}

/// The first slot is at 04:30; it is refused for longer than until then.
async fn wait_out_the_slot(stage: &Stage, call: Value) {
    stage.passes(88 * 60).await;
    open(stage).await;
    let order = FaultOrder::new(Target::Schedule, Fault::UnavailableRetryAfter);
    stage.fault(FaultOrder { seconds: Some(180), ..order });
    stage.ask(1, Way::Waits(10), call).await;
    goes_on(stage, 125).await;
    goes_on(stage, 100).await;
}

async fn slot_passes(stage: &Stage) {
    wait_out_the_slot(stage, ANY()).await;
}

async fn only_slot_passes(stage: &Stage) {
    wait_out_the_slot(stage, at("2026-11-23T04:30:00Z")).await;
}

/// While the first booking's schedule call takes its time, the second one comes by stream.
async fn meanwhile_another(stage: &Stage, seconds: u64) {
    open(stage).await;
    stage.fault(FaultOrder { seconds: Some(seconds), ..FaultOrder::new(Target::Schedule, Fault::Slow) });
    let other = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stage.ask(2, Way::Crm, ANY()).await;
        stage.streams().await;
    };
    join(stage.ask(1, Way::Waits(20), ANY()), other).await;
    goes_on(stage, 15).await;
}

async fn full_for_a_moment(stage: &Stage) {
    meanwhile_another(stage, 1).await;
}

async fn full_for_longer(stage: &Stage) {
    meanwhile_another(stage, 12).await;
}

async fn dead_inside(stage: &Stage) {
    open(stage).await;
    stage.reaper.plan("popin capture", Passage::Leaves);
    stage.ask(1, Way::Crm, ANY()).await;
    stage.streams().await;
    stage.passes(31).await;
    stage.ask(2, Way::Crm, ANY()).await;
    stage.streams().await;
    goes_on(stage, 2).await;
}

async fn erased_meanwhile(stage: &Stage) {
    open(stage).await;
    stage.fault(FaultOrder::new(Target::Capture, Fault::Hang));
    let forgets = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        stage.forget(1).await;
    };
    join(stage.ask(1, Way::Waits(10), ANY()), forgets).await;
    goes_on(stage, 2).await;
}

async fn impatient(stage: &Stage) {
    open(stage).await;
    stage.slow_database(600);
    stage.ask(1, Way::Waits(1), ANY()).await;
    stage.ask(2, Way::Waits(4), ANY()).await;
    stage.slow_database(0);
    goes_on(stage, 10).await;
}
