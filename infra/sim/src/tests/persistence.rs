//! The data file: what a killed process finds again.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::{FIRST, World, account};
use crate::{Error, WebhookMode};

#[tokio::test]
async fn a_new_process_finds_everything_but_the_faults() {
    let folder = tempfile::tempdir().unwrap();
    let before = booked(&folder.path().join("popin.jsonl")).await;
    before.sim.set_webhooks(WebhookMode { copies: 2, ..WebhookMode::default() });
    before.order(serde_json::json!({ "fault": "error", "times": 0 }));

    let after = World::with(account(), Some(folder.path().join("popin.jsonl")));
    assert_eq!(after.sim.customers(), before.sim.customers());
    assert_eq!(after.sim.schedules(), before.sim.schedules());
    assert_eq!(after.sim.calls(), before.sim.calls());
    assert_eq!(after.sim.webhooks(), before.sim.webhooks());
    assert_eq!(after.sim.outbox_len(), 2);
    assert_eq!(after.slots().await.json()["availability"][0]["slots"][0], "01:15 PM");
    assert_eq!(after.captured().await, "MzE1");
}

#[tokio::test]
async fn half_a_line_at_the_end_is_a_call_that_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("popin.jsonl");
    let before = booked(&path).await;
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in [last, last + 1, last + (whole.len() - last) / 2, whole.len() - 1] {
        fs::write(&path, &whole[..end]).unwrap();
        let after = World::with(account(), Some(path.clone()));
        assert_eq!((after.sim.customers().len(), after.sim.schedules().len()), (1, 0));
        assert_eq!((after.sim.outbox_len(), after.sim.calls().len()), (1, 1));
        // What comes next is readable again.
        after.captured().await;
        assert_eq!(World::with(account(), Some(path.clone())).sim.calls().len(), 2);
    }
    assert_eq!(before.sim.schedules().len(), 1);
}

#[tokio::test]
async fn a_delivered_webhook_stays_delivered_and_a_reset_stays_reset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("popin.jsonl");
    let before = booked(&path).await;
    before.advance(1);
    assert_eq!(before.sim.take_due_webhooks().len(), 2);
    let after = World::with(account(), Some(path.clone()));
    assert_eq!((after.sim.outbox_len(), after.sim.calls().len()), (0, 2));
    after.sim.reset();
    let after = World::with(account(), Some(path));
    assert!(after.sim.calls().is_empty() && after.sim.customers().is_empty() && after.sim.schedules().is_empty());
}

#[tokio::test]
async fn the_file_keeps_the_last_ten_thousand_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("popin.jsonl");
    let world = booked(&path).await;
    for _ in 0..10_050 {
        world.schedule("nobody", FIRST).await;
    }
    let after = World::with(account(), Some(path.clone()));
    assert_eq!((after.sim.calls().len(), after.sim.schedules().len()), (10_000, 1));
    assert!(fs::read_to_string(&path).unwrap().lines().count() == 1);
}

#[tokio::test]
async fn a_damaged_file_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("popin.jsonl");
    fs::File::create(&path).unwrap().write_all(b"[]\nnot json\n[]\n").unwrap();
    let now = std::sync::Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
    let opened = crate::Sim::new(crate::Options { sellers: vec![account()], now, data: Some(path.clone()) });
    assert!(matches!(opened, Err(Error::Damaged { line: 2, .. })));
    assert_eq!(fs::read(&path).unwrap(), b"[]\nnot json\n[]\n");
}

/// A simulator on that file, with one customer and one booking.
async fn booked(path: &Path) -> World {
    let world = World::with(account(), Some(path.to_owned()));
    let id = world.captured().await;
    world.schedule(&id, FIRST).await;
    world
}
