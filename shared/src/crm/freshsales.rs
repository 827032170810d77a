//! Freshsales: a workflow's webhook, whose body the shop lays out itself.

use super::{Arrival, Batch, Form, Unread, body, fields::Fields};
use crate::model::{
    connector::Connector,
    seller::{FreshsalesBack, crm::Tokens},
};
use serde_json::Value;

pub fn read(arrival: &Arrival<'_>, config: &Tokens<FreshsalesBack>) -> Result<Batch, Unread> {
    let fields = Fields::new(Connector::Freshsales, &config.fields, &config.only);
    let mut body = body::parse(arrival).filter(Value::is_object).ok_or(Unread::NotReadable)?;
    // The simple form wraps the record in its kind.
    let kind = ["contact", "lead", "deal"].into_iter().find(|kind| body[*kind].is_object());
    let record = kind.map(|kind| body[kind].take()).unwrap_or(body);
    Ok(Batch { form: Form::Plain, told: vec![body::record(record, Some(kind.unwrap_or("contact")), &fields)] })
}
