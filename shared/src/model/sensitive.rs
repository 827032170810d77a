//! A value that must not reach a log, a span, an error or an answer by accident.

use std::fmt;

/// Personal data or a secret. No `Display`, no `Serialize`; [`Sensitive::expose`] is the one, greppable, door.
///
/// ```compile_fail
/// serde_json::to_string(&frontdesk::model::sensitive::Sensitive::new("9544510895")).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Say at the call why it must leave.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
