//! Lets Popin's own webhook bear witness: it settles a booking in doubt and marks one as seen by both sides.

use crate::{
    model::{
        booking::Booking,
        ids::{BookingId, SellerId},
        phone::{Country, Phone},
        seller::Seller,
        state::{Outcome, State},
        trust::{Action, Trust},
    },
    popin::dates,
    store::{self, Bookings, bookings::Saved},
    vendors::{self, Appointment},
};
use jiff::{Timestamp, civil::DateTime};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witnessed {
    /// The booking was unsettled, and is scheduled now.
    Settled(BookingId),
    /// It was scheduled, and now both sides have said so.
    Seen(BookingId),
    /// Nobody here made such a booking, or it was witnessed before: only an event.
    Nobody,
}

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
    let Some(seen) = vendors::appointment(data).and_then(|appointment| Sighting::read(&appointment, seller)) else {
        return Ok(Witnessed::Nobody);
    };
    let mut found = Vec::new();
    for person in seller.persons(seen.phone.e164().expose()) {
        for booking in bookings.by_person(id, &person).await? {
            found.extend(bookings.get(id, &booking).await?.filter(|booking| seen.matches(booking)));
        }
    }
    // One webhook tells of one call: the booking that still wonders comes first.
    found.sort_by_key(|booking| matches!(booking.state, State::Scheduled { .. }));
    for booking in found {
        if let Some(witnessed) = settle(bookings, booking, &seen, writer, now).await? {
            return Ok(witnessed);
        }
    }
    Ok(Witnessed::Nobody)
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
            Saved::Conflict | Saved::ClaimTaken => match bookings.get(&booking.seller, &booking.id).await? {
                Some(fresh) if seen.matches(&fresh) => booking = fresh,
                Some(_) | None => return Ok(None),
            },
        }
    }
}

/// Who was seen, and when their call is.
struct Sighting {
    phone: Phone,
    /// In the seller's zone: no zone travels with it.
    wall: DateTime,
}

impl Sighting {
    fn read(appointment: &Appointment, seller: &Seller) -> Option<Self> {
        let country = appointment.country_code.as_deref().and_then(Country::parse).unwrap_or(seller.default_country);
        Some(Self {
            phone: Phone::parse(appointment.phone.expose(), country).ok()?,
            wall: dates::appointment(&appointment.date, &appointment.time)?,
        })
    }

    /// The same number and the same wall clock, and not witnessed before.
    fn matches(&self, booking: &Booking) -> bool {
        let slot = booking.state.held().and_then(|held| dates::slot(&held.slot.vendor_time));
        booking.witnessed_at.is_none() && booking.lead.mobile == self.phone && slot == Some(self.wall)
    }
}
