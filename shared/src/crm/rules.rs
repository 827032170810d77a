//! What each CRM is told, and why: its own rules of retrying, banning and deleting decide. functions/crm-intake/README.md prints the same table.

use crate::model::connector::Connector;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Stored: as bookings, as what is to be read back, or as known already.
    Taken,
    /// Proven and read, but no booking can be made of it.
    Unusable,
    /// Proven, and nothing that its CRM ever sends.
    Unreadable,
    NotProven,
    TooLarge,
    /// Not durably stored.
    NotStored,
}

impl Ending {
    pub const ALL: [Self; 6] =
        [Self::Taken, Self::Unusable, Self::Unreadable, Self::NotProven, Self::TooLarge, Self::NotStored];
}

/// The status for an ending. What is proven and gets a 2xx without a booking is parked: stored, listed, explained.
pub fn status(connector: Connector, ending: Ending) -> u16 {
    use Connector::{Freshsales, HubSpot, LeadSquared, Pipedrive, Salesforce, Shopify, Standard, Zoho};
    match (connector, ending) {
        (Standard, Ending::Taken) => 202,
        (Standard, Ending::Unusable | Ending::Unreadable) => 400,
        // Its organization stands in the body, so what cannot be read is not proven to the end.
        (Salesforce, Ending::Unreadable) => 400,
        (
            HubSpot | Salesforce | Zoho | LeadSquared | Freshsales | Pipedrive | Shopify,
            Ending::Taken | Ending::Unusable,
        ) => 200,
        // What is proven is never refused where the refusal loses it, or counts against the sender.
        (HubSpot | Zoho | LeadSquared | Freshsales | Pipedrive | Shopify, Ending::Unreadable | Ending::TooLarge) => 200,
        (Standard | Salesforce, Ending::TooLarge) => 413,
        (_, Ending::NotProven) => 401,
        (_, Ending::NotStored) => 503,
    }
}

/// Whether an ending without a booking is kept for a person.
pub fn parks(connector: Connector, ending: Ending) -> bool {
    match ending {
        Ending::Unusable | Ending::Unreadable | Ending::TooLarge => status(connector, ending) < 300,
        Ending::Taken | Ending::NotProven | Ending::NotStored => false,
    }
}

/// The CRM's own rules.
pub fn reason(connector: Connector) -> &'static str {
    match connector {
        Connector::Standard => "senders retry for days and go by the status: a refusal reaches whoever made the body",
        Connector::HubSpot => {
            "an app's batch is sent again after any 4xx or 5xx, up to 10 times in a day, and after 5 s without an answer; a workflow's action fails at a 4xx"
        }
        Connector::Salesforce => {
            "anything but `Ack` true brings the whole batch again for 24 h; `Ack` comes after all of it is stored, and a flow reads the flat answer"
        }
        Connector::Zoho => "no retry is documented: whatever is refused is lost in a list of failures",
        Connector::LeadSquared => {
            "it wants 200 and a `Status` even for an error, else the webhook may be switched off; a 5xx is tried up to 3 times"
        }
        Connector::Freshsales => "no retry is documented: whatever is refused is lost",
        Connector::Pipedrive => {
            "10 failed first tries are a ban of 30 minutes in which events are lost, and 3 days without a success delete the webhook"
        }
        Connector::Shopify => "8 tries in 4 hours, 5 s each, then the subscription may be deleted",
    }
}
