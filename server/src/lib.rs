//! The Silverback server: HTTP, JSON, protobuf, limits and the command line.
//!
//! [`Server::start`] serves a database within a program that has a Tokio runtime; [`run`] is
//! the whole of the `silverback` program.
#![warn(missing_debug_implementations)]

mod api;
mod app;
mod cli;
mod clock;
mod config;
mod connections;
mod features;
#[cfg(feature = "fuzz-internals")]
#[doc(hidden)]
pub mod fuzz;
mod gathering;
mod health;
mod logging;
mod memory;
mod metrics;
mod program;
mod remote_write;
mod self_scrape;
mod server;
mod shutdown;
mod sigbus;
mod stall;
mod ui;
mod units;
mod version;

pub use config::{Config, HaConfig, LabelLimits, SizeLimits};
pub use program::run;
pub use server::{Running, Server, StartError};

/// What the benches measure though it is private: no part of the interface.
#[cfg(feature = "bench-internals")]
#[doc(hidden)]
pub use remote_write::bench;
