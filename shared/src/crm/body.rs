//! Bodies that CRMs have in common: JSON or a form, and the key that a record has when its CRM gives it none.

use super::{Arrival, fields::Fields};
use crate::model::{
    canonical::canonical_value,
    extent, hash,
    origin::Origin,
    seller::mapping::Target,
    sensitive::Sensitive,
    trigger::{About, Told},
};
use serde_json::{Map, Value};

/// JSON whatever the content type says: of CRMs whose signature covers the body, and not its type. `None` also where it is
/// nested too deep.
pub fn json(body: &[u8]) -> Option<Value> {
    if extent::is_too_deep(body) { None } else { serde_json::from_slice(body).ok() }
}

/// JSON, or a form where the content type says so: of CRMs that send both.
pub fn parse(arrival: &Arrival<'_>) -> Option<Value> {
    if arrival.is_form() {
        let pairs = form_urlencoded::parse(arrival.body);
        let fields: Map<String, Value> =
            pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect();
        return Some(Value::Object(fields))
            .filter(|fields| fields.as_object().is_some_and(|fields| !fields.is_empty()));
    }
    json(arrival.body)
}

/// A record that came whole.
pub fn record(record: Value, object: Option<&str>, fields: &Fields<'_>) -> Told {
    let id = fields.text(&record, Target::Id);
    let origin = Origin { object: object.map(str::to_owned), record: id, ..Origin::default() };
    Told { key: key(&record, fields), origin, about: About::Record(Sensitive::new(record)) }
}

/// The record's own event id; else its id, where it stands and when it changed; else its id and all that it says. A
/// body that is sent again is the same to the byte, so it has the same key.
fn key(record: &Value, fields: &Fields<'_>) -> String {
    if let Some(event) = super::fields::text(&record["event_id"]) {
        return format!("event#{event}");
    }
    let id = fields.text(record, Target::Id).unwrap_or_default();
    let (stage, modified) = (fields.text(record, Target::Stage), fields.text(record, Target::Modified));
    match modified {
        Some(modified) if !id.is_empty() => format!("record#{id}#{}#{modified}", stage.unwrap_or_default()),
        Some(_) | None => format!("body#{id}#{}", hash::hex(canonical_value(record).as_bytes())),
    }
}

/// What is proven and starts nothing: the code says why.
pub fn ignored(body: &[u8], code: &'static str) -> Told {
    Told { about: About::Ignored(code), ..unreadable(body, "") }
}

/// What is proven and compressed. Nothing of it is kept: whoever asks to be forgotten would not be found in it.
pub fn compressed(body: &[u8]) -> Told {
    let about = About::Unusable { code: "body_compressed".to_owned(), body: Sensitive::new(String::new()) };
    Told { about, ..unreadable(body, "") }
}

/// What [`parse`] made nothing of, with the reason.
pub fn not_parsed(arrival: &Arrival<'_>) -> Told {
    let too_deep = !arrival.is_form() && extent::is_too_deep(arrival.body);
    unreadable(arrival.body, if too_deep { "body_too_deep" } else { "body_unreadable" })
}

/// What is proven and cannot be read: kept as it came, for a person to look at.
pub fn unreadable(body: &[u8], code: &str) -> Told {
    Told {
        key: format!("bytes#{}", hash::hex(body)),
        origin: Origin::default(),
        about: About::Unusable {
            code: code.to_owned(),
            body: Sensitive::new(String::from_utf8_lossy(body).into_owned()),
        },
    }
}

/// As many items of one delivery are taken: no CRM sends more in one.
pub const MOST_ITEMS: usize = 100;

/// A piece of what is left over, as JSON within JSON: an item of the table holds it.
const MOST_PIECE: usize = 200 * 1024;

/// The items that are taken, and those that are too many.
pub fn split(items: &[Value]) -> (&[Value], &[Value]) {
    items.split_at(items.len().min(MOST_ITEMS))
}

/// What is too many, whole and in few pieces: `piece` makes a body of some items.
pub fn left_over<'v>(items: impl Iterator<Item = &'v Value>, piece: impl Fn(&[&Value]) -> Value) -> Vec<Told> {
    let mut pieces = Vec::new();
    let (mut some, mut bytes) = (Vec::new(), 0);
    for item in items {
        let size = Value::from(item.to_string()).to_string().len();
        if bytes + size > MOST_PIECE && !some.is_empty() {
            pieces.push(std::mem::take(&mut some));
            bytes = 0;
        }
        some.push(item);
        bytes += size;
    }
    pieces.extend(Some(some).filter(|some| !some.is_empty()));
    pieces.iter().map(|some| unreadable(piece(some).to_string().as_bytes(), "batch_too_large")).collect()
}
