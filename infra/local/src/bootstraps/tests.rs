//! Tests of `bootstraps`.

use super::{
    Surroundings,
    environment::{Ended, Environment},
    variables,
};
use crate::{functions::Failure, template::Template};
use frontdesk::edge::clock::SystemClock;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc, time::Duration};

fn environment() -> (Arc<Environment>, u64) {
    let environment = Arc::new(Environment::new("f", Duration::from_secs(3), Arc::new(SystemClock)));
    let generation = environment.next_generation();
    (environment, generation)
}

async fn invoke(environment: &Arc<Environment>) -> tokio::task::JoinHandle<Result<Value, Failure>> {
    let environment = environment.clone();
    let task = tokio::spawn(async move { environment.invoke(&json!({ "n": 1 })).await });
    tokio::task::yield_now().await;
    task
}

#[tokio::test(start_paused = true)]
async fn an_invocation_reaches_the_child_and_its_answer_comes_back() {
    let (environment, generation) = environment();
    let caller = invoke(&environment).await;
    let work = environment.next(generation).await.unwrap();
    assert_eq!(work.event, r#"{"n":1}"#);
    assert!(!environment.answer("another id", Ok(Value::Null)));
    assert!(environment.answer(&work.id, Ok(json!("done"))));
    assert_eq!(caller.await.unwrap(), Ok(json!("done")));
}

#[tokio::test(start_paused = true)]
async fn what_a_child_had_in_hand_fails_with_it_and_what_waited_goes_to_the_next() {
    let (environment, first) = environment();
    let (in_hand, waiting) = (invoke(&environment).await, invoke(&environment).await);
    environment.next(first).await.unwrap();
    assert!(matches!(environment.ended("killed"), Ended::Working));
    assert_eq!(in_hand.await.unwrap(), Err(Failure::Gone("killed".to_owned())));
    let second = environment.next_generation();
    assert!(environment.next(first).await.is_none());
    let work = environment.next(second).await.unwrap();
    environment.answer(&work.id, Ok(Value::Null));
    assert_eq!(waiting.await.unwrap(), Ok(Value::Null));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_not_done_in_time_is_stuck() {
    let (environment, generation) = environment();
    let caller = invoke(&environment).await;
    environment.next(generation).await.unwrap();
    environment.stuck().await;
    assert_eq!(caller.await.unwrap(), Err(Failure::TimedOut(Duration::from_secs(3))));
}

#[test]
fn a_child_is_told_what_lambda_and_the_template_say() {
    let template = Template::deployed().unwrap();
    let dynamodb = "http://127.0.0.1:7701".to_owned();
    let sellers_file = PathBuf::from("/tmp/sellers.json");
    let around = Surroundings { sellers_file, dynamodb, clock: Arc::new(SystemClock) };
    let told = variables(template.function("slot-cache").unwrap(), &around);
    assert_eq!(told["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    assert_eq!(told["SLOTS_TABLE"], "frontdesk-slots");
    assert_eq!(told["SELLERS_FILE"], "/tmp/sellers.json");
    assert_eq!(told["AWS_ENDPOINT_URL_DYNAMODB"], "http://127.0.0.1:7701");
    assert!(!told.contains_key("SELLERS_SECRET_ARN"));
}
