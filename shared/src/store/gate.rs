//! The gate before a seller's Popin, and before each of their CRMs: how many are at it, and until when nobody may be.
//!
//! One item each. Whoever dies inside is let out by time.

use super::{
    Error, done,
    item::{Item, Reader, keyed, n},
    keys, lost,
};
use crate::model::{ids::SellerId, write_back::Destination};
use aws_sdk_dynamodb::{
    Client,
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use jiff::Timestamp;
use std::collections::HashMap;

#[derive(Clone, Debug)]
pub struct Gates {
    pub client: Client,
    pub table: String,
    /// `None` for Popin's.
    pub place: Option<Destination>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `failures` in a row were seen before.
    In { failures: u32 },
    /// As many as may be are at it.
    Full,
    /// Popin asked for a pause, or failed too often.
    Closed { until: Timestamp },
}

/// What whoever leaves has to say of Popin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    Well,
    /// It did not work; nobody is to come before `closed_until`.
    Ill {
        closed_until: Option<Timestamp>,
    },
}

/// How often the dead are cleared away before the gate counts as full.
const CLEARINGS: u32 = 3;

impl Gates {
    fn key(&self, seller: &SellerId) -> keys::Key {
        self.place.map_or_else(|| keys::gate(seller), |place| keys::place_gate(seller, place))
    }

    /// In, until `until` at the latest. `most` is how many may be in at once; `None` for whoever does not wait for others.
    pub async fn enter(
        &self,
        seller: &SellerId,
        owner: &str,
        until: Timestamp,
        most: Option<u32>,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        for _ in 0..=CLEARINGS {
            let refused = match self.try_to_enter(seller, owner, until, most, now).await? {
                Ok(failures) => return Ok(Entry::In { failures }),
                Err(refused) => refused,
            };
            let Some(gate) = refused else {
                // Nobody was ever here.
                if self.build(seller, owner, until).await? {
                    return Ok(Entry::In { failures: 0 });
                }
                continue;
            };
            let read = Reader { table: &self.table, item: &gate };
            let closed = read.maybe_number("closed_until").and_then(|at| Timestamp::from_millisecond(at).ok());
            if let Some(until) = closed.filter(|until| *until > now) {
                return Ok(Entry::Closed { until });
            }
            let dead = dead(&gate, now);
            if dead.is_empty() {
                return Ok(Entry::Full);
            }
            self.clear(seller, &dead).await?;
        }
        Ok(Entry::Full)
    }

    /// The number of failures, or the gate as it stands in the way: `None` when there is none yet.
    async fn try_to_enter(
        &self,
        seller: &SellerId,
        owner: &str,
        until: Timestamp,
        most: Option<u32>,
        now: Timestamp,
    ) -> Result<Result<u32, Option<Item>>, Error> {
        let open = "attribute_exists(inside) AND (attribute_not_exists(closed_until) OR closed_until <= :now)";
        let condition = match most {
            Some(_) => format!("{open} AND (size(inside) < :most OR attribute_exists(inside.#me))"),
            None => open.to_owned(),
        };
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(self.key(seller))))
            .update_expression("SET inside.#me = :until")
            .condition_expression(condition)
            .expression_attribute_names("#me", owner)
            .expression_attribute_values(":until", n(until.as_millisecond()))
            .expression_attribute_values(":now", n(now.as_millisecond()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let sent = match most {
            Some(most) => sent.expression_attribute_values(":most", n(most)),
            None => sent,
        };
        match sent.send().await {
            Ok(reply) => {
                let item = reply.attributes.unwrap_or_default();
                Ok(Ok(Reader { table: &self.table, item: &item }.maybe_number("failures").unwrap_or(0)))
            }
            Err(error) if lost(&error) => {
                let UpdateItemError::ConditionalCheckFailedException(failed) = error.into_service_error() else {
                    return Ok(Err(None));
                };
                Ok(Err(failed.item))
            }
            Err(error) => Err(Error::of(&self.table, &error)),
        }
    }

    async fn build(&self, seller: &SellerId, owner: &str, until: Timestamp) -> Result<bool, Error> {
        let mut item = keyed(self.key(seller));
        let inside = HashMap::from([(owner.to_owned(), n(until.as_millisecond()))]);
        item.insert("inside".into(), AttributeValue::M(inside));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let sent = put.condition_expression("attribute_not_exists(pk)").send().await;
        done(&self.table, sent)
    }

    async fn clear(&self, seller: &SellerId, dead: &[String]) -> Result<(), Error> {
        let mut update = self.client.update_item().table_name(&self.table).set_key(Some(keyed(self.key(seller))));
        let names: Vec<_> = (0..dead.len()).map(|at| format!("#d{at}")).collect();
        for (name, owner) in names.iter().zip(dead) {
            update = update.expression_attribute_names(name, owner);
        }
        let paths: Vec<_> = names.iter().map(|name| format!("inside.{name}")).collect();
        let sent = update.update_expression(format!("REMOVE {}", paths.join(", "))).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    /// Out again. A gate that is closed for longer stays so.
    pub async fn leave(&self, seller: &SellerId, owner: &str, seen: Seen) -> Result<(), Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(self.key(seller))))
            .expression_attribute_names("#me", owner)
            .condition_expression("attribute_exists(inside)");
        let update = match seen {
            Seen::Nothing => update.update_expression("REMOVE inside.#me"),
            Seen::Well => update
                .update_expression("SET failures = :none REMOVE inside.#me")
                .expression_attribute_values(":none", n(0)),
            Seen::Ill { .. } => update
                .update_expression("REMOVE inside.#me ADD failures :one")
                .expression_attribute_values(":one", n(1)),
        };
        done(&self.table, update.send().await)?;
        match seen {
            Seen::Ill { closed_until: Some(until) } => self.close(seller, until).await,
            Seen::Ill { closed_until: None } | Seen::Well | Seen::Nothing => Ok(()),
        }
    }

    async fn close(&self, seller: &SellerId, until: Timestamp) -> Result<(), Error> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(self.key(seller))))
            .update_expression("SET closed_until = :until")
            .condition_expression("attribute_not_exists(closed_until) OR closed_until < :until")
            .expression_attribute_values(":until", n(until.as_millisecond()))
            .send()
            .await;
        done(&self.table, sent).map(drop)
    }
}

/// Who should have left by now, and died inside.
fn dead(gate: &Item, now: Timestamp) -> Vec<String> {
    let inside = gate.get("inside").and_then(|inside| inside.as_m().ok());
    let until = |value: &AttributeValue| value.as_n().ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let gone = inside.into_iter().flatten().filter(|(_, value)| until(value) <= now.as_millisecond());
    gone.map(|(owner, _)| owner.clone()).collect()
}
