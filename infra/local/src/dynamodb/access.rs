//! Who may do what: a function's call is held against what the template grants it, as IAM would.

use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt};

/// One action on one table or index, as a policy names it. A transaction is several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// `PutItem`, say.
    pub action: String,
    pub table: String,
    pub index: Option<String>,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.table)?;
        self.index.iter().try_for_each(|index| write!(f, "/index/{index}"))
    }
}

/// The function that calls, by the name that its client has in `user-agent`; none is the hand of whoever runs the database.
pub(super) fn caller(user_agent: &str) -> Option<&str> {
    user_agent.split(' ').find_map(|part| part.strip_prefix("app/"))
}

/// What a call has to be granted. `TransactWriteItems` is no action: its parts are.
pub(super) fn needed(operation: &str, body: &Value) -> BTreeSet<Access> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let on = |action: &str, part: &Value| Access {
        action: action.to_owned(),
        table: text(&part["TableName"]).unwrap_or_default(),
        index: text(&part["IndexName"]),
    };
    let action = |part: &str| match part {
        "ConditionCheck" => "ConditionCheckItem".to_owned(),
        _ => format!("{part}Item"),
    };
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
            parts.map(|(part, inner)| on(&action(part), inner)).collect()
        }
        "BatchWriteItem" | "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(table, _)| on(operation, &json!({ "TableName": table }))).collect()
        }
        _ => BTreeSet::from([on(operation, body)]),
    }
}

pub(super) fn denied(caller: &str, missing: &Access) -> (u16, String) {
    let message = format!("{caller} is not authorized to perform {missing}: infra/template.yaml does not grant it");
    (400, json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": message }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(operation: &str, body: &Value) -> Vec<String> {
        needed(operation, body).iter().map(Access::to_string).collect()
    }

    #[test]
    fn a_transaction_needs_what_its_parts_need() {
        let body = json!({ "TransactItems": [
            { "Put": { "TableName": "a" } }, { "ConditionCheck": { "TableName": "a" } }, { "Delete": { "TableName": "b" } },
        ]});
        assert_eq!(told("TransactWriteItems", &body), ["ConditionCheckItem on a", "DeleteItem on b", "PutItem on a"]);
        let query = json!({ "TableName": "a", "IndexName": "due" });
        assert_eq!(told("Query", &query), ["Query on a/index/due"]);
    }

    #[test]
    fn a_caller_is_known_by_its_clients_name() {
        assert_eq!(caller("aws-sdk-rust/1.3 os/linux lang/rust/1.95 app/slots-api"), Some("slots-api"));
        assert_eq!(caller("aws-sdk-rust/1.3 os/linux"), None);
    }
}
