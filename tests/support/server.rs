//! The real `silverback` program as a child process.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::api::Api;
use crate::process::{Process, free_port};
use crate::remote_write::{self, TimeSeries};
use crate::{Error, Result, api::Reply};

/// A server on a loopback port, with a data directory of its own that goes when it goes.
#[derive(Debug)]
pub struct Server {
    /// None while it is down.
    process: Option<Process>,
    args: Vec<String>,
    port: u16,
    /// Data and log.
    dir: TempDir,
}

impl Server {
    /// Starts a server on an empty data directory and waits until it is ready. It does not
    /// scrape itself: what it holds is what the test wrote.
    ///
    /// # Errors
    /// No binary, or one that does not become ready within a minute; with the end of its log.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(args: &[&str]) -> Result<Self> {
        let mut server = Self {
            process: None,
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            port: free_port()?,
            dir: tempfile::tempdir()?,
        };
        server.restart()?;
        Ok(server)
    }

    /// Where it answers, such as `http://127.0.0.1:20001`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client of it.
    pub fn api(&self) -> Api {
        Api::new(&self.url())
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Its process id, unless it is down.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The end of its log, all starts together.
    pub fn log_tail(&self) -> String {
        let tail = self.process.as_ref().map(Process::log_tail);
        tail.unwrap_or_else(|| "(server is down)".to_owned())
    }

    /// Writes series over remote write 1.0.
    ///
    /// # Errors
    /// No answer; an answer of any status is none.
    pub fn write(&self, request: &[TimeSeries]) -> Result<Reply> {
        let body = remote_write::compress(&remote_write::encode(request))?;
        self.api()
            .post("/api/v1/write", &remote_write::HEADERS, &body)
    }

    /// Kills it where it stands (SIGKILL).
    ///
    /// # Errors
    /// It is down already.
    pub fn kill(&mut self) -> Result<()> {
        self.running()?.kill()?;
        self.process = None;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits for the end.
    ///
    /// # Errors
    /// It is down already, or does not end within half a minute.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let status = self.running()?.terminate()?;
        self.process = None;
        Ok(status)
    }

    /// Starts it again after [`Server::kill`] or [`Server::stop`], on the same data and port,
    /// and waits until it is ready.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn restart(&mut self) -> Result<()> {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut command = Command::new(binary()?);
        command
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(["--listen", &listen])
            .args(["--self-scrape-interval", "0"])
            .args(&self.args);
        let log = self.dir.path().join("log");
        let mut process = Process::start("silverback", &mut command, &log)?;
        process.wait_ready(&format!("{}/-/ready", self.url()))?;
        self.process = Some(process);
        Ok(())
    }

    fn running(&mut self) -> Result<&mut Process> {
        self.process
            .as_mut()
            .ok_or_else(|| Error::new("the server is down"))
    }
}

/// What the program says of its flags.
///
/// # Errors
/// No binary, or one that cannot say.
pub fn help() -> Result<String> {
    let output = Command::new(binary()?).arg("--help").output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::about("silverback --help", output.status))
    }
}

/// The program under test: `SILVERBACK_BIN`, or built here, once a run, in the profile of the
/// tests.
fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf>> = OnceLock::new();
    let found = BINARY.get_or_init(|| match std::env::var_os("SILVERBACK_BIN") {
        Some(path) => Ok(path.into()),
        None => build(),
    });
    match found {
        Ok(path) => Ok(path),
        Err(error) => Err(Error::new(error.to_string())),
    }
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "-p", "silverback", "--bin", "silverback"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command
        .output()
        .map_err(|e| Error::about(format_args!("cannot start {command:?}"), e))?;
    if !output.status.success() {
        return Err(Error::about(format_args!("{command:?}"), output.status));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .next_back()
        .ok_or_else(|| Error::about(format_args!("{command:?}"), "named no executable"))
}
