//! What the tests share: a server to talk to, peers to talk with it, and ways to compare what
//! they answer.

mod error;
mod process;

pub mod api;
pub mod compare;
pub mod corpus;
pub mod exporter;
pub mod peers;
pub mod recording;
pub mod remote_write;
pub mod remote_write_v2;
pub mod server;
pub mod vmagent;

pub use error::{Error, Result};
