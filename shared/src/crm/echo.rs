//! Whether a change that a CRM tells of is our own note, come back.

use crate::model::seller::Fields;

/// Whether all that changed is what we write, beside the `stamps` that the CRM itself sets at any change.
pub fn is_ours<'n>(changed: impl IntoIterator<Item = &'n str>, own: Option<&Fields>, stamps: &[&str]) -> bool {
    let mut ours = false;
    for name in changed {
        let is_own = own.is_some_and(|fields| fields.named().any(|(_, field)| field == name));
        if !is_own && !stamps.contains(&name) {
            return false;
        }
        ours |= is_own;
    }
    ours
}
