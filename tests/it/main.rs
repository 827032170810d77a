//! The system tests: one binary, through the front door.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod bookings;
mod calls;
mod crash;
mod crm_doors;
mod crm_stories;
mod diary;
mod disagree;
mod drain;
mod events;
mod forget;
mod house;
mod identity;
mod infra;
mod join;
mod owed;
mod person_key;
mod phones;
mod popin;
mod privacy;
mod quarantine;
mod race;
mod simulation;
mod traps;
mod trust;
mod vendors;
mod write_back;
