//! SIGBUS: a mapped file that lost bytes costs a read, not the process.
//!
//! Storage maps immutable files. When another program cuts one, or the disk cannot give a page of
//! it, the thread that touches those bytes gets SIGBUS, which ends a process by default. Here it
//! gets a page of zeros, after the fault was counted for the file: storage then reads again by
//! calls and meets the error. Any other SIGBUS ends the process as ever.
#![expect(
    unsafe_code,
    reason = "handling a signal and mapping memory at a fixed address cannot be done without"
)]

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, c_void, siginfo_t};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use silverback_storage::sys::faults;

/// Size of a page of memory, in bytes; set before the handler is.
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Handles SIGBUS from now on, for the whole process. After it, files may be mapped.
///
/// # Errors
/// The system refuses.
pub(crate) fn install() -> io::Result<()> {
    PAGE_BYTES.store(rustix::param::page_size(), Ordering::Release);
    // On the stack that Rust gives each thread for signals. With `sigaction` itself, since what
    // joins several handlers (signal-hook, Tokio) calls Rust's own first, and that one, made for
    // overflows of the stack, gives SIGBUS back to the system.
    set_action(
        on_sigbus as *const () as usize,
        libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART,
    )
}

fn set_action(handler: usize, flags: c_int) -> io::Result<()> {
    // SAFETY: all zeros is a `sigaction` (no handler, no flags, an empty mask). The handler is
    // `SIG_DFL`, or `on_sigbus` together with the flag that it is called with three arguments;
    // both stay valid for ever. No earlier action is asked for.
    let result = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The handler. It interrupts a thread anywhere, so it takes no lock and no memory, and calls
/// nothing but the system.
extern "C" fn on_sigbus(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY: with `SA_SIGINFO` the system hands over a `siginfo_t` for the time of the call, and
    // that of a SIGBUS has an address (of no meaning if the signal was sent by somebody).
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    // Only these say that the interrupted thread itself touched the address.
    let is_access = matches!(code, libc::BUS_ADRERR | libc::BUS_MCEERR_AR);
    if is_access && faults::count(address) && put_zeros(address) {
        return;
    }
    give_up(is_access);
}

/// Puts a page of zeros at the page of `address`, which lies in a map of ours.
fn put_zeros(address: usize) -> bool {
    let page_bytes = PAGE_BYTES.load(Ordering::Acquire);
    let page = ptr::with_exposed_provenance_mut(address & !(page_bytes - 1));
    // SAFETY: the page is one of a map that the interrupted thread is reading from, and so has
    // borrowed: it is nobody else's, and cannot be given back meanwhile. Readers of the map know
    // that its bytes may change after a fault, which has been counted.
    let put = unsafe {
        mmap_anonymous(
            page,
            page_bytes,
            ProtFlags::READ,
            MapFlags::PRIVATE | MapFlags::FIXED,
        )
    };
    put.is_ok()
}

/// Lets the signal do what it does by default.
fn give_up(is_access: bool) {
    let is_default = set_action(libc::SIG_DFL, 0).is_ok();
    // On return an access is tried again, and the signal comes again. One that was sent does not.
    if !is_access || !is_default {
        // SAFETY: both may be called in a handler. The signal waits until the handler returns.
        unsafe {
            if is_default {
                libc::raise(libc::SIGBUS);
            } else {
                libc::abort();
            }
        }
    }
}

#[cfg(test)]
mod tests;
