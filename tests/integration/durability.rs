//! A 2xx means durable: the order of syncs and answers, written down as it happens.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use silverback::{Config, Running, Server};
use silverback_storage::Db;
use silverback_tests::recording::{Event, Recorder};
use silverback_tests::remote_write::{self, TimeSeries};
use tokio::runtime::Runtime;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A server in this process, on a disk that writes down what it is asked.
struct Recorded {
    recorder: Arc<Recorder>,
    db: Db,
    server: Option<Running>,
    runtime: Runtime,
    url: String,
    _dir: tempfile::TempDir,
}

impl Recorded {
    fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let recorder = Recorder::new();
        let mut config = Config::default();
        config.data_dir = dir.path().to_owned();
        config.listen.set_port(0);
        config.self_scrape_interval = None;
        let db = Db::open_with(recorder.sys(), dir.path(), config.storage_options())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let server = runtime.block_on(Server::start(config, db.clone()))?;
        let url = format!("http://{}/api/v1/write", server.local_addr());
        Ok(Self {
            recorder,
            db,
            server: Some(server),
            runtime,
            url,
            _dir: dir,
        })
    }

    /// Writes a series that has `marker` as a label value, and notes the answer.
    fn write(&self, marker: &str) -> Result<()> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let series = TimeSeries::new(&[("__name__", "m"), ("marker", marker)]);
        let body = remote_write::compress(&remote_write::encode(&[series.sample(now_ms, 1.0)]))?;
        let mut request = ureq::post(&self.url);
        for (name, value) in remote_write::HEADERS {
            request = request.header(name, value);
        }
        let status = request.send(&body[..])?.status();
        self.recorder.note(Event::Answered(marker.to_owned()));
        if status != 204 {
            return Err(format!("{marker}: status {status}").into());
        }
        Ok(())
    }

    fn stop(mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.shutdown())?;
        }
        Ok(())
    }
}

/// Whether a sync that began after the bytes of `marker` were written ended before its answer.
fn is_covered(events: &[Event], marker: &str) -> bool {
    let is_its_bytes = |event: &Event| match event {
        Event::Wrote(bytes) => bytes
            .windows(marker.len())
            .any(|part| part == marker.as_bytes()),
        _ => false,
    };
    let Some(written) = events.iter().position(is_its_bytes) else {
        return false;
    };
    let began: Vec<u64> = events[written..]
        .iter()
        .take_while(|event| **event != Event::Answered(marker.to_owned()))
        .filter_map(|event| match event {
            Event::SyncBegan(number) => Some(*number),
            _ => None,
        })
        .collect();
    events[written..]
        .iter()
        .take_while(|event| **event != Event::Answered(marker.to_owned()))
        .any(|event| matches!(event, Event::SyncEnded(number) if began.contains(number)))
}

#[test]
fn no_answer_comes_before_the_sync_that_covers_it() -> Result<()> {
    const THREADS: usize = 8;
    const WRITES: usize = 25;
    let recorded = Recorded::start()?;
    let markers = |thread| (0..WRITES).map(move |write| format!("<{thread}.{write}>"));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let recorded = &recorded;
                scope.spawn(move || markers(thread).try_for_each(|marker| recorded.write(&marker)))
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap())
    })?;
    let events = recorded.recorder.events();
    for marker in (0..THREADS).flat_map(markers) {
        assert!(
            is_covered(&events, &marker),
            "{marker} was answered too early"
        );
    }
    recorded.stop()
}

/// Waits for something that other threads bring about.
fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_true() {
        if Instant::now() > deadline {
            return Err(format!("waited in vain for {what}").into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

#[test]
fn requests_that_wait_share_a_sync() -> Result<()> {
    const WAITING: usize = 64;
    let recorded = Recorded::start()?;
    // The first write also makes the file, with syncs of its own.
    recorded.write("<first>")?;
    let before = recorded.recorder.syncs();
    recorded.recorder.hold_syncs();
    std::thread::scope(|scope| {
        let write = |marker: String| {
            let recorded = &recorded;
            scope.spawn(move || recorded.write(&marker))
        };
        let leader = write("<leader>".to_owned());
        let held = wait_until("a sync", || recorded.recorder.syncs() > before);
        let others: Vec<_> = (0..WAITING).map(|n| write(format!("<{n}>"))).collect();
        let waiting = held.and_then(|()| {
            wait_until("writes that wait", || {
                recorded.db.stats().commits_waiting == WAITING as u64
            })
        });
        // Before any early return: the threads must end.
        recorded.recorder.release_syncs();
        waiting?;
        std::iter::once(leader)
            .chain(others)
            .try_for_each(|thread| thread.join().unwrap())
    })?;
    let syncs = recorded.recorder.syncs() - before;
    assert_eq!(
        syncs, 2,
        "one that was held, one for all that waited behind it"
    );
    recorded.stop()
}
