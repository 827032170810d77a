//! The guard against private networks: a name that leads into one is never connected to.

use crate::model::seller::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{error::Error, net::SocketAddr};

/// Resolves as the machine does, and refuses every name that has a private address: what is connected to is what was checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicResolver;

#[derive(Debug, thiserror::Error)]
#[error("the name leads to a private network")]
struct NotPublicError;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One private address among several refuses them all: no honest name mixes them.
            if found.iter().any(|address| !is_public(address.ip())) {
                return Err(NotPublicError.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether a call failed because its name led into a private network.
pub(super) fn is_not_public(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublicError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
