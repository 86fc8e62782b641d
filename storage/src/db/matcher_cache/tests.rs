use std::collections::BTreeMap;

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;

const FILE: SourceId = SourceId::Block(7);
const OTHER: SourceId = SourceId::Segment(7);

fn regex(value: &str) -> Matcher {
    Matcher::new(MatchOp::Regex, "l", value).unwrap()
}

fn cache(bytes_max: usize) -> MatcherCache {
    let cache = MatcherCache::new(bytes_max as u64);
    cache.admit(FILE);
    cache.admit(OTHER);
    cache
}

fn keep(cache: &MatcherCache, file: SourceId, matcher: &Matcher, series: &RoaringBitmap) {
    let result = MatcherResult::new(series, false);
    cache.keep(file, std::slice::from_ref(matcher), vec![(0, result)]);
}

/// The series that are known of a matcher.
fn known(cache: &MatcherCache, file: SourceId, matcher: &Matcher) -> Option<RoaringBitmap> {
    let known = cache.known(file, std::slice::from_ref(matcher))?;
    Some(known.first()?.as_ref()?.series().clone())
}

/// Bytes as they are when each thing is looked at again.
fn recount(cache: &MatcherCache) -> (usize, usize) {
    let state = cache.state.lock();
    let (mut bytes, mut results) = (0, 0);
    for generation in [&state.young, &state.old] {
        let mut own = 0;
        for matcher in &generation.matchers {
            assert!(!matcher.results.is_empty());
            own += matcher.bytes();
            own += matcher.results.len() * ENTRY_BYTES;
            own += matcher.results.values().map(|r| r.bytes()).sum::<usize>();
            results += matcher.results.len();
        }
        assert_eq!(own, generation.bytes);
        bytes += own;
    }
    (bytes, results)
}

#[test]
fn a_result_is_of_one_matcher_and_one_file() {
    let cache = cache(1 << 20);
    let series: RoaringBitmap = (3..9).collect();
    keep(&cache, FILE, &regex("a.*"), &series);
    assert_eq!(known(&cache, FILE, &regex("a.*")), Some(series));
    assert_eq!(known(&cache, OTHER, &regex("a.*")), None);
    assert_eq!(known(&cache, FILE, &regex("a.")), None);
    for (op, name) in [(MatchOp::NotRegex, "l"), (MatchOp::Regex, "m")] {
        let matcher = Matcher::new(op, name, "a.*").unwrap();
        assert_eq!(known(&cache, FILE, &matcher), None);
    }
    let figures = cache.figures();
    assert_eq!((figures.hits, figures.misses, figures.results), (1, 4, 1));
    assert_eq!((figures.bytes, 1), recount(&cache));
}

#[test]
fn what_a_look_up_finds_is_not_asked_for() {
    let cache = cache(1 << 20);
    let cheap = [
        (MatchOp::Equal, "a"),
        (MatchOp::Equal, ""),
        (MatchOp::NotEqual, "a"),
        (MatchOp::Regex, "a"),
        (MatchOp::Regex, ".*"),
        (MatchOp::NotRegex, ".+"),
    ];
    let cheap = cheap.map(|(op, value)| Matcher::new(op, "l", value).unwrap());
    assert!(cache.known(FILE, &cheap).is_none());
    let mut matchers = cheap.to_vec();
    matchers.extend([regex("a|b"), regex("a.")]);
    assert_eq!(cache.known(FILE, &matchers).unwrap().len(), matchers.len());
    assert_eq!(cache.figures().misses, 2);
    let off = self::cache(0);
    assert!(off.known(FILE, &matchers).is_none());
}

#[test]
fn of_a_file_that_is_gone_nothing_is_kept() {
    let cache = cache(1 << 20);
    let series: RoaringBitmap = (0..100).collect();
    for n in 0..50 {
        keep(&cache, FILE, &regex(&format!("{n}.*")), &series);
        keep(&cache, OTHER, &regex(&format!("{}.*", n / 2)), &series);
    }
    cache.forget(&[FILE]);
    assert_eq!(cache.figures().results, 25);
    // A view may still read it.
    keep(&cache, FILE, &regex("late.*"), &series);
    assert!(cache.known(FILE, &[regex("late.*")]).is_none());
    assert_eq!(cache.figures().results, 25);
    assert_eq!(cache.figures().bytes, recount(&cache).0);
    cache.forget(&[OTHER]);
    let figures = cache.figures();
    assert_eq!(
        (figures.results, figures.bytes, figures.evictions),
        (0, 0, 0)
    );
}

#[test]
fn what_is_asked_for_stays_and_a_large_result_does_not_come() {
    let bytes_max = 64 << 10;
    let cache = cache(bytes_max);
    let series: RoaringBitmap = (0..100).map(|n| n * 3).collect();
    let often = regex("often.*");
    keep(&cache, FILE, &often, &series);
    for n in 0..2000 {
        keep(&cache, FILE, &regex(&format!("{n}.*")), &series);
        assert_eq!(known(&cache, FILE, &often).as_ref(), Some(&series), "{n}");
        assert!(cache.figures().bytes <= bytes_max);
    }
    let figures = cache.figures();
    assert!(figures.evictions > 1500, "{figures:?}");
    assert!(figures.bytes > bytes_max / 3, "{figures:?}");

    let large: RoaringBitmap = (0..10_000).map(|n| n * 2).collect();
    keep(&cache, FILE, &regex("large.*"), &large);
    assert_eq!(known(&cache, FILE, &regex("large.*")), None);
    let text = "x".repeat(bytes_max / PART_OF_ALL);
    keep(&cache, FILE, &regex(&format!("{text}.*")), &series);
    assert_eq!(known(&cache, FILE, &regex(&format!("{text}.*"))), None);
    assert_eq!(cache.figures().results, figures.results);
}

/// The text of a matcher that is asked of many files is there once.
#[test]
fn a_long_matcher_is_kept_once_for_all_files() {
    let cache = cache(1 << 20);
    let long = regex(&format!("({}).*", "x".repeat(20_000)));
    let series: RoaringBitmap = (0..10).collect();
    for number in 0..500 {
        cache.admit(SourceId::Block(number));
        keep(&cache, SourceId::Block(number), &long, &series);
    }
    let figures = cache.figures();
    assert_eq!((figures.results, figures.evictions), (500, 0));
    assert!(figures.bytes < 500 * 300 + 21_000, "{figures:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Keep(u64, usize, u32),
    Ask(u64, usize),
    Admit(u64),
    Forget(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let (file, matcher) = (0..4u64, 0..12usize);
    prop_oneof![
        4 => (file.clone(), matcher.clone(), 0..3000u32).prop_map(|(f, m, n)| Step::Keep(f, m, n)),
        4 => (file.clone(), matcher).prop_map(|(f, m)| Step::Ask(f, m)),
        1 => file.clone().prop_map(Step::Admit),
        1 => file.prop_map(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn it_gives_what_was_kept_or_nothing(
        steps in prop::collection::vec(any_step(), 0..200),
        bytes_max in 1usize..60_000,
    ) {
        let cache = MatcherCache::new(bytes_max as u64);
        let matchers: Vec<_> = (0..12).map(|n| regex(&format!("{}.*", "y".repeat(n * n)))).collect();
        let mut model: BTreeMap<u64, BTreeMap<usize, RoaringBitmap>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Keep(file, matcher, n) => {
                    let series: RoaringBitmap = (0..n).map(|id| id * 5).collect();
                    keep(&cache, SourceId::Block(file), &matchers[matcher], &series);
                    if let Some(of_file) = model.get_mut(&file) {
                        // What is known is not found out again: the first stays, if it does.
                        let known = known(&cache, SourceId::Block(file), &matchers[matcher]);
                        of_file.insert(matcher, known.unwrap_or(series));
                    }
                }
                Step::Ask(file, matcher) => {
                    let known = known(&cache, SourceId::Block(file), &matchers[matcher]);
                    if let Some(known) = known {
                        prop_assert_eq!(&known, &model[&file][&matcher]);
                    }
                }
                Step::Admit(file) => {
                    cache.admit(SourceId::Block(file));
                    model.entry(file).or_default();
                }
                Step::Forget(file) => {
                    cache.forget(&[SourceId::Block(file)]);
                    model.remove(&file);
                }
            }
            let figures = cache.figures();
            prop_assert_eq!((figures.bytes, figures.results), recount(&cache));
            prop_assert!(figures.bytes <= bytes_max);
        }
    }
}
