//! Pairs of senders that send the same: of each cluster one replica is taken, and another once
//! that one has been silent for a while. The rules are Mimir's (its HA tracker).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::HaConfig;

/// How long a cluster that nobody sends for is remembered when there are too many.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 60);

/// Which replica of each cluster is taken. Kept in memory alone: after a restart the first one
/// that comes is.
#[derive(Debug)]
pub(crate) struct HaTracker {
    config: HaConfig,
    elected: Mutex<HashMap<Box<str>, Elected>>,
}

#[derive(Debug)]
struct Elected {
    replica: Box<str>,
    last_seen: Instant,
}

/// What becomes of a sample of a replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is taken.
    Taken,
    /// Another replica is, this one.
    Other(String),
    /// There are as many clusters as may be.
    TooManyClusters,
}

impl HaTracker {
    pub(crate) fn new(config: HaConfig) -> Self {
        Self {
            config,
            elected: Mutex::default(),
        }
    }

    /// The values of the two labels, where a series has both: cluster and replica.
    pub(super) fn labels_of<'a>(
        &self,
        labels: &[(&'a str, &'a str)],
    ) -> Option<(&'a str, &'a str)> {
        let value = |wanted: &str| {
            let found = labels.iter().find(|(name, _)| *name == wanted);
            found.map(|label| label.1).filter(|value| !value.is_empty())
        };
        Some((
            value(&self.config.cluster_label)?,
            value(&self.config.replica_label)?,
        ))
    }

    /// Whether a label is the one that tells the replicas apart: stored series do not have it.
    pub(super) fn is_replica_label(&self, name: &str) -> bool {
        name == self.config.replica_label
    }

    /// Whether a replica is the one taken of its cluster.
    pub(super) fn check(&self, cluster: &str, replica: &str, now: Instant) -> Verdict {
        let mut elected = self.elected.lock();
        if let Some(current) = elected.get_mut(cluster) {
            let silence = now.saturating_duration_since(current.last_seen);
            if *current.replica != *replica {
                if silence <= self.config.failover_timeout {
                    return Verdict::Other(current.replica.to_string());
                }
                tracing::info!(cluster, from = %current.replica, to = replica, "another replica is taken");
                current.replica = replica.into();
            }
            current.last_seen = now;
            return Verdict::Taken;
        }
        if elected.len() >= self.config.clusters_max {
            elected.retain(|_, one| now.saturating_duration_since(one.last_seen) < FORGET_AFTER);
            if elected.len() >= self.config.clusters_max {
                return Verdict::TooManyClusters;
            }
        }
        let first = Elected {
            replica: replica.into(),
            last_seen: now,
        };
        elected.insert(cluster.into(), first);
        Verdict::Taken
    }

    /// How many clusters there may be.
    pub(super) fn clusters_max(&self) -> usize {
        self.config.clusters_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker() -> HaTracker {
        HaTracker::new(HaConfig {
            clusters_max: 2,
            ..HaConfig::default()
        })
    }

    fn other(replica: &str) -> Verdict {
        Verdict::Other(replica.to_owned())
    }

    #[test]
    fn the_first_replica_is_taken_until_it_has_been_silent_for_long() {
        let (tracker, start) = (tracker(), Instant::now());
        let check = |replica, s| tracker.check("c", replica, start + Duration::from_secs(s));
        assert_eq!(check("a", 0), Verdict::Taken);
        assert_eq!(check("b", 1), other("a"));
        assert_eq!(check("a", 20), Verdict::Taken);
        // What counts is when the one that is taken came last.
        assert_eq!(check("b", 50), other("a"));
        assert_eq!(check("b", 51), Verdict::Taken);
        assert_eq!(check("a", 52), other("b"));
        assert_eq!(check("a", 82), Verdict::Taken);
    }

    #[test]
    fn clusters_are_apart_and_bounded() {
        let (tracker, start) = (tracker(), Instant::now());
        let later = start + FORGET_AFTER;
        assert_eq!(tracker.check("c", "a", start), Verdict::Taken);
        assert_eq!(tracker.check("d", "b", later), Verdict::Taken);
        // One of them has been silent for long and makes room.
        assert_eq!(tracker.check("e", "b", later), Verdict::Taken);
        assert_eq!(tracker.check("f", "b", later), Verdict::TooManyClusters);
        assert_eq!(tracker.check("d", "a", later), other("b"));
    }

    #[test]
    fn series_without_both_labels_are_no_pair() {
        let tracker = tracker();
        assert_eq!(tracker.labels_of(&[("cluster", "c"), ("a", "b")]), None);
        assert_eq!(
            tracker.labels_of(&[("cluster", "c"), ("__replica__", "")]),
            None
        );
        let pair = [("__replica__", "a"), ("cluster", "c")];
        assert_eq!(tracker.labels_of(&pair), Some(("c", "a")));
    }
}
