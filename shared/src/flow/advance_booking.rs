//! Takes a booking as far as it can go: one lease, one step after the other, each written before the next.

use super::Desk;
use crate::{
    model::{
        backoff::Backoff,
        booking::{Booking, Lease, Step},
        diary::{Diary, Slot},
        ids::BookingId,
        phone::Phone,
        state::{Held, Outcome, State},
    },
    popin::{Client, Failure, dates, wire::Scheduled},
    store::{self, bookings::Saved, bookings::Taken, slots::Read},
};
use jiff::{SignedDuration, Timestamp};

#[derive(Debug)]
pub enum Advanced {
    Booking(Box<Booking>),
    /// Somebody else is at it.
    Held,
    Missing,
}

/// Safe to run again at any point. With a `deadline`, no step is begun after it; a schedule call that has left is
/// always waited for, because a call that nobody listens to is a booking in doubt.
pub async fn advance_booking(
    desk: &Desk<'_>,
    id: &BookingId,
    deadline: Option<Timestamp>,
) -> Result<Advanced, store::Error> {
    let now = desk.clock.now();
    let owner = desk.random.id(now);
    let lease = Lease { owner: owner.clone(), until: now + desk.seller.booking.lease };
    match desk.bookings.take_lease(desk.id, id, &lease, now).await? {
        Taken::Won(booking) => Ok(Advanced::Booking(Box::new(work(desk, *booking, &owner, deadline).await?))),
        Taken::Held => Ok(Advanced::Held),
        Taken::Missing => Ok(Advanced::Missing),
        Taken::AtRest => {
            let booking = desk.bookings.get(desk.id, id).await?;
            Ok(booking.map_or(Advanced::Missing, |booking| Advanced::Booking(Box::new(booking))))
        }
    }
}

/// The loop: ask the state, act, write down what happened.
pub(super) async fn work(
    desk: &Desk<'_>,
    mut booking: Booking,
    owner: &str,
    deadline: Option<Timestamp>,
) -> Result<Booking, store::Error> {
    let run = Worker { desk, owner, deadline };
    loop {
        let now = desk.clock.now();
        let late = deadline.is_some_and(|deadline| now >= deadline);
        let done = match booking.next_step(&desk.seller.booking, now) {
            Step::Rest => return Ok(booking),
            Step::Wait(until) => return run.pause(booking, until).await,
            Step::Capture | Step::Pick | Step::Ask if late => return run.pause(booking, now).await,
            Step::Capture => run.capture(booking).await?,
            Step::Pick => run.pick(booking).await?,
            Step::Ask => run.ask(booking).await?,
            Step::LetGo => run.let_go(booking).await?,
            Step::Doubt => {
                run.commit(booking, Outcome::Unanswered { until: now + desk.seller.booking.in_doubt }).await?
            }
            Step::EndWindow => run.commit(booking, Outcome::WindowOver(desk.seller.booking.on_silence)).await?,
            Step::GiveUp(reason) => run.commit(booking, Outcome::GaveUp(reason)).await?,
        };
        match done {
            Done::On(next) => booking = next,
            Done::Paused(booking) => return Ok(booking),
        }
    }
}

/// Whether the loop goes on.
enum Done {
    On(Booking),
    Paused(Booking),
}

struct Worker<'a> {
    desk: &'a Desk<'a>,
    owner: &'a str,
    deadline: Option<Timestamp>,
}

impl Worker<'_> {
    fn popin(&self) -> Client<'_> {
        // No call may outlast the lease that it is made under.
        Client::new(&self.desk.seller.popin, self.desk.transport).within(self.desk.seller.booking.lease)
    }

    async fn capture(&self, booking: Booking) -> Result<Done, store::Error> {
        // Capture may be repeated, so a waiting caller need not wait for it to the end.
        let left = self.deadline.map_or(SignedDuration::MAX, |deadline| deadline.duration_since(self.desk.clock.now()));
        match self.popin().within(left).capture(&booking.lead, &booking.call).await {
            Ok(customer) => self.commit(booking, Outcome::CapturedAs(customer)).await,
            Err(Failure::Refused(message)) => self.commit(booking, Outcome::LeadRefused(message)).await,
            Err(failure @ (Failure::NotSent | Failure::NotDone(_) | Failure::Credentials | Failure::Unanswered)) => {
                self.fail(booking, &failure).await
            }
        }
    }

    /// Pins the best free slot; a place that another booking took meanwhile makes the next one the best.
    async fn pick(&self, booking: Booking) -> Result<Done, store::Error> {
        let (rules, now) = (&self.desk.seller.slots, self.desk.clock.now());
        let diary = self.desk.slots.read(self.desk.id, now, Read::Consistent).await?;
        let Some(snapshot) = diary.usable(rules, now) else {
            return self.fail(booking, &Failure::NotDone(None)).await;
        };
        let free = not_refused(diary.free(snapshot, rules, now), &booking);
        for slot in booking.call.suitable(&free) {
            let first = diary.place(slot.start, rules.capacity).unwrap_or(0);
            for place in first..rules.capacity {
                let held = Held { slot: slot.clone(), place };
                match self.save(booking.clone(), Outcome::SlotPicked(held), None).await? {
                    Wrote::Claimed => {}
                    Wrote::Done(done) => return Ok(done),
                }
            }
        }
        let outcome = if booking.call.insists() {
            Outcome::SlotGone(booking.call.alternatives(&free))
        } else {
            Outcome::NothingFree
        };
        self.commit(booking, outcome).await
    }

    /// Intent first: `scheduling` is written before the call leaves.
    async fn ask(&self, booking: Booking) -> Result<Done, store::Error> {
        let booking = match self.commit(booking, Outcome::Asking).await? {
            Done::On(booking) => booking,
            paused @ Done::Paused(_) => return Ok(paused),
        };
        let State::Scheduling { customer, held } = &booking.state else {
            // A witness settled it between the two lines.
            return Ok(Done::On(booking));
        };
        let asked = self.popin().schedule(&customer.id, &held.slot, &booking.lead, &booking.call).await;
        match asked {
            Ok(reply) if agrees(&reply, &held.slot, &booking.lead.mobile) => {
                self.commit(booking, Outcome::Confirmed).await
            }
            Ok(_) => self.commit(booking, Outcome::Disagreed).await,
            Err(Failure::Refused(_)) => self.refused(booking).await,
            Err(Failure::Unanswered) => {
                let until = self.desk.clock.now() + self.desk.seller.booking.in_doubt;
                self.commit(booking, Outcome::Unanswered { until }).await
            }
            Err(failure @ (Failure::NotSent | Failure::NotDone(_) | Failure::Credentials)) => {
                let wait = self.wait(booking.failures + 1, &failure);
                self.save(booking, Outcome::NotDone, Some(wait)).await?.done()
            }
        }
    }

    /// Popin refused a slot that it had offered: it leaves the diary at once, and the booking takes another or ends.
    async fn refused(&self, booking: Booking) -> Result<Done, store::Error> {
        if let Some(held) = booking.state.held() {
            self.desk.slots.add_phantom(self.desk.id, held.slot.start, self.desk.clock.now()).await?;
        }
        self.let_go(booking).await
    }

    async fn let_go(&self, booking: Booking) -> Result<Done, store::Error> {
        if !booking.call.insists() {
            return self.commit(booking, Outcome::SlotRefused).await;
        }
        let (rules, now) = (&self.desk.seller.slots, self.desk.clock.now());
        let diary: Diary = self.desk.slots.read(self.desk.id, now, Read::Consistent).await?;
        let free = diary
            .usable(rules, now)
            .map(|snapshot| not_refused(diary.free(snapshot, rules, now), &booking))
            .unwrap_or_default();
        let alternatives = booking.call.alternatives(&free);
        self.commit(booking, Outcome::SlotGone(alternatives)).await
    }

    /// Nothing was done: the booking waits and is tried again.
    async fn fail(&self, mut booking: Booking, failure: &Failure) -> Result<Done, store::Error> {
        tracing::warn!(booking.id = %booking.id, seller = %booking.seller, popin.failure = failure.code(), "booking.waits");
        let now = self.desk.clock.now();
        booking.failed(now);
        let wait = self.wait(booking.failures, failure);
        Ok(Done::Paused(self.pause(booking, now + wait).await?))
    }

    fn wait(&self, failures: u32, failure: &Failure) -> SignedDuration {
        let asked = failure.retry_after(self.desk.clock.now());
        Backoff::ATTEMPT.wait(failures, self.desk.random.chance(), asked)
    }

    /// Gives the lease back; the sweep looks again at `until`.
    async fn pause(&self, booking: Booking, until: Timestamp) -> Result<Booking, store::Error> {
        let mut next = booking.clone();
        next.lease = None;
        next.due_at = Some(until);
        next.version += 1;
        match self.desk.bookings.save(&booking, &next, self.owner, self.desk.clock.now()).await? {
            Saved::Done => Ok(next),
            // Somebody knows more than we do: what they wrote stands.
            Saved::Conflict | Saved::ClaimTaken => {
                Ok(self.desk.bookings.get(self.desk.id, &booking.id).await?.unwrap_or(next))
            }
        }
    }

    async fn commit(&self, booking: Booking, outcome: Outcome) -> Result<Done, store::Error> {
        self.save(booking, outcome, None).await?.done()
    }

    /// Writes what happened. Where somebody wrote meanwhile, what happened is told to the booking as it is now.
    async fn save(
        &self,
        mut booking: Booking,
        outcome: Outcome,
        wait: Option<SignedDuration>,
    ) -> Result<Wrote, store::Error> {
        let asked = booking.clone();
        loop {
            let now = self.desk.clock.now();
            let Ok(mut next) = booking.after(outcome.clone(), now) else {
                tracing::warn!(booking.id = %booking.id, booking.state = booking.state.as_str(), outcome = outcome.as_str(), "booking.outcome_dropped");
                return Ok(Wrote::Done(Done::Paused(booking)));
            };
            next.version += 1;
            self.hand_over(&mut next, wait, now);
            match self.desk.bookings.save(&booking, &next, self.owner, now).await? {
                Saved::Done => {
                    tracing::info!(booking.id = %next.id, seller = %next.seller, booking.state = next.state.as_str(), outcome = outcome.as_str(), "booking.step");
                    let goes_on = next.lease.is_some();
                    return Ok(Wrote::Done(if goes_on { Done::On(next) } else { Done::Paused(next) }));
                }
                Saved::ClaimTaken => return Ok(Wrote::Claimed),
                Saved::Conflict => {
                    let Some(fresh) = self.desk.bookings.get(self.desk.id, &booking.id).await? else {
                        return Ok(Wrote::Done(Done::Paused(booking)));
                    };
                    let leads = fresh.lease.as_ref().is_some_and(|lease| lease.owner == self.owner);
                    let ours = leads || (is_fact(&outcome) && same_ask(&asked, &fresh));
                    if !ours {
                        return Ok(Wrote::Done(Done::Paused(fresh)));
                    }
                    booking = fresh;
                }
            }
        }
    }

    /// Who has the booking after this write: nobody when it rests or waits, we for another lease otherwise.
    fn hand_over(&self, next: &mut Booking, wait: Option<SignedDuration>, now: Timestamp) {
        let rules = &self.desk.seller.booking;
        if let Some(wait) = wait {
            next.failed(now);
            next.lease = None;
            next.due_at = Some(now + wait);
            return;
        }
        match next.next_step(rules, now) {
            // `scheduling` is a call about to leave, and not a dead lease, while we write it ourselves.
            Step::Capture | Step::Pick | Step::Ask | Step::Doubt | Step::EndWindow | Step::LetGo | Step::GiveUp(_) => {
                let until = now + rules.lease;
                next.lease = Some(Lease { owner: self.owner.to_owned(), until });
                next.due_at = Some(until);
            }
            Step::Wait(until) => {
                next.lease = None;
                next.due_at = Some(until);
            }
            Step::Rest => {
                next.lease = None;
                next.due_at = None;
            }
        }
    }
}

/// What became of a write.
enum Wrote {
    Done(Done),
    /// The place in the slot is another booking's.
    Claimed,
}

impl Wrote {
    fn done(self) -> Result<Done, store::Error> {
        match self {
            Self::Done(done) => Ok(done),
            Self::Claimed => Err(store::Error::Corrupt { table: "slots".into(), field: "claim" }),
        }
    }
}

/// A definite answer of Popin's stays true when the lease has gone to another meanwhile.
fn is_fact(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Confirmed | Outcome::Disagreed | Outcome::SlotRefused | Outcome::SlotGone(_) | Outcome::NotDone
    )
}

/// Whether `fresh` still wonders about the very call that we made.
fn same_ask(asked: &Booking, fresh: &Booking) -> bool {
    let wonders = matches!(fresh.state, State::InDoubt { .. } | State::NeedsHuman { .. });
    wonders && fresh.attempts == asked.attempts && fresh.state.held() == asked.state.held()
}

fn not_refused<'s>(free: Vec<&'s Slot>, booking: &Booking) -> Vec<&'s Slot> {
    free.into_iter().filter(|slot| !booking.refused_slots.contains(&slot.start)).collect()
}

/// Whether Popin's echo is what we asked for. What it leaves out or what cannot be read says nothing against it.
fn agrees(reply: &Scheduled, slot: &Slot, mobile: &Phone) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let phone = reply.phone.as_deref().map(digits).filter(|echo| echo.len() >= 6);
    let same_phone = phone.is_none_or(|echo| digits(mobile.e164().expose()).ends_with(echo.trim_start_matches('0')));
    let same_time = match (&reply.time, dates::slot(&slot.vendor_time)) {
        (Some(echo), Some(asked)) => dates::reply_agrees(echo, asked).unwrap_or(true),
        (Some(_) | None, _) => true,
    };
    same_phone && same_time
}
