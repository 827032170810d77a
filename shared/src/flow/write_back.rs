//! Tells a booking's end to whatever its triggers came from, until it is taken or nobody is left to take it.

mod telling;

use super::{Clock, Random, access::Tokens};
use crate::{
    model::{
        ids::{BookingId, SellerId},
        seller::Seller,
        write_back::{News, Progress, WriteBack},
    },
    popin::{Transport, dates},
    store::{self, Bookings, bookings::Saved, write_backs::WriteBacks},
};
use jiff::{SignedDuration, Timestamp};

/// All that telling one seller's ends works with.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    pub clock: &'a dyn Clock,
    pub random: &'a Random,
    pub transport: &'a dyn Transport,
    pub tokens: &'a Tokens,
    pub bookings: &'a Bookings,
    pub id: &'a SellerId,
    pub seller: &'a Seller,
}

/// How many were told, given up, and left for another time; and how many records nobody can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub done: usize,
    pub parked: usize,
    pub waiting: usize,
    pub unreadable: usize,
}

/// A booking on its way is looked at again when it should have come further.
const STEP: SignedDuration = SignedDuration::from_mins(1);

/// Safe to run again at any point; nothing is begun after `begin_until`. What is told may be told twice, never not at all.
pub async fn write_back(post: &Post<'_>, id: &BookingId, begin_until: Option<Timestamp>) -> Result<Told, store::Error> {
    let mut told = Told::default();
    let now = post.clock.now();
    let WriteBacks { readable: mut owed, unreadable } = post.bookings.write_backs(post.id, id).await?;
    for key in &unreadable {
        if post.bookings.finish_unreadable(key, now).await? {
            tracing::error!(seller = %post.id, booking.id = %id, "write_back.unreadable");
            told.unreadable += 1;
        }
    }
    owed.retain(|owed| owed.is_ready(now));
    if owed.is_empty() {
        return Ok(told);
    }
    // Read after what is owed: an end that changed before that is the one that is told, and one that changes later is owed again.
    let booking = match post.bookings.get(post.id, id).await {
        Ok(Some(booking)) => booking,
        Ok(None) => {
            post.bookings.drop_write_backs(post.id, id).await?;
            return Ok(told);
        }
        Err(store::Error::Corrupt { .. }) => {
            for owed in owed {
                post.give_up(owed, "booking_unreadable", &mut told).await?;
            }
            return Ok(told);
        }
        Err(error @ store::Error::Unavailable { .. }) => return Err(error),
    };
    let local = booking.state.held().and_then(|held| dates::local(&held.slot));
    let Some(news) = News::of(&booking, local) else {
        let next = booking.due_at.unwrap_or(now).max(now) + STEP;
        for owed in owed.into_iter().filter(|owed| owed.due_at.is_some_and(|due| due <= now)) {
            post.put_off(owed, next).await?;
        }
        return Ok(told);
    };
    for owed in owed {
        if begin_until.is_some_and(|until| post.clock.now() >= until) {
            told.waiting += 1;
            continue;
        }
        Box::pin(post.tell(owed, &news, &mut told)).await?;
    }
    Ok(told)
}

impl Post<'_> {
    /// There will be nothing to tell: a person has to look at the booking.
    async fn give_up(&self, mut owed: WriteBack, code: &str, told: &mut Told) -> Result<(), store::Error> {
        owed.progress = Progress::Parked;
        owed.code = Some(code.to_owned());
        (owed.due_at, owed.held_until) = (None, None);
        owed.version += 1;
        if self.bookings.save_owed(&owed).await? == Saved::Done {
            self.tell_of_parked(&owed);
            told.parked += 1;
        }
        Ok(())
    }

    fn tell_of_parked(&self, owed: &WriteBack) {
        tracing::error!(seller = %self.id, booking.id = %owed.booking, write_back.destination = owed.destination.as_str(), "write_back.parked");
    }

    /// Whoever wrote meanwhile knows better when to look again.
    async fn put_off(&self, mut owed: WriteBack, until: Timestamp) -> Result<Saved, store::Error> {
        owed.due_at = Some(until);
        owed.version += 1;
        self.bookings.save_owed(&owed).await
    }
}
