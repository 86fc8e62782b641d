use super::*;
use crate::model::{MatchOp, Matcher};

/// Asks everything there is to ask. Errors and wrong answers are fine; what is not is a panic.
fn ask_all(index: &StoredIndex) -> usize {
    let mut errors = 0;
    let mut note = |failed: bool| errors += usize::from(failed);
    let all: RoaringBitmap = (0..index.rows().min(1000)).collect();
    let some: RoaringBitmap = (0..index.rows().min(1000)).step_by(7).collect();
    for rows in [None, Some(&all), Some(&some)] {
        note(index.label_names(rows).is_err());
        for name in ["a", "b", "é"] {
            note(index.label_values(name, rows).is_err());
        }
    }
    for value in ["", "v1", "v1|v2", "v.*", ".*1", "value-.*", ".+"] {
        for op in [MatchOp::Equal, MatchOp::Regex, MatchOp::NotRegex] {
            let matcher = Matcher::new(op, "a", value).unwrap();
            note(index.evaluate(&[matcher]).is_err());
        }
    }
    note(index.evaluate(&[]).is_err());
    let rows: Vec<u32> = all.iter().collect();
    note(index.symbols_of_rows(&rows, |_, _| {}).is_err());
    for symbol in 0..index.symbols().min(1000) {
        note(index.text(SymbolId(symbol)).is_err());
    }
    let mut out = Vec::new();
    for &row in &rows {
        out.clear();
        note(index.symbols_of(row, &mut out).is_err());
    }
    errors
}

proptest! {
    #[test]
    fn other_bytes_do_not_panic(
        rows in any_rows(),
        section in 0..4usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let (file, refs) = written(&Table::new(&rows));
        let mut sections = sections(&file, &refs);
        let bytes = &mut sections[section];
        for (at, byte) in &changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        }
        if let Some(cut) = cut.filter(|_| !bytes.is_empty()) {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(index) = raw(sections, &refs) {
            ask_all(&index);
        }
    }

    #[test]
    fn other_references_do_not_panic(
        rows in any_rows(),
        at in 80..IndexRefs::ENCODED_BYTES,
        bit in 0..8u32,
    ) {
        let (file, refs) = written(&Table::new(&rows));
        let mut encoded = refs.encode();
        encoded[at] ^= 1u8 << bit;
        if let Some(other) = IndexRefs::decode(&encoded)
            && let Ok(index) = raw(sections(&file, &refs), &other)
        {
            ask_all(&index);
        }
    }

    #[test]
    fn a_flipped_bit_in_the_file_is_an_error(rows in any_rows(), at: prop::sample::Index) {
        prop_assume!(rows.iter().flatten().flatten().count() > 0);
        let (file, refs) = written(&Table::new(&rows));
        prop_assert_eq!(ask_all(&StoredIndex::open(&file, &refs).unwrap()), 0);
        let (first, last) = (refs.symbols.offset, refs.series.offset + refs.series.bytes);
        let place = first + at.index((last - first) as usize) as u64;
        let byte = file.bytes(place, 1).unwrap()[0];
        file.write_all_at(&[byte ^ 16], place).unwrap();
        let errors = ask_all(&StoredIndex::open(&file, &refs).unwrap());
        let is_of_a_section = refs
            .section_refs()
            .iter()
            .any(|at| (at.offset..at.offset + at.bytes + 4).contains(&place));
        prop_assert!(errors > 0 || !is_of_a_section);
    }
}
