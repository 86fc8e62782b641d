//! Loads: requests written to files before a run, so that making them costs the run nothing.

mod column;
pub mod fleet;
pub(crate) mod movable;
pub mod new_series;
mod recording;
mod remote_write;
pub(crate) mod request_file;
mod synthetic;
mod target;

use std::path::{Path, PathBuf};

use crate::error::Result;
use remote_write::Batcher;
use request_file::{RequestReader, RequestWriter};

pub use recording::Recording;

/// All requests of a file, each with how many samples it has.
///
/// # Errors
/// Those of the file.
pub fn read_requests(path: &Path) -> Result<Vec<(usize, Vec<u8>)>> {
    let mut reader = RequestReader::open(path)?;
    let mut requests = Vec::new();
    let mut body = Vec::new();
    while let Some(samples) = reader.next(&mut body)? {
        requests.push((samples, body.clone()));
    }
    Ok(requests)
}

/// How the requests of a load are laid down.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// A directory for the files, with no requests in it.
    pub dir: &'a Path,
    /// How many connections send them: a file each.
    pub connections: usize,
    /// Whether their timestamps can be moved, as they must be when the load is sent more than
    /// once. They are a little longer then.
    pub movable: bool,
}

/// Names and values.
pub(crate) type Labels = Vec<(String, String)>;

/// Requests in files, and what a server that took them must hold.
#[derive(Debug)]
pub struct Load {
    /// One a connection. A series is always in the same one, so that its samples arrive in order,
    /// as from the shards of a Prometheus.
    pub(crate) files: Vec<PathBuf>,
    /// Samples in each of them.
    pub(crate) lane_samples: Vec<u64>,
    /// Requests in all files.
    pub requests: u64,
    /// Samples in all files.
    pub samples: u64,
    /// Distinct series.
    pub series: u64,
    /// Bytes of the requests' bodies, compressed.
    pub request_bytes: u64,
    /// Timestamp of the earliest sample or before it, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Timestamp of the latest sample or after it, in milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// Parts of the load that together are all of it.
    pub(crate) parts: Vec<Part>,
}

/// What a selector must find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Such as `up{job="node"}`: of one metric, since functions drop the name, and refuse series
    /// that only the name told apart.
    pub(crate) selector: String,
    pub(crate) samples: u64,
    /// How many of the samples are NaN.
    pub(crate) nans: u64,
}

/// Files being written, one a connection.
#[derive(Debug)]
struct Lanes(Vec<(Batcher, PathBuf)>);

impl Lanes {
    fn create(output: &Output) -> Result<Self> {
        let lane = |number| {
            let path = output.dir.join(format!("requests-{number}"));
            let writer = RequestWriter::create(&path)?;
            Ok((Batcher::new(writer, output.movable), path))
        };
        (0..output.connections.max(1))
            .map(lane)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The lane of the series' owner, a target or a pod.
    fn of(&mut self, owner: usize) -> &mut Batcher {
        let lane = owner % self.0.len();
        &mut self.0[lane].0
    }

    /// Ends the files. `span_ms` holds the first and the last timestamp.
    fn finish(self, series: u64, span_ms: (i64, i64), parts: Vec<Part>) -> Result<Load> {
        let mut load = Load {
            files: Vec::new(),
            lane_samples: Vec::new(),
            requests: 0,
            samples: 0,
            series,
            request_bytes: 0,
            start_ms: span_ms.0,
            end_ms: span_ms.1,
            parts,
        };
        for (batcher, path) in self.0 {
            let totals = batcher.finish()?.totals();
            load.requests += totals.requests;
            load.samples += totals.samples;
            load.request_bytes += totals.bytes;
            load.lane_samples.push(totals.samples);
            load.files.push(path);
        }
        Ok(load)
    }
}
