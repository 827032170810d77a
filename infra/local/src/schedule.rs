//! EventBridge's schedules: each fires at its rate, never while it is still running, and whenever somebody asks.

use crate::{
    functions::{Failure, Invoker},
    template::{Schedule, Template},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// All schedules of the template. Clones are the same.
#[derive(Clone)]
pub struct Schedules(Arc<Inner>);

struct Inner {
    invoker: Arc<Invoker>,
    entries: Vec<Entry>,
}

struct Entry {
    function: String,
    schedule: Schedule,
    running: Mutex<()>,
}

impl Schedules {
    /// With `every`, at that rate instead of the template's.
    pub fn new(template: &Template, invoker: Arc<Invoker>, every: Option<Duration>) -> Self {
        let all = template.functions.iter().flat_map(|f| f.schedules.iter().map(move |schedule| (f, schedule)));
        let entries = all.map(|(function, schedule)| Entry {
            function: function.name.clone(),
            schedule: Schedule { every: every.unwrap_or(schedule.every), ..schedule.clone() },
            running: Mutex::default(),
        });
        Self(Arc::new(Inner { invoker, entries: entries.collect() }))
    }

    /// Fires that function's schedule now, or as soon as it is not running any more. `None` when it has none.
    pub async fn fire(&self, function: &str) -> Option<Result<Value, Failure>> {
        let entry = self.0.entries.iter().find(|entry| entry.function == function)?;
        let _running = entry.running.lock().await;
        Some(self.0.fire(entry).await)
    }

    /// The functions that have a schedule.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.0.entries.iter().map(|entry| entry.function.as_str())
    }

    /// Fires everything once.
    pub async fn fire_all(&self) {
        futures_util::future::join_all(self.0.entries.iter().map(|entry| async {
            let _running = entry.running.lock().await;
            drop(self.0.fire(entry).await);
        }))
        .await;
    }

    /// One endless task per schedule; the first firing comes after one period.
    pub fn tasks(&self) -> Vec<impl Future<Output = ()> + Send + use<>> {
        (0..self.0.entries.len()).map(|at| run(self.0.clone(), at)).collect()
    }
}

async fn run(schedules: Arc<Inner>, at: usize) {
    let entry = &schedules.entries[at];
    let mut ticks = interval_at(Instant::now() + entry.schedule.every, entry.schedule.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(_running) = entry.running.try_lock() {
            drop(schedules.fire(entry).await);
        }
    }
}

impl Inner {
    async fn fire(&self, entry: &Entry) -> Result<Value, Failure> {
        let answer = self.invoker.event(&entry.function, entry.schedule.input.clone()).await;
        if let Err(error) = &answer {
            tracing::error!(function = entry.function, error = %error, "schedule.failed");
        }
        answer
    }
}
