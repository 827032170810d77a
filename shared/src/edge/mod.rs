//! What touches the process: the environment, the clock, the network, the answers, and what is told of a run.

pub mod answer;
pub mod aws;
pub mod booking_view;
pub mod clock;
pub mod env;
pub mod http;
pub mod origin;
pub mod proof;
mod resolver;
pub mod secrets;
pub mod sellers;
pub mod telemetry;
pub mod timed;
pub mod vendor_clock;
