use super::*;

const PATH: &str = "/d/file";

fn disk(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk
}

fn create(disk: &SimDisk) -> Box<dyn File> {
    disk.create_new(Path::new(PATH)).unwrap()
}

fn contents(disk: &SimDisk) -> Vec<u8> {
    let file = disk.open_read(Path::new(PATH)).unwrap();
    let mut buf = vec![0; file.len().unwrap() as usize];
    assert_eq!(file.read_at(&mut buf, 0).unwrap(), buf.len());
    buf
}

/// Over many seeds, the share of crashes after which `holds`.
fn share(run: impl Fn(u64) -> bool) -> f64 {
    let hits = (0..200).filter(|&seed| run(seed)).count();
    hits as f64 / 200.0
}

#[test]
fn what_is_synced_survives_every_crash() {
    for seed in 0..100 {
        let disk = disk(seed);
        let file = create(&disk);
        file.write_all_at(&[1; 3000], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_all_at(&[2; 1000], 1536).unwrap();
        disk.crash();
        let bytes = contents(&disk);
        assert_eq!(bytes.len(), 3000);
        assert!(bytes[..1536].iter().all(|&byte| byte == 1));
        assert!(bytes[2536..].iter().all(|&byte| byte == 1));
        // A sector is new or old as a whole.
        assert!(bytes[1536..2048].iter().all(|&byte| byte == bytes[1536]));
    }
}

#[test]
fn what_is_not_synced_may_vanish_or_stay() {
    let name_stays = share(|seed| {
        let disk = disk(seed);
        create(&disk).sync_data().unwrap();
        disk.crash();
        disk.open(Path::new(PATH)).is_ok()
    });
    assert!((0.2..0.8).contains(&name_stays), "{name_stays}");
    let bytes_stay = share(|seed| {
        let disk = disk(seed);
        let file = create(&disk);
        file.allocate(100).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_all_at(&[1; 10], 0).unwrap();
        disk.crash();
        contents(&disk)[0] == 1
    });
    assert!((0.2..0.8).contains(&bytes_stay), "{bytes_stay}");
}

#[test]
fn the_same_seed_leaves_the_same_disk() {
    let run = |seed| {
        let disk = disk(seed);
        let file = create(&disk);
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_all_at(&[3; 20_000], 0).unwrap();
        disk.crash();
        contents(&disk)
    };
    assert_eq!(run(5), run(5));
}

#[test]
fn after_a_crash_old_handles_fail_and_locks_are_free() {
    let disk = disk(1);
    let file = create(&disk);
    disk.sync_dir(Path::new("/d")).unwrap();
    let lock = Path::new("/d/lock");
    let guard = disk.lock(lock).unwrap();
    assert_eq!(
        disk.lock(lock).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    disk.crash();
    assert!(file.write_all_at(b"x", 0).is_err());
    assert!(file.len().is_err());
    let second = disk.lock(lock).unwrap();
    // A guard from before the crash does not free a lock taken after it.
    drop(guard);
    assert!(disk.lock(lock).is_err());
    drop(second);
    disk.lock(lock).unwrap();
}

#[test]
fn a_crash_at_an_operation_stops_the_machine() {
    let disk = disk(1);
    let file = create(&disk);
    disk.sync_dir(Path::new("/d")).unwrap();
    disk.fail_at(disk.ops() + 1, Fault::Crash);
    file.write_all_at(&[1; 100], 0).unwrap();
    assert!(file.sync_data().is_err());
    assert!(disk.is_down());
    assert!(file.len().is_err());
    assert!(disk.list(Path::new("/d")).is_err());
    let ops = disk.ops();
    assert!(disk.sync_dir(Path::new("/d")).is_err());
    assert_eq!(disk.ops(), ops);
    disk.crash();
    assert_eq!(disk.list(Path::new("/d")).unwrap(), ["file"]);
}

#[test]
fn a_sync_that_failed_once_guarantees_nothing_when_repeated() {
    let survives = share(|seed| {
        let disk = disk(seed);
        let file = create(&disk);
        file.allocate(100).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_all_at(&[1; 10], 0).unwrap();
        disk.fail_at(disk.ops(), Fault::Eio);
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
        file.sync_data().unwrap();
        disk.crash();
        contents(&disk)[0] == 1
    });
    assert!((0.2..0.8).contains(&survives), "{survives}");
}

#[test]
fn a_full_disk_takes_no_growth_until_it_has_room() {
    let disk = disk(1);
    let file = create(&disk);
    file.allocate(1000).unwrap();
    disk.fail_at(disk.ops(), Fault::Enospc);
    file.write_all_at(&[1; 1000], 0).unwrap();
    let full = io::ErrorKind::StorageFull;
    assert_eq!(file.allocate(2000).unwrap_err().kind(), full);
    assert_eq!(file.write_all_at(&[1; 9], 995).unwrap_err().kind(), full);
    assert_eq!(file.len().unwrap(), 1000);
    file.sync_data().unwrap();
    disk.set_allocation_supported(false);
    assert_eq!(file.write_all_at(&[1; 9], 0).unwrap_err().kind(), full);
    disk.set_full(false);
    file.write_all_at(&[1; 9], 995).unwrap();
}

#[test]
fn the_log_names_operations_in_order() {
    let disk = disk(1);
    disk.start_log();
    let file = create(&disk);
    file.write_all_at(b"x", 0).unwrap();
    file.sync_data().unwrap();
    let to = Path::new("/d/other");
    disk.rename(Path::new(PATH), to).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    let log = disk.take_log();
    let kinds: Vec<OpKind> = log.iter().map(|op| op.kind).collect();
    use OpKind::{CreateNew, Rename, SyncData, SyncDir, Write};
    assert_eq!(kinds, [CreateNew, Write, SyncData, Rename, SyncDir]);
    assert_eq!(log[3].path, to);
    assert_eq!(disk.ops(), 5);
}

#[test]
fn a_removed_file_is_readable_while_open_and_then_forgotten() {
    let disk = disk(1);
    let file = create(&disk);
    file.write_all_at(b"x", 0).unwrap();
    disk.remove(Path::new(PATH)).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(file.len().unwrap(), 1);
    drop(file);
    disk.sync_dir(Path::new("/d")).unwrap();
    assert!(disk.state.lock().files.is_empty());
}

#[test]
fn handles_for_reading_do_not_write() {
    let disk = disk(1);
    create(&disk);
    let file = disk.open_read(Path::new(PATH)).unwrap();
    assert!(file.write_all_at(b"x", 0).is_err());
    assert!(file.set_len(0).is_err());
    assert!(
        disk.flip_bit(Path::new("/d/none"), 0)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    );
}

#[test]
fn a_killed_process_leaves_what_it_wrote_to_the_next_one() {
    for seed in 0..20 {
        let disk = disk(seed);
        let file = create(&disk);
        let guard = disk.lock(Path::new("/d/lock")).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        disk.kill();
        assert!(file.len().is_err());
        disk.lock(Path::new("/d/lock")).unwrap();
        assert_eq!(contents(&disk), b"x");
        drop(guard);
    }
}

#[test]
fn a_lost_file_does_not_come_back() {
    for seed in 0..20 {
        let disk = disk(seed);
        let file = create(&disk);
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        let other = Path::new("/d/other");
        disk.rename(Path::new(PATH), other).unwrap();
        disk.lose(other).unwrap();
        assert_eq!(
            disk.lose(other).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        disk.crash();
        assert_eq!(
            disk.open_read(other).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}

#[test]
fn a_fork_goes_its_own_way() {
    let disk = disk(1);
    let file = create(&disk);
    file.write_all_at(b"x", 0).unwrap();
    let _guard = disk.lock(Path::new("/d/lock")).unwrap();
    let fork = disk.fork();
    fork.flip_bit(Path::new(PATH), 0).unwrap();
    file.write_all_at(b"yz", 1).unwrap();
    fork.lock(Path::new("/d/lock")).unwrap();
    assert_eq!(contents(&fork), b"y");
    assert_eq!(contents(&disk), b"xyz");
    let lengths = |disk: &SimDisk| -> Vec<u64> { disk.files().iter().map(|f| f.1).collect() };
    assert_eq!((lengths(&fork), lengths(&disk)), (vec![1, 0], vec![3, 0]));
}
