//! From a CRM's record to our own booking request: by the seller's mapping, else by the CRM's own names.

mod defaults;

use self::defaults::defaults;
use crate::model::{
    connector::Connector,
    instant, name,
    phone::Country,
    seller::{
        Seller,
        mapping::{Mapping, Only, Target},
    },
};
use serde_json::{Map, Value, json};

/// What leads to the fields of one seller's one CRM.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'s> {
    connector: Connector,
    mapping: &'s Mapping,
    only: &'s Only,
}

impl<'s> Fields<'s> {
    pub fn of(connector: Connector, seller: &'s Seller) -> Option<Self> {
        let (mapping, only) = seller.crm.fields(connector)?;
        Some(Self { connector, mapping, only })
    }

    pub fn new(connector: Connector, mapping: &'s Mapping, only: &'s Only) -> Self {
        Self { connector, mapping, only }
    }

    /// The first way that leads to something; the fields of one way are joined by a space.
    pub fn text(&self, record: &Value, target: Target) -> Option<String> {
        if let Some(ways) = self.mapping.ways(target) {
            return ways.iter().find_map(|way| usable(target, joined(record, way.iter().map(String::as_str))?));
        }
        let ways = defaults(self.connector, target);
        ways.iter().find_map(|way| usable(target, joined(record, way.split('+'))?))
    }

    /// Whether the seller asks for a call at another stage only.
    pub fn unwanted(&self, record: &Value) -> bool {
        self.only
            .0
            .iter()
            .any(|(path, values)| !find(record, path).and_then(text).is_some_and(|at| values.contains(&at)))
    }

    /// The same for the one field that a trigger tells.
    pub fn unwanted_value(&self, field: &str, value: &str) -> bool {
        self.only.0.get(field).is_some_and(|values| !values.iter().any(|wanted| wanted == value))
    }

    /// The path of every field that may be asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let targets = TARGETS.iter().flat_map(|target| match self.mapping.ways(*target) {
            Some(ways) => ways.iter().flatten().map(String::as_str).collect::<Vec<_>>(),
            None => defaults(self.connector, *target).iter().flat_map(|way| way.split('+')).collect(),
        });
        targets.chain(self.only.0.keys().map(String::as_str))
    }

    /// What they lead to and nothing else, each under its whole path, which leads to it again. `None` for a record that is
    /// our request already: it has no fields of a CRM's.
    pub fn picked(&self, record: &Value) -> Option<Value> {
        if record["lead"].is_object() {
            return None;
        }
        let found = self.names().filter_map(|path| {
            let value: String = find(record, path).and_then(text)?.chars().take(MOST_PICKED).collect();
            Some((path.to_owned(), value.into()))
        });
        Some(Value::Object(found.collect()))
    }

    /// Our booking request; a record that is one already is left as it is.
    pub fn request(&self, record: &Value) -> Value {
        if record["lead"].is_object() {
            return record.clone();
        }
        let text = |target| self.text(record, target);
        let mobile = text(Target::Mobile);
        // An international number needs no country, and CRMs spell countries in many ways.
        let international = mobile.as_ref().is_some_and(|mobile| mobile.starts_with('+'));
        let country = text(Target::Country).filter(|raw| !international || Country::parse(raw).is_some());
        let mut lead = Map::new();
        let fields = [
            ("external_id", text(Target::Id)),
            ("name", text(Target::Name)),
            ("mobile", mobile),
            ("email", text(Target::Email)),
            ("country", country),
            ("pincode", text(Target::Pincode)),
            ("group", text(Target::Group)),
            ("agent", text(Target::Agent)),
            ("campaign", text(Target::Campaign)),
        ];
        for (name, value) in fields {
            lead.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        let mut request = json!({"lead": lead});
        if let Some(slot) = text(Target::Slot) {
            request["call"] = json!({"start_at": moment(slot)});
        }
        request
    }
}

/// A booking takes less of any of them.
const MOST_PICKED: usize = 2048;

const TARGETS: [Target; 12] = [
    Target::Id,
    Target::Name,
    Target::Mobile,
    Target::Email,
    Target::Country,
    Target::Pincode,
    Target::Slot,
    Target::Group,
    Target::Agent,
    Target::Campaign,
    Target::Stage,
    Target::Modified,
];

/// CRMs that write times as milliseconds mean an instant; any other text is judged as it is.
fn moment(slot: String) -> String {
    let is_millis = slot.len() == 13 && slot.bytes().all(|b| b.is_ascii_digit());
    let at = slot.parse().ok().filter(|_| is_millis).and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    at.map_or(slot, instant::seconds)
}

fn joined<'p>(record: &Value, way: impl Iterator<Item = &'p str>) -> Option<String> {
    let parts: Vec<_> = way.filter_map(|path| find(record, path).and_then(text)).collect();
    Some(parts.join(" ")).filter(|joined| !joined.is_empty())
}

/// A CRM's merge field may bring a line break into a name, or nothing that can be seen.
fn usable(target: Target, text: String) -> Option<String> {
    if target == Target::Name { name::readable(&text) } else { Some(text) }
}

/// A field of that very name, else the dotted path; a number is a place in a list.
fn find<'v>(record: &'v Value, path: &str) -> Option<&'v Value> {
    record.get(path).or_else(|| {
        path.split('.').try_fold(record, |at, piece| match at {
            Value::Array(list) => piece.parse::<usize>().ok().and_then(|place| list.get(place)),
            Value::Object(map) => map.get(piece),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    })
}

/// Text that is more than blank, or a number as text.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
