//! The sellers document, kept and refreshed: a rotated secret is known within minutes. A new one with a fault changes
//! nothing, except that a caller's credential which it has no more is honoured no more.

use super::{
    env::{Basics, SellersAt},
    secrets::{self, NoSecret},
    telemetry::{By, Metrics},
};
use crate::model::seller::{FaultyDocument, Reach, Sellers};
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use jiff::{SignedDuration, Timestamp};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    Secret { client: Client, arn: String, part: Part },
}

/// How much of the document a secret has.
#[derive(Clone, Copy, Debug)]
enum Part {
    Whole(Reach),
    Public,
}

impl Part {
    fn parse(self, text: &[u8]) -> Result<Sellers, FaultyDocument> {
        match self {
            Self::Whole(reach) => Sellers::parse_within(text, reach),
            Self::Public => Sellers::parse_public(text),
        }
    }
}

#[derive(Debug)]
struct Kept {
    /// The last document without a fault.
    good: Arc<Sellers>,
    /// The same, without what a later one with a fault has no more.
    in_force: Arc<Sellers>,
    /// `None` until the first request: the clock is the function's, not ours.
    times: Option<Times>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    read_at: Timestamp,
    good_at: Timestamp,
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
        let sellers = Sellers::parse_within(&read_file(&path)?, Reach::Local)?;
        Ok(Self::with(From::File(path), sellers))
    }

    /// As the environment says; refuses to start on a document that cannot be read or has a fault.
    pub async fn open(basics: &Basics, aws: &SdkConfig) -> Result<Self, NoSellers> {
        let (arn, part) = match &basics.sellers {
            SellersAt::File(path) => return Self::file(path),
            SellersAt::Secret(arn) => (arn.clone(), Part::Whole(basics.reach)),
            SellersAt::PublicSecret(arn) => (arn.clone(), Part::Public),
        };
        let client = Client::new(aws);
        let sellers = part.parse(&secrets::read(&client, &arn).await?)?;
        Ok(Self::with(From::Secret { client, arn, part }, sellers))
    }

    fn with(from: From, sellers: Sellers) -> Self {
        let good = Arc::new(sellers);
        let kept = Kept { in_force: good.clone(), good, times: None };
        Self(Arc::new(Inner { from, kept: Mutex::new(kept) }))
    }

    /// The document as it stands. One that cannot be read again, or has a fault now, is kept, and `function` tells of it.
    pub async fn current(&self, function: &'static str, now: Timestamp) -> Arc<Sellers> {
        let good_at = {
            let mut kept = self.kept();
            let in_force = kept.in_force.clone();
            let times = kept.times.get_or_insert(Times { read_at: now, good_at: now });
            if now.duration_since(times.read_at).abs() < REFRESHED || matches!(self.0.from, From::Fixed) {
                return in_force;
            }
            // Whoever comes while we read takes what is kept.
            times.read_at = now;
            times.good_at
        };
        let read = self.read().await;
        let mut kept = self.kept();
        match read {
            Ok(sellers) => {
                kept.good = Arc::new(sellers);
                kept.in_force = kept.good.clone();
                kept.times = Some(Times { read_at: now, good_at: now });
            }
            Err((error, text)) => {
                tracing::error!(error = %error, "sellers.not_refreshed");
                let mut metrics = Metrics::default();
                metrics.seconds("SellersAgeSeconds", now.duration_since(good_at).as_secs_f64());
                if let Some(text) = text {
                    metrics.count("SellersFaulty", 1);
                    kept.in_force = Arc::new(kept.good.without_revoked(&text));
                }
                metrics.emit(function, By::Function, now);
            }
        }
        kept.in_force.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error has the text where there is one, with a fault in it.
    async fn read(&self) -> Result<Sellers, (NoSellers, Option<Vec<u8>>)> {
        let (text, parsed) = match &self.0.from {
            From::Fixed => return Err((unreachable_fixed(), None)),
            From::File(path) => {
                let text = read_file(path).map_err(|error| (error, None))?;
                let parsed = Sellers::parse_within(&text, Reach::Local);
                (text, parsed)
            }
            From::Secret { client, arn, part } => {
                let text = secrets::read(client, arn).await.map_err(|error| (error.into(), None))?;
                let parsed = part.parse(&text);
                (text, parsed)
            }
        };
        parsed.map_err(|fault| (fault.into(), Some(text)))
    }
}

/// A fixed document is never read again; an empty one would be a fault, so that a bug here shows.
fn unreachable_fixed() -> NoSellers {
    FaultyDocument(vec!["a fixed document is not read again".into()]).into()
}

fn read_file(path: &std::path::Path) -> Result<Vec<u8>, NoSellers> {
    std::fs::read(path).map_err(|error| NoSellers::File(error.kind()))
}
