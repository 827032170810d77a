//! What touches the process: the environment, the clock, the network, the answers, and what is told of a run.

pub mod answer;
pub mod booking_view;
pub mod clock;
mod connect;
pub mod env;
pub mod http;
pub mod origin;
pub mod proof;
pub mod secrets;
pub mod sellers;
pub mod skew;
pub mod telemetry;
pub mod timed;
