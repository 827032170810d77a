//! Reading the events table by its index entries: a person's events, and those in quarantine.

use super::{
    Error, Events,
    item::{Item, Reader, keyed, s},
    keys::{self, Key},
    lost,
};
use crate::model::{ids::SellerId, kind::Kind, sensitive::Sensitive};

/// An entry of an index, and the event that it tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub event: Key,
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
        self.entries_of(keys::person_partition(seller, person), after, most).await
    }

    /// What waits for a name that is known, the oldest first; from behind `after` on.
    pub async fn in_quarantine(
        &self,
        seller: &SellerId,
        after: Option<&Entry>,
        most: i32,
    ) -> Result<Vec<Entry>, Error> {
        self.entries_of(keys::quarantine_partition(seller), after, most).await
    }

    /// Empty when there are no more. An entry that cannot be read is told of and passed by: it must not stand before others.
    async fn entries_of(&self, partition: String, after: Option<&Entry>, most: i32) -> Result<Vec<Entry>, Error> {
        let mut start = after.map(|entry| keyed(entry.key.clone()));
        loop {
            let (items, next) = self.page(&partition, start, most).await?;
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
        start: Option<Item>,
        most: i32,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(pk))
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
        Ok(Entry { key: key("pk", "sk")?, event: key("event_pk", "event_sk")? })
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
        match sent {
            Ok(_) => Ok(true),
            Err(error) if lost(&error) => Ok(false),
            Err(error) => Err(Error::of(&self.table, &error)),
        }
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
