//! Reading and building items without spelling attribute values everywhere.

use super::{Error, keys::Key};
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn n(number: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

pub(super) fn keyed(key: Key) -> Item {
    Item::from([("pk".to_owned(), s(key.pk)), ("sk".to_owned(), s(key.sk))])
}

/// What an item weighs for DynamoDB's bill, which counts started kilobytes. A number is taken as long as its digits, which is
/// more than it is.
pub(super) fn bytes(item: &Item) -> usize {
    let set = |value: &AttributeValue| value.as_ss().map_or(0, |texts| texts.iter().map(String::len).sum());
    let value = |value: &AttributeValue| value.as_s().or(value.as_n()).map_or_else(|_| set(value), String::len);
    item.iter().map(|(name, held)| name.len() + value(held)).sum()
}

/// An item as `table` has it; a missing or misshapen attribute names itself.
pub(super) struct Reader<'i> {
    pub(super) table: &'i str,
    pub(super) item: &'i Item,
}

impl<'i> Reader<'i> {
    pub(super) fn corrupt(&self, field: &'static str) -> Error {
        Error::Corrupt { table: self.table.to_owned(), field }
    }

    pub(super) fn key(&self) -> Result<Key, Error> {
        Ok(Key { pk: self.text("pk")?.to_owned(), sk: self.text("sk")?.to_owned() })
    }

    pub(super) fn text(&self, field: &'static str) -> Result<&'i str, Error> {
        self.maybe_text(field).ok_or_else(|| self.corrupt(field))
    }

    pub(super) fn maybe_text(&self, field: &'static str) -> Option<&'i str> {
        self.item.get(field).and_then(|value| value.as_s().ok()).map(String::as_str)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, field: &'static str) -> Result<T, Error> {
        self.maybe_number(field).ok_or_else(|| self.corrupt(field))
    }

    pub(super) fn maybe_number<T: std::str::FromStr>(&self, field: &'static str) -> Option<T> {
        self.item.get(field).and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok())
    }

    pub(super) fn time(&self, field: &'static str) -> Result<jiff::Timestamp, Error> {
        self.text(field)?.parse().map_err(|_| self.corrupt(field))
    }
}
