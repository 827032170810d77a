//! Reading the events table by its index entries: a person's events, and those in quarantine.

use super::{
    Error, Events, done,
    item::{Item, Reader, keyed, n, s},
    keys::{self, Key},
};
use crate::model::{
    ids::{SellerId, TableVersion},
    kind::Kind,
    sensitive::Sensitive,
};
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};

/// An entry of an index, and the event that it tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub event: Key,
    /// As the event has it, in seconds since the epoch.
    expires_at: Option<i64>,
}

/// Which part of a partition.
#[derive(Clone, Copy)]
pub(super) enum Range<'a> {
    Whole,
    Before(&'a str),
    From(&'a str),
}

/// An event as it waits in quarantine.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub vendor: String,
    pub name: String,
    pub trust: String,
    /// The event's id, of which a page's own is a part.
    pub id: String,
    pub data: Sensitive<String>,
}

impl Events {
    /// A person's events, page by page; from behind `after` on.
    pub async fn of_person(
        &self,
        seller: &SellerId,
        person: &str,
        after: Option<&Entry>,
        most: i32,
    ) -> Result<Vec<Entry>, Error> {
        self.entries_of(&keys::person_partition(seller, person), Range::Whole, after, most).await
    }

    /// What waits and was not read in vain by this very table of names, page by page; from behind `after` on.
    pub async fn in_quarantine(
        &self,
        seller: &SellerId,
        version: &TableVersion,
        after: Option<&Entry>,
        most: i32,
    ) -> Result<Vec<Entry>, Error> {
        let partition = &keys::quarantine_partition(seller);
        // What this table has read lies in between: it is not even looked at.
        let (first, end) = keys::quarantine_read_by(version);
        let beyond = after.filter(|entry| entry.key.sk >= end);
        if beyond.is_none() {
            let entries = self.entries_of(partition, Range::Before(&first), after, most).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        self.entries_of(partition, Range::From(&end), beyond, most).await
    }

    /// Empty when there are no more. An entry that cannot be read is told of and passed by: it must not stand before others.
    async fn entries_of(
        &self,
        partition: &str,
        range: Range<'_>,
        after: Option<&Entry>,
        most: i32,
    ) -> Result<Vec<Entry>, Error> {
        let mut start = after.map(|entry| keyed(entry.key.clone()));
        loop {
            let (items, next) = self.page(partition, range, start, most).await?;
            let entries: Vec<Entry> = items
                .iter()
                .filter_map(|item| {
                    self.entry(item)
                        .inspect_err(|error| tracing::error!(error = %error, "events.entry_unreadable"))
                        .ok()
                })
                .collect();
            if !entries.is_empty() || next.is_none() {
                return Ok(entries);
            }
            start = next;
        }
    }

    /// A page of a partition, and where the next one starts.
    pub(super) async fn page(
        &self,
        pk: &str,
        range: Range<'_>,
        start: Option<Item>,
        most: i32,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        let query = self.client.query().table_name(&self.table).expression_attribute_values(":pk", s(pk));
        let query = match range {
            Range::Whole => query.key_condition_expression("pk = :pk"),
            Range::Before(end) => {
                query.key_condition_expression("pk = :pk AND sk < :end").expression_attribute_values(":end", s(end))
            }
            Range::From(first) => query
                .key_condition_expression("pk = :pk AND sk >= :first")
                .expression_attribute_values(":first", s(first)),
        };
        let reply = query
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .limit(most)
            .send()
            .await
            .map_err(|error| Error::of(&self.table, &error))?;
        Ok((reply.items.unwrap_or_default(), reply.last_evaluated_key))
    }

    fn entry(&self, item: &Item) -> Result<Entry, Error> {
        let read = Reader { table: &self.table, item };
        let key = |pk, sk| Ok::<_, Error>(Key { pk: read.text(pk)?.to_owned(), sk: read.text(sk)?.to_owned() });
        let expires_at = read.maybe_number("expires_at");
        Ok(Entry { key: key("pk", "sk")?, event: key("event_pk", "event_sk")?, expires_at })
    }

    /// The event of an entry, whole; `None` when it is gone, was erased, or has its kind already.
    pub async fn waiting(&self, entry: &Entry) -> Result<Option<Waiting>, Error> {
        let Some(item) = self.item(entry.event.clone()).await? else { return Ok(None) };
        let read = Reader { table: &self.table, item: &item };
        if read.text("kind")? != Kind::Unknown.as_str() || read.maybe_text("erased_at").is_some() {
            return Ok(None);
        }
        let mut data = read.text("data")?.to_owned();
        for part in keys::further_parts(&entry.event, read.maybe_number("parts").unwrap_or(1)) {
            let Some(item) = self.item(part).await? else { return Ok(None) };
            data.push_str(Reader { table: &self.table, item: &item }.text("data")?);
        }
        let text = |field| Ok::<_, Error>(read.text(field)?.to_owned());
        Ok(Some(Waiting {
            vendor: text("vendor")?,
            name: text("name")?,
            trust: text("trust")?,
            id: entry.event.sk.clone(),
            data: Sensitive::new(data),
        }))
    }

    pub(super) async fn item(&self, key: Key) -> Result<Option<Item>, Error> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(keyed(key))).consistent_read(true);
        Ok(get.send().await.map_err(|error| Error::of(&self.table, &error))?.item)
    }

    /// Gives an event its kind, in place and once; true when it was us.
    pub async fn set_kind(&self, entry: &Entry, kind: Kind) -> Result<bool, Error> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(entry.event.clone())))
            .update_expression("SET kind = :kind REMOVE reason")
            .condition_expression("kind = :unknown")
            .expression_attribute_values(":kind", s(kind.as_str()))
            .expression_attribute_values(":unknown", s(Kind::Unknown.as_str()))
            .send()
            .await;
        done(&self.table, sent)
    }

    /// Puts an entry where this table of names finds what it has read in vain; true when it was us. Whoever else looked
    /// at it meanwhile has moved it there, or taken it out, already.
    pub async fn read_in_vain(&self, entry: &Entry, version: &TableVersion) -> Result<bool, Error> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keyed(entry.key.clone())))
            .condition_expression("attribute_exists(pk)")
            .build()
            .expect("table, key and condition are set");
        let item = entry_item(keys::quarantine_reread(&entry.key, version), &entry.event, entry.expires_at);
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build().expect("table and item are set");
        let parts =
            vec![TransactWriteItem::builder().delete(delete).build(), TransactWriteItem::builder().put(put).build()];
        self.transact(&self.client, parts).await
    }

    /// Takes an entry out of its index.
    pub async fn drop_entry(&self, entry: &Entry) -> Result<(), Error> {
        self.delete(entry.key.clone()).await
    }

    pub(super) async fn delete(&self, key: Key) -> Result<(), Error> {
        let sent = self.client.delete_item().table_name(&self.table).set_key(Some(keyed(key))).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }
}

/// An entry of an index, as an item.
pub(super) fn entry_item(key: Key, event: &Key, expires_at: Option<i64>) -> Item {
    let mut item = keyed(key);
    item.insert("event_pk".into(), s(event.pk.as_str()));
    item.insert("event_sk".into(), s(event.sk.as_str()));
    item.extend(expires_at.map(|at| ("expires_at".into(), n(at))));
    item
}
