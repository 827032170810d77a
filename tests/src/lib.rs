//! What the system tests stand on: a shop, a clock that is set by hand, and the front door in a word.

pub mod back_room;
pub mod canary;
pub mod crash;
pub mod crm_ways;
pub mod load;
pub mod overheard;
pub mod pages;
pub mod poison;
pub mod race;
pub mod shop;
pub mod simulation;
pub mod tour;
pub mod twice;
pub mod written_back;

pub use shop::{Reply, Shop, TestClock};
