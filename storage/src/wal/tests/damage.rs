//! Torn tails and damage: what is lost, what is said, what is served.

use super::*;
use crate::wal::recovery::DamageKind;

/// A log of one record a group: 1 to `count`, each synced, in files of `file_bytes_max`.
fn written(count: u64, file_bytes_max: u64) -> Log {
    let log = Log::new(1, file_bytes_max);
    let mut writer = log.open();
    for seq in 1..=count {
        log.write_groups(&mut writer, &[vec![record(seq, 0, 6)]]);
    }
    log
}

#[test]
fn a_tail_torn_at_any_byte_is_dropped() {
    let log = written(3, 1 << 12);
    let bytes = log.file_bytes(1);
    let places = frame_places(&bytes, 1);
    let (start, end) = (places[2], places[3]);
    for at in start..end {
        // The rest never reached the disk: zeros where room is reserved, or no bytes at all.
        let mut zeros = bytes.clone();
        zeros[at..].fill(0);
        for torn in [&zeros[..], &bytes[..at]] {
            log.set_file(1, torn);
            let is_whole = torn == &bytes[..] || zeros[start..end] == bytes[start..end];
            let replayed = log.replay();
            assert!(replayed.recovery.damage.is_empty(), "byte {at}");
            if is_whole && torn.len() == bytes.len() {
                assert_eq!(replayed.seqs(), [1, 2, 3], "byte {at}");
            } else {
                assert_eq!(replayed.seqs(), [1, 2], "byte {at}");
                assert_eq!(log.file_bytes(1), &bytes[..start], "byte {at}");
            }
        }
    }
}

#[test]
fn a_tail_torn_in_its_middle_is_dropped_with_what_follows() {
    let log = Log::new(1, 1 << 14);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(1, 0, 6)]]);
    // One group, so that nothing in it says that the others of it are durable.
    let group: Vec<Record> = (2..6).map(|seq| record(seq, 0, 6)).collect();
    log.write_groups(&mut writer, &[group]);
    let mut bytes = log.file_bytes(1);
    let places = frame_places(&bytes, 1);
    bytes[places[2]..places[3]].fill(0);
    log.set_file(1, &bytes);
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1, 2]);
    assert!(replayed.recovery.damage.is_empty());
    let torn = (places[5] - places[2]) as u64;
    let padding = replayed.recovery.torn_bytes.abs_diff(torn);
    assert!(padding < 8, "{padding}");
    assert_eq!(replayed.recovery.last_seq, Seq(2));
}

#[test]
fn any_bit_flipped_in_an_acknowledged_record_loses_that_record_alone() {
    let log = written(5, 1 << 12);
    let bytes = log.file_bytes(1);
    let places = frame_places(&bytes, 1);
    for (seq, want) in [(1, [2, 3, 4, 5]), (3, [1, 2, 4, 5])] {
        let (start, end) = (places[seq as usize - 1], places[seq as usize]);
        for byte in start..end {
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1 << (byte % 8);
            log.set_file(1, &flipped);
            let replayed = log.replay();
            assert_eq!(replayed.seqs(), want, "byte {byte}");
            assert_eq!(replayed.lost(), [(seq, seq)], "byte {byte}");
            let damage = &replayed.recovery.damage[0];
            assert_eq!(damage.kind, DamageKind::Frames);
            assert_eq!(damage.path, path(1));
            assert_eq!(
                (damage.offset, damage.length),
                (start as u64, (end - start) as u64)
            );
            assert_eq!(replayed.recovery.torn_bytes, 0);
            assert_eq!(replayed.recovery.last_seq, Seq(5));
        }
    }
}

#[test]
fn any_bit_flipped_in_a_file_header_is_named_and_costs_nothing() {
    let log = written(6, 350);
    assert!(log.replay().recovery.files.len() > 2);
    for number in [1, 2] {
        for byte in 0..file::HEADER_BYTES {
            let bit = (byte * 8 + byte % 8) as u64;
            log.disk.flip_bit(&path(number), bit).unwrap();
            let replayed = log.replay();
            assert_eq!(replayed.seqs(), [1, 2, 3, 4, 5, 6], "byte {byte}");
            assert_eq!(replayed.recovery.damage.len(), 1, "byte {byte}");
            let damage = &replayed.recovery.damage[0];
            assert!(matches!(damage.kind, DamageKind::Header { .. }));
            assert_eq!((&damage.path, damage.lost), (&path(number), None));
            log.disk.flip_bit(&path(number), bit).unwrap();
        }
    }
}

#[test]
fn two_bad_records_in_a_row_are_one_gap() {
    let log = written(6, 1 << 12);
    let mut bytes = log.file_bytes(1);
    let places = frame_places(&bytes, 1);
    // One by its body, one by its header.
    bytes[places[2] + 40] ^= 1;
    bytes[places[3]] ^= 1;
    log.set_file(1, &bytes);
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1, 2, 5, 6]);
    assert_eq!(replayed.lost(), [(3, 4)]);
    let text = replayed.recovery.damage[0].to_string();
    assert!(text.contains("lost: records among 3 to 4"), "{text}");
}

#[test]
fn the_end_of_a_file_that_has_a_successor_is_damage_not_a_torn_tail() {
    let log = written(6, 350);
    let bytes = log.file_bytes(1);
    let places = frame_places(&bytes, 1);
    let last = places.len() as u64 - 1;
    let start = places[places.len() - 2];
    let rest: Vec<u64> = (1..=6).filter(|&seq| seq != last).collect();
    // Bad bytes, zeros as of room never used, and no bytes.
    let mut bad = bytes.clone();
    bad[start] ^= 1;
    let mut zeros = bytes.clone();
    zeros[start..].fill(0);
    for (bytes, kind) in [
        (&bad[..], DamageKind::Frames),
        (&zeros[..], DamageKind::Records),
        (&bytes[..start], DamageKind::Records),
    ] {
        log.set_file(1, bytes);
        let replayed = log.replay();
        assert_eq!(replayed.seqs(), rest);
        assert_eq!(replayed.lost(), [(last, last)]);
        assert_eq!(replayed.recovery.damage[0].kind, kind);
        // Nothing was cut: the same is found again.
        assert_eq!(log.replay().lost(), [(last, last)]);
    }
}

#[test]
fn a_missing_file_is_named_with_the_records_it_held() {
    let log = written(8, 350);
    let held = |number: u64| {
        let files = log.replay().recovery.files;
        let file = |number: u64| files[number as usize - 1].last_seq.0;
        (file(number - 1) + 1, file(number))
    };
    let (first, last) = held(2);
    log.disk.remove(&path(2)).unwrap();
    let replayed = log.replay();
    let rest: Vec<u64> = (1..=8)
        .filter(|seq| !(first..=last).contains(seq))
        .collect();
    assert_eq!(replayed.seqs(), rest);
    assert_eq!(replayed.lost(), [(first, last)]);
    let damage = &replayed.recovery.damage[0];
    assert_eq!(damage.kind, DamageKind::Files { through: 2 });
    assert_eq!(damage.path, path(2));

    // The first of the log: told by what the next header says came before.
    log.disk.remove(&path(1)).unwrap();
    assert_eq!(log.replay().lost(), [(1, last)]);
    // Where those records are covered, nobody misses them.
    let options = ReplayOptions {
        covered_seq: Seq(last),
        ..ReplayOptions::default()
    };
    let replayed = log.replay_with(options).unwrap();
    assert!(replayed.recovery.damage.is_empty());
    assert_eq!(replayed.seqs(), rest[rest.len() - replayed.records.len()..]);
}

#[test]
fn damage_of_covered_records_is_not_reported() {
    let log = written(5, 1 << 12);
    let mut bytes = log.file_bytes(1);
    let places = frame_places(&bytes, 1);
    bytes[places[1] + 3] ^= 1;
    log.set_file(1, &bytes);
    let covered = |seq| {
        let options = ReplayOptions {
            covered_seq: Seq(seq),
            ..ReplayOptions::default()
        };
        log.replay_with(options).unwrap().lost()
    };
    assert_eq!(covered(1), [(2, 2)]);
    assert_eq!(covered(2), []);
}

#[test]
fn a_file_full_of_rubbish_does_not_hide_the_others() {
    let log = written(6, 350);
    let length = log.file_bytes(2).len();
    let mut rng = crate::sys::sim::Rng::new(3);
    let rubbish: Vec<u8> = (0..length).map(|_| rng.next_u64() as u8).collect();
    log.set_file(2, &rubbish);
    let replayed = log.replay();
    assert_eq!(replayed.lost().len(), 1);
    let (first, last) = replayed.lost()[0];
    let rest: Vec<u64> = (1..=6)
        .filter(|seq| !(first..=last).contains(seq))
        .collect();
    assert_eq!(replayed.seqs(), rest);
    assert_eq!(replayed.recovery.damage.len(), 2, "header and frames");
}

#[test]
fn a_record_that_no_version_writes_is_lost_alone() {
    let log = Log::new(1, 1 << 12);
    let mut writer = log.open();
    log.write_groups(
        &mut writer,
        &[vec![
            record(1, 0, 2),
            (Seq(2), vec![1, 200, 0, 0, 0]),
            record(3, 0, 2),
        ]],
    );
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1, 3]);
    assert_eq!(replayed.lost(), [(2, 2)]);
    let text = replayed.recovery.damage[0].to_string();
    assert!(text.contains("cannot be decoded"), "{text}");
}

#[test]
fn what_a_newer_version_wrote_is_refused() {
    let log = Log::new(1, 1 << 12);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![(Seq(1), vec![9, 0, 0, 0, 0])]]);
    let error = log.replay_with(ReplayOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("record 1") && text.contains("newer version"),
        "{text}"
    );

    let mut bytes = log.file_bytes(1);
    bytes[8] = 2;
    let crc = {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..12]);
        hasher.update(&bytes[16..file::HEADER_BYTES]);
        hasher.finalize()
    };
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    log.set_file(1, &bytes);
    let error = log.replay_with(ReplayOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("WAL format 2, this version knows up to 1"),
        "{text}"
    );
}

#[test]
fn frames_of_another_file_do_not_pass() {
    let other = Log::new(2, 1 << 12);
    let mut writer = other.open();
    other.write_groups(&mut writer, &[vec![record(5, 1, 6)], vec![record(6, 1, 6)]]);
    let foreign = other.file_bytes(1);

    let log = written(3, 1 << 12);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(4, 0, 1)]]);
    // Blocks with later records of a file 1 show up in file 2 past its end.
    let mut mixed = log.file_bytes(2);
    let end = frame_places(&mixed, 2)[1];
    mixed.truncate(end);
    mixed.extend_from_slice(&foreign[file::HEADER_BYTES..]);
    log.set_file(2, &mixed);
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1, 2, 3, 4]);
    assert!(replayed.recovery.damage.is_empty());
    assert_eq!(log.file_bytes(2).len(), end);
}

#[test]
fn the_seq_of_a_record_that_is_damaged_is_not_given_again() {
    let log = written(3, 1 << 12);
    let mut bytes = log.file_bytes(1);
    let places = frame_places(&bytes, 1);
    // Of record 2 nothing is left; the header of record 3 says that 2 was durable.
    bytes[places[1]..places[2]].fill(0);
    bytes[places[2] + 40] ^= 1;
    log.set_file(1, &bytes);
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1]);
    assert_eq!(replayed.lost(), [(2, 3)]);
    assert_eq!(replayed.recovery.last_seq, Seq(3));
    let mut writer = log.writer(&replayed.recovery);
    log.write_groups(&mut writer, &[vec![record(4, 0, 1)]]);
    // The bit is right again at the next reading.
    bytes[places[2] + 40] ^= 1;
    log.set_file(1, &bytes);
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1, 3, 4]);
    assert_eq!(replayed.lost(), [(2, 2)]);
}
