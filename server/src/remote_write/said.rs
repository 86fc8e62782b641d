//! What was said of metric families lately: 2.0 says it again with every sample, and the log need
//! not take it each time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::beside::FamilyMetadata;

/// After how long it is written again: what is said at all is found near the newest data, whatever
/// becomes of the oldest.
const REPEAT_AFTER: Duration = Duration::from_secs(600);
/// Families that are remembered; what is said of further ones is written each time.
const FAMILIES_MAX: usize = 100_000;

/// What was said and is durable.
#[derive(Debug, Default)]
pub(super) struct Said {
    hasher: RandomState,
    families: RwLock<HashMap<Box<str>, Last>>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    /// Of type, unit and help.
    hash: u64,
    at: Instant,
}

/// What a request says that is new, by family.
#[derive(Debug, Default)]
pub(super) struct News(HashMap<Box<str>, u64>);

impl Said {
    /// Whether a request says something that was not said before, by it or by others.
    pub(super) fn is_new(
        &self,
        metadata: &FamilyMetadata<'_>,
        news: &mut News,
        now: Instant,
    ) -> bool {
        let (metric_type, texts) = (metadata.metric_type as u8, (metadata.unit, metadata.help));
        let hash = self.hasher.hash_one((metric_type, texts));
        if let Some(last) = news.0.get_mut(metadata.metric) {
            return std::mem::replace(last, hash) != hash;
        }
        let last = self.families.read().get(metadata.metric).copied();
        let is_known = last.is_some_and(|last| {
            last.hash == hash && now.saturating_duration_since(last.at) < REPEAT_AFTER
        });
        if !is_known {
            news.0.insert(metadata.metric.into(), hash);
        }
        !is_known
    }

    /// Remembers what a request has said, once that is durable.
    pub(super) fn note(&self, news: News, now: Instant) {
        if news.0.is_empty() {
            return;
        }
        let mut families = self.families.write();
        for (family, hash) in news.0 {
            if families.len() < FAMILIES_MAX || families.contains_key(&family) {
                families.insert(family, Last { hash, at: now });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use silverback_storage::model::MetricType;

    use super::*;

    fn metadata<'a>(metric: &'a str, help: &'a str) -> FamilyMetadata<'a> {
        FamilyMetadata {
            metric,
            metric_type: MetricType::Counter,
            unit: "",
            help,
        }
    }

    #[test]
    fn what_is_said_again_is_not_new_for_a_while() {
        let (said, now) = (Said::default(), Instant::now());
        let is_new = |news: &mut News, help, now| said.is_new(&metadata("m", help), news, now);
        let mut news = News::default();
        // In one request the last one counts.
        assert!(is_new(&mut news, "a", now));
        assert!(!is_new(&mut news, "a", now));
        assert!(is_new(&mut news, "b", now));
        assert!(is_new(&mut news, "a", now));
        // Until it is durable it may get lost.
        assert!(is_new(&mut News::default(), "a", now));
        said.note(news, now);
        assert!(!is_new(&mut News::default(), "a", now));
        assert!(is_new(&mut News::default(), "b", now));
        assert!(said.is_new(&metadata("n", "a"), &mut News::default(), now));
        assert!(is_new(&mut News::default(), "a", now + REPEAT_AFTER));
    }

    #[test]
    fn families_are_bounded() {
        let (said, now) = (Said::default(), Instant::now());
        for family in 0..FAMILIES_MAX + 10 {
            let mut news = News::default();
            said.is_new(&metadata(&family.to_string(), ""), &mut news, now);
            said.note(news, now);
        }
        assert_eq!(said.families.read().len(), FAMILIES_MAX);
    }
}
