//! One function's environment, as Lambda sees it: work that waits, the work in hand, and the child that may ask for more.

use crate::functions::Failure;
use frontdesk::flow::Clock;
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

pub(super) struct Environment {
    name: String,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// There is work, or the child that asks is not the present one any more.
    changed: Notify,
    /// The child asked for work.
    asked: Notify,
    /// The child was not done in time.
    stuck: Notify,
}

#[derive(Default)]
struct State {
    /// Which child it is: one that ended may still seem to be asking.
    generation: u64,
    invocations: u64,
    waiting: VecDeque<(String, oneshot::Sender<Result<Value, Failure>>)>,
    in_hand: Option<(String, oneshot::Sender<Result<Value, Failure>>)>,
}

/// An event to work on.
pub(super) struct Work {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) deadline: Timestamp,
}

/// What a child was at when it ended.
pub(super) enum Ended {
    Idle,
    Working,
}

impl Environment {
    pub(super) fn new(name: &str, timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        let [changed, asked, stuck] = [(); 3].map(|()| Notify::new());
        Self { name: name.to_owned(), timeout, clock, state: Mutex::default(), changed, asked, stuck }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn invoke(&self, event: &Value) -> Result<Value, Failure> {
        let (reply, answer) = oneshot::channel();
        self.state().waiting.push_back((event.to_string(), reply));
        self.changed.notify_waiters();
        answer.await.unwrap_or_else(|_| Err(Failure::Gone("it was stopped".to_owned())))
    }

    /// The next work for this child; `None` when another child has taken its place.
    pub(super) async fn next(self: &Arc<Self>, generation: u64) -> Option<Work> {
        self.asked.notify_one();
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if state.generation != generation {
                    return None;
                }
                if let Some(work) = self.take(&mut state) {
                    return Some(work);
                }
            }
            changed.await;
        }
    }

    fn take(self: &Arc<Self>, state: &mut State) -> Option<Work> {
        // Whoever does not wait for the answer any more needs none.
        while let Some((event, reply)) = state.waiting.pop_front() {
            if reply.is_closed() {
                continue;
            }
            state.invocations += 1;
            let id = format!("{:08x}-0000-4000-8000-{:012x}", state.generation, state.invocations);
            state.in_hand = Some((id.clone(), reply));
            tokio::spawn(self.clone().watch(id.clone()));
            let deadline = self.clock.now().checked_add(self.timeout).unwrap_or(Timestamp::MAX);
            return Some(Work { id, event, deadline });
        }
        None
    }

    /// As Lambda does, ends what is not done in time, and the child with it.
    async fn watch(self: Arc<Self>, id: String) {
        tokio::time::sleep(self.timeout).await;
        if self.answer(&id, Err(Failure::TimedOut(self.timeout))) {
            self.stuck.notify_one();
        }
    }

    /// False when nobody asked for it.
    pub(super) fn answer(&self, id: &str, answer: Result<Value, Failure>) -> bool {
        let in_hand = self.state().in_hand.take_if(|(waiting, _)| waiting == id);
        // Whoever asked may be gone.
        in_hand.map(|(_, reply)| drop(reply.send(answer))).is_some()
    }

    pub(super) fn next_generation(&self) -> u64 {
        let mut state = self.state();
        state.generation += 1;
        state.generation
    }

    /// The child ended: whatever it had in hand failed, and whatever asks in its name gets nothing.
    pub(super) fn ended(&self, why: &str) -> Ended {
        let in_hand = {
            let mut state = self.state();
            state.generation += 1;
            state.in_hand.take()
        };
        self.changed.notify_waiters();
        let Some((_, reply)) = in_hand else { return Ended::Idle };
        // Whoever asked may be gone.
        drop(reply.send(Err(Failure::Gone(why.to_owned()))));
        Ended::Working
    }

    pub(super) async fn asked_for_work(&self) {
        self.asked.notified().await;
    }

    pub(super) async fn stuck(&self) {
        self.stuck.notified().await;
    }
}
