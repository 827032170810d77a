//! Frontdesk: takes widget events, keeps the diary of free slots, and books calls; README.md has the layers, bottom-up.

pub mod crm;
pub mod edge;
pub mod flow;
pub mod model;
pub mod popin;
pub mod store;
pub mod vendors;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
