//! What may become of an invocation, beside its end: killed or frozen at any await.

use crate::functions::Failure;
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    #[default]
    Lives,
    /// Polled so often, and dropped.
    Killed { after: usize },
    /// Polled so often, then not for a while, then on: its clocks have gone on meanwhile.
    Frozen { after: usize, time: Duration },
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
        Fate::Killed { after } => {
            polled(invocation.as_mut(), after).await.ok_or_else(|| Failure::Gone("it was killed".to_owned()))
        }
        Fate::Frozen { after, time } => {
            if let Some(done) = polled(invocation.as_mut(), after).await {
                return Ok(done);
            }
            tokio::time::sleep(time).await;
            Ok(invocation.await)
        }
    }
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
