//! Which threads give way to others.

use std::io;
use std::time::Duration;

/// What is added to the niceness of a thread that works in the background: beside others that
/// want the processor it gets about a tenth of what one of them gets, and all where none does.
const BACKGROUND: i32 = 10;

/// The highest niceness there is.
const LOWEST: i32 = 19;

/// Lets the thread that calls give way to all others of the machine.
///
/// # Errors
/// The system does not let it. It goes on as before.
pub(crate) fn lower_own() -> io::Result<()> {
    // On Linux niceness is a thread's, and no process named means the thread that calls.
    let own = rustix::process::getpriority_process(None)?;
    rustix::process::setpriority_process(None, (own + BACKGROUND).min(LOWEST))?;
    Ok(())
}

/// The longest time slice that the system gives (`kernel/sched/syscalls.c`).
const SLICE_MAX: Duration = Duration::from_millis(100);

/// Asks the system to let the thread that calls work for long and seldom, so that any other that
/// wakes takes the processor from it at once: the shorter slice is preferred (Linux 6.12 and
/// later, EEVDF; earlier ones take no notice). Its share of the processor, the niceness, stays.
///
/// # Errors
/// The system does not know of such a thing, or does not let it. It goes on as before.
pub(crate) fn lengthen_own_slice() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    linux::set_own_slice(SLICE_MAX)?;
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::time::Duration;

    /// Neither the C library nor rustix has a function for it.
    #[expect(unsafe_code, reason = "a system call without a wrapper")]
    pub(super) fn set_own_slice(slice: Duration) -> io::Result<()> {
        let mut attributes = libc::sched_attr {
            size: size_of::<libc::sched_attr>() as u32,
            sched_policy: 0,
            // Whoever starts the program may have chosen another (`CPUSchedulingPolicy=batch`). A
            // real-time one knows no slices: that is an error.
            sched_flags: libc::SCHED_FLAG_KEEP_POLICY as u64,
            // To be said again, or it would become 0.
            sched_nice: rustix::process::getpriority_process(None)?,
            sched_priority: 0,
            sched_runtime: slice.as_nanos() as u64,
            sched_deadline: 0,
            sched_period: 0,
        };
        const OWN: libc::pid_t = 0;
        const NO_FLAGS: libc::c_uint = 0;
        // SAFETY: The kernel reads `size` bytes of the structure, which outlives the call, and
        // writes none of the process's memory, but for `size` where it knows a shorter one (E2BIG):
        // that is why the pointer is a mutable one.
        let done =
            unsafe { libc::syscall(libc::SYS_sched_setattr, OWN, &raw mut attributes, NO_FLAGS) };
        match done {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// What the scheduler says of the threads of this process whose name begins so: their slices in
/// nanoseconds, and priorities (`/proc/self/task/*/sched`). Tests beside have threads of the same
/// names, that ask for the same.
#[cfg(all(test, target_os = "linux"))]
#[expect(
    clippy::disallowed_methods,
    reason = "these files are the kernel's, not the database's"
)]
pub(crate) fn scheduled(name: &str) -> Vec<(Option<u64>, Option<i64>)> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let of_thread = |path: std::path::PathBuf| {
        let own_name = std::fs::read_to_string(path.join("comm")).ok()?;
        let text = std::fs::read_to_string(path.join("sched")).ok()?;
        let field = |field: &str| {
            let line = text.lines().find(|line| line.starts_with(field))?;
            line.rsplit(' ').next()?.parse::<i64>().ok()
        };
        let slice = field("se.slice").and_then(|slice| u64::try_from(slice).ok());
        own_name.starts_with(name).then(|| (slice, field("prio")))
    };
    threads
        .filter_map(|thread| of_thread(thread.ok()?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_asks_gives_way() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        let lowered = std::thread::spawn(move || {
            lower_own().unwrap();
            own()
        });
        assert_eq!(lowered.join().unwrap(), (before + BACKGROUND).min(LOWEST));
        assert_eq!(own(), before);
    }

    #[test]
    fn a_long_slice_leaves_the_niceness() {
        let niceness = std::thread::spawn(|| {
            lower_own().unwrap();
            let before = rustix::process::getpriority_process(None).unwrap();
            lengthen_own_slice().unwrap();
            (before, rustix::process::getpriority_process(None).unwrap())
        });
        let (before, after) = niceness.join().unwrap();
        assert_eq!(after, before);
    }
}
