//! Triggers that have made no booking yet, in the bookings table: each once, whole, until it does or its time is over.

use super::{
    Bookings, Error, done,
    item::{Item, Reader, keyed, n, s},
    keys::{self, Key},
    unless_lost,
};
use crate::model::{
    connector::Connector,
    ids::{SellerId, TriggerId},
    instant,
    origin::Origin,
    sensitive::Sensitive,
    trigger::{About, Parked, Thin, Told},
    trust::Trust,
};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Some of a seller's parked triggers, in the order of their ids.
#[derive(Clone, Debug)]
pub struct ParkedPage {
    pub parked: Vec<Parked>,
    pub unreadable: Vec<Unreadable>,
    /// The last that was looked at, where there may be more.
    pub next: Option<String>,
}

/// A row that is a trigger's and cannot be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    pub key: Key,
    /// All text that is in it.
    pub raw: Sensitive<String>,
    pub error: String,
}

/// What became of a look at a trigger that waits for its CRM.
#[derive(Clone, Debug, PartialEq)]
pub enum Acquired {
    Trigger(Box<Parked>),
    /// It waits no longer, or for a later time.
    NotDue,
    /// The record cannot be read, and never will be by this release; says what of it.
    Unreadable(String),
}

#[derive(Serialize, Deserialize)]
struct Document {
    key: String,
    origin: Origin,
    about: AboutDocument,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<(String, String)>,
    #[serde(default)]
    tries: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AboutDocument {
    /// Of these three the body stands in an attribute of its own, as text: nested here, it might be deeper than a parser goes.
    RecordText,
    ThinText {
        object: String,
        id: String,
    },
    UnusableText {
        code: String,
    },
    /// As releases before stored them.
    Record(Value),
    Thin {
        object: String,
        id: String,
        known: Value,
    },
    Unusable {
        code: String,
        body: String,
    },
}

/// The attribute with the body's text.
const BODY: &str = "body";

/// What marks an item as one that wakes the worker: its CRM is to be asked.
const WAITS_FOR: &str = "waits_for";

impl Bookings {
    /// Stores a trigger, once: false when it is there already.
    pub async fn park(&self, seller: &SellerId, parked: &Parked, now: Timestamp) -> Result<bool, Error> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item(seller, parked)));
        let sent = put
            .condition_expression("attribute_not_exists(pk) OR expires_at < :now")
            .expression_attribute_values(":now", n(now.as_second()))
            .send()
            .await;
        done(&self.table, sent)
    }

    /// The trigger as it stands now. False when it is gone: somebody had it erased, or it became a booking.
    pub async fn repark(&self, seller: &SellerId, parked: &Parked) -> Result<bool, Error> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item(seller, parked)));
        let sent = put.condition_expression("attribute_exists(pk)").send().await;
        done(&self.table, sent)
    }

    pub async fn parked(&self, seller: &SellerId, id: &TriggerId, now: Timestamp) -> Result<Option<Parked>, Error> {
        let key = keyed(keys::parked(seller, id));
        let reply =
            self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true).send().await;
        let item = reply.map_err(|error| Error::of(&self.table, &error))?.item;
        item.filter(|item| self.lives(item, now)).map(|item| read(&self.table, &item)).transpose()
    }

    pub async fn unpark(&self, seller: &SellerId, id: &TriggerId) -> Result<(), Error> {
        let key = keyed(keys::parked(seller, id));
        let sent = self.client.delete_item().table_name(&self.table).set_key(Some(key)).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    /// Deletes a row that cannot be read.
    pub async fn remove_unreadable(&self, row: &Unreadable) -> Result<(), Error> {
        let key = keyed(row.key.clone());
        let sent = self.client.delete_item().table_name(&self.table).set_key(Some(key)).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    pub async fn all_parked(
        &self,
        seller: &SellerId,
        after: Option<&str>,
        most: i32,
        now: Timestamp,
    ) -> Result<ParkedPage, Error> {
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(keys::parked_partition(seller)))
            .set_exclusive_start_key(
                after.map(|sk| keyed(Key { pk: keys::parked_partition(seller), sk: sk.to_owned() })),
            )
            .limit(most)
            .send()
            .await
            .map_err(|error| Error::of(&self.table, &error))?;
        let (mut parked, mut unreadable) = (Vec::new(), Vec::new());
        for item in reply.items().iter().filter(|item| self.lives(item, now)) {
            match read(&self.table, item) {
                Ok(one) => parked.push(one),
                Err(error) => {
                    let key = Reader { table: &self.table, item }.key()?;
                    unreadable.push(Unreadable { key, raw: raw(item), error: error.to_string() });
                }
            }
        }
        let last = reply.last_evaluated_key.as_ref().and_then(|key| key.get("sk")?.as_s().ok());
        Ok(ParkedPage { parked, unreadable, next: last.cloned() })
    }

    /// A trigger that waits for its CRM, for whoever asks it: not due again before `until`, and the try counted, before the
    /// record is read. With `due_by`, only if it is due by then: somebody else may be at it.
    pub async fn acquire_trigger(
        &self,
        seller: &SellerId,
        id: &TriggerId,
        due_by: Option<Timestamp>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Acquired, Error> {
        let key = keys::parked(seller, id);
        let condition = "attribute_exists(due) AND (attribute_not_exists(expires_at) OR expires_at > :seconds)";
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(key.clone())))
            .update_expression("SET due_at = :until ADD tries :one")
            .condition_expression(condition)
            .expression_attribute_values(":until", s(instant::millis(until)))
            .expression_attribute_values(":seconds", n(now.as_second()))
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::AllNew);
        if let Some(due_by) = due_by {
            update = update
                .condition_expression(format!("{condition} AND due_at <= :by"))
                .expression_attribute_values(":by", s(instant::millis(due_by)));
        }
        let Some(reply) = unless_lost(&self.table, update.send().await)? else { return Ok(Acquired::NotDue) };
        let item = reply.attributes.unwrap_or_default();
        self.back_off(&key, &item, until).await?;
        Ok(match read(&self.table, &item) {
            Ok(parked) => Acquired::Trigger(Box::new(parked)),
            Err(error) => Acquired::Unreadable(error.to_string()),
        })
    }

    /// DynamoDB takes its time to drop what is over.
    fn lives(&self, item: &Item, now: Timestamp) -> bool {
        let read = Reader { table: &self.table, item };
        read.maybe_number::<i64>("expires_at").is_none_or(|at| at > now.as_second())
    }
}

fn read(table: &str, item: &Item) -> Result<Parked, Error> {
    let read = Reader { table, item };
    let document: Document = serde_json::from_str(read.text("doc")?).map_err(|_| read.corrupt("doc"))?;
    let body = || read.maybe_text(BODY).unwrap_or_default().to_owned();
    let value = |text: &str| serde_json::from_str(text).map_err(|_| read.corrupt(BODY)).map(Sensitive::new);
    let about = match document.about {
        AboutDocument::RecordText => About::Record(value(read.text(BODY)?)?),
        AboutDocument::ThinText { object, id } => {
            About::Thin(Thin { object, id, known: value(read.maybe_text(BODY).unwrap_or("null"))? })
        }
        AboutDocument::UnusableText { code } => About::Unusable { code, body: Sensitive::new(body()) },
        AboutDocument::Record(record) => About::Record(Sensitive::new(record)),
        AboutDocument::Thin { object, id, known } => About::Thin(Thin { object, id, known: Sensitive::new(known) }),
        AboutDocument::Unusable { code, body } => About::Unusable { code, body: Sensitive::new(body) },
    };
    Ok(Parked {
        id: TriggerId::parse(read.text("sk")?).map_err(|_| read.corrupt("sk"))?,
        connector: Connector::parse(read.text("connector")?).ok_or_else(|| read.corrupt("connector"))?,
        trust: Trust::parse(read.text("trust")?).ok_or_else(|| read.corrupt("trust"))?,
        told: Told { key: document.key, origin: document.origin, about },
        code: read.text("code")?.to_owned(),
        problems: document.problems,
        received_at: read.time("received_at")?,
        due_at: read.maybe_text("due_at").map(|_| read.time("due_at")).transpose()?,
        tries: document.tries,
    })
}

/// All text of an item, whatever else is wrong with it.
fn raw(item: &Item) -> Sensitive<String> {
    let texts: Vec<&str> = item.values().filter_map(|value| value.as_s().ok()).map(String::as_str).collect();
    Sensitive::new(texts.join("\n"))
}

fn item(seller: &SellerId, parked: &Parked) -> Item {
    let told = &parked.told;
    let (about, body) = match &told.about {
        About::Record(record) => (AboutDocument::RecordText, record.expose().to_string()),
        About::Thin(Thin { object, id, known }) => {
            let known = if known.expose().is_null() { String::new() } else { known.expose().to_string() };
            (AboutDocument::ThinText { object: object.clone(), id: id.clone() }, known)
        }
        About::Unusable { code, body } => (AboutDocument::UnusableText { code: code.clone() }, body.expose().clone()),
        About::Ignored(code) => (AboutDocument::UnusableText { code: (*code).to_owned() }, String::new()),
    };
    let document = Document {
        key: told.key.clone(),
        origin: told.origin.clone(),
        about,
        problems: parked.problems.clone(),
        tries: parked.tries,
    };
    let mut item = keyed(keys::parked(seller, &parked.id));
    let mut set = |name: &str, value: AttributeValue| drop(item.insert(name.to_owned(), value));
    set("connector", s(parked.connector.as_str()));
    set("trust", s(parked.trust.as_str()));
    set("code", s(&parked.code));
    set("received_at", s(instant::millis(parked.received_at)));
    set("expires_at", n((parked.received_at + parked.kept_for()).as_second()));
    if let Some(due_at) = parked.due_at {
        set("due", s(keys::DUE_TRIGGERS));
        set("due_at", s(instant::millis(due_at)));
        set(WAITS_FOR, s("crm"));
    }
    // No attribute is empty.
    if !body.is_empty() {
        set(BODY, s(body));
    }
    set("doc", s(serde_json::to_string(&document).expect("text and numbers are always JSON")));
    item
}
