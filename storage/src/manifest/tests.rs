//! Manifests that come back, that are harmed, and that are replaced while everything fails.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::codec::{HEADER_BYTES, decode, encode, header_crc, seal};
use super::error::DecodeError;
use super::*;
use crate::sys::sim::{Fault, OpKind, SimDisk};
use crate::sys::{Disk, Sys};

const DIR: &str = "/data";

fn segment(number: u64, first_seq: u64, last_seq: u64) -> SegmentEntry {
    SegmentEntry {
        number,
        epoch: number + 1,
        first_seq: Seq(first_seq),
        last_seq: Seq(last_seq),
        bytes: 1000 + number,
        range: TimeRange::new(-5, number as i64 * 1000),
    }
}

fn block(number: u64, first_seq: u64, last_seq: u64, range: TimeRange) -> BlockEntry {
    BlockEntry {
        number,
        first_seq: Seq(first_seq),
        last_seq: Seq(last_seq),
        bytes: 100 + number,
        range,
    }
}

/// A manifest after so many flushes.
fn manifest(generation: u64) -> Manifest {
    Manifest {
        generation,
        segments: (0..generation)
            .map(|number| segment(number, number * 10 + 1, number * 10 + 10))
            .collect(),
        next_segment: generation,
        covered_seq: Seq(generation * 10),
        last_epoch: generation,
        ..Manifest::default()
    }
}

/// One in which the first writes are in two blocks of one merge, and a third of later writes.
fn merged() -> Manifest {
    let mut manifest = manifest(4);
    manifest.segments.drain(..3);
    manifest.blocks = vec![
        block(1, 1, 20, TimeRange::new(-5, 999)),
        block(2, 1, 20, TimeRange::new(1000, 2000)),
        block(0, 21, 30, TimeRange::new(-5, 1500)),
    ];
    manifest.next_block = 3;
    manifest
}

/// Bounds of times, in order: what lies between two of them is a block of a merge.
type Times = Vec<i64>;

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let of_segment = (any::<(i64, i64)>(), 0..9u64).prop_map(Ok);
    let of_merge = vec(any::<i64>(), 0..5).prop_map(Err::<_, Times>);
    let source = (
        0..99u64,
        0..99u64,
        any::<u64>(),
        prop_oneof![of_segment, of_merge],
    );
    let parts = (
        any::<u64>(),
        vec(source, 0..20),
        any::<u64>(),
        0..99u64,
        any::<u32>(),
    );
    parts.prop_map(|(generation, sources, start, slack, mask)| {
        let mut manifest = Manifest {
            generation,
            ..Manifest::default()
        };
        let mut seq = start >> 1;
        for (gap, length, bytes, source) in sources {
            let first_seq = Seq(seq + gap + 1);
            seq = first_seq.0 + length;
            let last_seq = Seq(seq);
            match source {
                Ok(((start_ms, end_ms), epoch)) => manifest.segments.push(SegmentEntry {
                    number: manifest.segments.len() as u64 ^ 1,
                    epoch: epoch + 1,
                    first_seq,
                    last_seq,
                    bytes,
                    range: TimeRange::new(start_ms, end_ms),
                }),
                Err(mut times) => {
                    times.sort_unstable();
                    times.dedup();
                    for pair in times.windows(2) {
                        manifest.blocks.push(BlockEntry {
                            number: manifest.blocks.len() as u64 ^ u64::from(mask),
                            first_seq,
                            last_seq,
                            bytes,
                            range: TimeRange::new(pair[0], pair[1] - 1),
                        });
                    }
                }
            }
        }
        manifest.sort_blocks();
        manifest.next_segment = manifest.segments.len() as u64 + 1 + slack;
        manifest.next_block = 1 << 33;
        manifest.covered_seq = Seq(seq + slack);
        manifest.last_epoch = 9 + slack;
        manifest
    })
}

fn damaged(bytes: &[u8]) -> &'static str {
    match decode(bytes) {
        Err(DecodeError::Damaged(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn manifests_come_back(manifest in any_manifest()) {
        prop_assert_eq!(manifest.contradiction(), None);
        prop_assert_eq!(decode(&encode(&manifest)), Ok(manifest));
    }

    #[test]
    fn any_changed_byte_and_any_cut_is_noticed(
        manifest in any_manifest(),
        at: proptest::sample::Index,
        mask in 1..=255u8,
        more in vec(any::<u8>(), 1..40),
    ) {
        let bytes = encode(&manifest);
        let at = at.index(bytes.len());
        let mut flipped = bytes.clone();
        flipped[at] ^= mask;
        damaged(&flipped);
        damaged(&bytes[..at]);
        damaged(&[bytes, more].concat());
    }

    #[test]
    fn any_entries_under_right_checksums_are_read_or_refused(
        entries in vec(any::<u8>(), 0..200),
        manifest in any_manifest(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = [&[0; HEADER_BYTES], &entries[..]].concat();
        seal(&mut bytes);
        prop_assert!(decode(&bytes).is_err());
        let mut bytes = encode(&manifest);
        for (at, byte) in changes {
            let entries = &mut bytes[HEADER_BYTES..];
            entries[at.index(entries.len())] = byte;
        }
        seal(&mut bytes);
        if let Ok(manifest) = decode(&bytes) {
            prop_assert_eq!(manifest.contradiction(), None);
        }
    }
}

#[test]
fn any_flipped_bit_is_damage() {
    let bytes = encode(&manifest(2));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        damaged(&flipped);
    }
}

type Change = fn(&mut Manifest);

#[test]
fn what_contradicts_itself_is_neither_read_nor_written() {
    let disk = SimDisk::new(1);
    let sys = sys(&disk);
    let of_blocks: [(Change, &str); 9] = [
        (|m| m.blocks.swap(0, 1), "order of their seqs and times"),
        (|m| m.blocks.swap(1, 2), "order of their seqs and times"),
        (|m| m.blocks[2].last_seq = Seq(20), "wrong range of seqs"),
        (|m| m.blocks[2].last_seq = Seq(41), "not covered"),
        (|m| m.next_block = 2, "not given yet"),
        (|m| m.blocks[2].number = 1, "two blocks have one number"),
        (|m| m.blocks[1].range.start_ms = 999, "the same seqs"),
        (|m| m.blocks[2].first_seq = Seq(20), "the same seqs"),
        (|m| m.blocks[2].last_seq = Seq(31), "the same seqs"),
    ];
    assert_eq!(merged().contradiction(), None);
    for (change, want) in of_blocks {
        let mut manifest = merged();
        change(&mut manifest);
        let reason = damaged(&encode(&manifest));
        assert!(reason.contains(want), "{reason}, not {want}");
    }
    let wrong: [(Change, &str); 7] = [
        (|m| m.segments.swap(0, 1), "order of their seqs"),
        (|m| m.segments[1].first_seq = Seq(10), "order of their seqs"),
        (|m| m.segments[0].first_seq = Seq(11), "order of their seqs"),
        (|m| m.covered_seq = Seq(19), "not covered"),
        (|m| m.last_epoch = 1, "of an epoch"),
        (|m| m.segments[1].number = 0, "one number"),
        (|m| m.next_segment = 1, "not given yet"),
    ];
    for (change, want) in wrong {
        let mut manifest = manifest(2);
        change(&mut manifest);
        let reason = damaged(&encode(&manifest));
        assert!(reason.contains(want), "{reason}");
        let error = store(&sys, Path::new(DIR), &manifest).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
        assert_eq!(load(&sys, Path::new(DIR)).unwrap(), None);
    }
}

/// A manifest with another entry at its end.
fn with_entry(kind: u16, flags: u16, payload: &[u8]) -> Result<Manifest, DecodeError> {
    let mut bytes = encode(&manifest(2));
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&flags.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(payload);
    seal(&mut bytes);
    decode(&bytes)
}

#[test]
fn entries_of_a_newer_version_are_refused_unless_they_are_optional() {
    let newer = |what: &str| Err(DecodeError::Newer(what.to_owned()));
    assert_eq!(
        with_entry(4, 0, &[7; 11]),
        newer("it has an entry of the unknown kind 4")
    );
    assert_eq!(with_entry(9, 1, &[7; 11]), Ok(manifest(2)));
    assert_eq!(
        with_entry(9, 2, &[]),
        newer("an entry has the unknown flags 0x2")
    );
    for (kind, payload) in [
        (1, [0; 40].as_slice()),
        (2, &[0; 55]),
        (2, &[0; 64]),
        (3, &[0; 40]),
        (3, &[0; 56]),
    ] {
        let read = with_entry(kind, 0, payload);
        assert!(matches!(read, Err(DecodeError::Damaged(_))), "{read:?}");
    }
}

#[test]
fn a_newer_format_and_damage_are_named() {
    let disk = SimDisk::new(1);
    let sys = sys(&disk);
    let mut bytes = encode(&manifest(1));
    bytes[8] = 3;
    put(&disk, FILE_NAME, &bytes);
    let error = load(&sys, Path::new(DIR)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the manifest /data/MANIFEST is damaged: the checksum of its header is wrong"
    );
    let crc = header_crc(&bytes[..HEADER_BYTES]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    disk.remove(&Path::new(DIR).join(FILE_NAME)).unwrap();
    put(&disk, FILE_NAME, &bytes);
    let error = load(&sys, Path::new(DIR)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the manifest /data/MANIFEST was written by a newer version of Silverback: it has format \
         3, this version knows up to 2"
    );
}

fn sys(disk: &SimDisk) -> Sys {
    let sys = disk.sys(0);
    sys.disk.create_dir_all(Path::new(DIR)).unwrap();
    sys
}

fn put(disk: &SimDisk, name: &str, bytes: &[u8]) {
    let file = disk.create_new(&Path::new(DIR).join(name)).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

fn loaded(sys: &Sys) -> Option<Manifest> {
    load(sys, Path::new(DIR)).unwrap()
}

#[test]
fn a_manifest_is_durable_before_it_has_its_name() {
    let disk = SimDisk::new(1);
    let sys = sys(&disk);
    assert_eq!(loaded(&sys), None);
    disk.start_log();
    store(&sys, Path::new(DIR), &manifest(0)).unwrap();
    let ops: Vec<(OpKind, String)> = disk
        .take_log()
        .iter()
        .map(|op| (op.kind, op.path.display().to_string()))
        .collect();
    let op = |kind, path: &str| (kind, path.to_owned());
    let want = [
        op(OpKind::CreateNew, "/data/MANIFEST.new"),
        op(OpKind::Write, "/data/MANIFEST.new"),
        op(OpKind::SyncData, "/data/MANIFEST.new"),
        op(OpKind::Rename, "/data/MANIFEST"),
        op(OpKind::SyncDir, "/data"),
    ];
    assert_eq!(ops, want);
    assert_eq!(loaded(&sys), Some(manifest(0)));
    assert_eq!(disk.list(Path::new(DIR)).unwrap(), [FILE_NAME]);
}

/// Replaces a manifest (or none) with a crash at operation `op`; `false` once there is none.
fn crash_at(op: u64, seed: u64, before: Option<Manifest>) -> bool {
    let disk = SimDisk::new(seed);
    let sys = sys(&disk);
    if let Some(before) = &before {
        store(&sys, Path::new(DIR), before).unwrap();
    }
    // Left by an earlier crash.
    put(&disk, FILE_NAME_NEW, b"SBK");
    disk.fail_at(disk.ops() + op, Fault::Crash);
    let stored = store(&sys, Path::new(DIR), &manifest(5));
    let crashed = disk.is_down();
    assert_ne!(stored.is_ok(), crashed);
    disk.clear_faults();
    if seed.is_multiple_of(2) {
        disk.crash();
    } else {
        disk.kill();
    }
    let found = loaded(&sys);
    let wanted = [before, Some(manifest(5))];
    assert!(
        wanted.contains(&found),
        "crash at {op}, seed {seed}: {found:?}"
    );
    assert!(crashed || found == wanted[1], "what was stored is there");
    // What was found once is durable: nobody builds on a manifest that goes away again.
    disk.crash();
    assert_eq!(loaded(&sys), found, "crash at {op}, seed {seed}");
    store(&sys, Path::new(DIR), &manifest(6)).unwrap();
    disk.crash();
    assert_eq!(loaded(&sys), Some(manifest(6)));
    crashed
}

#[test]
fn a_crash_at_any_operation_leaves_the_one_before_or_the_new_one() {
    for before in [None, Some(manifest(4))] {
        let mut op = 0;
        while (0..60)
            .filter(|&seed| crash_at(op, seed, before.clone()))
            .count()
            > 0
        {
            op += 1;
        }
        // Create fails, remove, create, write, sync, rename, sync directory.
        assert_eq!(op, 7);
    }
}

#[test]
fn a_failure_leaves_the_one_before_in_force() {
    let mut in_doubt = 0;
    for op in 0..5 {
        for seed in 0..60 {
            let disk = SimDisk::new(seed);
            let sys = sys(&disk);
            store(&sys, Path::new(DIR), &manifest(4)).unwrap();
            disk.fail_at(disk.ops() + op, Fault::Eio);
            match store(&sys, Path::new(DIR), &manifest(5)) {
                Err(ManifestError::Io { .. }) => {
                    assert_eq!(loaded(&sys), Some(manifest(4)), "EIO at {op}, seed {seed}");
                    disk.crash();
                    assert_eq!(loaded(&sys), Some(manifest(4)), "EIO at {op}, seed {seed}");
                }
                Err(ManifestError::InDoubt { .. }) => {
                    in_doubt += 1;
                    disk.crash();
                    let found = loaded(&sys);
                    assert!([Some(manifest(4)), Some(manifest(5))].contains(&found));
                }
                other => panic!("{other:?}"),
            }
            store(&sys, Path::new(DIR), &manifest(6)).unwrap();
            disk.crash();
            assert_eq!(loaded(&sys), Some(manifest(6)));
        }
    }
    assert_eq!(in_doubt, 120, "renaming and what follows leave a doubt");
}

#[test]
fn a_full_disk_leaves_the_one_before_in_force_and_no_temporary() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let sys = sys(&disk);
        store(&sys, Path::new(DIR), &manifest(4)).unwrap();
        disk.set_full(true);
        let error = store(&sys, Path::new(DIR), &manifest(5)).unwrap_err();
        let ManifestError::Io { source, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        assert_eq!(disk.list(Path::new(DIR)).unwrap(), [FILE_NAME]);
        assert_eq!(loaded(&sys), Some(manifest(4)));
        disk.set_full(false);
        store(&sys, Path::new(DIR), &manifest(5)).unwrap();
        disk.crash();
        assert_eq!(loaded(&sys), Some(manifest(5)));
    }
}

/// Lines of hexadecimal numbers, eight bytes each.
fn hex(bytes: &[u8]) -> Vec<String> {
    bytes
        .chunks(8)
        .map(|eight| eight.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect()
}

fn of_hex(lines: &[&str]) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    let pairs = lines
        .iter()
        .flat_map(|line| line.as_bytes().as_chunks::<2>().0);
    pairs.map(|pair| byte(pair)).collect()
}

/// What a version wrote that knew no blocks.
#[test]
fn the_bytes_of_format_version_1_are_read() {
    let bytes = of_hex(&[
        "53424b4d414e0d0a", // magic
        "010020003a90e2e7", // version, header length, checksum
        "6800000000000000", // length of the entries
        "8c83aded00000000", // their checksum, zeros
        "0100000020000000", // kind 1, no flags, 32 bytes
        "0300000000000000", // generation
        "0200000000000000", // next segment
        "1400000000000000", // covered seq
        "0200000000000000", // last epoch
        "0200000038000000", // kind 2, no flags, 56 bytes
        "0100000000000000", // number
        "0200000000000000", // epoch
        "0b00000000000000", // first seq
        "1400000000000000", // last seq
        "0010000000000000", // bytes
        "ffffffffffffffff", // oldest sample
        "e803000000000000", // newest sample
    ]);
    let manifest = Manifest {
        blocks: Vec::new(),
        next_block: 0,
        ..example()
    };
    assert_eq!(decode(&bytes), Ok(manifest));
}

fn example() -> Manifest {
    Manifest {
        generation: 3,
        segments: vec![SegmentEntry {
            number: 1,
            epoch: 2,
            first_seq: Seq(11),
            last_seq: Seq(20),
            bytes: 4096,
            range: TimeRange::new(-1, 1000),
        }],
        next_segment: 2,
        blocks: vec![BlockEntry {
            number: 0,
            first_seq: Seq(1),
            last_seq: Seq(10),
            bytes: 2048,
            range: TimeRange::new(-1, 500),
        }],
        next_block: 1,
        covered_seq: Seq(20),
        last_epoch: 2,
    }
}

/// The example of `docs/format/manifest.md`, byte by byte: what version 2 is.
#[test]
fn the_bytes_of_format_version_2() {
    let bytes = encode(&example());
    let want = [
        "53424b4d414e0d0a", // magic
        "02002000f1ab0430", // version, header length, checksum
        "a800000000000000", // length of the entries
        "74dc1d2d00000000", // their checksum, zeros
        "0100000028000000", // kind 1, no flags, 40 bytes
        "0300000000000000", // generation
        "0200000000000000", // next segment
        "1400000000000000", // covered seq
        "0200000000000000", // last epoch
        "0100000000000000", // next block
        "0200000038000000", // kind 2, no flags, 56 bytes
        "0100000000000000", // number
        "0200000000000000", // epoch
        "0b00000000000000", // first seq
        "1400000000000000", // last seq
        "0010000000000000", // bytes
        "ffffffffffffffff", // oldest sample
        "e803000000000000", // newest sample
        "0300000030000000", // kind 3, no flags, 48 bytes
        "0000000000000000", // number
        "0100000000000000", // first seq
        "0a00000000000000", // last seq
        "0008000000000000", // bytes
        "ffffffffffffffff", // oldest sample
        "f401000000000000", // newest sample
    ];
    assert_eq!(hex(&bytes), want);
    assert_eq!(decode(&bytes), Ok(example()));
}
