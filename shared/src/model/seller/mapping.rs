//! Which of a CRM's fields is what, where a seller's are not the CRM's own.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use std::collections::BTreeMap;

/// Our words for what a trigger has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The record's own id, which is written back to.
    Id,
    Name,
    Mobile,
    Email,
    Country,
    Pincode,
    Slot,
    Group,
    Agent,
    Campaign,
    /// Where the record stands, and when it changed last: with the id, what tells two triggers apart.
    Stage,
    Modified,
}

/// The seller's own fields; what is absent is as the CRM has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    id: Option<Field>,
    name: Option<Joined>,
    mobile: Option<Field>,
    email: Option<Field>,
    country: Option<Field>,
    pincode: Option<Field>,
    slot: Option<Field>,
    group: Option<Field>,
    agent: Option<Field>,
    campaign: Option<Field>,
    stage: Option<Field>,
    modified: Option<Field>,
}

impl Mapping {
    /// The ways to a value, the first that leads to one counts; the fields of one way are joined.
    pub fn ways(&self, target: Target) -> Option<&[Vec<String>]> {
        let field = match target {
            Target::Name => return self.name.as_ref().map(|Joined(ways)| ways.as_slice()),
            Target::Id => &self.id,
            Target::Mobile => &self.mobile,
            Target::Email => &self.email,
            Target::Country => &self.country,
            Target::Pincode => &self.pincode,
            Target::Slot => &self.slot,
            Target::Group => &self.group,
            Target::Agent => &self.agent,
            Target::Campaign => &self.campaign,
            Target::Stage => &self.stage,
            Target::Modified => &self.modified,
        };
        field.as_ref().map(|Field(ways)| ways.as_slice())
    }
}

/// `"Phone"`, or `["Mobile", "Phone"]`: the first that is filled in.
#[derive(Clone, Debug)]
struct Field(Vec<Vec<String>>);

/// `"Full_Name"`, or `["First_Name", "Last_Name"]`: joined.
#[derive(Clone, Debug)]
struct Joined(Vec<Vec<String>>);

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(paths(deserializer)?.into_iter().map(|path| vec![path]).collect()))
    }
}

impl<'de> Deserialize<'de> for Joined {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(vec![paths(deserializer)?]))
    }
}

const MOST_PATHS: usize = 4;

/// Dotted paths into the CRM's record.
fn paths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = match Value::deserialize(deserializer)? {
        Value::Array(list) => list,
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![one],
    };
    let paths: Option<Vec<String>> =
        list.iter().map(|path| path.as_str().filter(|path| is_path(path)).map(str::to_owned)).collect();
    paths
        .filter(|paths| (1..=MOST_PATHS).contains(&paths.len()))
        .ok_or_else(|| D::Error::custom("rule: is not a field of the CRM's, or a list of 1 to 4"))
}

fn is_path(path: &str) -> bool {
    path.len() <= 128 && path.split('.').all(|piece| !piece.trim().is_empty())
}

/// A trigger counts only when these fields have one of these values: `{"dealstage": ["appointmentscheduled"]}`.
#[derive(Clone, Debug, Default)]
pub struct Only(pub BTreeMap<String, Vec<String>>);

impl<'de> Deserialize<'de> for Only {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let only = BTreeMap::<String, Vec<String>>::deserialize(deserializer)
            .map_err(|_| D::Error::custom("rule: is not an object of fields, each with a list of values"))?;
        if only.iter().any(|(path, values)| !is_path(path) || values.is_empty()) {
            return Err(D::Error::custom("rule: is not an object of fields, each with a list of values"));
        }
        Ok(Self(only))
    }
}
