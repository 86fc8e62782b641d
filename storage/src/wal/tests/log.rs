//! Writing and reading a log on which nothing goes wrong.

use std::cell::Cell;
use std::io;

use super::*;
use crate::sys::sim::OpKind;
use crate::wal::writer::AHEAD_BYTES;

#[test]
fn records_come_back_in_order_across_files() {
    let log = Log::new(1, 2000);
    let mut writer = log.open();
    let groups: Vec<Vec<Record>> = (0..20)
        .map(|group| (1..4).map(|i| record(group * 3 + i, 0, 5)).collect())
        .collect();
    log.write_groups(&mut writer, &groups);
    assert_eq!(writer.durable_seq(), Seq(60));

    let replayed = log.replay();
    assert_eq!(replayed.records, groups.concat());
    let recovery = &replayed.recovery;
    assert!(recovery.damage.is_empty());
    assert_eq!(recovery.torn_bytes, 0);
    assert_eq!(recovery.last_seq, Seq(60));
    assert_eq!((recovery.records, recovery.samples), (60, 300));
    assert_eq!(recovery.definitions, 60);
    assert!(recovery.files.len() > 3);
    let next = recovery.files.len() as u64 + 1;
    assert_eq!(recovery.next_file_number, Some(next));
    // Room that was reserved and not used is given back.
    assert_eq!(recovery.files.last().unwrap().bytes % 8, 0);
    let last = log.file_bytes(next - 1);
    assert_eq!(frame_places(&last, next - 1).last(), Some(&last.len()));
    assert_eq!(log.replay().records, groups.concat());
}

#[test]
fn a_restart_begins_a_new_file() {
    let log = Log::new(1, 1 << 20);
    for life in 1..5 {
        let mut writer = log.open();
        log.write_groups(&mut writer, &[vec![record(life, 0, 3)]]);
        assert_eq!(log.disk.list(Path::new(DIR)).unwrap().len() as u64, life);
    }
    assert_eq!(log.replay().seqs(), [1, 2, 3, 4]);
}

#[test]
fn an_open_log_without_writes_leaves_no_file() {
    let log = Log::new(1, 1 << 20);
    for _ in 0..3 {
        let mut writer = log.open();
        writer.append(slices(&[])).unwrap();
        writer.sync().unwrap();
    }
    assert!(log.disk.list(Path::new(DIR)).unwrap().is_empty());
    assert_eq!(log.replay().recovery.next_file_number, Some(1));
}

#[test]
fn a_group_beyond_the_file_size_gets_a_file_of_its_own() {
    let log = Log::new(1, 1000);
    let mut writer = log.open();
    let groups = [
        vec![record(1, 0, 1)],
        vec![record(2, 0, 400)],
        vec![record(3, 0, 1)],
    ];
    log.write_groups(&mut writer, &groups);
    let replayed = log.replay();
    assert_eq!(replayed.records, groups.concat());
    assert_eq!(replayed.recovery.files.len(), 3);
}

#[test]
fn a_file_is_durable_before_the_next_one_exists() {
    let log = Log::new(1, 300);
    let mut writer = log.open();
    log.disk.start_log();
    writer.append(slices(&[record(1, 0, 20)])).unwrap();
    writer.append(slices(&[record(2, 0, 20)])).unwrap();
    let ops = log.disk.take_log();
    let op = |kind, number: Option<u64>| crate::sys::sim::Op {
        kind,
        path: number.map_or(PathBuf::from(DIR), path),
    };
    let create = |number| {
        [
            op(OpKind::CreateNew, Some(number)),
            op(OpKind::Allocate, Some(number)),
            op(OpKind::Write, Some(number)),
            op(OpKind::SyncData, Some(number)),
            op(OpKind::SyncDir, None),
            op(OpKind::Write, Some(number)),
        ]
    };
    let mut want = create(1).to_vec();
    want.push(op(OpKind::SyncData, Some(1)));
    want.extend(create(2));
    assert_eq!(ops, want);
    assert_eq!(writer.durable_seq(), Seq(1));
}

#[test]
fn a_group_is_one_write() {
    let log = Log::new(1, 1 << 20);
    let mut writer = log.open();
    writer.append(slices(&[record(1, 0, 1)])).unwrap();
    log.disk.start_log();
    let group: Vec<Record> = (2..50).map(|seq| record(seq, 0, 30)).collect();
    writer.append(slices(&group)).unwrap();
    writer.sync().unwrap();
    // Nothing new to sync.
    writer.sync().unwrap();
    let kinds: Vec<OpKind> = log.disk.take_log().iter().map(|op| op.kind).collect();
    assert_eq!(kinds, [OpKind::Write, OpKind::SyncData]);
}

#[test]
fn a_file_is_written_ahead_in_pieces() {
    let room = 3 * AHEAD_BYTES + 100_000;
    let log = Log::new(1, room);
    let mut writer = log.open();
    assert_eq!(writer.written_and_room(), None);
    let (mut pieces, mut seq) = (Vec::new(), 0);
    while writer.files().count() < 2 {
        seq += 1;
        log.write_groups(&mut writer, &[vec![record(seq, 0, 500)]]);
        let (written, room_end) = writer.written_and_room().unwrap();
        if pieces.last() != Some(&written) {
            pieces.push(written);
        }
        let number = writer.files().count() as u64;
        let bytes = log.file_bytes(number);
        let end = *frame_places(&bytes, number).last().unwrap();
        assert!(end as u64 <= written && written <= room_end);
        // What is written ahead reads like room that never was.
        assert_eq!((bytes.len() as u64, room_end), (room, room));
        assert!(bytes[end..].iter().all(|byte| *byte == 0));
    }
    let ahead = AHEAD_BYTES;
    assert_eq!(pieces, [ahead, 2 * ahead, 3 * ahead, room, ahead]);
    assert_eq!(log.replay().seqs(), (1..=seq).collect::<Vec<_>>());
}

#[test]
fn seqs_must_rise_and_may_leave_gaps() {
    let log = Log::new(1, 1 << 20);
    let mut writer = log.open();
    writer.append(slices(&[record(5, 0, 1)])).unwrap();
    for wrong in [
        vec![record(5, 1, 1)],
        vec![record(7, 0, 1), record(6, 0, 1)],
    ] {
        assert!(matches!(
            writer.append(slices(&wrong)),
            Err(WalError::Order { .. })
        ));
    }
    writer.append(slices(&[record(9, 0, 1)])).unwrap();
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [5, 9]);
    assert!(replayed.recovery.damage.is_empty());
}

#[test]
fn covered_files_are_dropped_but_for_the_newest() {
    let log = Log::new(1, 600);
    let mut writer = log.open();
    for seq in 1..=10 {
        log.write_groups(&mut writer, &[vec![record(seq, 0, 40)]]);
    }
    assert_eq!(writer.files().drop_through(Seq(0), &|| ()).unwrap(), 0);
    assert_eq!(writer.files().drop_through(Seq(4), &|| ()).unwrap(), 4);
    let before = writer.files().bytes();
    writer.complete_file().unwrap();
    assert_eq!(writer.files().bytes(), before);
    assert_eq!(writer.files().drop_through(Seq(10), &|| ()).unwrap(), 5);
    let options = ReplayOptions {
        covered_seq: Seq(10),
        ..ReplayOptions::default()
    };
    let replayed = log.replay_with(options).unwrap();
    assert!(replayed.records.is_empty());
    assert!(replayed.recovery.damage.is_empty());
    assert_eq!(replayed.recovery.next_file_number, Some(11));
    // The log goes on after what is covered, even where no file says so.
    log.disk.remove(&path(10)).unwrap();
    let recovery = log.replay_with(options).unwrap().recovery;
    assert_eq!(recovery.last_seq, Seq(10));
}

#[test]
fn a_file_that_is_gone_is_cut_little_by_little() {
    let log = Log::new(1, 600);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(1, 0, 5_000)]]);
    log.write_groups(&mut writer, &[vec![record(2, 0, 5_000)]]);
    writer.complete_file().unwrap();
    let whole = writer.files().bytes() / 2;
    let steps = Cell::new(0);
    let step = || {
        // Nobody can open it any more.
        let error = log.disk.open_read(&path(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        steps.set(steps.get() + 1);
    };
    assert_eq!(writer.files().drop_through(Seq(2), &step).unwrap(), 1);
    assert_eq!(steps.get(), whole.div_ceil(512));
}

#[test]
fn records_that_are_covered_are_passed_over() {
    let log = Log::new(1, 600);
    let mut writer = log.open();
    for seq in 1..=10 {
        log.write_groups(&mut writer, &[vec![record(seq, 0, 10)]]);
    }
    let options = ReplayOptions {
        covered_seq: Seq(7),
        ..ReplayOptions::default()
    };
    assert_eq!(log.replay_with(options).unwrap().seqs(), [8, 9, 10]);
}

#[test]
fn reading_beside_a_writer_changes_nothing() {
    let log = Log::new(1, 1 << 20);
    assert!(log.read_only().records.is_empty());
    let mut writer = log.open();
    log.disk.start_log();
    writer.append(slices(&[record(1, 0, 1)])).unwrap();
    let ops = log.disk.take_log().len();
    assert_eq!(log.read_only().seqs(), [1]);
    // Half of a frame, as a reader may meet it.
    let bytes = log.file_bytes(1);
    let end = frame_places(&bytes, 1)[1];
    writer.append(slices(&[record(2, 0, 100)])).unwrap();
    let whole = log.file_bytes(1);
    let mut half = whole.clone();
    half[end + 200..].fill(0);
    log.set_file(1, &half);
    log.disk.take_log();
    assert_eq!(log.read_only().seqs(), [1]);
    assert!(log.disk.take_log().is_empty(), "{ops}");
    log.set_file(1, &whole);
    assert_eq!(log.read_only().seqs(), [1, 2]);
}

#[test]
fn foreign_files_are_left_alone() {
    let log = Log::new(1, 1 << 20);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(1, 0, 1)]]);
    let foreign = Path::new(DIR).join("notes.txt");
    log.disk.create_new(&foreign).unwrap();
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1]);
    assert!(replayed.recovery.damage.is_empty());
    assert!(log.disk.open(&foreign).is_ok());
}

#[test]
fn a_sink_that_fails_stops_the_replay() {
    let log = Log::new(1, 1 << 20);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(1, 0, 1), record(2, 0, 1)]]);
    let mut taken = 0;
    let options = ReplayOptions::default();
    let error = replay(
        &log.sys,
        Path::new(DIR),
        options,
        &mut |_, batch: Batch, _| {
            if batch.seq == Seq(2) {
                return Err("no room".into());
            }
            taken += 1;
            Ok(())
        },
    );
    assert_eq!(taken, 1);
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot apply WAL record 2: no room"
    );
}

/// The example of `docs/format/wal.md`, byte by byte: what version 1 is.
#[test]
fn the_bytes_of_format_version_1() {
    let log = Log::new(1, 1 << 12);
    let mut writer = log.open();
    let batch = Batch {
        seq: Seq(1),
        definitions: vec![
            SeriesDefinition {
                id: SeriesId(0),
                labels: Labels::from_pairs([("__name__", "up"), ("job", "a")]).unwrap(),
            },
            SeriesDefinition {
                id: SeriesId(1),
                labels: Labels::from_pairs([("__name__", "up"), ("job", "ab")]).unwrap(),
            },
        ],
        floats: [(0, 1.0), (1, 0.5)]
            .map(|(id, value)| FloatRow {
                series: SeriesId(id),
                timestamp_ms: 1000,
                value,
            })
            .to_vec(),
        ..Batch::default()
    };
    log.write_groups(&mut writer, &[vec![(Seq(1), body(&batch))]]);
    log.replay();
    let bytes = log.file_bytes(1);
    let hex: Vec<String> = bytes
        .chunks(8)
        .map(|eight| eight.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    let want = [
        "53424b57414c0d0a", // magic
        "010028005599473c", // version, header length, checksum
        "0100000000000000", // file number
        "0000000000000000", // durable seq
        "0100000000000000", // epoch
        "3400000084164ed2", // body length, body checksum
        "0100000000000000", // seq
        "0000000000000000", // durable seq
        "0100000000000000", // epoch
        "00000000f32cfb11", // flags, header checksum
        "011e000000020002",
        "0a5f5f6e616d655f",
        "5f00027570056a6f",
        "6200016100020001",
        "010162020c000000",
        "0204000204d00f00",
        "29013fe000000000",
    ];
    assert_eq!(hex, want);
}
