//! What is asked of DynamoDB, begun with the table that it is asked of.

use crate::aws::requests;
use aws_sdk_dynamodb::{
    operation::{
        delete_item::builders::DeleteItemInputBuilder, get_item::builders::GetItemInputBuilder,
        put_item::builders::PutItemInputBuilder, query::builders::QueryInputBuilder,
        transact_write_items::builders::TransactWriteItemsInputBuilder, update_item::builders::UpdateItemInputBuilder,
    },
    types::TransactWriteItem,
};
use uuid::Builder;

requests! { aws_sdk_dynamodb:
    delete_item { DeleteItem, DeleteItemInputBuilder, DeleteItemOutput, DeleteItemError }
    get_item { GetItem, GetItemInputBuilder, GetItemOutput, GetItemError }
    put_item { PutItem, PutItemInputBuilder, PutItemOutput, PutItemError }
    query { Query, QueryInputBuilder, QueryOutput, QueryError }
    transact_write_items { TransactWriteItems, TransactWriteItemsInputBuilder, TransactWriteItemsOutput, TransactWriteItemsError }
    update_item { UpdateItem, UpdateItemInputBuilder, UpdateItemOutput, UpdateItemError }
}

pub(super) fn delete_item(table: &str) -> DeleteItemInputBuilder {
    DeleteItemInputBuilder::default().table_name(table)
}

pub(super) fn get_item(table: &str) -> GetItemInputBuilder {
    GetItemInputBuilder::default().table_name(table)
}

pub(super) fn put_item(table: &str) -> PutItemInputBuilder {
    PutItemInputBuilder::default().table_name(table)
}

pub(super) fn query(table: &str) -> QueryInputBuilder {
    QueryInputBuilder::default().table_name(table)
}

pub(super) fn update_item(table: &str) -> UpdateItemInputBuilder {
    UpdateItemInputBuilder::default().table_name(table)
}

/// All parts or none. It has a token: sent again after a lost answer, it is still done once.
pub(super) fn transact(parts: Vec<TransactWriteItem>) -> TransactWriteItemsInputBuilder {
    let token = Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
    TransactWriteItemsInputBuilder::default().set_transact_items(Some(parts)).client_request_token(token)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_transaction_has_a_token_of_its_own() {
        let token = || super::transact(Vec::new()).get_client_request_token().clone().unwrap();
        let tokens = [token(), token()];
        // As many characters as DynamoDB takes.
        assert!(tokens.iter().all(|token| token.len() == 36));
        assert_ne!(tokens[0], tokens[1]);
    }
}
