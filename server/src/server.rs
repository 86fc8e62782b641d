//! The server: accepts connections, serves them, stops in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use silverback_storage::Db;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::task::TaskTracker;

use crate::app::{App, AppRef, router};
use crate::config::Config;
use crate::connections::{Connection, Connections};
use crate::stall::StallLimit;
use crate::{memory, self_scrape};

/// How long a client may leave an answer unread before its connection is cut.
const READ_STALL_MAX: Duration = Duration::from_secs(60);
/// How long requests in flight may take after the server was told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait after the system refused to accept a connection (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The rules for labels cannot be read.
    #[error("{0}")]
    Relabel(String),
    /// The server's own metrics contradict each other.
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Serves a database until [`Running::shutdown`]. The first self-scrape is stored before
    /// this returns, so that the first query finds something.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn start(config: Config, db: Db) -> Result<Running, StartError> {
        let listen = config.listen;
        let listen_error = |source| StartError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(listen_error)?;
        let local_addr = listener.local_addr().map_err(listen_error)?;
        let app = Arc::new(App::new(config, db, local_addr)?);
        let mut background = JoinSet::new();
        background.spawn(memory::watch(Arc::clone(&app)));
        if let Some(interval) = app.config.self_scrape_interval {
            if let Err(error) = self_scrape::scrape(&app).await {
                tracing::warn!(%error, "own metrics could not be stored");
            }
            background.spawn(self_scrape::run(Arc::clone(&app), interval));
        }
        let (stop, stopped) = watch::channel(false);
        let accepting = Accepting {
            listener,
            router: router(&app),
            connections: Connections::new(
                app.config.connections_max,
                app.metrics.http.evicted.clone(),
            ),
            idle_timeout: app.config.idle_timeout,
        };
        let accepting = tokio::spawn(accepting.run(stopped));
        tracing::info!(address = %local_addr, "listening");
        Ok(Running {
            app,
            local_addr,
            stop,
            accepting,
            background,
        })
    }
}

/// A server at work.
#[derive(Debug)]
pub struct Running {
    app: AppRef,
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    background: JoinSet<()>,
}

impl Running {
    /// Where it listens, with the port that was chosen for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops: accepts nothing more, lets requests in flight finish within 10 seconds, then
    /// closes the database, which makes everything durable. Nothing of the server holds the
    /// database then: once the caller's clones are dropped, its directory can be opened again. Work
    /// of requests that takes more than another 10 seconds is left behind, and logged.
    ///
    /// # Errors
    /// The database could not be closed in order.
    pub async fn shutdown(mut self) -> Result<(), silverback_storage::Error> {
        self.stop.send_replace(true);
        self.background.shutdown().await;
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "the accept loop failed");
        }
        let db = self.app.db.clone();
        let closed = tokio::task::spawn_blocking(move || db.close()).await;
        // After the close, which ends what waits for a flush or a merge.
        finish(&self.app.tasks).await;
        match closed {
            Ok(closed) => closed,
            // Only a panic: nothing cancels this task.
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// What the accept loop needs.
struct Accepting {
    listener: TcpListener,
    router: Router,
    connections: Arc<Connections>,
    idle_timeout: Duration,
}

impl Accepting {
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        loop {
            // Accepts first: only for a connection that is there does another one make room.
            let next = async {
                match self.listener.accept().await {
                    Ok((stream, _)) => Ok((stream, self.connections.open().await)),
                    Err(error) => Err(error),
                }
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                () = told_to_stop(&mut stopped) => break,
            };
            match accepted {
                Ok((stream, connection)) => {
                    let (router, idle_timeout) = (self.router.clone(), self.idle_timeout);
                    let stopped = stopped.clone();
                    tasks.spawn(serve(stream, connection, router, idle_timeout, stopped));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while tasks.try_join_next().is_some() {}
        }
        drop(self.listener);
        drain(tasks).await;
    }
}

async fn drain(mut connections: JoinSet<()>) {
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_DEADLINE, drained).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests in flight did not finish within {} s and are cut off",
            DRAIN_DEADLINE.as_secs()
        );
        connections.shutdown().await;
    }
}

/// Waits for what requests have begun and not waited for: an answer is there before the read that
/// gave it has let go of the database.
async fn finish(tasks: &TaskTracker) {
    tasks.close();
    let finished = tokio::time::timeout(DRAIN_DEADLINE, tasks.wait()).await;
    if finished.is_err() {
        tracing::warn!(
            tasks = tasks.len(),
            "work of requests did not end within {} s and is left behind",
            DRAIN_DEADLINE.as_secs()
        );
    }
}

/// Waits for the word to stop, or for the end of the one who could give it.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn serve(
    stream: TcpStream,
    connection: Connection,
    router: Router,
    idle_timeout: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // Without it small answers wait for the acknowledgement of earlier ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .serve_connection(
            TokioIo::new(StallLimit::new(stream, READ_STALL_MAX)),
            TowerToHyperService::new(connection.watch(router)),
        );
    let mut served = std::pin::pin!(served);
    let served = tokio::select! {
        served = served.as_mut() => served,
        () = connection.evicted() => return,
        () = told_to_stop(&mut stopped) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use silverback_storage::{MatchOp, Matcher, TimeRange};

    use super::*;

    fn config(dir: &std::path::Path) -> Config {
        Config {
            data_dir: dir.to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            ..Config::default()
        }
    }

    fn series_of(db: &Db, metric: &str) -> usize {
        let matcher = Matcher::new(MatchOp::Equal, "__name__", metric).unwrap();
        db.view().select(&[matcher], TimeRange::ALL).unwrap().len()
    }

    async fn ask_for_up(address: SocketAddr) -> String {
        let request = "GET /api/v1/query?query=up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        read_all(stream).await
    }

    /// Reads until the server closes the connection.
    async fn read_all(mut stream: TcpStream) -> String {
        let read = move || {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_on_an_empty_directory_answers_its_first_query() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let db = Db::open(dir.path(), config.storage_options()).unwrap();
        let running = Server::start(config.clone(), db.clone()).await.unwrap();
        let address = running.local_addr();
        let text = ask_for_up(address).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let metric = format!(
            r#"{{"metric":{{"__name__":"up","instance":"{address}","job":"silverback"}},"value":["#
        );
        assert!(
            text.contains(&metric) && text.ends_with(",\"1\"]}]}}"),
            "{text}"
        );
        assert_eq!(series_of(&db, "silverback_build_info"), 1);
        assert_eq!(series_of(&db, "scrape_duration_seconds"), 1);

        running.shutdown().await.unwrap();
        assert!(TcpStream::connect(address).is_err());
        drop(db);
        let again = Db::open(dir.path(), config.storage_options()).unwrap();
        assert_eq!(series_of(&again, "up"), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_in_flight_is_answered_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.self_scrape_interval = None;
        let db = Db::open(dir.path(), config.storage_options()).unwrap();
        let running = Server::start(config, db.clone()).await.unwrap();
        let mut stream = TcpStream::connect(running.local_addr()).unwrap();
        let head = "POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nContent-Type: \
                    application/x-www-form-urlencoded\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        // Until the server has the headers and waits for the body.
        while running.app.metrics.http.in_flight.get() == 0 {
            tokio::task::yield_now().await;
        }
        let stopping = tokio::spawn(running.shutdown());
        stream.write_all(b"query=1%2B1").unwrap();
        let text = read_all(stream).await;
        assert!(
            text.starts_with("HTTP/1.1 200") && text.contains(",\"2\"]"),
            "{text}"
        );
        stopping.await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_end_waits_for_what_a_read_leaves_behind() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let db = Db::open(dir.path(), config.storage_options()).unwrap();
        let running = Server::start(config.clone(), db.clone()).await.unwrap();
        // What a read does after its answer stands still until the lock is free.
        let app = Arc::downgrade(&running.app);
        let (locked, lock) = tokio::sync::oneshot::channel();
        let holder = std::thread::spawn(move || {
            let app = app.upgrade().unwrap();
            let held = app.giving_back.lock().unwrap();
            locked.send(()).unwrap();
            std::thread::park_timeout(Duration::from_millis(300));
            let freed = std::time::Instant::now();
            drop(held);
            freed
        });
        lock.await.unwrap();
        let text = ask_for_up(running.local_addr()).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");

        running.shutdown().await.unwrap();
        let stopped = std::time::Instant::now();
        assert!(holder.join().unwrap() <= stopped);
        drop(db);
        Db::open(dir.path(), config.storage_options()).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_address_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.listen = taken.local_addr().unwrap();
        let db = Db::open(dir.path(), config.storage_options()).unwrap();
        let error = Server::start(config.clone(), db)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("cannot listen on {}", config.listen)),
            "{error}"
        );
        assert!(
            error.ends_with("choose another address with --listen"),
            "{error}"
        );
    }
}
