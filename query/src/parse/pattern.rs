//! Regular expressions of matchers.

use regex_syntax::hir::{Hir, HirKind, Look};

fn parse(pattern: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .dot_matches_new_line(true)
        .build()
        .parse(pattern)
        .map_err(|error| error.to_string())
}

pub(super) fn check(pattern: &str) -> Result<(), String> {
    parse(pattern).map(drop)
}

pub(super) fn matches_empty(pattern: &str) -> bool {
    parse(pattern).is_ok_and(|hir| hir_matches_empty(&hir))
}

fn hir_matches_empty(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Look(look) => !matches!(look, Look::WordAscii | Look::WordUnicode),
        HirKind::Repetition(it) => it.min == 0 || hir_matches_empty(&it.sub),
        HirKind::Capture(it) => hir_matches_empty(&it.sub),
        HirKind::Concat(them) => them.iter().all(hir_matches_empty),
        HirKind::Alternation(them) => them.iter().any(hir_matches_empty),
    }
}
