//! What a trigger is cut to before it is parked: an item of the table holds 400 KB, and a CRM may send more.

use crate::{
    crm::fields::Fields,
    model::{
        hash,
        origin::Origin,
        sensitive::Sensitive,
        trigger::{About, Thin, Told},
    },
};
use serde_json::Value;

/// Of what it is about, as JSON.
const MOST_PAYLOAD: usize = 256 * 1024;
/// A character may take six bytes of JSON.
const MOST_TEXT: usize = MOST_PAYLOAD / 8;
/// No CRM's id comes near it.
const MOST_ID: usize = 512;

/// A key of bounded length, and no id that cannot be one.
pub(super) fn short(told: Told) -> Told {
    let Told { key, origin, about } = told;
    let key = if key.len() > MOST_ID { format!("long#{}", hash::hex(key.as_bytes())) } else { key };
    let id = |id: Option<String>| id.filter(|id| id.len() <= MOST_ID);
    let Origin { event, delivery, object, record, callback } = origin;
    let origin = Origin {
        event: id(event),
        delivery: id(delivery),
        object: id(object),
        record: id(record),
        callback: id(callback),
    };
    Told { key, origin, about }
}

/// As it is where an item holds it; else as far as the seller's fields lead; else the beginning of it, for a person to
/// look at.
pub(super) fn bounded(told: Told, fields: Option<&Fields<'_>>) -> Told {
    if fits(&told.about) {
        return told;
    }
    let picked = |record: &Value| fields.and_then(|fields| fields.picked(record)).map(Sensitive::new);
    let (less, whole) = match told.about {
        About::Record(record) => (picked(record.expose()).map(About::Record), record.expose().to_string()),
        About::Thin(Thin { object, id, known }) => {
            let whole = format!("{object} {id} {}", known.expose());
            (picked(known.expose()).map(|known| About::Thin(Thin { object, id, known })), whole)
        }
        About::Unusable { code, body } => {
            let body = Sensitive::new(beginning(body.expose()));
            (Some(About::Unusable { code, body }), String::new())
        }
        about @ About::Ignored(_) => (Some(about), String::new()),
    };
    let cut = || About::Unusable { code: "record_too_large".to_owned(), body: Sensitive::new(beginning(&whole)) };
    Told { about: less.filter(fits).unwrap_or_else(cut), ..told }
}

fn beginning(text: &str) -> String {
    text.chars().take(MOST_TEXT).collect()
}

fn fits(about: &About) -> bool {
    let bytes = match about {
        About::Record(record) => record.expose().to_string().len(),
        About::Thin(Thin { object, id, known }) => object.len() + id.len() + known.expose().to_string().len(),
        About::Unusable { body, .. } => Value::from(body.expose().as_str()).to_string().len(),
        About::Ignored(_) => 0,
    };
    bytes <= MOST_PAYLOAD
}
