//! Scenarios in which nobody knows at first whether Popin did it.

use super::{ANY, goes_on, open};
use crate::{crash::stage::Stage, simulation::door::Way};
use futures_util::future::join;
use local::fate::Passage;
use serde_json::json;
use sim::{Fault, FaultOrder, Target, WebhookMode};

pub(super) async fn doubt_then_witness(stage: &Stage) {
    open(stage).await;
    stage.sim().set_webhooks(WebhookMode { delay_ms: 5_000, ..WebhookMode::default() });
    stage.fault(FaultOrder::new(Target::Schedule, Fault::HangAfter));
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 10).await;
}

/// Whoever is killed after the effect leaves nobody who knows of it.
pub(super) async fn untold(stage: &Stage) {
    open(stage).await;
    stage.sim().set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 2).await;
}

/// Popin does not answer the schedule call, and no webhook ever comes.
async fn in_doubt(stage: &Stage) {
    open(stage).await;
    stage.sim().set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    stage.fault(FaultOrder::new(Target::Schedule, Fault::Hang));
    stage.ask(1, Way::Waits(10), ANY()).await;
}

pub(super) async fn doubt_then_person(stage: &Stage) {
    in_doubt(stage).await;
    // As far before the window's end as two clocks may be apart.
    stage.passes(118).await;
    stage.ask(1, Way::Waits(10), ANY()).await;
    goes_on(stage, 10).await;
    stage.resolve("key-1", json!({"outcome": "not_scheduled", "retry": true})).await;
    goes_on(stage, 2).await;
}

pub(super) async fn doubt_then_retry(stage: &Stage) {
    in_doubt(stage).await;
    goes_on(stage, 125).await;
}

pub(super) async fn doubt_after_doubt(stage: &Stage) {
    in_doubt(stage).await;
    stage.fault(FaultOrder::new(Target::Schedule, Fault::Hang));
    goes_on(stage, 125).await;
    goes_on(stage, 125).await;
}

pub(super) async fn dead_intent(stage: &Stage) {
    open(stage).await;
    stage.reaper.plan("popin schedule", Passage::Leaves);
    stage.ask(1, Way::Crm, ANY()).await;
    stage.streams().await;
    goes_on(stage, 31).await;
    goes_on(stage, 121).await;
    stage.resolve("key-1", json!({"outcome": "not_scheduled"})).await;
}

pub(super) async fn witness_before_reply(stage: &Stage) {
    open(stage).await;
    stage.sim().set_webhooks(WebhookMode { delay_ms: 0, ..WebhookMode::default() });
    stage.fault(FaultOrder { seconds: Some(1), ..FaultOrder::new(Target::Schedule, Fault::Slow) });
    let witness = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        stage.webhooks().await;
    };
    join(stage.ask(1, Way::Waits(10), ANY()), witness).await;
    goes_on(stage, 2).await;
}
