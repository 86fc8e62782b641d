//! Which threads give way to others.

use std::io;

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
}
