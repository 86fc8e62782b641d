//! Full disks and failing ones.

use super::*;
use crate::sys::sim::Fault;

#[test]
fn a_full_disk_at_a_new_file_loses_nothing_and_is_got_over() {
    for seed in 0..40 {
        let log = Log::new(seed, 700);
        let mut writer = log.open();
        let mut want = Vec::new();
        let mut refused = 0;
        for seq in 1..30 {
            log.disk.set_full((10..20).contains(&seq));
            let group = vec![record(seq, 0, 30)];
            match writer.append(slices(&group)) {
                Ok(()) => {
                    writer.sync().unwrap();
                    want.extend(group);
                }
                Err(WalError::Full { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(refused > 5, "{refused}");
        log.disk.crash();
        let replayed = log.replay();
        assert_eq!(replayed.records, want);
        assert!(replayed.recovery.damage.is_empty());
    }
}

#[test]
fn a_database_opens_and_is_read_on_a_full_disk() {
    let log = Log::new(4, 700);
    let mut writer = log.open();
    log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
    writer.append(slices(&[record(2, 0, 5)])).unwrap();
    log.disk.set_full(true);
    log.disk.crash();
    let replayed = log.replay();
    assert!(replayed.records.starts_with(&[record(1, 0, 5)]));
    let mut writer = log.writer(&replayed.recovery);
    let next = [record(9, 0, 5)];
    assert!(matches!(
        writer.append(slices(&next)),
        Err(WalError::Full { .. })
    ));
    writer.sync().unwrap();
    log.disk.set_full(false);
    writer.append(slices(&next)).unwrap();
}

#[test]
fn where_no_room_can_be_reserved_a_full_disk_ends_the_file() {
    for seed in 0..40 {
        let log = Log::new(seed, 1 << 14);
        log.disk.set_allocation_supported(false);
        let mut writer = log.open();
        log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
        // Not synced yet when the disk fills up.
        writer.append(slices(&[record(2, 0, 5)])).unwrap();
        log.disk.set_full(true);
        let lost: Vec<Record> = (3..9).map(|seq| record(seq, 0, 60)).collect();
        for _ in 0..2 {
            assert!(matches!(
                writer.append(slices(&lost)),
                Err(WalError::Full { .. })
            ));
        }
        writer.sync().unwrap();
        log.disk.set_full(false);
        // The seq of what was refused is given again.
        log.write_groups(&mut writer, &[vec![record(3, 7, 5)]]);
        log.disk.crash();
        let replayed = log.replay();
        let want = [record(1, 0, 5), record(2, 0, 5), record(3, 7, 5)];
        assert_eq!(replayed.records, want);
        assert!(replayed.recovery.damage.is_empty());
    }
}

#[test]
fn a_failed_write_or_sync_poisons_the_writer() {
    for (op, want) in [(0, "cannot write"), (1, "cannot sync")] {
        let log = Log::new(1, 1 << 14);
        let mut writer = log.open();
        log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
        log.disk.fail_at(log.disk.ops() + op, Fault::Eio);
        let result = writer
            .append(slices(&[record(2, 0, 5)]))
            .and_then(|()| writer.sync());
        let text = result.unwrap_err().to_string();
        assert!(text.starts_with(want), "{text}");
        assert!(text.contains("the WAL takes no more writes"), "{text}");
        // Whatever is tried, the first cause is the answer, and the disk is left alone.
        let ops = log.disk.ops();
        assert_eq!(
            writer
                .append(slices(&[record(3, 0, 5)]))
                .unwrap_err()
                .to_string(),
            text
        );
        assert_eq!(writer.sync().unwrap_err().to_string(), text);
        assert_eq!(writer.complete_file().unwrap_err().to_string(), text);
        assert_eq!(writer.poison().unwrap().to_string(), text);
        assert_eq!(log.disk.ops(), ops);
        assert_eq!(writer.durable_seq(), Seq(1));
    }
}

#[test]
fn a_new_file_that_cannot_be_synced_poisons_the_writer() {
    // Allocate, write, sync, sync directory.
    for op in 1..5 {
        let log = Log::new(1, 1 << 14);
        let mut writer = log.open();
        log.disk.fail_at(log.disk.ops() + op, Fault::Eio);
        let group = [record(1, 0, 5)];
        let error = writer.append(slices(&group)).unwrap_err();
        assert!(matches!(error, WalError::Poisoned { .. }), "{error}");
        let mut writer = log.open();
        log.write_groups(&mut writer, &[group.to_vec()]);
        log.disk.crash();
        let replayed = log.replay();
        assert_eq!(replayed.seqs(), [1]);
        assert!(replayed.recovery.damage.is_empty());
    }
}

#[test]
fn a_file_that_cannot_be_created_is_tried_again() {
    let log = Log::new(1, 1 << 14);
    let mut writer = log.open();
    log.disk.fail_at(log.disk.ops(), Fault::Eio);
    let group = [record(1, 0, 5)];
    let error = writer.append(slices(&group)).unwrap_err();
    assert!(matches!(error, WalError::Create { .. }), "{error}");
    log.write_groups(&mut writer, &[group.to_vec()]);
    assert_eq!(log.replay().seqs(), [1]);
}

#[test]
fn records_seen_after_a_failed_sync_are_durable_once_replayed() {
    let mut seen = 0;
    for seed in 0..60 {
        let log = Log::new(seed, 1 << 14);
        let mut writer = log.open();
        log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
        writer.append(slices(&[record(2, 0, 5)])).unwrap();
        log.disk.fail_at(log.disk.ops(), Fault::Eio);
        writer.sync().unwrap_err();
        // The process starts again and finds its record in the page cache.
        let replayed = log.replay();
        assert_eq!(replayed.seqs(), [1, 2]);
        let mut writer = log.writer(&replayed.recovery);
        log.write_groups(&mut writer, &[vec![record(3, 0, 5)]]);
        log.disk.crash();
        let replayed = log.replay();
        assert_eq!(replayed.seqs(), [1, 2, 3], "seed {seed}");
        seen += 1;
    }
    assert_eq!(seen, 60);
}

#[test]
fn a_file_that_cannot_be_dropped_is_dropped_later() {
    let log = Log::new(1, 600);
    let mut writer = log.open();
    for seq in 1..=5 {
        log.write_groups(&mut writer, &[vec![record(seq, 0, 40)]]);
    }
    // The second removal fails.
    log.disk.fail_at(log.disk.ops() + 1, Fault::Eio);
    writer.files().drop_through(Seq(3), &|| ()).unwrap_err();
    assert_eq!(writer.files().drop_through(Seq(3), &|| ()).unwrap(), 2);
    assert_eq!(log.replay().seqs(), [4, 5]);
}
