//! The business key: a person who asks twice within the seller's window joins the first booking, whichever way they ask.

use futures_util::future::join_all;
use serde_json::json;
use sim::{Endpoint, Fault, FaultOrder, Target};
use system_tests::shop::{POPIN_KEY, POPIN_TOKEN, Reply, Shop, lead, sellers};

fn id(reply: &Reply) -> String {
    reply.body["id"].as_str().unwrap_or_else(|| panic!("no id in {reply:?}")).to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_person_who_asks_again_within_the_window_joins_their_first_booking_across_connectors() {
    let shop = Shop::open().await;
    let first = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!((first.status.as_u16(), first.body.get("joined")), (201, None));
    let joined = shop.book("k2", Some(10), &lead(1)).await;
    assert_eq!((joined.status.as_u16(), id(&joined), &joined.body["joined"]), (201, id(&first), &json!(true)));
    let by_crm = shop.trigger("msg_1", &lead(1)).await;
    assert_eq!((by_crm.status.as_u16(), id(&by_crm), &by_crm.body["joined"]), (202, id(&first), &json!(true)));
    // The key that joined is a key like any other: the same answer again, and no other body.
    let again = shop.book("k2", Some(10), &lead(1)).await;
    assert_eq!((again.status, &again.body), (joined.status, &joined.body));
    assert_eq!(shop.book("k2", None, &lead(2)).await.code(), "idempotency_key_reused");
    shop.settle().await;
    assert_eq!(shop.world.sim.schedules().len(), 1);
    shop.advance(601);
    let later = shop.book("k3", Some(10), &lead(1)).await;
    assert_eq!((later.status.as_u16(), later.body.get("joined")), (201, None));
    assert_ne!(id(&later), id(&first));
}

#[tokio::test(start_paused = true)]
async fn thirty_keys_of_one_person_at_once_make_one_booking() {
    let shop = Shop::open().await;
    let keys: Vec<_> = (0..30).map(|n| format!("k{n}")).collect();
    let replies = join_all(keys.iter().map(|key| async { shop.book(key, None, &lead(1)).await })).await;
    let ids: std::collections::BTreeSet<_> = replies.iter().map(id).collect();
    let joined = replies.iter().filter(|reply| reply.body["joined"] == true).count();
    assert_eq!((ids.len(), joined), (1, 29));
    shop.settle().await;
    assert_eq!(shop.world.sim.schedules().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_ended_with_nothing_is_none_to_join() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Capture, Fault::Unprocessable));
    let refused = shop.book("k1", Some(10), &lead(1)).await;
    assert_eq!(refused.code(), "refused");
    let second = shop.book("k2", Some(10), &lead(1)).await;
    assert_eq!((second.status.as_u16(), &second.body["state"]), (201, &json!("scheduled")));
    assert_eq!(id(&shop.book("k3", Some(10), &lead(1)).await), id(&second), "the second is the one to join");
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_a_booking_that_somebody_works_on_is_told_of_it_at_once() {
    let shop = Shop::open().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Held));
    let body = lead(1);
    let first = shop.book("k1", Some(10), &body);
    let second = async {
        while !shop.world.sim.calls().iter().any(|call| call.endpoint == Endpoint::Schedule) {
            tokio::task::yield_now().await;
        }
        let joined = shop.book("k2", Some(10), &body).await;
        shop.world.sim.release();
        joined
    };
    let (first, joined) = futures_util::future::join(first, second).await;
    assert_eq!((joined.status.as_u16(), &joined.body["joined"], id(&joined)), (202, &json!(true), id(&first)));
    assert_eq!((first.status.as_u16(), shop.world.sim.schedules().len()), (201, 1));
}

#[tokio::test(start_paused = true)]
async fn a_seller_may_have_another_window_or_none() {
    for (seconds, later, same) in [(0, 0, false), (30, 29, true), (30, 31, false)] {
        let shop = Shop::with(sellers(|seller| seller["booking"] = json!({"join_window_seconds": seconds}))).await;
        shop.tick("slot-cache").await;
        let first = shop.book("k1", Some(10), &lead(1)).await;
        shop.advance(later);
        let second = shop.book("k2", Some(10), &lead(1)).await;
        assert_eq!(id(&first) == id(&second), same, "a window of {seconds} s, {later} s later");
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_slot_for_several_no_person_has_two_places() {
    let shop = Shop::with(sellers(|seller| {
        seller["booking"] = json!({"join_window_seconds": 0});
        seller["slots"] = json!({"capacity": 3});
    }))
    .await;
    // Popin would take all three.
    shop.world.sim.add_seller(sim::SellerAccount { capacity: 3, ..sim::SellerAccount::new(POPIN_TOKEN, POPIN_KEY) });
    shop.tick("slot-cache").await;
    let keys: Vec<_> = (0..3).map(|n| format!("k{n}")).collect();
    let replies = join_all(keys.iter().map(|key| async { shop.book(key, Some(10), &lead(1)).await })).await;
    let starts: std::collections::BTreeSet<_> =
        replies.iter().map(|reply| reply.body["start_at"].to_string()).collect();
    assert_eq!(starts.len(), 3, "{replies:?}");
    let other = shop.book("k9", Some(10), &lead(2)).await;
    assert!(starts.contains(&other.body["start_at"].to_string()) || other.body["state"] == "scheduled", "{other:?}");
}
