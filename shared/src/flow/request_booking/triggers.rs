//! From what a CRM told to a booking, to a trigger that waits for its CRM, or to one that waits for a person.

use super::{
    RequestError, Requested, Trigger,
    forgotten_person::is_forgotten,
    limits,
    reading::{Unread, read_back},
    request_booking as request,
};
use crate::{
    crm::{self, Replay, Unusable, fields::Fields, readback, request as wanted},
    flow::{Desk, access::Tokens, advance_booking::Patience},
    model::{
        backoff::Backoff,
        connector::Connector,
        hash,
        ids::TriggerId,
        lead::{CallRequest, Lead},
        origin::Origin,
        people,
        sensitive::Sensitive,
        trigger::{About, Parked, Thin, Told},
        trust::{Action, Trust},
    },
    store::{self, requests::Idempotency},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What became of a trigger; whatever it is, it is stored.
#[derive(Debug)]
pub enum Taken {
    Booked(Box<Requested>),
    /// Its CRM is asked for the person.
    Pending {
        id: TriggerId,
        /// It waited already: this is a copy.
        again: bool,
    },
    /// A person has to look: the code says why.
    Parked {
        id: TriggerId,
        code: String,
        /// It was there already: this is a copy.
        again: bool,
    },
    Ignored(&'static str),
    /// The key made a booking of somebody who asked to be forgotten since.
    Erased,
}

impl Taken {
    /// As it stands in the table.
    fn kept(parked: Parked) -> Self {
        if parked.due_at.is_some() { Self::Pending { id: parked.id, again: false } } else { Self::left(parked) }
    }

    /// The same of a copy.
    fn copied(self) -> Self {
        match self {
            Self::Pending { id, .. } => Self::Pending { id, again: true },
            Self::Parked { id, code, .. } => Self::Parked { id, code, again: true },
            other @ (Self::Booked(_) | Self::Ignored(_) | Self::Erased) => other,
        }
    }

    /// For a person.
    fn left(parked: Parked) -> Self {
        Self::Parked { id: parked.id, code: parked.code, again: false }
    }
}

/// The sweep leaves a new trigger to the stream for so long.
const STREAM_FIRST: SignedDuration = SignedDuration::from_secs(45);
/// A CRM that has not answered for so long is not asked again.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

/// How a trigger came to us.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    pub trust: Trust,
    /// Set for what may have waited since, as a dead letter or a trigger that waits for its CRM.
    pub sent_at: Option<Timestamp>,
}

/// Durable when it returns. Never waits for the CRM.
pub async fn take_trigger(
    desk: &Desk<'_>,
    connector: Connector,
    delivery: Delivery,
    told: Told,
    wait: Option<Patience>,
) -> Result<Taken, RequestError> {
    let Delivery { trust, sent_at } = delivery;
    Action::Book.require(trust)?;
    let now = desk.clock.now();
    let told = limits::short(told);
    let mut problems = Vec::new();
    if let About::Record(record) = &told.about {
        let judged = match late(desk, connector, trust, record.expose()) {
            Some(late) => match known(desk, connector, &told).await? {
                Some(known) => Judged::Became(known),
                None => Judged::Unusable(vec![late]),
            },
            None => book(desk, connector, delivery, &told, record.expose(), wait).await?,
        };
        match judged {
            Judged::Became(taken) => return Ok(taken),
            Judged::Unusable(found) => problems = found,
        }
    }
    if let Some(sent_at) = sent_at
        && names_forgotten(desk, &told.about, sent_at).await?
    {
        return Ok(Taken::Erased);
    }
    let told = limits::bounded(told, Fields::of(connector, desk.seller).as_ref());
    let (code, due_at) = match &told.about {
        About::Ignored(code) => return Ok(Taken::Ignored(code)),
        About::Unusable { code, .. } if problems.is_empty() => (code.clone(), None),
        About::Unusable { .. } | About::Record(_) => (code_of(&problems), None),
        About::Thin(_) => {
            if let Some(known) = known(desk, connector, &told).await? {
                return Ok(known);
            }
            (READ_BACK.to_owned(), Some(now + STREAM_FIRST))
        }
    };
    let problems = told_of(&problems);
    let (id, former) = ids(desk, connector, &told.key);
    for former in &former {
        match desk.bookings.parked(desk.id, former, now).await {
            Ok(Some(parked)) => return Ok(Taken::kept(parked).copied()),
            Ok(None) => {}
            // It is there, and its CRM can do nothing about it.
            Err(store::Error::Corrupt { .. }) => {
                return Ok(Taken::Parked { id: former.clone(), code: "record_unreadable".to_owned(), again: true });
            }
            Err(error @ store::Error::Unavailable { .. }) => return Err(error.into()),
        }
    }
    let parked = Parked { id, connector, trust, told, code, problems, received_at: now, due_at, tries: 0 };
    let new = desk.bookings.park(desk.id, &parked, now).await?;
    let taken = Taken::kept(parked);
    Ok(if new { taken } else { taken.copied() })
}

/// Whether somebody whom the trigger names asked to be forgotten after it was sent: then it is not parked either.
async fn names_forgotten(desk: &Desk<'_>, about: &About, sent_at: Timestamp) -> Result<bool, RequestError> {
    let named = people::find(&about.text(), desk.seller.default_country);
    Ok(is_forgotten(desk, &named, sent_at).await?)
}

/// What a person has to look at before a record that asks for a call is one: whoever runs the trigger again has looked.
fn late(desk: &Desk<'_>, connector: Connector, trust: Trust, record: &Value) -> Option<Unusable> {
    let asks = Fields::of(connector, desk.seller).is_some_and(|fields| !fields.unwanted(record));
    match crm::replay(connector, trust, record, desk.seller, desk.clock.now()) {
        Replay::Late(late) => Some(late).filter(|_| asks),
        Replay::Bounded | Replay::Unbounded => None,
    }
}

/// What waits for its CRM.
const READ_BACK: &str = "read_back_pending";

/// Runs a parked trigger again, with what the seller has laid down by now. Safe to run again wherever it failed: the
/// booking is made by the trigger's own key, and the trigger goes after that.
pub async fn run_parked(desk: &Desk<'_>, tokens: &Tokens, mut parked: Parked) -> Result<Taken, RequestError> {
    let read = match &parked.told.about {
        About::Record(record) => Ok(record.expose().clone()),
        About::Thin(thin) => read_back(desk, tokens, parked.connector, thin).await,
        About::Unusable { code, .. } => match personless(&parked, code) {
            Some(deal) => read_back(desk, tokens, parked.connector, &deal).await,
            None => return Ok(Taken::left(parked)),
        },
        About::Ignored(_) => return Ok(Taken::left(parked)),
    };
    let delivery = Delivery { trust: parked.trust, sent_at: Some(parked.received_at) };
    let judged = match read {
        Ok(record) => match doubt(desk, &parked, &record) {
            Some(doubt) => Judged::Unusable(vec![doubt]),
            None => book(desk, parked.connector, delivery, &parked.told, &record, None).await?,
        },
        Err(Unread::Later(asked)) => return put_off(desk, parked, asked).await,
        Err(Unread::Credentials) => {
            // They may be mended before the trigger is given up.
            tracing::error!(seller = %desk.id, crm = parked.connector.as_str(), "crm.credentials_refused");
            return put_off(desk, parked, None).await;
        }
        Err(Unread::Never(code)) => {
            (parked.due_at, parked.code, parked.problems) = (None, code.to_owned(), Vec::new());
            desk.bookings.repark(desk.id, &parked).await?;
            return Ok(Taken::kept(parked));
        }
    };
    match judged {
        Judged::Became(taken) => {
            desk.bookings.unpark(desk.id, &parked.id).await?;
            Ok(taken)
        }
        Judged::Unusable(problems) => {
            (parked.due_at, parked.code, parked.problems) = (None, code_of(&problems), told_of(&problems));
            // A record that was read back is not kept: the next run reads it as it is by then.
            desk.bookings.repark(desk.id, &parked).await?;
            Ok(Taken::kept(parked))
        }
    }
}

/// What a person has to look at before the record is a call; who runs the trigger again has looked.
fn doubt(desk: &Desk<'_>, parked: &Parked, record: &Value) -> Option<Unusable> {
    let About::Thin(thin) = &parked.told.about else { return None };
    let wanted = Fields::of(parked.connector, desk.seller).is_some_and(|fields| !fields.unwanted(record));
    let doubt = readback::doubt(parked.connector, thin, desk.seller, record);
    doubt.filter(|doubt| wanted && parked.code != doubt.code)
}

/// The deal that had no person when Pipedrive told of it, and may have one by now.
fn personless(parked: &Parked, code: &str) -> Option<Thin> {
    let Origin { object, record, .. } = &parked.told.origin;
    let is_deal = parked.connector == Connector::Pipedrive && object.as_deref() == Some("deal");
    let id = record.clone().filter(|id| id.bytes().all(|b| b.is_ascii_digit()))?;
    let known = Sensitive::new(Value::Null);
    (is_deal && code == "deal_without_person").then(|| Thin { object: "deals".to_owned(), id, known })
}

/// Asked again later, unless it has been for too long.
async fn put_off(desk: &Desk<'_>, mut parked: Parked, asked: Option<SignedDuration>) -> Result<Taken, RequestError> {
    let now = desk.clock.now();
    parked.tries += 1;
    let over = now.duration_since(parked.received_at) >= GIVE_UP;
    let wait = Backoff::ATTEMPT.wait(parked.tries, desk.random.chance(), asked);
    (parked.due_at, parked.code) =
        if over { (None, "read_back_failed".to_owned()) } else { (Some(now + wait), READ_BACK.to_owned()) };
    desk.bookings.repark(desk.id, &parked).await?;
    Ok(Taken::kept(parked))
}

enum Judged {
    Became(Taken),
    Unusable(Vec<Unusable>),
}

async fn book(
    desk: &Desk<'_>,
    connector: Connector,
    Delivery { trust, sent_at }: Delivery,
    told: &Told,
    record: &Value,
    wait: Option<Patience>,
) -> Result<Judged, RequestError> {
    let Some(fields) = Fields::of(connector, desk.seller) else {
        return Ok(Judged::Unusable(vec![Unusable { field: "crm", code: "crm_not_set_up" }]));
    };
    if fields.unwanted(record) {
        return Ok(Judged::Became(Taken::Ignored("not_asked_for")));
    }
    let wanted = wanted::parse(&fields.request(record), desk.seller, desk.clock.now());
    // An event with ids only tells its time, or came under a signature that does.
    let replay = match &told.about {
        About::Record(record) => crm::replay(connector, trust, record.expose(), desk.seller, desk.clock.now()),
        About::Thin(_) | About::Unusable { .. } | About::Ignored(_) => Replay::Bounded,
    };
    let replayable = replay != Replay::Bounded;
    if let (Some(since), Ok((lead, _))) = (sent_at, &wanted)
        && is_forgotten(desk, &lead.people().collect::<Vec<_>>(), since).await?
    {
        return Ok(Judged::Became(Taken::Erased));
    }
    let trigger = Trigger { replayable, ..trigger(connector, trust, told, wanted) };
    match Box::pin(request(desk, trigger, wait)).await {
        Ok(requested) => Ok(Judged::Became(Taken::Booked(Box::new(requested)))),
        Err(RequestError::Unusable(problems)) => Ok(Judged::Unusable(problems)),
        Err(RequestError::Erased) => Ok(Judged::Became(Taken::Erased)),
        Err(
            error @ (RequestError::NotProven(_)
            | RequestError::KeyReused
            | RequestError::StillRunning
            | RequestError::Store(_)),
        ) => Err(error),
    }
}

/// What is sent again may say more than the first time (an attempt, a newer field), so the key alone is compared.
fn trigger(
    connector: Connector,
    trust: Trust,
    told: &Told,
    wanted: Result<(Lead, CallRequest), Vec<Unusable>>,
) -> Trigger {
    let (key, fingerprint) = (told.key.clone(), told.key.clone());
    let (connector, origin) = (connector.as_str(), Some(told.origin.clone()));
    Trigger { connector, trust, key, fingerprint, replayable: false, origin, wanted }
}

/// The booking that an event with ids has made before: its CRM need not be asked again.
async fn known(desk: &Desk<'_>, connector: Connector, told: &Told) -> Result<Option<Taken>, RequestError> {
    let now = desk.clock.now();
    for secret in desk.seller.secrets() {
        let idempotency = Idempotency::sealed(secret, connector.as_str(), &told.key, &told.key);
        if let Some(known) = desk.bookings.known(desk.id, &idempotency, now).await? {
            let booking = desk.bookings.get(desk.id, &known.booking).await?;
            let booked = |booking| {
                Taken::Booked(Box::new(Requested { booking, new: false, joined: known.joined, again: true, run: None }))
            };
            return Ok(Some(booking.map_or(Taken::Erased, booked)));
        }
    }
    Ok(None)
}

/// Whether a parked trigger came again and is a booking by now: then it is parked no more. Asked by whoever looks, for no
/// trigger pays a call to the table for it.
pub async fn booked_since(desk: &Desk<'_>, parked: &Parked) -> Result<bool, RequestError> {
    let now = desk.clock.now();
    let mut booked = false;
    for secret in desk.seller.secrets() {
        let idempotency = Idempotency::sealed(secret, parked.connector.as_str(), &parked.told.key, &parked.told.key);
        booked |= desk.bookings.known(desk.id, &idempotency, now).await?.is_some();
    }
    if booked {
        desk.bookings.unpark(desk.id, &parked.id).await?;
    }
    Ok(booked)
}

/// What the trigger is parked under, and what it was under secrets that the seller has changed since.
fn ids(desk: &Desk<'_>, connector: Connector, key: &str) -> (TriggerId, Vec<TriggerId>) {
    let mut ids = desk.seller.secrets().map(|secret| {
        TriggerId::parse(hash::sealed(secret, &["parked", connector.as_str(), key]))
            .expect("32 hex digits are a trigger's id")
    });
    (ids.next().expect("a seller has a secret"), ids.collect())
}

fn code_of(problems: &[Unusable]) -> String {
    problems.first().map_or("unusable", |problem| problem.code).to_owned()
}

fn told_of(problems: &[Unusable]) -> Vec<(String, String)> {
    problems.iter().map(|problem| (problem.field.to_owned(), problem.code.to_owned())).collect()
}
