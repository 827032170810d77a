//! The words of the front desk: what every other layer speaks. No I/O, no clock, no vendor.

pub mod backoff;
pub mod booking;
pub mod canonical;
pub mod connector;
pub mod diary;
pub mod erasure;
pub mod event;
pub mod extent;
pub mod hash;
pub mod ids;
pub mod instant;
pub mod kind;
pub mod lead;
pub mod name;
pub mod offer;
pub mod origin;
pub mod people;
pub mod phone;
pub mod retry_after;
pub mod seller;
pub mod sensitive;
pub mod state;
pub mod tombstone;
pub mod trigger;
pub mod trust;
pub mod write_back;
