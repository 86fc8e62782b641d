//! A child process that listens on loopback and does not outlive its guard.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child as OsChild, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{About, Error, Result};
use crate::http::Client;

/// How long a program may take to answer that it is ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How often that is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How much of a log goes into a failure's message, in bytes.
const LOG_TAIL_BYTES: usize = 4096;
/// Ports to try. They lie below those from which the kernel takes the ports of outgoing
/// connections: a client that asks whether a server is ready could otherwise be given the very
/// port it asks, and meet itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A running program, killed when dropped: its data go with it.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    child: OsChild,
    log: PathBuf,
}

impl Child {
    /// Starts a program; what it prints goes to the file `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log).about(log.display())?;
        let also = out.try_clone().about(log.display())?;
        command.stdin(Stdio::null()).stdout(out).stderr(also);
        let child = command
            .spawn()
            .about(format_args!("cannot start {command:?}"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a GET of `path` answers 200.
    ///
    /// # Errors
    /// It ends, or a minute passes; with the end of its log.
    pub(crate) fn wait_ready(&mut self, address: SocketAddr, path: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().about(self.name)? {
                return Err(self.failed(&format!("ended before it was ready: {status}")));
            }
            // A new connection each time: nobody may listen yet.
            if Client::new(address, POLL_INTERVAL)
                .get(path)
                .is_ok_and(|reply| reply.status == 200)
            {
                return Ok(());
            }
            if began.elapsed() > READY_MAX {
                return Err(self.failed(&format!("not ready after {READY_MAX:?}")));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// An error about it, with the end of its log.
    pub(crate) fn failed(&self, what: &str) -> Error {
        let log = fs::read(&self.log).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LOG_TAIL_BYTES)..];
        let tail = String::from_utf8_lossy(tail);
        Error::new(format!(
            "{}: {what}\n--- end of its log ---\n{tail}",
            self.name
        ))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address whose port nothing listens on.
///
/// # Errors
/// All are taken.
pub(crate) fn free_address() -> Result<SocketAddr> {
    // Runs at the same time start at different places.
    let offset = std::process::id().wrapping_mul(97) % u32::from(PORTS.end - PORTS.start);
    let first = PORTS.start + offset as u16;
    for port in (first..PORTS.end).chain(PORTS.start..first) {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok((Ipv4Addr::LOCALHOST, port).into());
        }
    }
    Err(Error::new("no free port on 127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_early_is_reported_with_its_log() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let mut command = Command::new("sh");
        command.args(["-c", "echo cannot do this; exit 3"]);
        let mut child = Child::start("sh", &mut command, &dir.path().join("log"))?;
        let error = child
            .wait_ready(free_address()?, "/")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("ended before it was ready: exit status: 3"),
            "{error}"
        );
        assert!(error.contains("cannot do this"), "{error}");
        Ok(())
    }
}
