//! Erasing from the events table: what stands of an event and of its index entries goes at one stroke.

use super::{
    Error, Events,
    index::Range,
    item::{Item, Reader, keyed, n, s},
    keys::{self, Key},
};
use crate::model::{
    event::{Place, Vendor},
    ids::{SellerId, Subject, TableVersion},
    instant,
    kind::Kind,
    sensitive::Sensitive,
    trust::Trust,
};
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// An event, as far as it leads to others.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub vendor: Option<Vendor>,
    /// The vendor's own name for it.
    pub name: Sensitive<String>,
    pub trust: Trust,
    pub received_at: Option<Timestamp>,
    pub data: Sensitive<String>,
    pub traces: Traces,
}

/// Whatever there is of an event: the item, the further parts of its payload, its index entries.
#[derive(Clone, Debug)]
pub struct Traces {
    event: Key,
    beside: BTreeSet<Key>,
    /// Its name is a vendor's word, not a text that a page made up.
    named: bool,
    erased: bool,
}

impl Traces {
    /// An entry by which the event was found.
    pub fn add(&mut self, entry: Key) {
        self.beside.insert(entry);
    }
}

impl Events {
    /// `None` when it is gone. What cannot be read of it is taken for the least that it may be, and erased all the same.
    /// `version` is this build's table of names.
    pub async fn recorded(&self, event: &Key, version: &TableVersion) -> Result<Option<Recorded>, Error> {
        let Some(item) = self.item(event.clone()).await? else { return Ok(None) };
        let read = Reader { table: &self.table, item: &item };
        let mut data = read.maybe_text("data").unwrap_or_default().to_owned();
        let mut beside = person_entries(event, &read);
        if let Some(here) = quarantine_entry(event, &read, version) {
            beside.extend(self.waits_at(here).await?);
        }
        for part in keys::further_parts(event, read.maybe_number("parts").unwrap_or(1)) {
            if let Some(item) = self.item(part.clone()).await? {
                data.push_str(Reader { table: &self.table, item: &item }.maybe_text("data").unwrap_or_default());
            }
            beside.insert(part);
        }
        Ok(Some(Recorded {
            vendor: read.maybe_text("vendor").and_then(Vendor::parse),
            name: Sensitive::new(read.maybe_text("name").unwrap_or_default().to_owned()),
            trust: trust(&read),
            received_at: read.time("received_at").ok(),
            data: Sensitive::new(data),
            traces: Traces {
                event: event.clone(),
                beside,
                named: read.maybe_text("kind").is_some_and(|kind| kind != Kind::Unknown.as_str()),
                erased: read.maybe_text("erased_at").is_some(),
            },
        }))
    }

    /// Where an event of unknown kind waits: where this build's table has put it, or may put it any moment, and until then
    /// under that of a former release. Those are few; each is asked for by key.
    async fn waits_at(&self, here: Key) -> Result<Vec<Key>, Error> {
        if self.item(here.clone()).await?.is_some() {
            return Ok(vec![here]);
        }
        let mut from: Option<String> = None;
        loop {
            let range = from.as_deref().map_or(Range::Whole, Range::From);
            let (items, _) = self.page(&here.pk, range, None, 1).await?;
            let sk = items.first().and_then(|item| Reader { table: &self.table, item }.maybe_text("sk"));
            let Some(sk) = sk else { return Ok(vec![here]) };
            from = Some(match keys::quarantine_reader(sk) {
                Some(version) => {
                    let there = keys::quarantine_reread(&here, &version);
                    if self.item(there.clone()).await?.is_some() {
                        return Ok(vec![here, there]);
                    }
                    keys::quarantine_read_by(&version).1
                }
                // No entry of ours: on behind it.
                None => format!("{sk}\u{1}"),
            });
        }
    }

    /// The events of a thread that are no better proven than `most` and not erased yet.
    /// Page by page; with them comes where the next page starts.
    pub async fn thread_page(
        &self,
        seller: &SellerId,
        subject: &Subject,
        most: Trust,
        start: Option<Key>,
        limit: i32,
    ) -> Result<(Vec<Key>, Option<Key>), Error> {
        let thread = keys::thread(seller, subject);
        let (items, next) = self.page(&thread, Range::Whole, start.map(keyed), limit).await?;
        let members = items.iter().filter_map(|item| self.member(item, most)).collect();
        Ok((members, next.and_then(|next| self.key(&next))))
    }

    fn member(&self, item: &Item, most: Trust) -> Option<Key> {
        let read = Reader { table: &self.table, item };
        let part = read.maybe_text("vendor").is_none() && read.maybe_text("kind").is_none();
        let done = part || read.maybe_text("erased_at").is_some() || trust(&read) > most;
        if done { None } else { self.key(item) }
    }

    fn key(&self, item: &Item) -> Option<Key> {
        Reader { table: &self.table, item }.key().ok()
    }

    /// Blanks an event and takes it out of every index, both or neither: what happened stays, whom it happened to does
    /// not. Its key stays too, so that a copy is still one. True when there was something to blank.
    pub async fn erase(&self, traces: &Traces, now: Timestamp) -> Result<bool, Error> {
        let mut parts = vec![TransactWriteItem::builder().update(self.blanking(traces, now)).build()];
        for key in &traces.beside {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(keyed(key.clone()))).build();
            parts.push(TransactWriteItem::builder().delete(delete.expect("table and key are set")).build());
        }
        if self.transact(&self.client, parts).await? {
            return Ok(!traces.erased);
        }
        // Its time was over meanwhile.
        for key in &traces.beside {
            self.delete(key.clone()).await?;
        }
        Ok(false)
    }

    fn blanking(&self, traces: &Traces, now: Timestamp) -> Update {
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keyed(traces.event.clone())))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#data", "data")
            .expression_attribute_values(":blank", s("{}"))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":now", s(instant::millis(now)));
        let mut set = "SET #data = :blank, erased_at = :now, parts = :one".to_owned();
        if !traces.named {
            set.push_str(", #name = :none");
            update = update.expression_attribute_names("#name", "name").expression_attribute_values(":none", s(""));
        }
        let update = update.update_expression(format!("{set} REMOVE page, people"));
        update.build().expect("table, key and expression are set")
    }
}

fn trust(read: &Reader<'_>) -> Trust {
    read.maybe_text("trust").and_then(Trust::parse).unwrap_or(Trust::Claimed)
}

/// Where an event stands in the index of persons: what it was stored with, for it must all go.
fn person_entries(event: &Key, read: &Reader<'_>) -> BTreeSet<Key> {
    let Some((seller, place)) = standing(event) else { return BTreeSet::new() };
    let people = read.item.get("people").and_then(|people| people.as_ss().ok()).into_iter().flatten();
    people.map(|person| keys::person_entry(&seller, person, &place)).collect()
}

/// Where an event waits once this table of names has read it in vain; `None` when it does not wait.
fn quarantine_entry(event: &Key, read: &Reader<'_>, version: &TableVersion) -> Option<Key> {
    let (seller, place) = standing(event)?;
    let received_at =
        read.time("received_at").ok().filter(|_| read.maybe_text("kind") == Some(Kind::Unknown.as_str()))?;
    Some(keys::quarantine_entry(&seller, version, received_at, &place))
}

fn standing(event: &Key) -> Option<(SellerId, Place)> {
    keys::parse_event_seller(&event.pk).zip(keys::parse_place(&event.pk, &event.sk))
}
