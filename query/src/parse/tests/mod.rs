//! Tests of the parser as a whole: texts in, trees, canonical text and errors out.

mod conformance;
mod errors;
mod limits;
mod properties;
mod trees;

use super::normal::normalise;
