//! The outbox: which webhooks are due, and taking them out.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::Sim;
use crate::state::Change;
use crate::webhooks::{Queued, Webhook};

impl Sim {
    /// The webhooks that are due, in order, taken out of the outbox: for tests that deliver by themselves.
    pub fn take_due_webhooks(&self) -> Vec<Webhook> {
        let now = self.now();
        let mut inside = self.inside();
        let mut due: Vec<Queued> =
            inside.books.kept().outbox.iter().filter(|queued| queued.due <= now).cloned().collect();
        due.sort_by_key(|queued| (queued.due, queued.number));
        inside.books.commit_anyway(due.iter().map(|queued| Change::Tried(queued.number)).collect());
        due.iter().map(Queued::webhook).collect()
    }

    /// How many webhooks wait, due or not.
    pub fn outbox_len(&self) -> usize {
        self.inside().books.kept().outbox.len()
    }

    /// Delivers webhooks as they fall due, one after the other, and never returns. Each gets one try, whatever comes of it:
    /// ASSUMPTION: Popin does not try again. It leaves the outbox after its try, so a killed process tries it once more.
    pub async fn deliver_forever(&self, send: impl Fn(Webhook) -> BoxFuture<'static, bool> + Send + Sync) {
        loop {
            let next = self.inside().books.kept().next_webhook().cloned();
            let Some(queued) = next else {
                self.0.queued.notified().await;
                continue;
            };
            if let Some(wait) = wait(self.now(), queued.due) {
                // Woken early, it looks again: what was queued since may be due before.
                let _ = tokio::time::timeout(wait, self.0.queued.notified()).await;
                continue;
            }
            if !send(queued.webhook()).await {
                tracing::warn!(event = queued.event, "a webhook was not taken, and will not be sent again");
            }
            self.inside().books.commit_anyway(vec![Change::Tried(queued.number)]);
        }
    }
}

/// None when it is due.
fn wait(now: Timestamp, due: Timestamp) -> Option<Duration> {
    Duration::try_from(due.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}
