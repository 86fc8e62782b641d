//! A real vmagent, as a child process on loopback.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::Result;
use crate::api::Api;
use crate::peers::program;
use crate::process::{Process, free_port};

/// A vmagent that scrapes one target each second and sends what it finds.
#[derive(Debug)]
pub struct VmAgent {
    process: Process,
    port: u16,
    /// Configuration, queue and log.
    _dir: TempDir,
}

impl VmAgent {
    /// Starts a vmagent that scrapes `target`, an address, as the job `job` and writes to `url`.
    ///
    /// # Errors
    /// No program, or one that does not become ready within a minute; with the end of its log.
    pub fn start(job: &str, target: &str, url: &str) -> Result<Self> {
        let (port, dir) = (free_port()?, tempfile::tempdir()?);
        let config = dir.path().join("scrape.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- {{job_name: \
             {job}, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        fs::write(&config, text)?;
        let queue = dir.path().join("queue");
        let mut command = Command::new(program("vmagent")?);
        command
            .arg(format!("-promscrape.config={}", config.display()))
            .arg(format!("-remoteWrite.url={url}"))
            .arg(format!("-remoteWrite.tmpDataPath={}", queue.display()))
            .arg("-remoteWrite.flushInterval=200ms")
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"));
        let log = dir.path().join("log");
        let mut process = Process::start("vmagent", &mut command, &log)?;
        process.wait_ready(&format!("http://127.0.0.1:{port}/health"))?;
        Ok(Self {
            process,
            port,
            _dir: dir,
        })
    }

    /// A client of it.
    pub fn api(&self) -> Api {
        Api::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}
