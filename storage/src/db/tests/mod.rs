//! Tests of the database as a whole, on the simulated disk.

mod background;
mod cardinality;
mod faults;
mod fill;
mod freeze;
mod gather;
mod kinds;
mod limits;
mod matcher_cache;
mod merges;
mod model;
mod read_damage;
mod simulation;
mod stall;
mod writes;
