//! Popin's API: the three calls of its Insta Call pages, over a transport that may or may not have reached it.

pub mod client;
pub mod dates;
pub mod transport;
pub mod wire;

pub use client::{Client, Failure};
pub use transport::{Transport, TransportError};
