//! The log, written to standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// Time, level, message, fields; in colour on a terminal.
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts the log of this process. A later call changes nothing.
///
/// # Errors
/// A filter that cannot be read.
pub(crate) fn init(format: Format, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        format!(
            "--log-level {level:?} cannot be read: {error}; write error, warn, info, debug or trace"
        )
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // Fails where the process has a log already, as in a test: that one stays.
    let _ = match format {
        Format::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    };
    Ok(())
}
