//! One event, whoever sent it: a CloudEvents 1.0 envelope around the vendor's own payload.

use super::{
    hash,
    ids::{EventId, PageEventId, SellerId, Subject, TableVersion},
    kind::Kind,
    seller::Seller,
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

impl Identity {
    /// The hash, where there is one. A few million tries would undo it: it is never stored.
    pub fn hash(&self) -> Option<&str> {
        match self {
            Self::Page(_) => None,
            Self::Key(hash) | Self::Window(hash) => Some(hash),
        }
    }
}

/// What an event belongs to, as the payload has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thread {
    /// The vendor's own word: a uid, a call, a meeting. It may be anything, somebody's number too.
    Told(Sensitive<String>),
    /// Nothing was told: a hash of what makes this event itself.
    Hash(String),
}

impl Thread {
    pub fn told(id: impl Into<String>) -> Self {
        Self::Told(Sensitive::new(id.into()))
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Told(id) => id.expose(),
            Self::Hash(hash) => hash,
        }
    }

    /// As it stands in a key: a hash that a secret keeps. A vendor's word for a thread may be its id of a person.
    pub fn subject(&self, secret: &str) -> Subject {
        let sealed = hash::sealed(secret, &["subject", self.as_str()]);
        match self {
            Self::Told(_) => Subject::parse(format!("hmac:{sealed}")).expect("37 characters fit"),
            Self::Hash(_) => Subject::parse(&sealed[..16]).expect("16 digits fit"),
        }
    }

    /// As releases before 2026-12 wrote it in keys: the vendor's own word, where it fits.
    pub fn former_subject(&self) -> Option<Subject> {
        match self {
            Self::Told(id) => Subject::parse(id.expose()).ok(),
            Self::Hash(_) => None,
        }
    }
}

/// A vendor's event as it was read, before the seller, the trust and the time of receipt are known.
#[derive(Clone, Debug)]
pub struct Draft {
    pub vendor: Vendor,
    /// The vendor's own name for it, bounded to 128 characters; empty when the payload has none.
    pub name: String,
    pub kind: Kind,
    pub subject: Thread,
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
    pub standing: Standing,
    /// It arrived late about somebody who was forgotten: its payload is not stored.
    pub erased: bool,
}

/// Where an event stands in its seller's table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub subject: Subject,
    pub id: EventId,
}

/// The place that an event takes, and the places beside it where it may stand already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub place: Place,
    /// What stands at one of these is the same event, unless it is too far off.
    pub others: Vec<(Place, Far)>,
}

/// When what stands at another place is another event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// Never: it is the same place under a former key.
    Never,
    /// A window away, on either side: a copy may overtake its original, or come in by a machine whose clock is fast.
    Before(Timestamp),
    After(Timestamp),
}

impl Event {
    /// Ids are keyed by the seller's secret: from what is left of an event, nobody can find out what it said by trying. An
    /// event that was stored under a former key is still the same event.
    pub fn of(
        seller: (&SellerId, &Seller),
        trust: Trust,
        received_at: Timestamp,
        page: Option<String>,
        draft: Draft,
    ) -> Self {
        let (id, seller) = seller;
        let mut places = seller.secrets().map(|secret| places(&draft, received_at, secret));
        let (place, mut others) = places.next().expect("a seller has a secret");
        for (former, beside) in places {
            others.push((former, Far::Never));
            others.extend(beside);
        }
        // What no secret is part of has one place under all of them.
        others.retain(|(other, _)| *other != place);
        Self {
            seller: id.clone(),
            trust,
            received_at,
            page,
            draft,
            standing: Standing { place, others },
            erased: false,
        }
    }

    /// Without its payload, and all else that may name a person. Its key stays, so that a copy is recognized.
    pub fn blank(&mut self) {
        self.draft.data = Sensitive::new(RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"));
        if self.draft.kind == Kind::Unknown {
            self.draft.name.clear();
        }
        self.page = None;
        self.erased = true;
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

/// The place under one secret, and those beside it.
fn places(draft: &Draft, received_at: Timestamp, secret: &str) -> (Place, Vec<(Place, Far)>) {
    let subject = draft.subject.subject(secret);
    let place = |id: String| Place {
        subject: subject.clone(),
        id: EventId::parse(id).expect("hex digits and hyphens are an event id"),
    };
    match &draft.identity {
        Identity::Page(page) => (place(format!("page-{page}")), Vec::new()),
        Identity::Key(hash) => (place(hash::sealed(secret, &["event", hash])), Vec::new()),
        // Within one bucket two copies are always closer than the window; the buckets beside it hold the only other firsts.
        Identity::Window(hash) => {
            let hash = hash::sealed(secret, &["event", hash]);
            let bucket = received_at.as_second().div_euclid(WINDOW.as_secs());
            let beside = vec![
                (place(format!("{hash}-{:x}", bucket - 1)), Far::Before(received_at - WINDOW)),
                (place(format!("{hash}-{:x}", bucket + 1)), Far::After(received_at + WINDOW)),
            ];
            (place(format!("{hash}-{bucket:x}")), beside)
        }
    }
}
