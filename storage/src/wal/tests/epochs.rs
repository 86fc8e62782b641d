//! Epochs, files that are dropped while the log is written on, and files that are passed over.

use super::*;
use crate::sys::sim::{Fault, OpKind};
use crate::wal::frame::FrameHeader;
use crate::wal::recovery::DamageKind;

/// Records 1 to 9 in files of their own, three to an epoch: 1, 2 and 5.
fn three_epochs() -> (Log, Writer) {
    let log = Log::new(1, 600);
    let mut writer = log.open();
    for (epoch, first) in [(1, 1), (2, 4), (5, 7)] {
        writer.begin_epoch(epoch).unwrap();
        for seq in first..first + 3 {
            log.write_groups(&mut writer, &[vec![record(seq, 0, 40)]]);
        }
    }
    (log, writer)
}

fn covered(seq: u64) -> ReplayOptions {
    ReplayOptions {
        covered_seq: Seq(seq),
        ..ReplayOptions::default()
    }
}

#[test]
fn a_file_belongs_to_one_epoch() {
    let (log, writer) = three_epochs();
    let replayed = log.replay();
    assert_eq!(replayed.epochs, [1, 1, 1, 2, 2, 2, 5, 5, 5]);
    let recovery = replayed.recovery;
    let epochs: Vec<u64> = recovery.files.iter().map(|file| file.epoch).collect();
    assert_eq!(epochs, [1, 1, 1, 2, 2, 2, 5, 5, 5]);
    assert_eq!(recovery.last_epoch, 5);
    // A writer goes on with the last one.
    let next = log.writer(&recovery);
    let bytes: u64 = recovery.files[6..].iter().map(|file| file.bytes).sum();
    for writer in [&writer, &next] {
        assert_eq!((writer.epoch(), writer.epoch_bytes()), (5, bytes));
    }
    assert_eq!(writer.files().bytes(), next.files().bytes());
    assert_eq!((writer.files().count(), next.files().count()), (9, 9));
}

#[test]
fn an_epoch_begins_with_a_new_file() {
    let log = Log::new(1, 1 << 14);
    let mut writer = log.open();
    assert_eq!((writer.epoch(), writer.epoch_bytes()), (1, 0));
    log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
    writer.append(slices(&[record(2, 0, 5)])).unwrap();
    let bytes = writer.epoch_bytes();
    assert_eq!(bytes, writer.files().bytes());
    log.disk.start_log();
    writer.begin_epoch(1).unwrap();
    assert!(log.disk.take_log().is_empty());
    log.disk.start_log();
    writer.begin_epoch(4).unwrap();
    let kinds: Vec<OpKind> = log.disk.take_log().iter().map(|op| op.kind).collect();
    assert_eq!(kinds, [OpKind::SyncData]);
    assert_eq!((writer.epoch(), writer.epoch_bytes()), (4, 0));
    let error = writer.begin_epoch(3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "epoch 3 was to begin in the WAL after epoch 4"
    );
    log.write_groups(&mut writer, &[vec![record(3, 0, 5)]]);
    assert!(writer.epoch_bytes() > 0);
    assert_eq!(writer.files().bytes(), bytes + writer.epoch_bytes());
    let replayed = log.replay();
    assert_eq!(replayed.epochs, [1, 1, 4]);
    assert_eq!(replayed.recovery.files.len(), 2);
}

#[test]
fn an_epoch_without_records_leaves_no_trace() {
    let log = Log::new(1, 1 << 14);
    let mut writer = log.open();
    writer.begin_epoch(2).unwrap();
    writer.begin_epoch(3).unwrap();
    assert_eq!(log.replay().recovery.last_epoch, 0);
    log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
    writer.begin_epoch(4).unwrap();
    let recovery = log.replay().recovery;
    assert_eq!((recovery.last_epoch, recovery.files.len()), (3, 1));
}

#[test]
fn an_epoch_begun_on_a_full_disk_is_written_when_there_is_room() {
    let log = Log::new(1, 1 << 14);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
    log.disk.set_full(true);
    writer.begin_epoch(2).unwrap();
    let group = [record(2, 0, 5)];
    for _ in 0..2 {
        let error = writer.append(slices(&group)).unwrap_err();
        assert!(matches!(error, WalError::Full { .. }), "{error}");
    }
    log.disk.set_full(false);
    log.write_groups(&mut writer, &[group.to_vec()]);
    log.disk.crash();
    let replayed = log.replay();
    assert_eq!((replayed.seqs(), replayed.epochs), (vec![1, 2], vec![1, 2]));
    assert_eq!(replayed.recovery.next_file_number, Some(3));
}

#[test]
fn an_epoch_whose_log_cannot_be_synced_does_not_begin() {
    let log = Log::new(1, 1 << 14);
    let mut writer = log.open();
    writer.append(slices(&[record(1, 0, 5)])).unwrap();
    log.disk.fail_at(log.disk.ops(), Fault::Eio);
    let error = writer.begin_epoch(2).unwrap_err();
    assert!(matches!(error, WalError::Poisoned { .. }), "{error}");
    assert!(writer.begin_epoch(2).is_err());
    assert_eq!(writer.epoch(), 1);
}

#[test]
fn frames_tell_the_epoch_of_a_file_whose_header_is_damaged() {
    let (log, _) = three_epochs();
    for number in 1..=9 {
        log.disk.flip_bit(&path(number), 8 * 33).unwrap();
        let replayed = log.replay();
        assert_eq!(replayed.seqs(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(
            replayed.epochs,
            [1, 1, 1, 2, 2, 2, 5, 5, 5],
            "file {number}"
        );
        let files = &replayed.recovery.files;
        assert_eq!(
            files[number as usize - 1].epoch,
            replayed.epochs[number as usize - 1]
        );
        assert_eq!(replayed.recovery.last_epoch, 5);
        assert_eq!(replayed.recovery.damage.len(), 1);
        log.disk.flip_bit(&path(number), 8 * 33).unwrap();
    }
}

/// File 4, the first of epoch 2, with a record put behind its own whose frame has that epoch.
fn with_foreign_frame(epoch: u64) -> Replayed {
    let (log, _) = three_epochs();
    let mut bytes = log.file_bytes(4);
    let at = frame_places(&bytes, 4)[1];
    bytes.truncate(at);
    // It takes the seq of record 5, which stands in file 5.
    let (_, body) = record(4, 9, 5);
    let header = FrameHeader {
        seq: Seq(5),
        durable_seq: Seq(4),
        epoch,
    };
    frame::put(&mut bytes, 4, at, header, &body);
    log.set_file(4, &bytes);
    log.replay()
}

#[test]
fn a_frame_of_another_epoch_than_its_file_is_none() {
    let taken = with_foreign_frame(2);
    assert_eq!(taken.epochs[..5], [1, 1, 1, 2, 2]);
    assert_ne!(
        taken.records[4],
        record(5, 0, 40),
        "the one put there came first"
    );
    for epoch in [1, 3, 5] {
        let replayed = with_foreign_frame(epoch);
        assert_eq!(replayed.records[4], record(5, 0, 40), "epoch {epoch}");
        assert_eq!(replayed.epochs, [1, 1, 1, 2, 2, 2, 5, 5, 5]);
        let damage = &replayed.recovery.damage;
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].kind, DamageKind::Frames);
    }
}

#[test]
fn a_file_of_an_earlier_epoch_than_the_file_before_is_not_believed() {
    let (log, _) = three_epochs();
    let mut bytes = log.file_bytes(9);
    let header = file::FileHeader {
        number: 9,
        durable_seq: Seq(8),
        epoch: 2,
    };
    bytes.truncate(file::HEADER_BYTES);
    bytes.copy_from_slice(&header.encode());
    let frame_header = FrameHeader {
        seq: Seq(9),
        durable_seq: Seq(8),
        epoch: 2,
    };
    let (_, body) = record(9, 0, 40);
    frame::put(&mut bytes, 9, file::HEADER_BYTES, frame_header, &body);
    log.set_file(9, &bytes);
    let replayed = log.replay();
    assert_eq!(replayed.seqs(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(replayed.recovery.damage.len(), 1);
    assert_eq!(replayed.recovery.last_epoch, 5);
}

#[test]
fn files_without_a_record_that_is_not_covered_are_not_read() {
    let (log, _) = three_epochs();
    // Cuts the last file to its length.
    log.replay();
    for seq in 0..=9u64 {
        let replayed = log.replay_with(covered(seq)).unwrap();
        assert!(replayed.seqs().iter().copied().eq(seq + 1..=9));
        let recovery = replayed.recovery;
        // The last one is always read: nothing tells where it ends.
        let passed = (seq as usize).min(8);
        let whole: usize = (passed..9)
            .map(|place| log.file_bytes(place as u64 + 1).len())
            .sum();
        assert_eq!(recovery.bytes, whole as u64, "covered {seq}");
        let epochs: Vec<u64> = recovery.files.iter().map(|file| file.epoch).collect();
        assert_eq!(epochs, [1, 1, 1, 2, 2, 2, 5, 5, 5]);
        assert_eq!(recovery.last_epoch, 5);
        assert_eq!(recovery.last_seq, Seq(9));
        assert!(recovery.damage.is_empty());
        // They are known, so that they can be dropped.
        let dropped = log.writer(&recovery).files().droppable(Seq(seq));
        assert!(dropped.into_iter().eq(1..=passed as u64));
    }
}

#[test]
fn damage_in_a_file_that_is_not_read_harms_nobody() {
    let (log, _) = three_epochs();
    let rubbish = vec![0x5a; 700];
    log.set_file(1, &rubbish);
    log.set_file(4, &rubbish);
    log.disk.remove(&path(2)).unwrap();
    let replayed = log.replay_with(covered(6)).unwrap();
    assert_eq!(replayed.seqs(), [7, 8, 9]);
    assert!(replayed.recovery.damage.is_empty());
    assert_eq!(replayed.recovery.files.len(), 8);
    // A damaged header vouches for nothing: the files before it are read.
    log.disk.flip_bit(&path(7), 8 * 33).unwrap();
    let replayed = log.replay_with(covered(6)).unwrap();
    assert_eq!(replayed.seqs(), [7, 8, 9]);
    assert_eq!(replayed.epochs, [5, 5, 5]);
    let kept: usize = (6..=9).map(|number| log.file_bytes(number).len()).sum();
    assert_eq!(replayed.recovery.bytes, kept as u64);
}

#[test]
fn files_are_dropped_while_the_log_is_written() {
    let log = Log::new(1, 600);
    let mut writer = log.open();
    let files = writer.files().clone();
    std::thread::scope(|scope| {
        let (covered_to, covered) = std::sync::mpsc::channel();
        let dropper = scope.spawn(move || {
            let mut dropped = 0;
            for seq in covered {
                dropped += files.drop_through(seq, &|| ()).unwrap();
            }
            dropped
        });
        for seq in 1..=60 {
            log.write_groups(&mut writer, &[vec![record(seq, 0, 40)]]);
            covered_to.send(Seq(seq / 2)).unwrap();
        }
        drop(covered_to);
        assert_eq!(dropper.join().unwrap(), 30);
    });
    assert_eq!(writer.files().count(), 30);
    let replayed = log.replay_with(covered(30)).unwrap();
    assert!(replayed.seqs().into_iter().eq(31..=60));
    assert!(replayed.recovery.damage.is_empty());
}

#[test]
fn a_directory_that_could_not_be_synced_gets_no_other_file() {
    let (log, mut writer) = three_epochs();
    // One file is removed, then the directory is synced.
    log.disk.fail_at(log.disk.ops() + 1, Fault::Eio);
    writer.files().drop_through(Seq(1), &|| ()).unwrap_err();
    // The system tells of the failure once. What was lost may be the name of another file.
    let error = writer.append(slices(&[record(10, 0, 40)])).unwrap_err();
    assert!(matches!(error, WalError::Poisoned { .. }), "{error}");
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(10, 0, 40)]]);
}
