//! Every await point of the booking's two flows, and a kill before, in and after each outside call under it.
//!
//! A scenario is played once unharmed, so that its calls have numbers and places in the sources; then once for every call and
//! every moment of it, with whoever made the call dropped there. Afterwards time goes on, and the books must balance.

mod reaper;
mod report;
mod scenarios;
mod sources;
mod stage;
mod verdict;

pub use report::Sweep;
pub use sources::{Place, Point};

use crate::overheard;
use local::fate::Passage;
use reaper::{Call, Kill, Next, Reaper};
use scenarios::{SCENARIOS, Scenario};
use stage::Stage;
use std::{
    future::poll_fn,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
};
use verdict::End;

/// The stack that a debug build's futures want.
const STACK: usize = 32 << 20;

const MOMENTS: [Passage; 3] = [Passage::Leaves, Passage::Done, Passage::Answered];

/// What became of one run.
#[derive(Clone, Debug, Default)]
struct Run {
    /// From there on it is the run that is killed before this call: the same future was dropped at the same await.
    goes_on_as: Option<usize>,
    calls: Vec<Call>,
    died: Option<(Call, Next)>,
    ends: Vec<End>,
    violations: Vec<String>,
}

/// All scenarios, on so many threads: each unharmed, then with every kill.
pub fn sweep(threads: usize) -> Sweep {
    let unharmed = side_by_side(threads, SCENARIOS, |scenario| run(scenario, None));
    let kills = |(scenario, run): (usize, &Run)| {
        let of_flows = |(call, seen): (usize, &Call)| sources::is_flows(&seen.path).then_some(call);
        let calls: Vec<_> = run.calls.iter().enumerate().filter_map(of_flows).collect();
        let kills = calls.into_iter().flat_map(|call| MOMENTS.map(|at| Kill { call, at }));
        kills.map(move |kill| (scenario, kill)).collect::<Vec<_>>()
    };
    let kills: Vec<_> = unharmed.iter().enumerate().flat_map(kills).collect();
    let killed = side_by_side(threads, &kills, |(scenario, kill)| {
        run(&SCENARIOS[*scenario], Some((*kill, &unharmed[*scenario])))
    });
    let kills: Vec<_> = kills.into_iter().zip(killed).collect();
    let mut sweep = Sweep::new(SCENARIOS.iter().zip(unharmed));
    for ((scenario, kill), run) in kills {
        sweep.add(scenario, kill, run);
    }
    sweep
}

/// The runs are in the order of `of`, whoever made them.
fn side_by_side<T: Sync>(threads: usize, of: &[T], work: impl Fn(&T) -> Run + Sync) -> Vec<Run> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let labour = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = of.get(at) else { return };
            let run = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, run));
        }
    };
    thread::scope(|scope| {
        let spawn = |_| {
            let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, labour);
            thread.expect("a thread can be started")
        };
        let threads: Vec<_> = (0..threads.max(1)).map(spawn).collect();
        for end in threads.into_iter().map(thread::ScopedJoinHandle::join) {
            end.unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, run)| run).collect()
}

fn run(scenario: &Scenario, kill: Option<(Kill, &Run)>) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime without threads can be built");
    overheard::hear(kill.is_none());
    // What is sent again waits, and transactions have tokens, by the thread's generator.
    fastrand::seed(1);
    let reaper = Reaper::new(kill.map(|(kill, _)| kill));
    let run = runtime.block_on(async {
        let mut story = Box::pin(story(scenario, &reaper, kill.map(|(kill, _)| kill)));
        poll_fn(|context| match story.as_mut().poll(context) {
            Poll::Ready(run) => Poll::Ready(run),
            Poll::Pending => match came_to(&reaper, kill.map(|(_, unharmed)| unharmed)) {
                Some(next) => Poll::Ready(Run { goes_on_as: Some(next), died: reaper.died(), ..Run::default() }),
                None => Poll::Pending,
            },
        })
        .await
    });
    overheard::hear(true);
    overheard::nothing_so_far();
    run
}

/// The call that whoever was killed would have made next, where the unharmed run makes it too, and in a flow.
fn came_to(reaper: &Reaper, unharmed: Option<&Run>) -> Option<usize> {
    let (number, path) = reaper.came_to_call()?;
    let same = unharmed?.calls.get(number).is_some_and(|call| call.path == path);
    (same && sources::is_flows(&path)).then_some(number)
}

async fn story(scenario: &Scenario, reaper: &Arc<Reaper>, kill: Option<Kill>) -> Run {
    let stage = Stage::open(scenario.rules, reaper.clone()).await;
    (scenario.play)(&stage).await;
    verdict::recover(&stage).await;
    // An effect that nobody heard of leaves the most behind.
    if kill.is_none_or(|kill| kill.at == Passage::Done) {
        verdict::serve_another(&stage).await;
    }
    let ends = verdict::ends(&stage);
    verdict::pass(&stage, &ends, scenario.most_effects);
    let (calls, died) = (reaper.calls(), reaper.died());
    Run { goes_on_as: None, calls, died, ends, violations: stage.broken.take() }
}
