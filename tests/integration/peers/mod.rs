//! Silverback beside the real programs of the field. `scripts/peers.sh` gets those.

mod answers;
mod compliance;
mod expressions;
mod kinds;
mod prometheus_through_kill;
mod recording;
