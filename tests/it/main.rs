//! The system tests: one binary, through the front door.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod alarms;
mod bookings;
mod calls;
mod costs;
mod crash;
mod crm_doors;
mod crm_keys;
mod crm_stories;
mod crm_tokens;
mod diary;
mod disagree;
mod drain;
mod events;
mod forget;
mod grants;
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
mod supply;
mod telemetry;
mod traps;
mod trust;
mod twice;
mod vendors;
mod watch;
mod write_back;
