//! One event, whoever sent it: a CloudEvents 1.0 envelope around the vendor's own payload.

use super::{
    ids::{EventId, PageEventId, SellerId, Subject, TableVersion},
    kind::Kind,
    sensitive::Sensitive,
    trust::Trust,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

/// Copies of a body that has neither id nor time count as one within this long of the first.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// How long an event is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    Popin,
    ChiliPiper,
    Fullview,
}

impl Vendor {
    pub const ALL: [Self; 3] = [Self::Popin, Self::ChiliPiper, Self::Fullview];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Popin => "popin",
            Self::ChiliPiper => "chili-piper",
            Self::Fullview => "fullview",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.as_str() == raw)
    }
}

/// What makes two deliveries the same event. Taken from the authenticated body alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The page gave the event an id.
    Page(PageEventId),
    /// A hash of the vendor's ids, the name and the time.
    Key(String),
    /// A hash of the canonical body: the same within [`WINDOW`] of the first, another event after it.
    Window(String),
}

/// A vendor's event as it was read, before the seller, the trust and the time of receipt are known.
#[derive(Clone, Debug)]
pub struct Draft {
    pub vendor: Vendor,
    /// The vendor's own name for it, bounded to 128 characters; empty when the payload has none.
    pub name: String,
    pub kind: Kind,
    pub subject: Subject,
    pub identity: Identity,
    /// When the vendor or the page says that it happened.
    pub time: Option<Timestamp>,
    /// The payload, byte for byte: it may tell of a person.
    pub data: Sensitive<Box<RawValue>>,
    /// Why the kind is `unknown`.
    pub reason: Option<UnknownReason>,
    /// The table of names that it was read by: another may know it.
    pub read_by: TableVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownReason {
    /// The vendor has a name that the table does not.
    Name,
    /// The payload has no readable name.
    Shape,
    /// The payload is nested too deep to be read.
    Depth,
    /// The payload has too many keys to be read.
    Keys,
}

impl UnknownReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "unknown_name",
            Self::Shape => "unknown_shape",
            Self::Depth => "too_deep",
            Self::Keys => "too_many_keys",
        }
    }
}

/// An event as it is stored.
#[derive(Clone, Debug)]
pub struct Event {
    pub seller: SellerId,
    pub trust: Trust,
    pub received_at: Timestamp,
    /// The page that a browser event came from, without query and fragment.
    pub page: Option<String>,
    pub draft: Draft,
}

/// The id under which an event stands, and the ids beside it that may make it a duplicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: EventId,
    /// Only for [`Identity::Window`]: an event under one of these ids is the same one, unless it was received this far off.
    pub neighbours: Vec<(EventId, Far)>,
}

/// A window away, on either side: a copy may overtake its original, or come in by a machine whose clock is fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    Before(Timestamp),
    After(Timestamp),
}

impl Far {
    pub fn instant(self) -> Timestamp {
        match self {
            Self::Before(at) | Self::After(at) => at,
        }
    }
}

impl Event {
    pub fn standing(&self) -> Standing {
        let id = |text: String| EventId::parse(text).expect("hex digits and hyphens are an event id");
        match &self.draft.identity {
            Identity::Page(page) => Standing { id: id(format!("page-{page}")), neighbours: Vec::new() },
            Identity::Key(hash) => Standing { id: id(hash.clone()), neighbours: Vec::new() },
            // Within one bucket two copies are always closer than the window; the buckets beside it hold the only other firsts.
            Identity::Window(hash) => {
                let bucket = self.received_at.as_second().div_euclid(WINDOW.as_secs());
                Standing {
                    id: id(format!("{hash}-{bucket:x}")),
                    neighbours: vec![
                        (id(format!("{hash}-{:x}", bucket - 1)), Far::Before(self.received_at - WINDOW)),
                        (id(format!("{hash}-{:x}", bucket + 1)), Far::After(self.received_at + WINDOW)),
                    ],
                }
            }
        }
    }

    /// The CloudEvents `source`.
    pub fn source(&self) -> String {
        format!("/sellers/{}/{}", self.seller, self.draft.vendor.as_str())
    }

    /// The CloudEvents `type`.
    pub fn ce_type(&self) -> String {
        format!("frontdesk.{}.v1", self.draft.kind.as_str())
    }
}
