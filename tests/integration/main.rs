//! Tests of Silverback as a whole, one module a concern.
//!
//! Tests that need programs of others are ignored by default; `.ci/run` runs them all.

#[cfg(test)]
mod durability;
#[cfg(test)]
mod flush;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod http;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod tidy;
