//! The events table: storing and telling duplicates apart is one conditional write.

use super::{
    Cancelled, Error, cancelled, done,
    index::entry_item,
    item::{Item, bytes, keyed, n, s},
    keys,
    recent::{Print, Recent},
    retries,
};
use crate::model::{
    event::{Event, Far, KEPT},
    instant,
    kind::Kind,
    trust::Trust,
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ConditionCheck, Put, TransactWriteItem},
};

#[derive(Clone, Debug)]
pub struct Events {
    pub client: Client,
    /// For events whose sender does not retry.
    pub(super) patient: Client,
    pub table: String,
    recent: Recent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    New,
    Duplicate,
}

/// What one transaction of DynamoDB's holds.
const MOST_PARTS: usize = 100;

const NEW: &str = "attribute_not_exists(pk) OR expires_at < :now";

impl Events {
    pub fn new(client: Client, table: String) -> Self {
        Self { patient: retries::patient(&client), client, table, recent: Recent::default() }
    }

    /// Durable when it returns. One call: a put, or, where a neighbouring window has to be looked at, a transaction; none
    /// for a copy of what this process has put. `people` are the keyed hashes of the persons that it tells of: an entry for
    /// each is written along, as far as one transaction goes.
    pub async fn put(&self, event: &Event, people: &[String]) -> Result<Stored, Error> {
        if self.knows(event) {
            return Ok(Stored::Duplicate);
        }
        let stored = self.write(event, people).await?;
        if let Some(key) = own_key(event) {
            self.recent.note(key);
        }
        Ok(stored)
    }

    /// Whether this process has put it: it costs nothing then.
    pub fn knows(&self, event: &Event) -> bool {
        own_key(event).is_some_and(|key| self.recent.knows(key))
    }

    async fn write(&self, event: &Event, people: &[String]) -> Result<Stored, Error> {
        let others = &event.standing.others;
        let (mut item, mut rest) = items(event);
        // Beside the event, its checks and further parts, and the quarantine: erasing takes out two entries of it at most.
        let room = MOST_PARTS - 3 - rest.len() - others.len();
        if people.len() > room {
            tracing::warn!(seller = %event.seller, people = people.len() - room, "events.people_left_out");
        }
        let people = &people[..people.len().min(room)];
        if !people.is_empty() {
            item.insert(PEOPLE.into(), AttributeValue::Ss(people.to_vec()));
        }
        rest.extend(entries(event, people));
        let now = n(event.received_at.as_second());
        if others.is_empty() && rest.is_empty() {
            let sent = self
                .client_for(event)
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression(NEW)
                .expression_attribute_values(":now", now)
                .send()
                .await;
            return Ok(if done(&self.table, sent)? { Stored::New } else { Stored::Duplicate });
        }
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(NEW)
            .expression_attribute_values(":now", now)
            .build()
            .expect("table and item are set");
        let mut parts = vec![TransactWriteItem::builder().put(put).build()];
        for (other, far) in others {
            let (condition, far) = match far {
                Far::Never => (NEW, n(event.received_at.as_second())),
                Far::Before(at) => ("attribute_not_exists(pk) OR received_at <= :now", s(instant::millis(*at))),
                Far::After(at) => ("attribute_not_exists(pk) OR received_at >= :now", s(instant::millis(*at))),
            };
            let check = ConditionCheck::builder()
                .table_name(&self.table)
                .set_key(Some(keyed(keys::event(&event.seller, other))))
                .condition_expression(condition)
                .expression_attribute_values(":now", far)
                .build()
                .expect("table, key and condition are set");
            parts.push(TransactWriteItem::builder().condition_check(check).build());
        }
        for item in rest {
            let put =
                Put::builder().table_name(&self.table).set_item(Some(item)).build().expect("table and item are set");
            parts.push(TransactWriteItem::builder().put(put).build());
        }
        Ok(if self.transact(self.client_for(event), parts).await? { Stored::New } else { Stored::Duplicate })
    }

    /// Pages retry; vendors send a webhook once.
    fn client_for(&self, event: &Event) -> &Client {
        if event.trust == Trust::Claimed { &self.client } else { &self.patient }
    }

    /// All parts or none; false when a condition did not hold.
    pub(super) async fn transact(&self, client: &Client, parts: Vec<TransactWriteItem>) -> Result<bool, Error> {
        let sent = client.transact_write_items().set_transact_items(Some(parts)).send().await;
        let Err(error) = sent else { return Ok(true) };
        match cancelled(&error) {
            Some(Cancelled::Condition(_)) => Ok(false),
            Some(Cancelled::Passing) | None => Err(Error::of(&self.table, &error)),
        }
    }

    /// Notes that an event matches what was asked of Popin; true when it was us. Once only: each write of an event goes
    /// through its stream.
    pub async fn confirm(&self, event: keys::Key) -> Result<bool, Error> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(event)))
            .update_expression("SET trust = :confirmed")
            .condition_expression("attribute_exists(pk) AND trust <> :confirmed")
            .expression_attribute_values(":confirmed", s(Trust::Confirmed.as_str()))
            .send()
            .await;
        done(&self.table, sent)
    }

    /// One cheap signed call, so that the first event finds the connection open.
    pub async fn warm(&self) -> Result<(), Error> {
        let key = keys::Key { pk: "-".into(), sk: "warm".into() };
        let sent = self.client.get_item().table_name(&self.table).set_key(Some(keyed(key))).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }
}

/// The key of an event that is the same for good: what has a window is new again when that is over.
fn own_key(event: &Event) -> Option<Print> {
    let own = event.standing.others.is_empty();
    own.then(|| Print::of(&keys::event(&event.seller, &event.standing.place)))
}

/// The attribute with the keyed hashes of the persons, and the length of one.
const PEOPLE: &str = "people";
const HASH: usize = 32;
const KILOBYTE: usize = 1024;

/// What the write units of an event are made of, however many persons it is found by.
pub struct Weight {
    own_bytes: usize,
    /// Kilobytes of its further parts.
    more: usize,
    /// Items and checks that are written with it, besides the entries of persons.
    beside: usize,
}

impl Weight {
    pub fn of(event: &Event) -> Self {
        let (item, more) = items(event);
        let kilobytes = |item: &Item| bytes(item).div_ceil(KILOBYTE);
        let quarantine = usize::from(event.draft.kind == Kind::Unknown);
        Self {
            own_bytes: bytes(&item),
            more: more.iter().map(kilobytes).sum(),
            beside: quarantine + event.standing.others.len(),
        }
    }

    /// The write units where it is found by so many persons: its kilobytes, or, where it has further parts, entries or checks,
    /// twice as many and two for each entry and check. No entry is over a kilobyte.
    pub fn units(&self, people: usize) -> usize {
        let named = if people == 0 { 0 } else { PEOPLE.len() + people * HASH };
        let own = (self.own_bytes + named).div_ceil(KILOBYTE) + self.more;
        let beside = people + self.beside;
        if beside + self.more == 0 { own } else { 2 * (own + beside) }
    }
}

/// What an index is for: finding a person's events again, and those that nobody could read yet.
fn entries(event: &Event, people: &[String]) -> Vec<Item> {
    let (seller, place) = (&event.seller, &event.standing.place);
    let unknown = event.draft.kind == Kind::Unknown;
    let waits = (unknown && !event.erased)
        .then(|| keys::quarantine_entry(seller, &event.draft.read_by, event.received_at, place));
    let tells = people.iter().map(|person| keys::person_entry(seller, person, place));
    let expires_at = (event.received_at + KEPT).as_second();
    let of = keys::event(seller, place);
    waits.into_iter().chain(tells).map(|key| entry_item(key, &of, Some(expires_at))).collect()
}

/// As much of a payload as one item takes; the rest stands beside it under `{event id}~2` and on.
const CHUNK: usize = 350_000;

/// The item as event-intake's README.md shows it: readable without the code, and under 1 KB for what the vendors send. A
/// payload over what one item takes (400 KB) goes on in further items, written in the same transaction.
fn items(event: &Event) -> (Item, Vec<Item>) {
    let draft = &event.draft;
    let key = keys::event(&event.seller, &event.standing.place);
    let mut chunks = chunks(draft.data.expose().get()).into_iter();
    let first = chunks.next().unwrap_or_default();
    let expires_at = (event.received_at + KEPT).as_second();
    let more: Vec<Item> = chunks
        .enumerate()
        .map(|(at, chunk)| {
            let mut item = keyed(keys::Key { pk: key.pk.clone(), sk: format!("{}~{}", key.sk, at + 2) });
            item.insert("data".into(), s(chunk));
            item.insert("expires_at".into(), n(expires_at));
            item
        })
        .collect();
    let mut item = keyed(key);
    let time = draft.time.unwrap_or(event.received_at);
    let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
    set("vendor", s(draft.vendor.as_str()));
    set("name", s(&draft.name));
    set("kind", s(draft.kind.as_str()));
    set("trust", s(event.trust.as_str()));
    set("time", s(instant::millis(time)));
    set("received_at", s(instant::millis(event.received_at)));
    set("data", s(first));
    set("expires_at", n(expires_at));
    if !more.is_empty() {
        set("parts", n(more.len() as u64 + 1));
    }
    if let Some(page) = &event.page {
        set("page", s(page));
    }
    if event.erased {
        set("erased_at", s(instant::millis(event.received_at)));
    }
    if let Some(reason) = draft.reason {
        set("reason", s(reason.as_str()));
    }
    (item, more)
}

fn chunks(text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while rest.len() > CHUNK {
        let cut = (0..=CHUNK).rev().find(|&at| rest.is_char_boundary(at)).unwrap_or(CHUNK);
        let (chunk, after) = rest.split_at(cut);
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    chunks
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_large_payload_is_cut_between_characters_and_is_whole_when_joined() {
        let text = "é".repeat(500_000);
        let chunks = super::chunks(&text);
        assert!(chunks.len() == 3 && chunks.iter().all(|chunk| chunk.len() <= super::CHUNK));
        assert_eq!(chunks.concat(), text);
        assert_eq!(super::chunks("{}"), ["{}"]);
    }
}
