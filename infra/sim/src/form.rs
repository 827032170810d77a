//! Reads a request body's fields, and collects what is wrong with them the way Laravel tells it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::replies;

pub(crate) struct Form<'a> {
    body: &'a Value,
    errors: BTreeMap<String, Vec<String>>,
}

impl<'a> Form<'a> {
    pub(crate) fn new(body: &'a Value) -> Self {
        Self { body, errors: BTreeMap::new() }
    }

    /// Text without the blanks around it. ASSUMPTION: a number will do for text, and an empty text is none.
    pub(crate) fn optional(&self, field: &str) -> Option<String> {
        let value = self.body.get(field)?;
        let text = value.as_str().map_or_else(|| value.as_number().map(ToString::to_string), |t| Some(t.to_owned()))?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Empty when it is missing, which `refused` will tell.
    pub(crate) fn required(&mut self, field: &str) -> String {
        self.optional(field).unwrap_or_else(|| {
            self.wrong(field, "field is required");
            String::new()
        })
    }

    pub(crate) fn integer(&mut self, field: &str) -> Option<i64> {
        let value = self.body.get(field).filter(|value| !value.is_null())?;
        if !value.is_i64() {
            self.wrong(field, "field must be an integer");
        }
        value.as_i64()
    }

    /// ASSUMPTION: `country` is one to three digits, with a plus sign or without; +91 is documented to be the default.
    pub(crate) fn country(&mut self) -> String {
        let country = self.optional("country").unwrap_or_else(|| "91".to_owned());
        let digits = country.strip_prefix('+').unwrap_or(&country);
        if !(1..=3).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.wrong("country", "field format is invalid");
        }
        digits.to_owned()
    }

    /// A PHP boolean, `true` unless it plainly says otherwise.
    pub(crate) fn native(&self) -> bool {
        let native = self.body.get("native").unwrap_or(&Value::Null);
        ![json!(false), json!(0), json!("0"), json!("false")].contains(native)
    }

    /// The 422, when anything was wrong.
    pub(crate) fn refused(self) -> Option<Response<Bytes>> {
        let mut all = self.errors.values().flatten();
        let first = all.next()?;
        let message = match all.count() {
            0 => first.clone(),
            1 => format!("{first} (and 1 more error)"),
            more => format!("{first} (and {more} more errors)"),
        };
        let body = json!({ "message": message, "errors": self.errors });
        Some(replies::json(StatusCode::UNPROCESSABLE_ENTITY, &body))
    }

    fn wrong(&mut self, field: &str, what: &str) {
        let problem = format!("The {} {what}.", field.replace('_', " "));
        self.errors.entry(field.to_owned()).or_default().push(problem);
    }
}
