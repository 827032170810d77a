//! Zoho's access tokens: one log-in serves what is read back and what is written back, and one that fails loses nothing.

use serde_json::{Value, json};
use sim::{CrmFault, CrmFaultOrder};
use system_tests::{
    crm_ways::{Way, with_crms},
    shop::Shop,
};

/// Tells of the lead with this number, which Zoho keeps.
async fn notified(shop: &Shop, number: u32) {
    Way::ZohoNotification.keep_record(shop, number);
    assert_eq!(Way::ZohoNotification.send(shop, &Way::ZohoNotification.body(number)).await.status, 200);
}

fn logins(shop: &Shop) -> usize {
    shop.world.sim.crms().calls().iter().filter(|call| call.path == "oauth/v2/token").count()
}

/// How it stands with each number that was booked.
fn ends(shop: &Shop) -> Vec<Value> {
    shop.bookings().iter().map(|booking| booking["state"].clone()).collect()
}

async fn minutes(shop: &Shop, minutes: u32) {
    for _ in 0..minutes {
        shop.advance(60);
        shop.tick("booking-worker").await;
        shop.settle().await;
    }
}

/// The first parked trigger: its code, and whether its CRM is asked again.
async fn parked(shop: &Shop) -> (String, bool, String) {
    let listed = shop.parked_list("").await;
    let first = &listed.body["parked"][0];
    let text = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
    (text("code"), first["due_at"].is_string(), text("id"))
}

#[tokio::test(start_paused = true)]
async fn one_log_in_serves_the_read_back_and_the_write_back_for_its_hour() {
    let fields = |seller: &mut Value| seller["crm"]["zoho"]["write_back"]["fields"] = json!({"state": "Call_State"});
    let shop = Shop::with(with_crms(fields)).await;
    shop.tick("slot-cache").await;
    for number in 1..=2 {
        notified(&shop, number).await;
        shop.settle().await;
        let told = shop.world.sim.crms().record(&format!("zoho/Leads/41508680000{number}"));
        assert_eq!(told["Call_State"], "scheduled");
    }
    assert_eq!((logins(&shop), shop.world.sim.record_reads().len()), (1, 2));
    shop.advance(3600);
    shop.tick("slot-cache").await;
    notified(&shop, 3).await;
    shop.settle().await;
    assert_eq!((ends(&shop), logins(&shop)), (vec![json!("scheduled"); 3], 2));
    assert!(shop.world.sim.record_reads().iter().all(|read| read.status == 200), "no token was used after its end");
}

#[tokio::test(start_paused = true)]
async fn without_fields_it_is_for_reading_and_nothing_is_owed() {
    let shop = Shop::with_crms().await;
    notified(&shop, 1).await;
    shop.settle().await;
    minutes(&shop, 5).await;
    assert_eq!(ends(&shop), [json!("scheduled")]);
    assert!(shop.world.sim.crms().calls_to("zoho").is_empty());
    assert!(shop.world.items("bookings").iter().all(|item| !item["sk"].as_str().unwrap().starts_with("trigger#")));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_taken_back_is_had_anew_and_the_record_is_read_in_the_same_try() {
    let shop = Shop::with_crms().await;
    notified(&shop, 1).await;
    shop.settle().await;
    shop.world.sim.crms().revoke_tokens();
    notified(&shop, 2).await;
    shop.world.pump().await;
    let reads: Vec<_> = shop.world.sim.record_reads().iter().map(|read| read.status).collect();
    assert_eq!((reads, logins(&shop), shop.bookings().len()), (vec![200, 401, 200], 2, 2));
    assert!(shop.parked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_log_in_that_is_refused_waits_a_day_for_somebody_to_mend_it() {
    let wrong = with_crms(|seller| seller["crm"]["zoho"]["write_back"]["refresh_token"] = json!("not-the-one"));
    let shop = Shop::with(wrong).await;
    notified(&shop, 1).await;
    shop.settle().await;
    let (code, again, id) = parked(&shop).await;
    assert_eq!((code.as_str(), again, logins(&shop)), ("read_back_pending", true, 1));
    assert!(shop.world.sim.record_reads().is_empty(), "nobody asks for a record without a token");
    for _ in 0..300 {
        shop.advance(301);
        shop.tick("booking-worker").await;
    }
    let (code, again, _) = parked(&shop).await;
    assert_eq!((code.as_str(), again), ("read_back_failed", false));
    let mended = shop.again_with(with_crms(|_| {})).await;
    Way::ZohoNotification.keep_record(&mended, 1);
    assert_eq!(mended.retry(&id).await.status, 202);
    mended.tick("slot-cache").await;
    mended.settle().await;
    assert_eq!((ends(&mended), mended.parked().len()), (vec![json!("scheduled")], 0));
}

#[tokio::test(start_paused = true)]
async fn a_log_in_that_fails_for_a_while_loses_no_trigger_and_is_not_asked_before_it_wants_to_be() {
    for fault in [CrmFault::Unavailable, CrmFault::Hang, CrmFault::HangAfter, CrmFault::ErrorAfter] {
        let shop = Shop::with_crms().await;
        shop.world.sim.crms().add_fault(CrmFaultOrder { times: 2, ..CrmFaultOrder::new("zoho", fault) });
        notified(&shop, 1).await;
        minutes(&shop, 10).await;
        assert_eq!((ends(&shop), logins(&shop)), (vec![json!("scheduled")], 3), "{fault:?}");
    }
    let shop = Shop::with_crms().await;
    let asked = CrmFaultOrder { seconds: 600, ..CrmFaultOrder::new("zoho", CrmFault::RateLimited) };
    shop.world.sim.crms().add_fault(asked);
    notified(&shop, 1).await;
    shop.settle().await;
    minutes(&shop, 9).await;
    assert_eq!((logins(&shop), shop.bookings().len()), (1, 0));
    minutes(&shop, 3).await;
    assert_eq!((logins(&shop), ends(&shop)), (2, vec![json!("scheduled")]));
}

#[tokio::test(start_paused = true)]
async fn without_a_refresh_token_it_is_parked_until_there_is_one() {
    let none = with_crms(|seller| drop(seller["crm"]["zoho"].as_object_mut().unwrap().remove("write_back")));
    let shop = Shop::with(none).await;
    notified(&shop, 1).await;
    shop.settle().await;
    let (code, again, id) = parked(&shop).await;
    assert_eq!((code.as_str(), again, logins(&shop)), ("access_token_missing", false, 0));
    let mended = shop.again_with(with_crms(|_| {})).await;
    Way::ZohoNotification.keep_record(&mended, 1);
    assert_eq!((mended.retry(&id).await.status.as_u16(), mended.bookings().len()), (202, 1));
}
