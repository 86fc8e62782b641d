use super::*;

/// Decodes bytes that may be anything as columns of both kinds, whole and in part: whatever
/// happens, no place in them is named that is not there.
fn decode_all(bytes: &[u8], count: usize) -> Result<(), TestCaseError> {
    let mut values = vec![0.0; count];
    let mut times = vec![0; count];
    let (from, part) = (count / 3, count / 2);
    for decoded in [
        decode_values(bytes, &mut values),
        decode_timestamps(bytes, &mut times),
        decode_values_range(bytes, count, from, &mut values[..part]),
        decode_timestamps_range(bytes, count, from, &mut times[..part]),
    ] {
        if let Err(error) = decoded {
            prop_assert!(error.offset <= bytes.len(), "{error}, of {}", bytes.len());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_cut_column_is_no_column(values in values(1..300), times in timestamps(1..300)) {
        let mut bytes = Vec::new();
        encode_values(&values, &mut bytes);
        let mut out = vec![0.0; values.len()];
        for length in 0..bytes.len() {
            prop_assert!(decode_values(&bytes[..length], &mut out).is_err(), "{length}");
        }
        bytes.push(0);
        let fault = decode_values(&bytes, &mut out).unwrap_err().fault;
        prop_assert_eq!(fault, Fault::Trailing(1));

        bytes.clear();
        encode_timestamps(&times, &mut bytes);
        let mut out = vec![0; times.len()];
        for length in 0..bytes.len() {
            prop_assert!(decode_timestamps(&bytes[..length], &mut out).is_err(), "{length}");
        }
    }

    #[test]
    fn changed_bytes_decode_or_fail(
        values in values(1..1500),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 1..4),
        count in 0..3000usize,
    ) {
        let mut bytes = Vec::new();
        encode_values(&values, &mut bytes);
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        decode_all(&bytes, values.len())?;
        decode_all(&bytes, count)?;
    }

    #[test]
    fn any_bytes_decode_or_fail(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        tag in 0..0x70u8,
        count in 0..3000usize,
    ) {
        decode_all(&bytes, count)?;
        if let Some(first) = bytes.first_mut() {
            *first = tag;
        }
        decode_all(&bytes, count)?;
    }
}
