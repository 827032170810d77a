//! Lets Popin's own webhook bear witness: it settles a booking in doubt, marks one as seen by both sides, and gives one that
//! it contradicts to a person.

use crate::{
    model::{
        booking::Booking,
        ids::{BookingId, CustomerId, SellerId},
        phone::{Country, Phone},
        seller::Seller,
        state::{Outcome, State, Told},
        trust::{Action, Trust},
    },
    popin::dates,
    store::{self, Bookings, bookings::Saved, slots::Read},
    vendors::{self, Appointment},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp, civil::DateTime};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witnessed {
    /// The booking was unsettled, and is scheduled now.
    Settled(BookingId),
    /// It was scheduled, and now both sides have said so.
    Seen(BookingId),
    /// The webhook tells of the same person's call, and it is another than was asked for: a person looks at it.
    Contradicted(BookingId),
    /// It had been witnessed before.
    Before(BookingId),
    /// Nobody here made such a booking: only an event.
    Nobody,
}

/// Popin's clock and ours may be this far apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// `data` is the stored event's payload, `writer` unique to this run.
pub async fn witness(
    bookings: &Bookings,
    seller: (&SellerId, &Seller),
    trust: Trust,
    data: &str,
    writer: &str,
    now: Timestamp,
) -> Result<Witnessed, store::Error> {
    let (id, seller) = seller;
    if !Action::Witness.allowed_to(trust) {
        return Ok(Witnessed::Nobody);
    }
    let Some(seen) = vendors::appointment(data).and_then(|appointment| Sighting::read(appointment, seller, now)) else {
        return Ok(Witnessed::Nobody);
    };
    let mut persons = Vec::new();
    for person in seller.persons(seen.phone.e164().expose()) {
        for booking in bookings.by_person(id, &person).await? {
            persons.extend(readable(bookings, id, &booking).await?.filter(|booking| booking.lead.mobile == seen.phone));
        }
    }
    // One webhook tells of one call: the booking that still wonders comes first.
    persons.sort_by_key(|booking| matches!(booking.state, State::Scheduled { .. }));
    for booking in persons.iter().filter(|booking| seen.tells_of(booking)) {
        if let Some(witnessed) = settle(bookings, booking.clone(), &seen, writer, now).await? {
            return Ok(witnessed);
        }
    }
    // It fits nothing that still wonders. Where it was witnessed before, it is a copy; else it may be about a call of ours.
    if let Some(booking) = persons.iter().find(|booking| seen.has_told_of(booking)) {
        return Ok(Witnessed::Before(booking.id.clone()));
    }
    let another_time = persons.into_iter().find(|booking| seen.may_contradict(booking, seller));
    let contradicted = match another_time {
        Some(booking) => Some(booking),
        None => another_phone(bookings, (id, seller), &seen, now).await?,
    };
    match contradicted {
        Some(booking) => contradict(bookings, booking, &seen, writer, now).await,
        None => Ok(Witnessed::Nobody),
    }
}

/// A booking that cannot be read is no reason to look at the webhook again and again: it fits none of the others either way.
async fn readable(bookings: &Bookings, seller: &SellerId, id: &BookingId) -> Result<Option<Booking>, store::Error> {
    match bookings.get(seller, id).await {
        Err(error @ store::Error::Corrupt { .. }) => {
            tracing::error!(seller = %seller, booking.id = %id, error = %error, "booking.unreadable");
            Ok(None)
        }
        read => read,
    }
}

/// A booking of the same customer and the same slot, made with another number.
async fn another_phone(
    bookings: &Bookings,
    seller: (&SellerId, &Seller),
    seen: &Sighting,
    now: Timestamp,
) -> Result<Option<Booking>, store::Error> {
    let (id, rules) = seller;
    if seen.user_id.is_none() {
        return Ok(None);
    }
    let diary = bookings.slots.read(id, now, Read::Eventual).await?;
    let zone = diary.snapshot.as_ref().and_then(|snapshot| dates::zone(&snapshot.timezone));
    let Some(start) = zone.and_then(|zone| dates::instant(seen.wall, &zone)) else { return Ok(None) };
    for claim in diary.claims.iter().filter(|claim| claim.start == start) {
        let booking = readable(bookings, id, &claim.booking).await?;
        let same_customer = |booking: &Booking| {
            booking.state.customer().is_some_and(|customer| seen.is_about(&customer.id))
                && booking.lead.mobile != seen.phone
        };
        if let Some(booking) = booking.filter(|booking| same_customer(booking) && seen.may_contradict(booking, rules)) {
            return Ok(Some(booking));
        }
    }
    Ok(None)
}

async fn contradict(
    bookings: &Bookings,
    mut booking: Booking,
    seen: &Sighting,
    writer: &str,
    now: Timestamp,
) -> Result<Witnessed, store::Error> {
    loop {
        let told = Told { time: Some(seen.spelled.clone()), same_phone: booking.lead.mobile == seen.phone };
        let next = booking.after(Outcome::Contradicted(told), now);
        let Some(mut next) = next.ok().filter(|_| booking.witnessed_at.is_none()) else {
            return Ok(Witnessed::Nobody);
        };
        next.version += 1;
        next.lease = None;
        next.due_at = None;
        match bookings.save(&booking, &next, writer, now).await? {
            Saved::Done => return Ok(Witnessed::Contradicted(next.id)),
            Saved::Conflict | Saved::ClaimTaken => match readable(bookings, &booking.seller, &booking.id).await? {
                Some(fresh) => booking = fresh,
                None => return Ok(Witnessed::Nobody),
            },
        }
    }
}

async fn settle(
    bookings: &Bookings,
    mut booking: Booking,
    seen: &Sighting,
    writer: &str,
    now: Timestamp,
) -> Result<Option<Witnessed>, store::Error> {
    loop {
        let scheduled = matches!(booking.state, State::Scheduled { .. });
        let Ok(mut next) = booking.after(Outcome::Witnessed, now) else { return Ok(None) };
        next.version += 1;
        next.lease = None;
        next.due_at = None;
        match bookings.save(&booking, &next, writer, now).await? {
            Saved::Done if scheduled => return Ok(Some(Witnessed::Seen(next.id))),
            Saved::Done => return Ok(Some(Witnessed::Settled(next.id))),
            // A worker wrote meanwhile, its own reply perhaps: look again.
            Saved::Conflict | Saved::ClaimTaken => match readable(bookings, &booking.seller, &booking.id).await? {
                Some(fresh) if seen.has_told_of(&fresh) => return Ok(Some(Witnessed::Before(fresh.id))),
                Some(fresh) if seen.tells_of(&fresh) => booking = fresh,
                Some(_) | None => return Ok(None),
            },
        }
    }
}

/// Who was seen, and when their call is.
struct Sighting {
    phone: Phone,
    user_id: Option<String>,
    /// In the seller's zone: no zone travels with it.
    wall: DateTime,
    /// As Popin spelled it.
    spelled: String,
    booked_at: Timestamp,
}

impl Sighting {
    fn read(appointment: Appointment, seller: &Seller, now: Timestamp) -> Option<Self> {
        let country = appointment.country_code.as_deref().and_then(Country::parse).unwrap_or(seller.default_country);
        Some(Self {
            phone: Phone::parse(appointment.phone.expose(), country).ok()?,
            wall: dates::appointment(&appointment.date, &appointment.time)?,
            spelled: format!("{} {}", appointment.date, appointment.time),
            user_id: appointment.user_id,
            booked_at: appointment.booked_at.unwrap_or(now),
        })
    }

    /// The same number and the same wall clock.
    fn fits(&self, booking: &Booking) -> bool {
        let slot = booking.state.held().and_then(|held| dates::slot(&held.slot.vendor_time));
        booking.lead.mobile == self.phone && slot == Some(self.wall)
    }

    fn tells_of(&self, booking: &Booking) -> bool {
        self.fits(booking) && booking.witnessed_at.is_none() && booking.has_asked_for_held()
    }

    fn has_told_of(&self, booking: &Booking) -> bool {
        self.fits(booking) && booking.witnessed_at.is_some()
    }

    /// Popin made it after we had asked, and within the time in which our own call is to be heard of. What a shopper
    /// books on their own on another day is no contradiction.
    fn may_contradict(&self, booking: &Booking, seller: &Seller) -> bool {
        let asked_at = booking.asked_at();
        let in_time =
            asked_at.is_some_and(|at| self.booked_at >= at - SKEW && self.booked_at <= at + seller.booking.in_doubt);
        let customer =
            booking.state.customer().is_none_or(|customer| self.user_id.is_none() || self.is_about(&customer.id));
        in_time && customer && booking.witnessed_at.is_none() && booking.state.held().is_some()
    }

    /// The webhook's `user_id` is what the capture's `customer_id` encodes: a hint, and never the
    /// only thing that ties the two.
    fn is_about(&self, customer: &CustomerId) -> bool {
        let decoded = STANDARD.decode(customer.as_str()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        self.user_id.as_deref().is_some_and(|user| user == customer.as_str() || decoded.as_deref() == Some(user))
    }
}
