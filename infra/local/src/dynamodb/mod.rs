//! DynamoDB inside this process: the database, the tables of the template in it, and the SDK's way to it without a socket.

mod access;
mod dispatch;
mod embedded;
mod faults;
mod opening;
mod plain;
mod tables;
#[cfg(test)]
mod tests;

pub use access::Access;
pub use embedded::{DbCall, Embedded, Grants, NoDatabase, Pace, Watch};
pub use faults::{DbFault, FaultHook};
pub use tables::{NoTables, client, create_missing, named, sdk_config};
