//! Values come back as they were, whatever they are.

use proptest::prelude::*;

use super::*;
use crate::model::STALE_NAN_BITS;

fn open_of(values: &[u64]) -> OpenValues {
    let mut open = OpenValues::default();
    for &bits in values {
        open.push(f64::from_bits(bits));
    }
    open
}

fn read(values: ValuesRef<'_>, count: usize) -> Result<Vec<u64>, ChunkError> {
    let mut read = Vec::new();
    let _all = values.for_each(count as u16, |value| {
        read.push(value.to_bits());
        ControlFlow::Continue(())
    })?;
    Ok(read)
}

fn exception() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(STALE_NAN_BITS),
        Just(f64::NAN.to_bits()),
        Just(f64::NEG_INFINITY.to_bits()),
        Just((-0.0f64).to_bits()),
        Just(u64::MAX),
        Just(0),
        Just(1),
    ]
}

/// Values of a kind: constant for long, counters, decimals of more and more digits, sums,
/// large integers, raw doubles; and now and then something else.
fn values() -> impl Strategy<Value = Vec<u64>> {
    let kind = prop_oneof![
        Just((1.0, 0.0)),
        Just((1e6, 1.0)),
        Just((1000.0, 10.0)),
        Just((10.0, 1e4)),
        Just((1e18, 1.0)),
        Just((1e12, 1.0)),
        Just((1.0, 3.0)),
    ];
    let step = prop_oneof![
        8 => Just(None),
        4 => Just(Some(Ok(15))),
        4 => (-1000..1000i64).prop_map(|step| Some(Ok(step))),
        1 => exception().prop_map(|bits| Some(Err(bits))),
        1 => any::<u64>().prop_map(|bits| Some(Err(bits))),
    ];
    (kind, prop::collection::vec(step, 0..120)).prop_map(|((scale, divisor), steps)| {
        let mut integer = 0;
        let value = |step: Option<Result<i64, u64>>| match step {
            Some(Err(bits)) => bits,
            other => {
                integer += other.and_then(Result::ok).unwrap_or(0);
                let scaled = integer as f64 * scale;
                let value = if divisor == 0.0 {
                    scaled
                } else {
                    scaled / divisor
                };
                value.to_bits()
            }
        };
        steps.into_iter().map(value).collect()
    })
}

#[test]
fn a_constant_takes_no_bytes_and_a_counter_few() {
    let constant = open_of(&[STALE_NAN_BITS; 120]);
    assert_eq!(constant.capacity_bytes(), 0);
    assert_eq!(read(constant.values(), 120), Ok(vec![STALE_NAN_BITS; 120]));

    let counter: Vec<u64> = (0..100).map(|i| f64::from(i * 15).to_bits()).collect();
    let sealed = open_of(&counter).seal();
    // Header, one delta of 30 in zigzag form, two bits for each of 98.
    assert_eq!(sealed.heap_bytes(), 10 + (5 + 7 + 2 * 98usize).div_ceil(8));
    assert_eq!(read(sealed.values(), 100), Ok(counter));
}

#[test]
fn exceptions_do_not_change_the_form() {
    let tenths = |i: u32| (f64::from(i) / 10.0).to_bits();
    let values = [
        STALE_NAN_BITS,
        tenths(31),
        tenths(32),
        STALE_NAN_BITS,
        STALE_NAN_BITS,
        (-0.0f64).to_bits(),
        tenths(0),
        tenths(35),
        // A digit more.
        3.55f64.to_bits(),
        f64::INFINITY.to_bits(),
        3.56f64.to_bits(),
    ];
    let open = open_of(&values);
    assert!(
        matches!(open.form, Form::Decimal(d) if d.exponent == 2),
        "{open:?}"
    );
    assert_eq!(read(open.values(), values.len()), Ok(values.to_vec()));
}

#[test]
fn raw_doubles_go_on_as_xor() {
    let values = [1.0, 2.0, std::f64::consts::PI, 2.0, 1e300].map(f64::to_bits);
    let open = open_of(&values);
    assert!(matches!(open.form, Form::Xor(_)), "{open:?}");
    assert_eq!(read(open.values(), values.len()), Ok(values.to_vec()));
}

#[test]
fn edges_of_each_class_come_back() {
    let mut values = vec![0];
    for width in DELTA_BITS.iter().chain(&[41, 52]) {
        for step in [-1, 0, 1] {
            let integer = (1i64 << (width - 1)) + step;
            values.extend([integer as f64, 0.0, -integer as f64].map(f64::to_bits));
        }
    }
    values.extend([INTEGER_END, INTEGER_END - 1.0, -INTEGER_END].map(f64::to_bits));
    for values in values.chunks(40) {
        let open = open_of(values);
        assert_eq!(read(open.values(), values.len()), Ok(values.to_vec()));
    }
}

#[test]
fn what_no_encoder_writes_is_corrupt() {
    for header in [[16, 1], [254, 1], [0, 0]] {
        let mut bytes = header.to_vec();
        bytes.extend([0; 9]);
        let corrupt = Err(ChunkError::Corrupt { sample: 0 });
        assert_eq!(read(ValuesRef::Stream(&bytes), 2), corrupt);
    }
    // The last delta without one; an exponent that does not rise; an unknown escape.
    for code in [
        0b1000_0000u16 << 8,
        0b1111_1010_0000_0000,
        0b1111_1110_0000_0000,
    ] {
        let mut bytes = vec![0, 1];
        bytes.extend(1f64.to_bits().to_be_bytes());
        bytes.extend(code.to_be_bytes());
        let corrupt = Err(ChunkError::Corrupt { sample: 1 });
        assert_eq!(read(ValuesRef::Stream(&bytes), 2), corrupt);
    }
}

proptest! {
    #[test]
    fn values_come_back_to_the_bit(values in values(), cut in any::<prop::sample::Index>()) {
        let mut open = OpenValues::default();
        let mut prefixes = Vec::new();
        let prefix = cut.index(values.len() + 1);
        for (i, &bits) in values.iter().enumerate() {
            open.push(f64::from_bits(bits));
            prop_assert_eq!(usize::from(open.count()), i + 1);
            prop_assert_eq!(open.last(), bits);
            if i >= prefix {
                // What was there before reads the same while the chunk grows.
                prefixes.push(read(open.values(), prefix));
            }
        }
        for read in prefixes {
            prop_assert_eq!(read.as_deref(), Ok(&values[..prefix]));
        }
        prop_assert_eq!(read(open.values(), values.len()), Ok(values.clone()));
        let sealed = open.seal();
        prop_assert_eq!(read(sealed.values(), values.len()), Ok(values.clone()));
        // Nothing is left but room for half as much, and that takes what any chunk takes.
        let room = sealed.heap_bytes().div_ceil(2).max(24) + 16;
        prop_assert_eq!(open.count(), 0);
        prop_assert!(open.capacity_bytes() <= room);
        if let SealedValues::Constant(_) = sealed {
            prop_assert_eq!(open.capacity_bytes(), 0);
        }
        for &bits in &values {
            open.push(f64::from_bits(bits));
        }
        prop_assert_eq!(read(open.values(), values.len()), Ok(values.clone()));
        let again = open.seal();
        prop_assert_eq!(read(again.values(), values.len()), Ok(values));
    }

    #[test]
    fn the_quick_way_to_a_code_gives_the_bits_of_the_long_one(
        values in prop_oneof![values(), prop::collection::vec(any::<f64>().prop_map(f64::to_bits), 0..120)],
    ) {
        let (mut quick, mut long) = (OpenValues::default(), OpenValues::default());
        for &bits in &values {
            quick.push(f64::from_bits(bits));
            if long.count > 0 && (bits != long.last || !matches!(long.form, Form::Constant)) {
                long.push_long_code(bits);
            }
            long.last = bits;
            long.count += 1;
            prop_assert_eq!(format!("{quick:?}"), format!("{long:?}"));
        }
    }

    #[test]
    fn any_bits_come_back(values in prop::collection::vec(any::<u64>(), 0..120)) {
        let open = open_of(&values);
        prop_assert_eq!(read(open.values(), values.len()), Ok(values));
    }

    #[test]
    fn a_cut_stream_says_where(values in values(), cut in any::<prop::sample::Index>()) {
        let sealed = open_of(&values).seal();
        if let SealedValues::Stream(bytes) = &sealed {
            let cut = ValuesRef::Stream(&bytes[..cut.index(bytes.len())]);
            let error = read(cut, values.len()).unwrap_err();
            let is_truncated = matches!(error, ChunkError::Truncated { sample, count }
                if usize::from(count) == values.len() && sample < count);
            prop_assert!(is_truncated, "{error}");
        }
    }

    #[test]
    fn any_bytes_decode_or_fail(
        form in prop_oneof![0..=15u8, Just(255), any::<u8>()],
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        // Whatever it is, it ends and does not panic.
        let bytes: Vec<u8> = std::iter::once(form).chain(bytes).collect();
        let _ = read(ValuesRef::Stream(&bytes), 1000);
    }
}
