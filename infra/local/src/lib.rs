//! The cloud on one machine: DynamoDB, API Gateway, Lambda, streams and schedules, as `infra/template.yaml` lays them out.

pub mod dynamodb;
pub mod say;
pub mod template;
