//! LeadSquared: fields of a lead, and activities, of which each call makes one more.

use super::{Ask, Books, KEY, write};
use crate::replies;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

pub(super) fn answer(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    if ask.header("x-lsq-accesskey") != KEY || ask.header("x-lsq-secretkey") != KEY {
        return error(StatusCode::UNAUTHORIZED, "MXUnauthorizedException");
    }
    let Some(lead) = ask.query.strip_prefix("leadId=").filter(|lead| !lead.is_empty()) else {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "MXInvalidRequestException");
    };
    match (ask.method, ask.path.as_slice()) {
        (&Method::POST, ["v2", "LeadManagement.svc", "Lead.Update"]) => {
            let pair =
                |pair: &Value| Some((pair["Attribute"].as_str()?.to_owned(), pair["Value"].as_str().map(Value::from)?));
            let fields: Option<Map<_, _>> = ask.body.as_array().and_then(|pairs| pairs.iter().map(pair).collect());
            match fields {
                Some(fields) => {
                    write(books, format!("leadsquared/leads/{lead}"), &fields);
                    replies::json(StatusCode::OK, &json!({"Status": "Success", "Message": {"AffectedRows": 1}}))
                }
                None => error(StatusCode::INTERNAL_SERVER_ERROR, "MXInvalidRequestException"),
            }
        }
        (&Method::POST, ["v2", "ProspectActivity.svc", "Create"]) => {
            let at = ask.body["ActivityDateTime"].as_str().is_some_and(|at| at.len() == 19 && !at.contains('T'));
            if !at || !ask.body["ActivityEvent"].is_u64() {
                return error(StatusCode::INTERNAL_SERVER_ERROR, "MXInvalidRequestException");
            }
            books.activities.push(ask.body.clone());
            replies::json(StatusCode::OK, &json!({"Status": "Success", "Message": {"Id": books.activities.len()}}))
        }
        _ => replies::html(StatusCode::NOT_FOUND),
    }
}

fn error(status: StatusCode, kind: &str) -> Response<Bytes> {
    replies::json(status, &json!({"Status": "Error", "ExceptionType": kind, "ExceptionMessage": "no"}))
}
