//! The system tests: one binary, through the front door.

mod bookings;
mod calls;
mod crash;
mod diary;
mod events;
mod house;
mod infra;
