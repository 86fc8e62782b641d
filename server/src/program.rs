//! The `silverback` program, from its arguments to its exit code.

use std::process::ExitCode;
use std::{io, thread};

use clap::Parser;
use silverback_storage::sys::Sys;
use silverback_storage::{Db, ErrorKind};
use tokio::runtime::Runtime;

use crate::cli::Cli;
use crate::config::Config;
use crate::gathering::Hook;
use crate::server::Server;
use crate::shutdown::StopSignals;
use crate::sigbus;
use crate::{logging, memory};

/// What a program that a second signal ended exits with: 128 + SIGINT, as a shell shows it.
const EXIT_INTERRUPTED: i32 = 130;

/// Runs the program: 0 for an orderly end, 1 for a failure that one sentence on standard error
/// names, 2 for wrong usage.
pub fn run() -> ExitCode {
    // Prints help and usage errors, and exits with 0 or 2 then.
    let serve = Cli::parse().into_serve();
    memory::bound_arenas();
    if let Err(error) = logging::init(serve.log_format(), serve.log_level()) {
        return fail(&error, 2);
    }
    let hook = Hook::default();
    let runtime = match runtime(hook.clone()) {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot be started: {error}"), 1),
    };
    let result = runtime.block_on(serve_until_signal(serve.into_config(), hook));
    // Queries that did not stop in time do not hold the end up.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// The runtime of all connections, with a thread for each two cores, or as many as tokio's own
/// variable says: the other core is for the thread that commits what they take, and more of them than
/// there is work for wake each other all the time (ADR 10).
pub(crate) fn runtime(hook: Hook) -> io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        builder.worker_threads((cores / 2).max(1));
    }
    builder.on_thread_park(move || hook.idle());
    builder.enable_all().build()
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where the program speaks to its user"
)]
fn fail(error: &str, code: u8) -> ExitCode {
    eprintln!("silverback: {error}");
    ExitCode::from(code)
}

async fn serve_until_signal(config: Config, hook: Hook) -> Result<(), String> {
    let mut signals =
        StopSignals::listen().map_err(|error| format!("signals cannot be handled: {error}"))?;
    let db = open(&config).await?;
    hook.set(&db);
    let running = match Server::start(config, db.clone()).await {
        Ok(running) => running,
        Err(error) => {
            // What the open began is ended in order; the first failure is the one to name.
            let _ = tokio::task::spawn_blocking(move || db.close()).await;
            return Err(error.to_string());
        }
    };
    let signal = signals.next().await;
    tracing::info!(signal, "stopping");
    tokio::select! {
        closed = running.shutdown() => {
            closed.map_err(|error| format!("the database could not be closed: {error}"))?;
        }
        signal = signals.next() => {
            tracing::warn!(signal, "stopping at once");
            std::process::exit(EXIT_INTERRUPTED);
        }
    }
    tracing::info!("stopped");
    Ok(())
}

async fn open(config: &Config) -> Result<Db, String> {
    let (dir, options) = (config.data_dir.clone(), config.storage_options());
    let shown = dir.display().to_string();
    let opened = tokio::task::spawn_blocking(move || Db::open_with(sys(), dir, options)).await;
    match opened {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) if error.kind() == ErrorKind::InUse => Err(format!(
            "data directory {shown} is in use by another process; stop that one or choose \
             another directory with --data-dir"
        )),
        Ok(Err(error)) => Err(format!("data directory {shown} cannot be opened: {error}")),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// This machine, with files mapped into memory if the process survives that they are cut.
fn sys() -> Sys {
    match sigbus::install() {
        Ok(()) => Sys::real_mapped(),
        Err(error) => {
            tracing::warn!(%error, "SIGBUS cannot be handled: files are read, not mapped");
            Sys::real()
        }
    }
}
