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
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::app::{App, AppRef, router};
use crate::config::Config;
use crate::self_scrape;

/// How many connections are served at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take to send its headers, and how long a connection may be idle.
const HEADER_DEADLINE: Duration = Duration::from_secs(60);
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
        background.spawn(self_scrape::watch_wal(Arc::clone(&app)));
        if let Some(interval) = app.config.self_scrape_interval {
            if let Err(error) = self_scrape::scrape(&app).await {
                tracing::warn!(%error, "own metrics could not be stored");
            }
            background.spawn(self_scrape::run(Arc::clone(&app), interval));
        }
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, router(&app), stopped));
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
    /// closes the database, which makes everything durable.
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
        match tokio::task::spawn_blocking(move || db.close()).await {
            Ok(closed) => closed,
            // Only a panic: nothing cancels this task.
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

async fn accept(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // Waits for a free slot first: a connection nobody serves stays with the system.
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            next = next => next,
            () = told_to_stop(&mut stopped) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(stream, router.clone(), stopped.clone());
                connections.spawn(async move {
                    let _slot = slot;
                    connection.await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
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

/// Waits for the word to stop, or for the end of the one who could give it.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn serve(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    // Without it small answers wait for the acknowledgement of earlier ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = told_to_stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
