//! The cloud on one machine: DynamoDB, API Gateway, Lambda, streams and schedules, as `infra/template.yaml` lays them out.

pub mod bootstraps;
pub mod demo;
pub mod dynamodb;
pub mod functions;
pub mod gateway;
pub mod say;
pub mod schedule;
pub mod streams;
pub mod template;
pub mod world;
