//! The functions of PromQL: their signatures, and one file a family that computes them.

mod signature;

pub use signature::{Signature, signature, signatures};
