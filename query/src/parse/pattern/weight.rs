//! What a regular expression takes when it is compiled.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::parse;

/// About how many bytes the expression takes when it is compiled; more than that only where
/// that is little. Nothing for one that is wrong.
pub(crate) fn compiled_bytes(pattern: &str) -> usize {
    let states = parse(pattern).map_or(0, |hir| states(&hir));
    states.saturating_mul(BYTES_A_STATE)
}

/// What a state of an automaton takes: forward, backward and with the tables beside them.
const BYTES_A_STATE: usize = 96;

/// How many states an automaton has that matches the same.
fn states(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        // A range may be several of bytes.
        HirKind::Class(Class::Unicode(class)) => 1 + 2 * class.ranges().len(),
        HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Repetition(it) => {
            let times = it.max.unwrap_or(it.min).max(1) as usize;
            states(&it.sub).saturating_mul(times).saturating_add(1)
        }
        HirKind::Capture(it) => states(&it.sub).saturating_add(2),
        HirKind::Concat(them) | HirKind::Alternation(them) => {
            let states = them.iter().map(states);
            states.fold(1, usize::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_repetitions_weigh_what_they_repeat() {
        let small = compiled_bytes("abc|d.*");
        assert!((100..10_000).contains(&small), "{small}");
        assert!(compiled_bytes("(abc|d.*){100}") > 50 * small);
        assert!(compiled_bytes("(((ab.){9}){9}){9}") > 200_000);
        // Beyond what Go allows.
        assert_eq!(compiled_bytes("(((a{99}){99}){99})"), 0);
        assert_eq!(compiled_bytes("("), 0);
    }
}
