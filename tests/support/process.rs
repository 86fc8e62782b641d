//! Child processes that listen on loopback and do not outlive their guard.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::Api;
use crate::{Error, Result};

/// How long a program may take to answer that it is ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long a program may take to end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(30);
/// How often a condition is looked at while waiting for it.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How much of a log goes into a failure's message, in bytes.
const LOG_TAIL_BYTES: u64 = 4096;

/// A running child, killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints is appended to the file `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let out = OpenOptions::new().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .map_err(|e| Error::about(format_args!("cannot start {command:?}"), e))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until a GET of `url` answers 200.
    pub(crate) fn wait_ready(&mut self, url: &str) -> Result<()> {
        let api = Api::new("");
        let deadline = Instant::now() + READY_MAX;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failed(&format!("ended before it was ready: {status}")));
            }
            if api.get(url, &[]).is_ok_and(|reply| reply.status == 200) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.failed(&format!("not ready after {READY_MAX:?} ({url})")));
            }
            sleep(POLL_INTERVAL);
        }
    }

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: the process gets no chance to do anything more.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, then waits for the end.
    pub(crate) fn terminate(&mut self) -> Result<ExitStatus> {
        // Once it has been waited for, its pid may be another's.
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        // By the shell: a crate for it would change the features of what the server is built
        // with, and all of it would be built twice.
        let kill = format!("kill -TERM {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status()?;
        if !sent.success() {
            return Err(Error::about(kill, sent));
        }
        let deadline = Instant::now() + STOP_MAX;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.failed(&format!("still there {STOP_MAX:?} after SIGTERM")));
            }
            sleep(POLL_INTERVAL);
        }
    }

    /// The end of what it has printed.
    pub(crate) fn log_tail(&self) -> String {
        log_tail(&self.log).unwrap_or_else(|e| format!("(no log: {e})"))
    }

    fn failed(&self, what: &str) -> Error {
        let log = self.log_tail();
        Error::new(format!(
            "{} {what}\n--- end of its log ---\n{log}",
            self.name
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// First and last port to hand out. They lie below the range from which the kernel takes the
/// ports of outgoing connections: a client that keeps trying to reach a server that is down
/// would otherwise, once in some ten thousand times, be given that very port and connect to
/// itself, and the server could not come back.
const PORTS: (u16, u16) = (20_000, 32_000);

/// A loopback port that nothing listens on, not handed out before by this process.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.1 - PORTS.0;
    // Test processes that run at the same time start at different places.
    let offset = (std::process::id().wrapping_mul(97) % u32::from(count)) as u16;
    for _ in 0..count {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % count;
        let port = PORTS.0 + (offset + step) % count;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new("no free port on 127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_early_is_reported_with_its_log() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let log = dir.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo cannot do this; exit 3"]);
        let mut process = Process::start("sh", &mut command, &log)?;
        let port = free_port()?;
        let error = process.wait_ready(&format!("http://127.0.0.1:{port}/"));
        let text = error.unwrap_err().to_string();
        assert!(text.contains("ended before it was ready: exit status: 3"));
        assert!(text.contains("cannot do this"), "{text}");
        Ok(())
    }

    #[test]
    fn terminate_lets_a_program_end_by_itself() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let log = dir.path().join("log");
        let mut command = Command::new("sh");
        let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
        command.args(["-c", script]);
        let mut process = Process::start("sh", &mut command, &log)?;
        while !process.log_tail().contains("up") {
            sleep(POLL_INTERVAL);
        }
        let status = process.terminate()?;
        assert!(status.success());
        assert!(process.log_tail().contains("bye"));
        Ok(())
    }
}
