//! CRM triggers: one file per CRM, pure. Bytes, headers, configuration and now in; a proven lead or a refusal out.

pub mod back;
pub mod request;
pub mod standard;

/// What is wrong with a request that was read: the field and a stable code, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub field: &'static str,
    pub code: &'static str,
}
