//! Columns as versions 1 and 2 of the format write them, byte by byte: what once was written must be
//! read for ever. That they are also what is written today may change; then the bytes here stay,
//! and are only read.

use super::*;
use crate::column::values::{Encoding, encode_as};

/// What an encoder wrote, and what it stood for.
struct Fixture {
    name: &'static str,
    values: Vec<f64>,
    hex: &'static str,
}

fn stale() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

fn fixture(name: &'static str, values: &[f64], hex: &'static str) -> Fixture {
    Fixture {
        name,
        values: values.to_vec(),
        hex,
    }
}

fn fixtures() -> Vec<Fixture> {
    let mut all = decimals();
    all.extend(others());
    all
}

fn decimals() -> Vec<Fixture> {
    let mut patched = vec![0.0; 40];
    for (index, value) in patched.iter_mut().enumerate() {
        *value = (index * 7 % 8) as f64;
    }
    patched[5] = 3000.0;
    let mut rare = vec![10.0; 30];
    rare[7] = 11.0;
    rare[20..].fill(12.0);
    vec![
        fixture("integer", &[5.0; 3], "000a"),
        fixture("decimal", &[-0.25; 2], "0231"),
        fixture("long", &[1.0; 481], "000002"),
        fixture("line", &[7.0, 10.0, 13.0, 16.0], "20000e06"),
        fixture(
            "plain",
            &[3.0, 9.0, 1.0, 12.0, 2.0, 11.0, 1.0],
            "2001020482b0a100",
        ),
        fixture(
            "plain with a divisor",
            &[0.5, 1.5, 0.0, 2.0, 0.5, 2.0, 0.0],
            "2109050003191802",
        ),
        fixture(
            "delta",
            &[10.0, 11.0, 9.0, 10.0, 12.0, 13.0, 14.0, 12.0, 11.0],
            "200214039a282d",
        ),
        fixture(
            "rise",
            &[1000.0, 1200.0, 1403.0, 1601.0, 1802.0, 2000.0],
            "2004d00f9003049656",
        ),
        fixture(
            "turn",
            &[0.0, 10.0, 21.0, 33.0, 46.0, 60.0, 75.0, 91.0],
            "2004001402aa0a",
        ),
        fixture(
            "patches",
            &patched,
            "2001008301b84b28b8cb29b8cb29b8cb29b8cb2905f702",
        ),
        fixture("list", &rare, "20121403060200010b04"),
    ]
}

fn others() -> Vec<Fixture> {
    let third = 1.0 / 3.0;
    let float = |n: u32| f64::from(f32::from_bits(0x7149_0000 + n * 7 % 31));
    let floats: Vec<f64> = (0..24).map(float).collect();
    let long: Vec<f64> = (0..482).map(|i| f64::from(i / 481)).collect();
    vec![
        fixture("bits", &[third; 9], "60555555555555d53f"),
        fixture("NaN", &[stale(); 2], "60020000000000f07f"),
        fixture(
            "near decimals",
            &[0.1, 0.1 + 0.2, 0.1 + 0.2 + 0.3, 0.9, 1.4],
            "4102020464a601000106",
        ),
        fixture(
            "ordered bits",
            &floats,
            "6109808080800280808080808090a98c0105e0b8cac99239a0677b61538b04af37",
        ),
        fixture(
            "xor",
            &[
                1e300, 1e300, third, third, 1e-300, 1e300, 1e300, third, third,
            ],
            "627e37e43c8800759c60fd078ac5a7755483253e703b4a97ada60cbfc94511a57c4362a83c562d3baaa41920",
        ),
        fixture(
            "raw",
            &[third, 1e-200, -1e300, 7e77, third.sqrt()],
            "63555555555555d53facf74e15927e68169c7500883ce437fe703fbbd6672e18501c339045a779e23f",
        ),
        fixture(
            "exceptions",
            &[1.0, stale(), stale(), 2.0, -0.0, -0.0, -0.0, f64::NAN, 9.0],
            "64030104010b00000000000000800003000000000000f87f201202020202040e",
        ),
        fixture("chunks", &long, "02000020000002"),
    ]
}

/// Of version 2: tenths, by a clock whose ticks have 10.5 of them.
fn ticks() -> Fixture {
    let values = [2.1, 4.2, 6.3, 3.2, 5.3];
    fixture("ticks", &values, "8180808054010403103301000118")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

#[test]
fn what_was_written_is_read() {
    let all = fixtures().into_iter().chain([ticks()]);
    for Fixture { name, values, hex } in all {
        let mut out = vec![-1.0; values.len()];
        assert_eq!(decode_values(&unhex(hex), &mut out), Ok(()), "{name}");
        assert_eq!(bits_of(&out), bits_of(&values), "{name}");
    }
}

#[test]
fn it_is_still_what_is_written() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let mut bytes = Vec::new();
        encode_values(&fixture.values, &mut bytes);
        if hex(&bytes) != fixture.hex {
            wrong.push(format!("{}: {}", fixture.name, hex(&bytes)));
        }
    }
    // Too few to be found by themselves.
    let mut bytes = Vec::new();
    assert!(encode_as(
        Encoding::Ticks(10.5),
        &ticks().values,
        &mut bytes
    ));
    if hex(&bytes) != ticks().hex {
        wrong.push(format!("ticks: {}", hex(&bytes)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
