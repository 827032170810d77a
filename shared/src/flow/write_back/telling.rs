//! One telling: a turn at the place, the item in hand, the calls that are left, and what became of them.

use super::{Post, Told};
use crate::{
    crm::back::{self, Call, Meaning},
    flow::access::{Caller, send},
    model::{
        backoff::Backoff,
        write_back::{Destination, News, Progress, WriteBack},
    },
    store::{
        self,
        bookings::Saved,
        gate::{Entry, Seen},
    },
};
use jiff::{SignedDuration, Timestamp};

/// A telling makes five calls at most, of ten seconds each.
const HELD: SignedDuration = SignedDuration::from_mins(1);
/// Tries in about a day; then it is parked.
const MOST_TRIES: u32 = 20;
/// At one seller's one place at once; a place that allows two calls a second has one.
const AT_ONCE: u32 = 4;
const FULL: SignedDuration = SignedDuration::from_secs(10);
/// So many failures in a row, of whatever bookings, and the place is left alone for a while.
const PATIENCE: u32 = 3;
/// However long it is down, somebody asks again every five minutes.
const MOST_PAUSE: u32 = 6;
/// Those who waited come one after the other.
const SPREAD: f64 = 20.0;

impl Post<'_> {
    pub(super) async fn tell(&self, owed: WriteBack, news: &News, told: &mut Told) -> Result<(), store::Error> {
        let now = self.clock.now();
        let gates = self.bookings.gates_of(owed.destination);
        let owner = self.random.id(now);
        let most = if owed.destination == Destination::LeadSquared { 1 } else { AT_ONCE };
        let later = match gates.enter(self.id, &owner, now + HELD, Some(most), now).await? {
            Entry::In { failures } => {
                let seen = Box::pin(self.tell_now(owed, news, failures, told)).await;
                // A note that is lost is made up for by time.
                if let Err(error) = gates.leave(self.id, &owner, *seen.as_ref().unwrap_or(&Seen::Nothing)).await {
                    tracing::warn!(seller = %self.id, error = %error, "gate.not_left");
                }
                return seen.map(drop);
            }
            Entry::Full => now + FULL,
            Entry::Closed { until } => until,
        };
        told.waiting += 1;
        let spread = SignedDuration::try_from_secs_f64(SPREAD * self.random.chance()).unwrap_or_default();
        self.put_off(owed, later + spread).await.map(drop)
    }

    async fn tell_now(
        &self,
        mut owed: WriteBack,
        news: &News,
        failures: u32,
        told: &mut Told,
    ) -> Result<Seen, store::Error> {
        let (now, mark) = (self.clock.now(), news.mark());
        owed.begin(&mark, &back::ONCE);
        // Counted before it is made: a try that kills its worker is one too.
        owed.attempts += 1;
        owed.held_until = Some(now + HELD);
        owed.due_at = owed.held_until;
        owed.version += 1;
        if self.bookings.save_owed(&owed).await? != Saved::Done {
            return Ok(Seen::Nothing);
        }
        let meaning = if owed.told.as_ref() == Some(&mark) {
            Meaning::Done
        } else {
            Box::pin(self.make_calls(&mut owed, news)).await
        };
        let now = self.clock.now();
        self.settle(&mut owed, mark, meaning, now);
        tracing::info!(
            seller = %self.id, booking.id = %owed.booking, write_back.destination = owed.destination.as_str(),
            write_back.state = owed.progress.as_str(), write_back.attempts = owed.attempts,
            write_back.code = owed.code.as_deref().unwrap_or_default(), "write_back.tried"
        );
        match owed.progress {
            Progress::Done => told.done += 1,
            Progress::Pending => told.waiting += 1,
            Progress::Parked => {
                told.parked += 1;
                self.tell_of_parked(&owed);
            }
        }
        self.put_down(owed).await?;
        Ok(seen(meaning, failures, now))
    }

    /// What came of the calls is written into what is owed.
    fn settle(&self, owed: &mut WriteBack, mark: String, meaning: Meaning, now: Timestamp) {
        owed.held_until = None;
        owed.due_at = None;
        let (code, asked, lasting) = match meaning {
            Meaning::Done => {
                owed.progress = Progress::Done;
                owed.code = None;
                owed.told = Some(mark);
                owed.told_at = Some(now);
                return;
            }
            Meaning::Refused(code) => (code, None, true),
            Meaning::Credentials => {
                tracing::error!(seller = %self.id, write_back.destination = owed.destination.as_str(), "write_back.credentials_refused");
                ("credentials", None, false)
            }
            Meaning::Later { code, after } => (code, after.map(|after| after.wait(now)), false),
        };
        let wait = Backoff::TELLING.wait(owed.attempts, self.random.chance(), asked);
        owed.code = Some(code.to_owned());
        if lasting || owed.attempts >= MOST_TRIES {
            owed.progress = Progress::Parked;
        } else {
            owed.due_at = Some(now + wait);
        }
    }

    /// Given back. Where the end changed meanwhile, what was done is kept, and the new end is owed as it was.
    async fn put_down(&self, mut owed: WriteBack) -> Result<(), store::Error> {
        owed.version += 1;
        if self.bookings.save_owed(&owed).await? == Saved::Done {
            return Ok(());
        }
        let same = |other: &WriteBack| other.trigger == owed.trigger && other.destination == owed.destination;
        let others = self.bookings.write_backs(self.id, &owed.booking).await?.readable;
        let ours = |other: &WriteBack| other.telling == owed.telling && other.held_until.is_some();
        if let Some(mut fresh) = others.into_iter().find(|other| same(other) && ours(other)) {
            fresh.steps = owed.steps;
            fresh.told = owed.told;
            fresh.told_at = owed.told_at;
            fresh.held_until = None;
            fresh.version += 1;
            self.bookings.save_owed(&fresh).await?;
        }
        Ok(())
    }

    /// The calls that are left, in order. One that is refused for good keeps none of the others from being made, and
    /// neither does one that wants a scope which the key lacks.
    async fn make_calls(&self, owed: &mut WriteBack, news: &News) -> Meaning {
        let (mut refused, mut lacking) = (None, None);
        let mut fresh = false;
        'again: loop {
            let token = match self.tokens.token(&self.caller(), owed.destination).await {
                Ok(token) => token,
                Err(meaning) => return meaning,
            };
            let calls = match back::calls(self.seller, owed, news, token.as_ref(), self.clock.now()) {
                Ok(calls) => calls,
                Err(back::NoCall(code)) => return Meaning::Refused(code),
            };
            for call in calls {
                if owed.steps.iter().any(|step| step == call.step) {
                    continue;
                }
                match self.call(owed.destination, &call).await {
                    Meaning::Done => owed.steps.push(call.step.to_owned()),
                    Meaning::Refused(code) => {
                        refused.get_or_insert(code);
                    }
                    // The token may have been taken back before its end: one more, and no other after that.
                    Meaning::Credentials if token.is_some() && !fresh => {
                        fresh = true;
                        self.tokens.forget(self.id, owed.destination);
                        continue 'again;
                    }
                    Meaning::Credentials => lacking = Some(Meaning::Credentials),
                    meaning @ Meaning::Later { .. } => return meaning,
                }
            }
            return lacking.unwrap_or_else(|| refused.map_or(Meaning::Done, Meaning::Refused));
        }
    }

    fn caller(&self) -> Caller<'_> {
        Caller { clock: self.clock, transport: self.transport, id: self.id, seller: self.seller }
    }

    async fn call(&self, place: Destination, call: &Call) -> Meaning {
        match send(self.transport, call).await {
            Ok(answer) => back::meaning(place, &answer),
            Err(meaning) => meaning,
        }
    }
}

/// What a telling says of the destination itself: who asks for a pause has it from all of the seller's tellings.
fn seen(meaning: Meaning, failures: u32, now: Timestamp) -> Seen {
    let (asked, limited) = match meaning {
        Meaning::Done | Meaning::Refused(_) => return Seen::Well,
        Meaning::Credentials => (None, false),
        Meaning::Later { code, after } => (after.map(|after| after.wait(now)), code == "rate_limited"),
    };
    let pauses = limited || asked.is_some() || failures + 1 >= PATIENCE;
    let wait = Backoff::TELLING.wait((failures + 1).min(MOST_PAUSE), 0.5, asked);
    Seen::Ill { closed_until: pauses.then(|| now + wait) }
}
