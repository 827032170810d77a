//! The cloud on one machine: DynamoDB, API Gateway, Lambda, streams and schedules, as `infra/template.yaml` lays them out.

pub mod bootstraps;
pub mod cli;
pub mod controls;
pub mod demo;
pub mod dynamodb;
pub mod examples;
pub mod fate;
pub mod front;
pub mod functions;
pub mod gateway;
pub mod keep;
pub mod say;
pub mod schedule;
pub mod shop_page;
pub mod stack;
pub mod streams;
pub mod template;
pub mod welcome;
pub mod world;
