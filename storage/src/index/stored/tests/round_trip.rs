use super::*;

#[test]
fn an_empty_index_answers() {
    for rows in [&[][..], &[None, None]] {
        let index = stored(rows);
        assert_eq!(index.rows(), rows.len() as u32);
        assert_eq!(index.symbols(), 0);
        assert_eq!(index.lookup("a").unwrap(), None);
        assert_eq!(index.label_names(None).unwrap(), [""; 0]);
        assert_eq!(index.label_values("a", None).unwrap(), [""; 0]);
        assert!(index.evaluate(&[]).unwrap().is_empty());
        for row in 0..rows.len() as u32 {
            assert_eq!(labels_of(&index, row), []);
        }
    }
}

#[test]
fn what_is_not_there_is_an_error_and_what_is_not_used_is_not_written() {
    let index = stored(&[row(&[("a", "b")]), None]);
    assert_eq!(index.symbols(), 2);
    assert_eq!(index.lookup("not used").unwrap(), None);
    let mut out = Vec::new();
    index.symbols_of(2, &mut out).unwrap_err();
    index.symbols_of(64, &mut out).unwrap_err();
    index.text(SymbolId(2)).unwrap_err();
    index.text(SymbolId(u32::MAX)).unwrap_err();
    assert_eq!(out, []);
}

#[test]
fn references_come_back() {
    let (_, refs) = written(&Table::new(&[row(&[("a", "b")]), None]));
    assert_eq!(IndexRefs::decode(&refs.encode()), Some(refs));
    let mut bytes = refs.encode();
    bytes[IndexRefs::ENCODED_BYTES - 8] |= 3;
    assert_eq!(IndexRefs::decode(&bytes), None);
}

#[test]
fn more_labels_than_bits() {
    let names: Vec<String> = (0..100).map(|n| format!("name-{n:03}")).collect();
    let rows: Vec<Row> = (0..80)
        .map(|row: usize| {
            let of = |(n, name): (usize, &String)| {
                let value = format!("v{}", row / (n / 10 + 1) % 7);
                (!(n + row).is_multiple_of(13)).then(|| (name.clone(), value))
            };
            Some(names.iter().enumerate().filter_map(of).collect())
        })
        .collect();
    let index = stored(&rows);
    for (number, row) in (0..).zip(&rows) {
        assert_eq!(Some(labels_of(&index, number)), *row);
    }
}

#[test]
fn long_strings_and_lists() {
    // Strings longer than what is read at once, and rows whose lists are roaring bitmaps.
    let long = |n: usize| "x".repeat(50_000 + n * 1000) + &n.to_string();
    let bit = |n: u32| n.wrapping_mul(2_654_435_761) >> 31 == 1;
    let rows: Vec<Row> = (0..70_000)
        .map(|n: u32| match n {
            0..10 => row(&[("long", &long(n as usize))]),
            _ if bit(n) => row(&[("bit", "1")]),
            _ => row(&[("other", "1")]),
        })
        .collect();
    let index = stored(&rows);
    assert_eq!(index.label_values("long", None).unwrap().len(), 10);
    let all: Vec<SymbolId> = (0..index.symbols()).map(SymbolId).collect();
    let mut texts = Vec::new();
    index
        .texts(&all, |_, text| texts.push(text.to_owned()))
        .unwrap();
    assert!(texts.is_sorted());
    for n in 0..10 {
        assert_eq!(labels_of(&index, n as u32), [("long".to_owned(), long(n))]);
        let symbol = index.lookup(&long(n)).unwrap().unwrap();
        assert_eq!(texts[symbol.index()], long(n));
    }
    let matcher = Matcher::new(crate::model::MatchOp::Equal, "bit", "1").unwrap();
    let found = index.evaluate(&[matcher]).unwrap();
    let expected: RoaringBitmap = (10..70_000).filter(|&n| bit(n)).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_input_that_is_not_in_order_is_refused() {
    let mut table = Table::new(&[row(&[("a", "1"), ("b", "2")])]);
    table.rows[0].reverse();
    let file = SimDisk::new(1).sys(0).disk.create_new(Path::new("/index"));
    let error = write(&table, &mut FileWriter::new(file.unwrap())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

proptest! {
    #[test]
    fn rows_and_strings_come_back(rows in any_rows()) {
        let index = stored(&rows);
        prop_assert_eq!(index.rows() as usize, rows.len());
        for (number, row) in (0..).zip(&rows) {
            prop_assert_eq!(&labels_of(&index, number), row.as_deref().unwrap_or_default());
        }
        let mut texts = Vec::new();
        let all: Vec<SymbolId> = (0..index.symbols()).map(SymbolId).collect();
        index.texts(&all, |_, text| texts.push(text.to_owned())).unwrap();
        prop_assert!(texts.is_sorted_by(|a, b| a < b));
        for (number, text) in (0..).zip(&texts) {
            prop_assert_eq!(index.lookup(text).unwrap(), Some(SymbolId(number)));
            prop_assert_eq!(index.lookup(&format!("{text}!")).unwrap(), None);
            let before = &text[..text.len() - text.chars().next_back().map_or(0, char::len_utf8)];
            prop_assert_eq!(
                index.lookup(before).unwrap().is_some(),
                texts.iter().any(|text| text == before)
            );
        }
    }

    #[test]
    fn some_rows_in_order_are_as_one_by_one(
        rows in any_rows(),
        picked in prop::collection::btree_set(0..1000u32, 0..40),
    ) {
        let index = stored(&rows);
        let picked: Vec<u32> = picked.into_iter().filter(|&row| row < index.rows()).collect();
        let mut seen = Vec::new();
        index.symbols_of_rows(&picked, |row, labels| seen.push((row, labels.to_vec()))).unwrap();
        prop_assert_eq!(seen.len(), picked.len());
        for (&row, (number, labels)) in picked.iter().zip(&seen) {
            prop_assert_eq!(row, *number);
            let mut alone = Vec::new();
            index.symbols_of(row, &mut alone).unwrap();
            prop_assert_eq!(&alone, labels);
        }
        let mut texts = Vec::new();
        let picked = picked.into_iter().filter(|&symbol| symbol < index.symbols());
        let symbols: Vec<SymbolId> = picked.map(SymbolId).collect();
        index.texts(&symbols, |symbol, text| texts.push((symbol, text.to_owned()))).unwrap();
        let alone: Vec<_> = symbols
            .iter()
            .map(|&symbol| (symbol, index.text(symbol).unwrap()))
            .collect();
        prop_assert_eq!(texts, alone);
    }
}

#[test]
fn the_bytes_are_those_of_the_format_page() {
    let rows = [
        row(&[("__name__", "up"), ("job", "a")]),
        row(&[("__name__", "up"), ("job", "b")]),
        None,
    ];
    let (file, refs) = written(&Table::new(&rows));
    let [symbols, names, postings, series] = sections(&file, &refs);
    let table = |offsets: &[u8]| -> Vec<u8> {
        let offsets = offsets.iter();
        offsets.flat_map(|&offset| [offset, 0, 0, 0, 0]).collect()
    };
    let mut expected = b"\x08__name__\x00\x01a\x00\x01b\x00\x03job\x00\x02up".to_vec();
    expected.extend(table(&[0, 24]));
    assert_eq!(symbols, expected);
    // All rows, those of `__name__`, of `up`, of `job`: a run of two rows from 0 each.
    assert_eq!(postings, [1, 0, 1, 0, 1, 0, 1, 0]);
    let mut expected = vec![
        0, 0, 0, 0, 1, 0, 0, 0, 65, 0, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0,
    ];
    expected.extend([
        3, 0, 0, 0, 2, 0, 0, 0, 84, 0, 0, 0, 0, 6, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0,
    ]);
    expected.extend([4, 4, 9]);
    expected.extend(table(&[48, 51]));
    expected.extend([4, 0, 0, 0]);
    expected.extend([8, 1, 0, 1, 4]);
    expected.extend(table(&[65, 70]));
    expected.extend([1, 0, 0, 0]);
    assert_eq!(names, expected);
    let mut expected = vec![7, 1, 8, 2, 4, 2, 1, 0, 0, 3];
    expected.extend(table(&[8, 8, 10]));
    expected.extend(table(&[0, 8]));
    assert_eq!(series, expected);
}

#[test]
fn the_place_of_a_string_is_found_wherever_groups_begin() {
    for count in [1, 15, 16, 17, 33, 512, 2000] {
        let texts: Vec<String> = (0..count).map(|n| format!("t{:05}", n * 2)).collect();
        let rows: Vec<Row> = texts.iter().map(|text| row(&[("n", text)])).collect();
        let index = stored(&rows);
        // `n` comes before them.
        for number in 0..=count * 2 {
            let text = format!("t{number:05}");
            let place = texts.partition_point(|own| *own < text) as u32;
            let found = index.symbols.lower_bound(text.as_bytes()).unwrap();
            let is_it = number % 2 == 0 && number < count * 2;
            assert_eq!(found, (1 + place, is_it), "{text} of {count}");
        }
        assert_eq!(index.symbols.lower_bound(b"").unwrap(), (0, false));
        assert_eq!(index.symbols.lower_bound(b"n").unwrap(), (0, true));
    }
}
