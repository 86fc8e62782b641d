//! Tests of the database as a whole, on the simulated disk.

mod faults;
mod model;
mod simulation;
mod writes;
