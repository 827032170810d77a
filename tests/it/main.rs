//! The system tests: one binary, through the front door.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod bookings;
mod calls;
mod crash;
mod diary;
mod events;
mod forget;
mod house;
mod infra;
mod person_key;
mod popin;
mod privacy;
mod traps;
mod vendors;
mod walk;
