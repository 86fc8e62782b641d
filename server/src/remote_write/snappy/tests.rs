//! Against another decoder, the crate `snap`.

use proptest::prelude::*;

use super::*;

fn encoded(text: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(text).unwrap()
}

/// What both make of a body, for which the buffer has been used before.
fn check(body: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut buffer = vec![0xa5; WINDOW + 300];
    let own = decode(body, &mut buffer).map(<[u8]>::to_vec);
    let other = snap::raw::Decoder::new().decompress_vec(body);
    assert_eq!(own.as_ref().ok(), other.as_ref().ok(), "{own:?}, {other:?}");
    own
}

/// Elements of any kind, as far as they are within the message so far.
#[derive(Clone, Debug)]
enum Element {
    Literal(Vec<u8>),
    Copy {
        kind: u8,
        back: prop::sample::Index,
        len: usize,
    },
}

impl Element {
    /// Writes it in `number_bytes` bytes more than it needs, and says in `text` what it means.
    fn put(&self, text: &mut Vec<u8>, body: &mut Vec<u8>) {
        match self {
            Self::Literal(bytes) => {
                let last = bytes.len() - 1;
                let number = (last as u32).to_le_bytes();
                match last {
                    ..60 => body.push((last as u8) << 2),
                    60..0x100 => body.extend([60 << 2, number[0]]),
                    // Longer than it needs to be.
                    _ if last % 2 == 0 => body.extend([[63 << 2].as_slice(), &number].concat()),
                    _ => body.extend([61 << 2, number[0], number[1]]),
                }
                body.extend_from_slice(bytes);
                text.extend_from_slice(bytes);
            }
            Self::Copy { kind, back, len } => {
                if text.is_empty() {
                    return;
                }
                let farthest = text.len().min(if *kind == 1 { 0x7ff } else { 0xffff });
                let offset = back.index(farthest) + 1;
                let bytes = (offset as u32).to_le_bytes();
                let len = match kind {
                    1 => len % 8 + 4,
                    _ => len % 64 + 1,
                };
                let high = (len - 1) as u8;
                match kind {
                    1 => body.extend([bytes[1] << 5 | ((len - 4) as u8) << 2 | 1, bytes[0]]),
                    2 => body.extend([high << 2 | 2, bytes[0], bytes[1]]),
                    _ => body.extend([[high << 2 | 3].as_slice(), &bytes].concat()),
                }
                for _ in 0..len {
                    text.push(text[text.len() - offset]);
                }
            }
        }
    }
}

fn element() -> impl Strategy<Value = Element> {
    let literal = |bytes| prop::collection::vec(any::<u8>(), bytes).prop_map(Element::Literal);
    // Both what lies just before and what lies anywhere.
    let copy =
        (1u8..4, any::<prop::sample::Index>(), any::<u16>()).prop_map(|(kind, back, len)| {
            let len = usize::from(len);
            Element::Copy { kind, back, len }
        });
    prop_oneof![6 => literal(1..20), 1 => literal(50..70), 1 => literal(200..700), 16 => copy]
}

fn header_of(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = len;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

/// A text of lines that are alike, as messages of remote write are.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = ("[a-c]{0,3}", 0u8..4, any::<u16>()).prop_map(|(text, kind, value)| {
        format!("\n\u{8}__name__\u{12}{text}_seconds_bucket_{kind} instance localhost {value}")
    });
    prop::collection::vec(line, 0..400).prop_map(|lines| lines.concat().into_bytes())
}

#[test]
fn copies_of_every_offset_and_length() {
    for before in [1, 3, 64, 70, 200, 5000] {
        for offset in (1..=before.min(70)).chain([before]) {
            for len in 1..=64 {
                let mut text: Vec<u8> = (0..before).map(|i| (i * 7 % 251) as u8).collect();
                let mut elements = vec![61 << 2, (before - 1) as u8, ((before - 1) >> 8) as u8];
                elements.extend_from_slice(&text);
                let copy = [(len as u8 - 1) << 2 | 2, offset as u8, (offset >> 8) as u8];
                // With bytes behind it, so that it need not be done with care.
                elements.extend(copy);
                elements.extend([60 << 2, 99]);
                elements.extend([b'x'; 100]);
                for _ in 0..len {
                    text.push(text[text.len() - offset]);
                }
                text.extend([b'x'; 100]);
                let body = [header_of(text.len()), elements].concat();
                let mut buffer = Vec::new();
                assert_eq!(decode(&body, &mut buffer), Ok(&text[..]), "{offset} {len}");
            }
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let long = vec![7; 300];
    for (body, expected) in [
        (vec![], Broken::Header),
        (vec![0x80; 5], Broken::Header),
        // 2^32, and 1 in six bytes.
        (vec![0x80, 0x80, 0x80, 0x80, 0x10], Broken::Header),
        (vec![0x81, 0x80, 0x80, 0x80, 0x80, 0], Broken::Header),
        (vec![3, 2 << 2, b'a', b'b'], Broken::Truncated { at: 1 }),
        (vec![3, 0, b'a', 5 << 2 | 2, 1], Broken::Truncated { at: 3 }),
        (vec![3, 62 << 2, 0, 0], Broken::Truncated { at: 1 }),
        (vec![9, 0, b'a', 1, 2], Broken::Offset { at: 3 }),
        (vec![9, 0, b'a', 1, 0], Broken::Offset { at: 3 }),
        (vec![9, 0, b'a', 3, 1, 0, 0, 1], Broken::Offset { at: 3 }),
        (
            vec![4, 0, b'a', 1, 1],
            Broken::TooLong { expected: 4, at: 3 },
        ),
        (
            [&[3, 61 << 2, 43, 1][..], &long].concat(),
            Broken::TooLong { expected: 3, at: 1 },
        ),
        (
            vec![4, 0, b'a'],
            Broken::TooShort {
                expected: 4,
                found: 1,
            },
        ),
    ] {
        assert_eq!(check(&body), Err(expected), "{body:?}");
    }
    assert_eq!(check(&[0]), Ok(vec![]));
}

/// A copy of what is in the buffer, and not in the message.
#[test]
fn what_lies_before_the_message_is_not_of_it() {
    let text = vec![b'z'; 500];
    let literal = [&[60 << 2, 99][..], &text[..100]].concat();
    for offset in 100..200u8 {
        let copy = [63 << 2 | 2, offset, 0];
        let body = [&header_of(364)[..], &literal, &copy, &literal, &literal].concat();
        let at = 2 + literal.len();
        match offset {
            100 => assert_eq!(check(&body).unwrap(), text[..364]),
            _ => assert_eq!(check(&body), Err(Broken::Offset { at })),
        }
    }
}

#[test]
fn a_body_that_is_cut_or_has_more_is_refused() {
    let text: String = (0..300)
        .map(|i| format!("some_metric_{} {}", i % 7, i * i))
        .collect();
    let body = encoded(text.as_bytes());
    assert_eq!(check(&body).unwrap(), text.as_bytes());
    for end in 0..body.len() {
        check(&body[..end]).unwrap_err();
    }
    check(&[&body[..], &[0, b'x']].concat()).unwrap_err();
    for lie in [text.len() - 1, text.len() + 1, 0, 1 << 20] {
        let header = header_of(text.len()).len();
        check(&[&header_of(lie)[..], &body[header..]].concat()).unwrap_err();
    }
}

/// A bomb takes no more room than it says, which the caller has looked at.
#[test]
fn the_buffer_grows_by_what_the_header_says() {
    let zeros = vec![0; 1 << 20];
    let mut buffer = Vec::new();
    let body = encoded(&zeros);
    assert_eq!(decoded_len(&body), Ok(zeros.len()));
    assert_eq!(decode(&body, &mut buffer), Ok(&zeros[..]));
    assert_eq!(buffer.len(), zeros.len() + WINDOW);
}

proptest! {
    #[test]
    fn texts_come_back(text in lines(), noise in prop::collection::vec(any::<u8>(), 0..3000)) {
        for text in [&text[..], &noise, &[&text[..], &noise, &text].concat()] {
            prop_assert_eq!(check(&encoded(text)).unwrap(), text);
        }
    }

    #[test]
    fn elements_mean_what_the_format_says(elements in prop::collection::vec(element(), 0..500)) {
        let (mut text, mut body) = (Vec::new(), Vec::new());
        elements.iter().for_each(|element| element.put(&mut text, &mut body));
        let body = [header_of(text.len()), body].concat();
        prop_assert_eq!(check(&body).unwrap(), text);
    }

    #[test]
    fn damage_is_refused_or_read_as_others_do(
        text in lines(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut body = encoded(&text);
        // The header says how much is to be allocated.
        let header = header_of(text.len()).len();
        for (at, byte) in damage {
            let elements = &mut body[header..];
            if !elements.is_empty() {
                elements[at.index(elements.len())] = byte;
            }
        }
        let _ = check(&body);
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read_as_others_do(
        len in 0usize..600,
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            // Short offsets.
            prop::collection::vec(0u8..8, 0..400),
        ],
    ) {
        let _ = check(&[header_of(len), bytes].concat());
    }
}
