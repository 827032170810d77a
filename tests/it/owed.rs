//! What is owed is told, wherever the worker dies, and however the end changes while it is told.

use futures_util::future::join;
use local::dynamodb::DbFault;
use serde_json::{Value, json};
use sim::{CrmFault, CrmFaultOrder, Fault, FaultOrder, Target, WebhookMode};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use system_tests::{
    shop::Shop,
    written_back::{minutes, origin, trigger, written_back},
};

async fn open(notify: bool) -> (Shop, Value) {
    let document = written_back(notify);
    let shop = Shop::with(document.clone()).await;
    shop.tick("slot-cache").await;
    (shop, document)
}

fn is_due(item: &Value) -> bool {
    item["sk"].as_str().unwrap().starts_with("trigger#") && item.get("due").is_some()
}

/// From the `k`-th call of the database on, nothing gets through: the worker is as good as dead.
#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_any_call_leaves_nobody_untold() {
    for last_took_place in [false, true] {
        for k in 0.. {
            let (shop, document) = open(true).await;
            trigger(&shop, &document, ("hubspot", "k1"), 1, origin(None, "614")).await;
            let seen = Arc::new(AtomicUsize::new(0));
            let count = seen.clone();
            shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
                match count.fetch_add(1, Ordering::Relaxed) {
                    n if n < k => DbFault::None,
                    n if n == k && last_took_place => DbFault::LoseReply,
                    _ => DbFault::Unreachable,
                }
            })));
            drop(shop.world.tick("booking-worker").await);
            shop.world.db.set_fault(None);
            for _ in 0..30 {
                shop.settle().await;
                minutes(&shop, 1).await;
                shop.tick("slot-cache").await;
                if !shop.world.items("bookings").iter().any(|item| item.get("due").is_some()) {
                    break;
                }
            }
            let told = format!("died at {k}, took place: {last_took_place}");
            let items = shop.world.items("bookings");
            let state = items.iter().find(|item| item["sk"] == "booking").unwrap()["state"].clone();
            let crms = shop.world.sim.crms();
            assert_eq!(crms.record("hubspot/contacts/614")["vc_state"], state, "{told}");
            assert_eq!(crms.messages().last().unwrap().body["data"]["state"], state, "{told}");
            assert!(!items.iter().any(is_due), "{told}: {items:?}");
            if seen.load(Ordering::Relaxed) <= k {
                assert!(k > 15, "the worker makes more calls than {k}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_comes_while_the_old_end_is_told_is_told_after_it() {
    let (shop, document) = open(false).await;
    let crms = shop.world.sim.crms();
    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Schedule, Fault::HangAfter) });
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    let mut waiting = origin(None, "614");
    waiting.callback = Some("ap-1".to_owned());
    let id = trigger(&shop, &document, ("hubspot", "k1"), 1, waiting).await.booking.id.to_string();
    shop.world.pump().await;
    let slow = CrmFaultOrder::new("hubspot", CrmFault::Slow);
    crms.add_fault(CrmFaultOrder { path: "callbacks".to_owned(), seconds: 5, ..slow });
    shop.advance(1200);
    let decided = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        shop.resolve(&id, &json!({"outcome": "scheduled"})).await
    };
    let (_, decided) = join(shop.tick("booking-worker"), decided).await;
    assert_eq!(decided.status, 200, "{decided:?}");
    assert_eq!(crms.record("hubspot/contacts/614")["vc_state"], "needs_human");
    let owed = &shop.booking(&id).await.body["write_backs"][0];
    assert_eq!((&owed["state"], &owed["told"]), (&json!("pending"), &json!("needs_human")), "{owed}");
    minutes(&shop, 2).await;
    assert_eq!(crms.record("hubspot/contacts/614")["vc_state"], "scheduled");
    // The workflow was told of the first end, and cannot be told of another.
    let owed = &shop.booking(&id).await.body["write_backs"][0];
    assert_eq!((&owed["state"], &owed["told"]), (&json!("done"), &json!("scheduled")), "{owed}");
    assert_eq!(crms.callback("ap-1")["state"], "needs_human");
}

#[tokio::test(start_paused = true)]
async fn two_workers_at_once_tell_it_once() {
    let (shop, document) = open(true).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder { times: 0, seconds: 3, ..CrmFaultOrder::new("receiver", CrmFault::Slow) });
    trigger(&shop, &document, ("zoho", "k1"), 1, origin(None, "1")).await;
    // The sweep has the booking and tells of it, when the stream's record comes to another worker.
    let record = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(crms.calls().len(), 1, "the first worker is at it");
        shop.world.pump().await
    };
    join(shop.tick("booking-worker"), record).await;
    minutes(&shop, 3).await;
    assert_eq!((crms.messages().len(), crms.calls_to("zoho").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_is_down_is_left_alone_and_every_lead_is_told_in_the_end() {
    let (shop, document) = open(false).await;
    let crms = shop.world.sim.crms();
    crms.add_fault(CrmFaultOrder { times: 0, ..CrmFaultOrder::new("zoho", CrmFault::Unavailable) });
    for number in 1..=30 {
        let record = number.to_string();
        let key = format!("k{number}");
        trigger(&shop, &document, ("zoho", &key), number, origin(None, &record)).await;
    }
    shop.world.pump().await;
    minutes(&shop, 30).await;
    let vain = crms.calls().iter().filter(|call| call.crm == "zoho").count();
    assert!(vain < 150, "{vain} calls of a CRM that was down");
    crms.clear_faults();
    minutes(&shop, 120).await;
    for number in 1..=30 {
        let record = crms.record(&format!("zoho/Leads/{number}"));
        assert!(record["Call_State"].is_string(), "{number}: {record}");
    }
    assert!(!shop.world.items("bookings").iter().any(is_due));
}
