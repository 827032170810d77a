//! The sellers document, kept and refreshed: a rotated secret is known within minutes, a faulty new one changes nothing.

use super::{
    env::SellersAt,
    secrets::{self, NoSecret},
};
use crate::model::seller::{FaultyDocument, Reach, Sellers};
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use jiff::{SignedDuration, Timestamp};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

const REFRESHED: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone, Debug)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    from: From,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
enum From {
    Fixed,
    File(PathBuf),
    Secret { client: Client, arn: String },
}

#[derive(Debug)]
struct Kept {
    sellers: Arc<Sellers>,
    /// `None` until the first request: the clock is the function's, not ours.
    read_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum NoSellers {
    #[error("the sellers file cannot be read ({0})")]
    File(std::io::ErrorKind),
    #[error(transparent)]
    Secret(#[from] NoSecret),
    #[error(transparent)]
    Faulty(#[from] FaultyDocument),
}

impl Source {
    /// A document that never changes: the demo seller's, and the tests'.
    pub fn fixed(sellers: Sellers) -> Self {
        Self::with(From::Fixed, sellers)
    }

    pub fn file(path: impl Into<PathBuf>) -> Result<Self, NoSellers> {
        let path = path.into();
        let sellers = read_file(&path)?;
        Ok(Self::with(From::File(path), sellers))
    }

    /// As the environment says; refuses to start on a document that cannot be read or has a fault.
    pub async fn open(at: &SellersAt, aws: &SdkConfig) -> Result<Self, NoSellers> {
        match at {
            SellersAt::File(path) => Self::file(path),
            SellersAt::Secret(arn) => {
                let client = Client::new(aws);
                let sellers = Sellers::parse(&secrets::read(&client, arn).await?)?;
                Ok(Self::with(From::Secret { client, arn: arn.clone() }, sellers))
            }
        }
    }

    fn with(from: From, sellers: Sellers) -> Self {
        Self(Arc::new(Inner { from, kept: Mutex::new(Kept { sellers: Arc::new(sellers), read_at: None }) }))
    }

    /// The document as it stands. One that cannot be read again is kept, and said so.
    pub async fn current(&self, now: Timestamp) -> Arc<Sellers> {
        let kept = {
            let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let read_at = *kept.read_at.get_or_insert(now);
            if now.duration_since(read_at).abs() < REFRESHED || matches!(self.0.from, From::Fixed) {
                return kept.sellers.clone();
            }
            // Whoever comes while we read takes what is kept.
            kept.read_at = Some(now);
            kept.sellers.clone()
        };
        match self.read().await {
            Ok(sellers) => {
                let sellers = Arc::new(sellers);
                self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).sellers = sellers.clone();
                sellers
            }
            Err(error) => {
                tracing::error!(error = %error, "sellers.not_refreshed");
                kept
            }
        }
    }

    async fn read(&self) -> Result<Sellers, NoSellers> {
        match &self.0.from {
            From::Fixed => unreachable_fixed(),
            From::File(path) => read_file(path),
            From::Secret { client, arn } => Ok(Sellers::parse(&secrets::read(client, arn).await?)?),
        }
    }
}

/// A fixed document is never read again; an empty one would be a fault, so that a bug here shows.
fn unreachable_fixed() -> Result<Sellers, NoSellers> {
    Err(FaultyDocument(vec!["a fixed document is not read again".into()]).into())
}

fn read_file(path: &std::path::Path) -> Result<Sellers, NoSellers> {
    let bytes = std::fs::read(path).map_err(|error| NoSellers::File(error.kind()))?;
    Ok(Sellers::parse_within(&bytes, Reach::Local)?)
}
