use super::*;
use crate::column::integers::Form;
use crate::column::values::{Encoding, decode_chunk, encode_as};

/// The bits that come back.
fn decoded(bytes: &[u8], count: usize) -> Result<Vec<u64>, ColumnError> {
    let mut out = vec![-1.0; count];
    decode_values(bytes, &mut out)?;
    Ok(bits_of(&out))
}

fn encoded(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_values(values, &mut bytes);
    bytes
}

fn encodings() -> impl Iterator<Item = Encoding> {
    let plain = [
        Encoding::Constant,
        Encoding::NearDecimals,
        Encoding::Ticks(10.5),
        Encoding::Ticks(41.667),
        Encoding::Xor,
        Encoding::Raw,
    ];
    let decimals = Form::ALL.into_iter().map(Encoding::Decimals);
    let bits = Form::ALL.into_iter().map(Encoding::OrderedBits);
    plain.into_iter().chain(decimals).chain(bits)
}

#[test]
fn nothing_is_a_column_too() {
    let mut bytes = vec![];
    assert_eq!(encode_values(&[], &mut bytes).count, 0);
    encode_timestamps(&[], &mut bytes);
    assert_eq!(bytes, []);
    assert_eq!(decode_values(&[], &mut []), Ok(()));
    assert_eq!(decode_timestamps(&[], &mut []), Ok(()));
    let fault = decode_values(&[0, 2], &mut []).unwrap_err().fault;
    assert_eq!(fault, Fault::Trailing(2));
}

#[test]
fn special_values_come_back_alone_and_together() {
    let special = SPECIAL.map(f64::from_bits);
    for &value in &special {
        for count in [1, 2, 3, 2000] {
            let column = vec![value; count];
            assert_eq!(decoded(&encoded(&column), count), Ok(bits_of(&column)));
        }
        for &other in &special {
            let column = [value, other, other, 1.0, value, 2.0];
            assert_eq!(decoded(&encoded(&column), 6), Ok(bits_of(&column)));
        }
    }
    assert_eq!(decoded(&encoded(&special), 12), Ok(SPECIAL.to_vec()));
}

#[test]
fn every_length_around_blocks_and_chunks() {
    for count in [
        1, 2, 3, 127, 128, 129, 130, 131, 257, 1023, 1024, 1025, 2048, 2049,
    ] {
        let values: Vec<f64> = (0..count).map(|i| f64::from(i * i % 1009)).collect();
        assert_eq!(
            decoded(&encoded(&values), values.len()),
            Ok(bits_of(&values))
        );
        for encoding in encodings() {
            let mut bytes = Vec::new();
            if encode_as(encoding, &values, &mut bytes) {
                let mut out = vec![-1.0; values.len()];
                assert_eq!(decode_chunk(&mut &bytes[..], &mut out), Ok(()));
                assert_eq!(out, values, "{encoding:?}");
            }
        }
    }
}

#[test]
fn the_longest_column() {
    let values: Vec<f64> = (0..65_535).map(|i| f64::from(i % 977) / 8.0).collect();
    let bytes = encoded(&values);
    assert_eq!(decoded(&bytes, values.len()), Ok(bits_of(&values)));
    let one = encoded(&[3.0; 65_535]);
    assert_eq!(one, [0, 0, 6]);
    assert_eq!(decoded(&one, 65_535), Ok(vec![3f64.to_bits(); 65_535]));
}

proptest! {
    #[test]
    fn values_come_back_to_the_bit(values in values(0..300), before in any::<u8>()) {
        let mut bytes = vec![before];
        encode_values(&values, &mut bytes);
        prop_assert_eq!(bytes[0], before);
        prop_assert_eq!(decoded(&bytes[1..], values.len()), Ok(bits_of(&values)));
    }

    #[test]
    fn any_bits_come_back(bits in prop::collection::vec(any::<u64>(), 1..400)) {
        let values: Vec<f64> = bits.iter().copied().map(f64::from_bits).collect();
        let bytes = encoded(&values);
        prop_assert!(bytes.len() <= 1 + 8 * values.len());
        prop_assert_eq!(decoded(&bytes, values.len()), Ok(bits));
    }

    #[test]
    fn every_encoding_that_takes_values_gives_them_back(values in values(1..300)) {
        for encoding in encodings() {
            let mut bytes = Vec::new();
            if !encode_as(encoding, &values, &mut bytes) {
                prop_assert!(bytes.is_empty(), "{encoding:?}");
                continue;
            }
            let mut out = vec![-1.0; values.len()];
            let mut input = &bytes[..];
            prop_assert_eq!(decode_chunk(&mut input, &mut out), Ok(()), "{:?}", encoding);
            prop_assert!(input.is_empty(), "{encoding:?}");
            prop_assert_eq!(bits_of(&out), bits_of(&values), "{:?}", encoding);
        }
    }

    #[test]
    fn a_range_is_part_of_the_whole(
        values in values(1..3000),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let (from, to) = (from.index(values.len()), to.index(values.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        let bytes = encoded(&values);
        let mut out = vec![-1.0; to - from];
        prop_assert_eq!(decode_values_range(&bytes, values.len(), from, &mut out), Ok(()));
        prop_assert_eq!(bits_of(&out), bits_of(&values[from..to]));
        let beyond = decode_values_range(&bytes, values.len(), values.len() - out.len() + 1, &mut out);
        prop_assert_eq!(beyond.unwrap_err().fault, Fault::Range);
    }

    #[test]
    fn timestamps_come_back(
        times in timestamps(0..2500),
        from in any::<prop::sample::Index>(),
    ) {
        let mut bytes = vec![9];
        encode_timestamps(&times, &mut bytes);
        let mut out = vec![-1; times.len()];
        prop_assert_eq!(decode_timestamps(&bytes[1..], &mut out), Ok(()));
        prop_assert_eq!(&out, &times);
        let from = from.index(times.len() + 1);
        let mut out = vec![-1; times.len() - from];
        let ranged = decode_timestamps_range(&bytes[1..], times.len(), from, &mut out);
        prop_assert_eq!(ranged, Ok(()));
        prop_assert_eq!(&out, &times[from..]);
    }
}
