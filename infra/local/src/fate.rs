//! What may become of an invocation, beside its end: killed or frozen at any await.

use crate::functions::Failure;
use std::{
    future::{pending, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

#[derive(Clone, Debug, Default)]
pub enum Fate {
    #[default]
    Lives,
    /// Polled so often, and dropped.
    Killed { after: usize },
    /// Polled so often, then not for a while, then on: its clocks have gone on meanwhile.
    Frozen { after: usize, time: Duration },
    /// Lives until its doom strikes.
    Doomed(Arc<Doom>),
    /// Frozen once its doom strikes, for so long.
    FrozenBy { doom: Arc<Doom>, time: Duration },
}

/// Strikes whichever of the doomed is being polled: it ends at its next await, or its answer is lost if there is none.
#[derive(Debug, Default)]
pub struct Doom {
    struck: AtomicBool,
    too_late: AtomicBool,
}

impl Doom {
    pub fn strike(&self) {
        self.struck.store(true, Ordering::Relaxed);
    }

    /// Whether whoever is being polled is to end.
    pub fn has_struck(&self) -> bool {
        self.struck.load(Ordering::Relaxed)
    }

    /// Whether the last one had no await left, so that only its answer was lost.
    pub fn was_too_late(&self) -> bool {
        self.too_late.load(Ordering::Relaxed)
    }

    fn takes(&self, ended: bool) -> bool {
        let struck = self.struck.swap(false, Ordering::Relaxed);
        if struck {
            self.too_late.store(ended, Ordering::Relaxed);
        }
        struck
    }
}

/// How far a call to the outside has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passage {
    Leaves,
    /// It has had its effect; nobody has heard of it.
    Done,
    Answered,
}

/// Goes along with one call, and says at each passage whether it goes on. One that does not is never heard of again.
pub type Escort = Box<dyn Fn(Passage) -> bool + Send + Sync>;

/// Gives every call, by its operation, its escort.
pub type Checkpoint = Arc<dyn Fn(&str) -> Escort + Send + Sync>;

/// Lets a call pass, or keeps it for ever.
pub async fn pass(escort: Option<&Escort>, passage: Passage) {
    if escort.is_some_and(|escort| !escort(passage)) {
        pending::<()>().await;
    }
}

/// Decides about every invocation, by its function.
pub type Fates = Arc<dyn Fn(&str) -> Fate + Send + Sync>;

/// As in the cloud on a good day.
pub fn always_lives() -> Fates {
    Arc::new(|_| Fate::Lives)
}

/// Runs `invocation` as its fate will have it.
pub(crate) async fn meet<T>(fate: Fate, invocation: impl Future<Output = T>) -> Result<T, Failure> {
    let mut invocation = pin!(invocation);
    match fate {
        Fate::Lives => Ok(invocation.await),
        Fate::Killed { after } => polled(invocation.as_mut(), after).await.ok_or_else(killed),
        Fate::Frozen { after, time } => {
            if let Some(done) = polled(invocation.as_mut(), after).await {
                return Ok(done);
            }
            tokio::time::sleep(time).await;
            Ok(invocation.await)
        }
        Fate::FrozenBy { doom, time } => {
            let lived = poll_fn(|context| match invocation.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if doom.takes(false) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(done) = lived.await {
                return Ok(done);
            }
            tokio::time::sleep(time).await;
            Ok(invocation.await)
        }
        Fate::Doomed(doom) => {
            let lived = poll_fn(|context| {
                let polled = invocation.as_mut().poll(context);
                if doom.takes(polled.is_ready()) { Poll::Ready(None) } else { polled.map(Some) }
            });
            lived.await.ok_or_else(killed)
        }
    }
}

fn killed() -> Failure {
    Failure::Gone("it was killed".to_owned())
}

/// The output, if it comes within so many polls.
async fn polled<F: Future>(mut future: Pin<&mut F>, times: usize) -> Option<F::Output> {
    let mut left = times;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
