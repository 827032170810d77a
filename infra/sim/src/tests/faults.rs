//! Every fault: what the caller sees of it, and whether the call was done all the same.

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{FIRST, World};
use crate::{ConnectionReset, Fault, FaultOrder, Target};

#[tokio::test]
async fn a_fault_is_answered_as_named_and_done_or_not_done() {
    for (fault, status, content_type, done) in [
        ("refuse", 200, "application/json", false),
        ("unprocessable", 422, "application/json", false),
        ("unauthorized", 401, "application/json", false),
        ("error", 500, "text/html; charset=UTF-8", false),
        ("error_after", 500, "text/html; charset=UTF-8", true),
        ("bad_gateway_after", 502, "text/html; charset=UTF-8", true),
        ("rate_limited", 429, "application/json", false),
        ("rate_limited_retry_after", 429, "application/json", false),
        ("unavailable", 503, "text/html; charset=UTF-8", false),
        ("unavailable_retry_after", 503, "text/html; charset=UTF-8", false),
        ("html", 200, "text/html; charset=UTF-8", true),
        ("truncated", 200, "application/json", true),
        ("reset", 200, "application/json", true),
        ("status_text", 200, "application/json", true),
        ("empty", 200, "application/json", false),
    ] {
        let world = World::new();
        let id = world.captured().await;
        world.order(json!({ "endpoint": "schedule", "fault": fault }));
        let reply = world.schedule(&id, FIRST).await;
        assert_eq!((reply.status(), reply.header("content-type")), (status, content_type), "{fault}");
        assert_eq!(world.sim.schedules().len(), usize::from(done), "{fault}");
        let retry_after = if fault.ends_with("retry_after") { "7" } else { "" };
        assert_eq!(reply.header("retry-after"), retry_after, "{fault}");

        let call = world.sim.calls().pop().unwrap();
        assert_eq!((call.took_effect, call.fault.as_deref()), (done, Some(fault)));
        assert_eq!(call.status, if fault == "reset" { 0 } else { status });
        // It struck once.
        let again = world.schedule(&id, "Thu, 25 Sep 2025 10:00 AM").await;
        assert_eq!(again.json()["status"], 1, "{fault}");
    }
}

#[tokio::test]
async fn a_call_that_hangs_never_ends_and_hang_after_is_done() {
    for (fault, done) in [(Fault::Hang, false), (Fault::HangAfter, true)] {
        let world = World::new();
        let id = world.captured().await;
        world.sim.add_fault(FaultOrder::new(Target::Schedule, fault));
        assert!(world.schedule(&id, FIRST).now_or_never().is_none());
        assert_eq!(world.sim.schedules().len(), usize::from(done));
        let call = world.sim.calls().pop().unwrap();
        assert_eq!((call.status, call.took_effect), (0, done));
    }
}

#[tokio::test]
async fn a_slow_call_is_done_at_once_and_answered_late() {
    let world = World::new();
    let id = world.captured().await;
    world.order(json!({ "endpoint": "schedule", "fault": "slow" }));
    // A caller that gives up undoes nothing.
    assert!(world.schedule(&id, FIRST).now_or_never().is_none());
    assert_eq!(world.sim.schedules().len(), 1);

    world.order(json!({ "endpoint": "slots", "fault": "slow", "seconds": 1 }));
    let before = tokio::time::Instant::now();
    assert_eq!(world.slots().await.status(), 200);
    assert!(before.elapsed().as_secs() >= 1);
}

#[tokio::test]
async fn a_held_reply_leaves_when_it_is_released() {
    let world = World::new();
    world.order(json!({ "endpoint": "capture", "fault": "held" }));
    let release = async {
        while world.sim.customers().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(world.sim.calls()[0].took_effect);
        world.sim.release();
    };
    let (reply, ()) = tokio::join!(world.capture("9544510895"), release);
    assert_eq!(reply.json()["status"], 1);
}

#[tokio::test]
async fn truncated_json_is_the_first_half_and_a_reset_says_so() {
    let world = World::new();
    let whole = world.slots().await.0.into_body();
    world.order(json!({ "fault": "truncated" }));
    let half = world.slots().await;
    assert_eq!(half.0.body()[..], whole[..whole.len() / 2]);
    assert!(serde_json::from_slice::<Value>(half.0.body()).is_err());
    world.order(json!({ "fault": "reset" }));
    assert!(world.slots().await.0.extensions().get::<ConnectionReset>().is_some());
}

#[tokio::test]
async fn status_text_has_phps_other_types_and_takes_its_own_ids_back() {
    let world = World::new();
    world.order(json!({ "fault": "status_text", "times": 3 }));
    let captured = world.capture("9544510895").await.json();
    assert_eq!((&captured["status"], &captured["customer_id"]), (&json!("1"), &json!(315)));
    let slots = world.slots().await.json();
    assert_eq!(slots["availability"][0]["slots"]["3"], "01:00 PM");
    let scheduled = world.post("schedule", &json!({ "customer_id": 315, "time": FIRST })).await.json();
    assert_eq!((&scheduled["status"], &scheduled["data"]), (&json!("1"), &json!("+919544510895")));

    world.advance(1);
    for webhook in world.sim.take_due_webhooks() {
        let body: Value = serde_json::from_slice(&webhook.body).unwrap();
        assert_eq!((&body["user_id"], &body["meta"]), (&json!(315), &json!([])));
    }
}

#[tokio::test]
async fn a_bare_row_number_is_no_customer_when_it_was_never_given_out() {
    let world = World::new();
    world.captured().await;
    assert_eq!(world.schedule("315", FIRST).await.json()["message"], "Invalid customer");
}

#[tokio::test]
async fn empty_lists_not_one_day_and_elsewhere_refuses() {
    let world = World::new();
    world.order(json!({ "fault": "empty", "times": 2 }));
    let slots = world.slots().await.json();
    assert_eq!(slots, json!({ "availability": [], "slotDiff": 15, "timezone": "Asia/Kolkata" }));
    assert_eq!(world.capture("9544510895").await.json()["status"], 0);
}

#[tokio::test]
async fn a_fault_waits_for_its_turn_and_strikes_as_often_as_told() {
    let world = World::new();
    world.order(json!({ "endpoint": "slots", "fault": "error", "times": 2, "after": 1 }));
    world.order(json!({ "endpoint": "any", "fault": "unavailable", "after": 2 }));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(world.slots().await.status());
    }
    assert_eq!(statuses, [200, 500, 500, 200, 503, 200]);

    world.order(json!({ "fault": "unauthorized", "times": 0 }));
    assert_eq!([world.slots().await.status(), world.slots().await.status()], [401, 401]);
    world.sim.clear_faults();
    assert_eq!(world.slots().await.status(), 200);
}

#[tokio::test]
async fn a_call_that_popin_would_refuse_is_not_done_by_a_fault() {
    let world = World::new();
    world.order(json!({ "fault": "html" }));
    assert_eq!(world.schedule("nobody", FIRST).await.status(), 200);
    assert!(!world.sim.calls()[0].took_effect);
}
