//! Starts the cloud on one machine, says what to try, and ends on Ctrl-C.

use clap::Parser as _;
use frontdesk::edge::{
    env::{self, variable},
    telemetry,
};
use local::{
    cli::Cli,
    examples, say,
    stack::{Stack, Trouble},
    welcome,
};
use std::{io, process::ExitCode, time::Duration};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};
use tracing::Level;
use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// What still runs when it ends may take no longer.
const LAST_WORDS: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.examples {
        let at = |port| format!("http://127.0.0.1:{port}");
        say::line(examples::crms(&at(cli.port), &at(cli.sim_port)));
        return ExitCode::SUCCESS;
    }
    let ended = logs().and_then(|()| Ok(Runtime::new()?)).and_then(|runtime| {
        let ended = runtime.block_on(run(&cli));
        runtime.shutdown_timeout(LAST_WORDS);
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::trouble(format_args!("cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), Trouble> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(stopped);
    let mut stack = tokio::select! {
        started = Stack::start(cli) => started?,
        () = &mut stopped => return Ok(()),
    };
    say::line(welcome::text(&stack));
    stopped.await;
    // Tasks end before the runtime does, whose timers would panic under them; calls that hang are not waited for.
    drop(tokio::time::timeout(LAST_WORDS, stack.tasks.shutdown()).await);
    Ok(())
}

/// Compact lines on standard error; a lost condition, which the database's server warns of, is everyday life here.
fn logs() -> Result<(), Trouble> {
    let level = variable(env::LOG_LEVEL).filter(|level| !level.is_empty());
    let level: Level = level.map_or(Ok(Level::WARN), |level| level.parse()).map_err(|_| "LOG_LEVEL is no level")?;
    let targets = telemetry::targets(level).with_target("dynoxide", Level::ERROR);
    let lines = tracing_subscriber::fmt::layer().compact().with_ansi(false).with_writer(io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
    Ok(())
}
