//! Pipedrive: a deal's or a person's fields of one's own, by their hashes.

use super::{Call, NoCall, record, values};
use crate::model::{origin::Origin, seller::PipedriveBack, write_back::News};
use http::Method;
use serde_json::{Value, json};

pub(super) fn call(back: &PipedriveBack, base: &str, origin: &Origin, news: &News) -> Result<Call, NoCall> {
    let (fields, id) = (values(&back.fields, news, &Value::Null), record(origin)?);
    let (path, body) = match origin.object.as_deref() {
        None | Some("person" | "persons") => ("api/v2/persons", json!({"custom_fields": fields})),
        Some("deal" | "deals") => ("api/v2/deals", json!({"custom_fields": fields})),
        // Leads are of the first version still, where fields of one's own stand beside the others.
        Some("lead" | "leads") => ("api/v1/leads", Value::Object(fields)),
        Some(_) => return Err(NoCall("object_unknown")),
    };
    Ok(Call::new("record", Method::PATCH, format!("{base}/{path}/{id}"), body.to_string())
        .with("x-api-token", back.api_token.expose()))
}
