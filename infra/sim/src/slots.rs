//! What is offered: a window that moves with the clock, less what is booked out.

use std::collections::HashMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::SellerAccount;
use crate::state::Scheduled;

/// One listed day, and what is still free on it.
struct Day {
    date: Date,
    slots: Vec<DateTime>,
}

/// The documented body.
pub(crate) fn body(seller: &SellerAccount, schedules: &[Scheduled], now: Timestamp) -> Value {
    let availability: Vec<Value> = offered(seller, schedules, now)
        .map(|day| {
            let slots: Vec<String> = day.slots.iter().map(|slot| slot.strftime("%I:%M %p").to_string()).collect();
            json!({ "date": day.date.strftime("%a, %d %b %Y").to_string(), "slots": slots })
        })
        .collect();
    json!({ "availability": availability, "slotDiff": seller.slot_minutes, "timezone": seller.timezone })
}

/// The slot that `time` names, when it is spelled exactly as offered and still free.
/// ASSUMPTION: Popin refuses a time that it does not offer at that moment, and one it offers in another spelling.
pub(crate) fn find(seller: &SellerAccount, schedules: &[Scheduled], now: Timestamp, time: &str) -> Option<DateTime> {
    offered(seller, schedules, now).flat_map(|day| day.slots).find(|slot| spelled(*slot) == time)
}

/// The slot that a booked `time` names.
pub(crate) fn parse(time: &str) -> Option<DateTime> {
    DateTime::strptime("%a, %d %b %Y %I:%M %p", time).ok()
}

/// The first slot that is still free.
pub(crate) fn first(seller: &SellerAccount, schedules: &[Scheduled], now: Timestamp) -> Option<DateTime> {
    offered(seller, schedules, now).flat_map(|day| day.slots).next()
}

/// ASSUMPTION: a day without a free slot stays listed, with none.
/// ASSUMPTION: a slot that has begun is gone, and so is one that is booked as often as its capacity.
/// ASSUMPTION: the list is one of wall clocks: an hour that a clock change skips is listed, one that comes twice is listed once.
fn offered(seller: &SellerAccount, schedules: &[Scheduled], now: Timestamp) -> impl Iterator<Item = Day> {
    let zone = TimeZone::get(&seller.timezone).unwrap_or(TimeZone::UTC);
    let mut booked: HashMap<&str, u32> = HashMap::new();
    for scheduled in schedules.iter().filter(|scheduled| scheduled.seller == seller.token) {
        *booked.entry(&scheduled.time).or_default() += 1;
    }
    let today = now.to_zoned(zone.clone()).date();
    let dates = today.series(1.day()).take(seller.days.into());
    dates.map(move |date| {
        let free = |slot: &DateTime| {
            let ahead = slot.to_zoned(zone.clone()).is_ok_and(|start| start.timestamp() > now);
            ahead && booked.get(spelled(*slot).as_str()).copied().unwrap_or_default() < seller.capacity
        };
        Day { date, slots: of_day(seller, date).filter(free).collect() }
    })
}

fn of_day(seller: &SellerAccount, date: Date) -> impl Iterator<Item = DateTime> {
    let midnight = date.at(0, 0, 0, 0);
    let length = i64::from(seller.slot_minutes.max(1)).minutes();
    let closes = midnight + i64::from(seller.closes).hours();
    (midnight + i64::from(seller.opens).hours()).series(length).take_while(move |slot| *slot + length <= closes)
}

fn spelled(slot: DateTime) -> String {
    slot.strftime("%a, %d %b %Y %I:%M %p").to_string()
}
