//! Real programs of the field, as child processes on loopback. `scripts/peers.sh` gets them;
//! `SILVERBACK_PEERS` says where they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::api::Api;
use crate::process::{Process, free_port};
use crate::{Error, Result};

/// Where the peers' programs are.
///
/// # Errors
/// `SILVERBACK_PEERS` is not set, or the program is not there.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let hint = "run scripts/peers.sh target/peers and set SILVERBACK_PEERS=target/peers";
    let dir = std::env::var_os("SILVERBACK_PEERS").ok_or_else(|| Error::new(hint))?;
    // Tests run in their package's directory; the variable is meant from the workspace's.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = workspace.join(dir).join("usr/bin").join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::about(
            format_args!("no program {}", path.display()),
            hint,
        ))
    }
}

/// A Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    process: Option<Process>,
    args: Vec<String>,
    port: u16,
    features: Option<&'static str>,
    /// Configuration, data and log.
    dir: TempDir,
}

/// What a Prometheus scrapes and where it sends what it scraped.
#[derive(Clone, Debug, Default)]
pub struct PrometheusConfig {
    /// Job names and addresses, such as `("node", "127.0.0.1:9100")`, scraped each second.
    pub scrape: Vec<(String, String)>,
    /// A URL that takes remote write.
    pub remote_write: Option<String>,
    /// What it sends there, and how.
    pub sends: Sends,
}

/// What a Prometheus sends, and by which version of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sends {
    /// Floats by 1.0, as it comes.
    #[default]
    Floats,
    /// All kinds by 1.0.
    AllV1,
    /// All kinds by 2.0.
    AllV2,
}

impl Sends {
    /// The features without which a Prometheus has no more than floats, and no metadata of series.
    const FEATURES: &str =
        "--enable-feature=native-histograms,exemplar-storage,metadata-wal-records";

    fn config(self) -> &'static str {
        match self {
            Self::Floats => "",
            Self::AllV1 => {
                ", send_exemplars: true, send_native_histograms: true, metadata_config: \
                 {send_interval: 1s}"
            }
            Self::AllV2 => {
                ", send_exemplars: true, send_native_histograms: true, protobuf_message: \
                 io.prometheus.write.v2.Request"
            }
        }
    }

    /// What a scrape configuration says more: 1.0 has no custom buckets.
    fn scrape_config(self) -> &'static str {
        match self {
            Self::Floats | Self::AllV1 => "",
            Self::AllV2 => ", convert_classic_histograms_to_nhcb: true",
        }
    }
}

impl Prometheus {
    /// Starts a Prometheus, itself a remote-write receiver, and waits until it is ready.
    /// Where it scrapes anything, it also scrapes itself, as job `prometheus`: its own metrics
    /// have summaries and histograms among them.
    ///
    /// # Errors
    /// No program, or one that does not become ready within a minute; with the end of its log.
    pub fn start(config: &PrometheusConfig) -> Result<Self> {
        Self::start_with(config, &[])
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn start_with(config: &PrometheusConfig, args: &[&str]) -> Result<Self> {
        let mut prometheus = Self {
            process: None,
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            port: free_port()?,
            features: (config.sends != Sends::Floats).then_some(Sends::FEATURES),
            dir: tempfile::tempdir()?,
        };
        fs::write(prometheus.config_path(), prometheus.config_text(config))?;
        prometheus.restart()?;
        Ok(prometheus)
    }

    /// Starts it again after [`Prometheus::kill`], on the same data and port.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn restart(&mut self) -> Result<()> {
        let mut command = Command::new(program("prometheus")?);
        let dir = self.dir.path();
        command
            .arg(format!("--config.file={}", self.config_path().display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port))
            .arg("--web.enable-remote-write-receiver")
            .arg("--log.level=warn")
            .args(self.features)
            .args(&self.args);
        let mut process = Process::start("prometheus", &mut command, &dir.join("log"))?;
        process.wait_ready(&format!("{}/-/ready", self.url()))?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it where it stands (SIGKILL).
    ///
    /// # Errors
    /// It is down already.
    pub fn kill(&mut self) -> Result<()> {
        let process = self.process.as_mut();
        process
            .ok_or_else(|| Error::new("Prometheus is down"))?
            .kill()?;
        self.process = None;
        Ok(())
    }

    /// Where it answers, such as `http://127.0.0.1:20001`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client of it.
    pub fn api(&self) -> Api {
        Api::new(&self.url())
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let tail = self.process.as_ref().map(Process::log_tail);
        tail.unwrap_or_else(|| "(Prometheus is down)".to_owned())
    }

    fn config_path(&self) -> PathBuf {
        self.dir.path().join("prometheus.yml")
    }

    fn config_text(&self, config: &PrometheusConfig) -> String {
        let mut text = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n".to_owned();
        if !config.scrape.is_empty() {
            text.push_str("scrape_configs:\n");
            let own = ("prometheus".to_owned(), format!("127.0.0.1:{}", self.port));
            for (job, address) in config.scrape.iter().chain([&own]) {
                let more = config.sends.scrape_config();
                text.push_str(&format!(
                    "- {{job_name: {job}, static_configs: [{{targets: ['{address}']}}]{more}}}\n"
                ));
            }
        }
        if let Some(url) = &config.remote_write {
            // Short delays: a test waits for the last sample, and for the sender to notice
            // that the receiver is back.
            let more = config.sends.config();
            text.push_str(&format!(
                "remote_write:\n- {{url: '{url}', queue_config: {{batch_send_deadline: 1s, \
                 min_backoff: 100ms, max_backoff: 1s}}{more}}}\n"
            ));
        }
        text
    }
}

/// A node exporter: the metrics of this machine.
#[derive(Debug)]
pub struct NodeExporter {
    process: Option<Process>,
    port: u16,
    /// Its log.
    dir: TempDir,
}

impl NodeExporter {
    /// Starts a node exporter and waits until it answers.
    ///
    /// # Errors
    /// No program, or one that does not answer within a minute; with the end of its log.
    pub fn start() -> Result<Self> {
        let mut exporter = Self {
            process: None,
            port: free_port()?,
            dir: tempfile::tempdir()?,
        };
        exporter.restart()?;
        Ok(exporter)
    }

    /// Starts it again after [`NodeExporter::kill`], on the same port.
    ///
    /// # Errors
    /// As [`NodeExporter::start`].
    pub fn restart(&mut self) -> Result<()> {
        let mut command = Command::new(program("prometheus-node-exporter")?);
        command.arg(format!("--web.listen-address={}", self.address()));
        let log = self.dir.path().join("log");
        let mut process = Process::start("node exporter", &mut command, &log)?;
        process.wait_ready(&format!("http://{}/", self.address()))?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it (SIGKILL): scrapes fail until [`NodeExporter::restart`].
    ///
    /// # Errors
    /// It is down already.
    pub fn kill(&mut self) -> Result<()> {
        let process = self.process.as_mut();
        process
            .ok_or_else(|| Error::new("the node exporter is down"))?
            .kill()?;
        self.process = None;
        Ok(())
    }

    /// Its address, such as `127.0.0.1:20002`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
