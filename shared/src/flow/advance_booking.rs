//! Takes a booking as far as it can go: one lease, one step after the other, each written before the next.

mod queue;
mod refusal;
mod writing;

use self::{
    queue::{Later, Turn},
    refusal::not_refused,
    writing::Wrote,
};
use super::Desk;
use crate::{
    model::{
        backoff::Backoff,
        booking::{Booking, Lease, Step},
        diary::Slot,
        ids::BookingId,
        phone::Phone,
        state::{Held, Outcome, State, Told},
    },
    popin::{Client, Failure, dates, wire::Scheduled},
    store::{self, bookings::Taken, slots::Read},
};
use jiff::{SignedDuration, Timestamp};

/// How long a run may take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// No step is begun after this. A schedule call that has left is heard out all the same, because a call that nobody
    /// listens to is a booking in doubt.
    pub begin_until: Option<Timestamp>,
    /// When the process is stopped: no schedule call is begun that could not be heard out by then.
    pub ends: Option<Timestamp>,
    /// Somebody waits for the answer: the run does not stand behind others at a seller's Popin.
    pub urgent: bool,
}

/// What a run did, for whoever tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// It was this run that brought the booking into the state that it is in. Else it was there before, or was brought
    /// there by somebody else, who tells of it.
    pub brought: bool,
    /// Slots that Popin had offered, and refused in this run.
    pub refused: usize,
}

impl Run {
    /// It wrote down how the booking is, and asked nobody.
    pub const WROTE: Self = Self { brought: true, refused: 0 };
}

#[derive(Debug)]
pub enum Advanced {
    Worked {
        booking: Box<Booking>,
        run: Run,
    },
    /// It is at rest, or waits for its time; nothing was done.
    NotDue(Box<Booking>),
    /// Somebody else is at it.
    Held,
    Missing,
    /// Its record cannot be read; says what of it.
    Unreadable(String),
}

/// Safe to run again at any point.
pub async fn advance_booking(desk: &Desk<'_>, id: &BookingId, patience: Patience) -> Result<Advanced, store::Error> {
    let now = desk.clock.now();
    let owner = desk.random.id(now);
    let lease = Lease { owner: owner.clone(), until: now + desk.seller.booking.lease };
    match desk.bookings.take_lease(desk.id, id, &lease, now).await? {
        Taken::Won(booking) => {
            let (booking, run) = Box::pin(work(desk, *booking, &owner, patience)).await?;
            Ok(Advanced::Worked { booking: Box::new(booking), run })
        }
        Taken::NotDue(booking) => Ok(Advanced::NotDue(booking)),
        Taken::Held => Ok(Advanced::Held),
        Taken::Missing => Ok(Advanced::Missing),
        Taken::Unreadable(what) => Ok(Advanced::Unreadable(what)),
    }
}

pub(super) async fn work(
    desk: &Desk<'_>,
    booking: Booking,
    owner: &str,
    patience: Patience,
) -> Result<(Booking, Run), store::Error> {
    let begun = booking.state.as_str();
    let mut run = Worker { desk, owner, patience, turn: Turn::default(), brought_to: None, refused: 0 };
    let worked = Box::pin(walk(&mut run, booking)).await;
    run.leave().await;
    let booking = worked?;
    let ends = booking.state.as_str();
    // A doubt is a new one each time; one that waits as before has not been brought anywhere.
    let waits = !booking.state.at_rest() && !matches!(booking.state, State::InDoubt { .. });
    let brought = run.brought_to == Some(ends) && !(waits && ends == begun);
    let run = Run { brought, refused: run.refused };
    Ok((booking, run))
}

/// The loop: ask the state, act, write down what happened.
async fn walk(run: &mut Worker<'_>, mut booking: Booking) -> Result<Booking, store::Error> {
    let desk = run.desk;
    loop {
        let now = desk.clock.now();
        let done = match booking.next_step(&desk.seller.booking, now) {
            Step::Rest => return Ok(booking),
            Step::Wait(until) => return run.pause(booking, until).await,
            Step::Capture | Step::Pick if run.is_late(now) => return run.pause(booking, now).await,
            Step::Ask if run.is_late(now) || !run.can_hear_out(now) => return run.pause(booking, now).await,
            Step::Capture | Step::Ask if !run.is_in() => match Box::pin(run.enter(&booking, now)).await? {
                Some(later) => return run.hold_back(booking, later, now).await,
                None => Done::On(booking),
            },
            // Each step is its own allocation: a flow's future would else be the sum of all of them on the stack.
            Step::Capture => Box::pin(run.capture(booking)).await?,
            Step::Pick => Box::pin(run.pick(booking)).await?,
            Step::Ask => Box::pin(run.ask(booking)).await?,
            Step::LetGo => Box::pin(run.let_go(booking, Outcome::SlotPassed)).await?,
            Step::Doubt => {
                let until = now + desk.seller.booking.in_doubt;
                Box::pin(run.commit(booking, Outcome::Unanswered { until })).await?
            }
            Step::EndWindow => {
                let on_silence = desk.seller.booking.on_silence;
                Box::pin(run.commit(booking, Outcome::WindowOver(on_silence))).await?
            }
            Step::GiveUp(reason) => Box::pin(run.commit(booking, Outcome::GaveUp(reason))).await?,
        };
        match done {
            Done::On(next) => booking = next,
            Done::Paused(booking) => return Ok(booking),
        }
    }
}

/// How long a booking waits after a failure, and the part of it that Popin asked for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    wait: SignedDuration,
    asked: Option<SignedDuration>,
}

/// Whether the loop goes on.
enum Done {
    On(Booking),
    Paused(Booking),
}

/// What is left of a lease must be worth a call.
const LEAST_LEASE: SignedDuration = SignedDuration::from_millis(500);
/// The writes after a call take their time too.
const WRITING: SignedDuration = SignedDuration::from_secs(3);

struct Worker<'a> {
    desk: &'a Desk<'a>,
    owner: &'a str,
    patience: Patience,
    turn: Turn,
    /// The state that it brought the booking into last.
    brought_to: Option<&'static str>,
    refused: usize,
}

impl<'a> Worker<'a> {
    fn is_late(&self, now: Timestamp) -> bool {
        self.patience.begin_until.is_some_and(|until| now >= until)
    }

    fn can_hear_out(&self, now: Timestamp) -> bool {
        self.patience.ends.is_none_or(|ends| now + self.desk.seller.popin.timeout + WRITING <= ends)
    }

    fn popin(&self) -> Client<'a> {
        Client::new(&self.desk.seller.popin, self.desk.transport)
    }

    /// The booking waits for its turn.
    async fn hold_back(&self, mut booking: Booking, later: Later, now: Timestamp) -> Result<Booking, store::Error> {
        if let Some(until) = later.paused_until {
            booking.paused(until, &self.desk.seller.booking, now);
        }
        let due = self.due(&booking, later.until, now);
        self.pause(booking, due).await
    }

    async fn capture(&mut self, booking: Booking) -> Result<Done, store::Error> {
        // Capture may be repeated, so a waiting caller need not wait for it to the end.
        let now = self.desk.clock.now();
        let left = self.patience.begin_until.map_or(SignedDuration::MAX, |until| until.duration_since(now));
        let captured =
            self.popin().within(left.min(lease_left(&booking, now))).capture(&booking.lead, &booking.call).await;
        self.heard(&captured);
        match captured {
            Ok(customer) => self.commit(booking, Outcome::CapturedAs(customer)).await,
            Err(Failure::Refused(message)) => self.commit(booking, Outcome::LeadRefused(message)).await,
            Err(failure @ (Failure::NotSent | Failure::NotDone(_) | Failure::Credentials | Failure::Unanswered)) => {
                self.fail(booking, &failure).await
            }
        }
    }

    /// Pins the best free slot; a place that another booking took meanwhile makes the next one the best.
    async fn pick(&mut self, booking: Booking) -> Result<Done, store::Error> {
        let (rules, now) = (&self.desk.seller.slots, self.desk.clock.now());
        let diary = self.desk.slots.read(self.desk.id, now, Read::Consistent).await?;
        let Some(snapshot) = diary.usable(rules, now) else {
            return self.fail(booking, &Failure::NotDone(None)).await;
        };
        let mut free = not_refused(diary.free(snapshot, rules, now), &booking);
        for slot in booking.call.suitable(&free) {
            let first = diary.place(slot.start, rules.capacity).unwrap_or(0);
            for place in first..rules.capacity {
                let held = Held { slot: slot.slot(), place, shared: rules.capacity > 1, unsettled: 0 };
                match self.save(booking.clone(), Outcome::SlotPicked(held), None).await? {
                    Wrote::Claimed => {}
                    Wrote::Done(done) => return Ok(done),
                }
            }
        }
        // What was lost just now is no alternative.
        let lost: Vec<_> = booking.call.suitable(&free).iter().map(|slot| slot.start).collect();
        free.retain(|slot| !lost.contains(&slot.start));
        let outcome = if booking.call.insists() {
            Outcome::SlotGone(booking.call.alternatives(&free))
        } else {
            Outcome::NothingFree
        };
        self.commit(booking, outcome).await
    }

    /// Intent first: `scheduling` is written before the call leaves.
    async fn ask(&mut self, booking: Booking) -> Result<Done, store::Error> {
        let booking = match self.commit(booking, Outcome::Asking).await? {
            Done::On(booking) => booking,
            paused @ Done::Paused(_) => return Ok(paused),
        };
        let State::Scheduling { customer, held } = &booking.state else {
            // A witness settled it between the two lines.
            return Ok(Done::On(booking));
        };
        // We may have been frozen since: no call leaves, or is heard, outside of its lease.
        let left = lease_left(&booking, self.desk.clock.now());
        let asked = if left < LEAST_LEASE {
            Err(Failure::NotSent)
        } else {
            let asked =
                self.popin().within(left).schedule(&customer.id, &held.slot, &booking.lead, &booking.call).await;
            self.heard(&asked);
            asked
        };
        match asked {
            Ok(reply) => {
                let outcome = disagreement(&reply, &held.slot, &booking.lead.mobile)
                    .map_or(Outcome::Confirmed, Outcome::Disagreed);
                self.commit(booking, outcome).await
            }
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

    /// Nothing was done: the booking waits and is tried again.
    async fn fail(&self, mut booking: Booking, failure: &Failure) -> Result<Done, store::Error> {
        let now = self.desk.clock.now();
        tracing::warn!(booking.id = %booking.id, seller = %booking.seller, popin.failure = failure.code(), "booking.waits");
        let Wait { wait, asked } = self.wait(booking.failures + 1, failure);
        if self.is_in() {
            booking.failed(asked, &self.desk.seller.booking, now);
        } else {
            booking.failed_without_call(now);
        }
        let due = self.due(&booking, now + wait, now);
        Ok(Done::Paused(self.pause(booking, due).await?))
    }

    fn wait(&self, failures: u32, failure: &Failure) -> Wait {
        if matches!(failure, Failure::Credentials) {
            tracing::error!(seller = %self.desk.id, "popin.credentials_refused");
        }
        let asked = failure.retry_after(self.desk.clock.now());
        Wait { wait: Backoff::ATTEMPT.wait(failures, self.desk.random.chance(), asked), asked }
    }
}

/// No call may outlast the lease that it is made under.
fn lease_left(booking: &Booking, now: Timestamp) -> SignedDuration {
    booking.lease.as_ref().map_or(SignedDuration::ZERO, |lease| lease.until.duration_since(now))
}

/// What Popin's echo says, where it is not what we asked for. What it leaves out or what cannot be read says nothing.
fn disagreement(reply: &Scheduled, slot: &Slot, mobile: &Phone) -> Option<Told> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let phone = reply.phone.as_deref().map(digits).filter(|echo| echo.len() >= 6);
    let same_phone = phone.is_none_or(|echo| digits(mobile.e164().expose()).ends_with(echo.trim_start_matches('0')));
    let same_time = match (&reply.time, dates::slot(&slot.vendor_time)) {
        (Some(echo), Some(asked)) => dates::reply_agrees(echo, asked).unwrap_or(true),
        (Some(_) | None, _) => true,
    };
    (!same_phone || !same_time).then(|| Told { time: reply.time.clone(), same_phone })
}
