//! One put by the AWS SDK for each request, and nothing else: what `infra/measure/run` compares the cost of an event with.

use aws_sdk_dynamodb::types::AttributeValue::{M, N, S};
use frontdesk::edge::{aws, http::HttpClients};
use lambda_http::{Error, Request, run, service_fn};
use std::collections::HashMap;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws::load(HttpClients::new()?.aws()?, "put").await?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let put = async |_: Request| -> Result<&'static str, Error> {
        dynamodb
            .put_item()
            .table_name("t")
            .item("pk", S("E#018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a".to_owned()))
            .item("sk", S("T#1795246679512".to_owned()))
            .item("ev", S("page_view".to_owned()))
            .item("ts", N("1795246679512".to_owned()))
            .item("anon", S("a3f1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d".to_owned()))
            .item("url", S("https://www.example.com/pricing".to_owned()))
            .item("props", M(HashMap::new()))
            .send()
            .await?;
        Ok("stored")
    };
    run(service_fn(put)).await
}
