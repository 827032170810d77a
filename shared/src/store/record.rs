//! A booking as its item has it: what conditions and indices need as attributes, the rest as one JSON document.

use super::{
    Error,
    item::{Item, Reader, keyed, n, s},
    keys,
};
use crate::model::{
    booking::{Booking, KEPT, Lease, Said},
    diary::Slot,
    ids::CustomerId,
    instant,
    lead::{CallRequest, IfTaken, Lead, When},
    origin::Origin,
    phone::Phone,
    sensitive::Sensitive,
    state::{ConfirmedBy, Customer, Held, HumanReason, RefusedReason, State, Told},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Serialize, Deserialize)]
struct Document {
    lead: LeadDocument,
    call: CallDocument,
    connector: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<(String, Option<String>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<HeldDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_doubt_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    alternatives: Vec<(Timestamp, String)>,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    asks: u64,
    #[serde(default)]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused_slots: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    witnessed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    said: Vec<SaidDocument>,
    history: Vec<(Timestamp, String)>,
}

#[derive(Serialize, Deserialize)]
struct LeadDocument {
    external_id: Option<String>,
    name: String,
    mobile: String,
    email: Option<String>,
    group: Option<String>,
    agent: Option<i64>,
    pincode: Option<String>,
    campaign: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct CallDocument {
    at: Option<Timestamp>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    if_taken: String,
    native: bool,
    url: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct HeldDocument {
    start: Timestamp,
    vendor_time: String,
    place: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    #[serde(default)]
    unsettled: u32,
}

#[derive(Serialize, Deserialize)]
struct SaidDocument {
    at: Timestamp,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    same_phone: bool,
}

/// The whole item; `writer` marks who wrote it, so that a lost reply to our own write is told from another's write.
pub(super) fn write(booking: &Booking, writer: &str) -> Item {
    let mut item = keyed(keys::booking(&booking.seller, &booking.id));
    let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
    set("state", s(booking.state.as_str()));
    set("version", n(booking.version));
    set("writer", s(writer));
    set("created_at", s(instant::millis(booking.created_at)));
    set("person", s(keys::person(&booking.seller, &booking.person)));
    if let Some(lease) = &booking.lease {
        set("lease_owner", s(&lease.owner));
        set("lease_until", n(lease.until.as_millisecond()));
    }
    if let Some(due_at) = booking.due_at {
        set("due", s(keys::due_of(&booking.id)));
        set("due_at", s(instant::millis(due_at)));
    } else {
        let last = booking.history.last().map_or(booking.created_at, |(at, _)| *at);
        set("expires_at", n((last + KEPT).as_second()));
    }
    set("doc", s(serde_json::to_string(&document(booking)).expect("text, numbers and times are always JSON")));
    item
}

fn document(booking: &Booking) -> Document {
    let (lead, call) = (&booking.lead, &booking.call);
    let (at, from, to) = match call.when {
        When::At(at) => (Some(at), None, None),
        When::Between { from, to } => (None, from, to),
    };
    let mut document = Document {
        lead: LeadDocument {
            external_id: lead.external_id.clone(),
            name: lead.name.expose().clone(),
            mobile: lead.mobile.e164().expose().clone(),
            email: lead.email.as_ref().map(|email| email.expose().clone()),
            group: lead.group.clone(),
            agent: lead.agent,
            pincode: lead.pincode.as_ref().map(|pin| pin.expose().clone()),
            campaign: lead.campaign.expose().clone(),
        },
        call: CallDocument {
            at,
            from,
            to,
            if_taken: call.if_taken.as_str().to_owned(),
            native: call.native,
            url: call.url.clone(),
        },
        connector: booking.connector.clone(),
        origin: booking.origin.clone(),
        customer: booking.state.customer().map(|customer| {
            (customer.id.as_str().to_owned(), customer.join_url.as_ref().map(|url| url.expose().clone()))
        }),
        held: booking.state.held().map(|held| HeldDocument {
            start: held.slot.start,
            vendor_time: held.slot.vendor_time.clone(),
            place: held.place,
            shared: held.shared,
            unsettled: held.unsettled,
        }),
        in_doubt_until: None,
        confirmed_by: None,
        reason: None,
        message: None,
        alternatives: Vec::new(),
        attempts: booking.attempts,
        asks: booking.asks,
        failures: booking.failures,
        failing_since: booking.failing_since,
        paused_until: booking.paused_until,
        refused_slots: booking.refused_slots.clone(),
        witnessed_at: booking.witnessed_at,
        said: booking.said.iter().map(said_document).collect(),
        history: booking.history.clone(),
    };
    match &booking.state {
        State::InDoubt { until, .. } => document.in_doubt_until = Some(*until),
        State::Scheduled { confirmed_by, .. } => document.confirmed_by = Some(confirmed_by.as_str().to_owned()),
        State::NeedsHuman { reason, .. } => document.reason = Some(reason.as_str().to_owned()),
        State::Refused { reason: RefusedReason::Lead(message), .. } => {
            document.reason = Some("lead".into());
            document.message = Some(message.clone());
        }
        State::Refused { reason: RefusedReason::SlotTaken(slots), .. } => {
            document.reason = Some("slot_taken".into());
            document.alternatives = slots.iter().map(|slot| (slot.start, slot.vendor_time.clone())).collect();
        }
        State::Refused { reason: RefusedReason::ResolvedByHuman, .. } => {
            document.reason = Some("resolved_by_human".into());
        }
        State::Requested
        | State::Captured { .. }
        | State::SlotHeld { .. }
        | State::Scheduling { .. }
        | State::NoSlot { .. } => {}
    }
    document
}

fn said_document(said: &Said) -> SaidDocument {
    let Told { time, same_phone } = &said.told;
    SaidDocument { at: said.at, by: said.by.as_str().to_owned(), time: time.clone(), same_phone: *same_phone }
}

fn said(document: SaidDocument) -> Option<Said> {
    let told = Told { time: document.time, same_phone: document.same_phone };
    Some(Said { at: document.at, by: ConfirmedBy::parse(&document.by)?, told })
}

/// The booking that an item holds.
pub(super) fn read(table: &str, item: &Item) -> Result<Booking, Error> {
    let read = Reader { table, item };
    let (seller, id) = keys::parse_booking(read.text("pk")?).ok_or_else(|| read.corrupt("pk"))?;
    let document: Document = serde_json::from_str(read.text("doc")?).map_err(|_| read.corrupt("doc"))?;
    let state = state(read.text("state")?, &document).ok_or_else(|| read.corrupt("state"))?;
    let lease = match (read.maybe_text("lease_owner"), read.maybe_number("lease_until")) {
        (Some(owner), Some(until)) => {
            let until = Timestamp::from_millisecond(until).map_err(|_| read.corrupt("lease_until"))?;
            Some(Lease { owner: owner.to_owned(), until })
        }
        _ => None,
    };
    let person = read.text("person")?.split_once('#').ok_or_else(|| read.corrupt("person"))?.1.to_owned();
    Ok(Booking {
        id,
        seller,
        lead: lead(document.lead).ok_or_else(|| read.corrupt("lead"))?,
        call: call(document.call).ok_or_else(|| read.corrupt("call"))?,
        connector: document.connector,
        origin: document.origin,
        person,
        email_person: None,
        created_at: read.time("created_at")?,
        state,
        version: read.number("version")?,
        lease,
        due_at: read.maybe_text("due_at").map(|_| read.time("due_at")).transpose()?,
        attempts: document.attempts,
        asks: document.asks,
        failures: document.failures,
        failing_since: document.failing_since,
        paused_until: document.paused_until,
        refused_slots: document.refused_slots,
        witnessed_at: document.witnessed_at,
        said: document.said.into_iter().map(said).collect::<Option<_>>().ok_or_else(|| read.corrupt("said"))?,
        history: document.history,
    })
}

fn lead(document: LeadDocument) -> Option<Lead> {
    Some(Lead {
        external_id: document.external_id,
        name: Sensitive::new(document.name),
        mobile: Phone::from_e164(&document.mobile).ok()?,
        email: document.email.map(Sensitive::new),
        group: document.group,
        agent: document.agent,
        pincode: document.pincode.map(Sensitive::new),
        campaign: Sensitive::new(document.campaign),
    })
}

fn call(document: CallDocument) -> Option<CallRequest> {
    let when = match document.at {
        Some(at) => When::At(at),
        None => When::Between { from: document.from, to: document.to },
    };
    let if_taken = IfTaken::parse(&document.if_taken)?;
    Some(CallRequest { when, if_taken, native: document.native, url: document.url })
}

fn state(name: &str, document: &Document) -> Option<State> {
    let customer = document.customer.as_ref().and_then(|(id, url)| {
        Some(Customer { id: CustomerId::parse(id.as_str()).ok()?, join_url: url.clone().map(Sensitive::new) })
    });
    let held = document.held.as_ref().map(|held| Held {
        slot: Slot { start: held.start, vendor_time: held.vendor_time.clone() },
        place: held.place,
        shared: held.shared,
        unsettled: held.unsettled,
    });
    let reason = document.reason.as_deref();
    Some(match name {
        "requested" => State::Requested,
        "captured" => State::Captured { customer: customer? },
        "slot_held" => State::SlotHeld { customer: customer?, held: held? },
        "scheduling" => State::Scheduling { customer: customer?, held: held? },
        "in_doubt" => State::InDoubt { customer: customer?, held: held?, until: document.in_doubt_until? },
        "scheduled" => {
            State::Scheduled { customer, held, confirmed_by: ConfirmedBy::parse(document.confirmed_by.as_deref()?)? }
        }
        "no_slot" => State::NoSlot { customer: customer? },
        "refused" => State::Refused {
            customer,
            reason: match reason? {
                "lead" => RefusedReason::Lead(document.message.clone()?),
                "resolved_by_human" => RefusedReason::ResolvedByHuman,
                "slot_taken" => RefusedReason::SlotTaken(
                    document
                        .alternatives
                        .iter()
                        .map(|(start, vendor_time)| Slot { start: *start, vendor_time: vendor_time.clone() })
                        .collect(),
                ),
                _ => return None,
            },
        },
        "needs_human" => State::NeedsHuman {
            customer,
            held,
            reason: [
                HumanReason::OutcomeUnknown,
                HumanReason::PopinUnavailable,
                HumanReason::MaxAttempts,
                HumanReason::ReplyDisagrees,
                HumanReason::WebhookDisagrees,
            ]
            .into_iter()
            .find(|known| Some(known.as_str()) == reason)?,
        },
        _ => return None,
    })
}
