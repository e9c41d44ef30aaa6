//! How long a thread may compute before another one has its turn on the same core.
//!
//! A thread that wakes up because a frame is due, while every core computes, waits until one of the computing threads has had its
//! turn: since Linux 6.6 two to four milliseconds, more than an item of the language model takes. Since Linux 6.12 each thread
//! may say how long its turns shall be (`sched_runtime` of `sched_setattr(2)`, no privilege needed), and one with shorter turns
//! that wakes up goes before one with longer ones. Nobody gets more of the processor by it. Kernels before 6.6 do so by
//! themselves, those between do not.

#![expect(unsafe_code, reason = "two system calls that no crate of ours has; each block says why it is sound")]

use std::io;
use std::time::Duration;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// It wakes up for something that is due, a frame or a message, and should begin at once.
    Short,
    /// It computes as long as it may.
    Long,
}

impl Turns {
    /// Short: the least that Linux takes. Long: about what Linux gives by itself on eight cores (on four three quarters of it, on two
    /// half of it); the longer it is, the longer waits a thread that had more than its share before. Both together were tried: a
    /// frame's thread then woke up 0.06 ms late at most, beside turns of 6 ms once 2.9.
    const fn length(self) -> Duration {
        match self {
            Self::Short => Duration::from_micros(100),
            Self::Long => Duration::from_millis(3),
        }
    }

    /// Asks for such turns for the calling thread. A sandbox may forbid it; then frames wait longer where Linux does not see to
    /// them by itself.
    pub(crate) fn ask(self) {
        if let Err(error) = set(self.length()) {
            tracing::debug!("a thread's turns cannot be made {self:?}: {error}");
        }
    }
}

/// Asks for turns of `length` for the calling thread, everything else as it is. A thread that is scheduled otherwise than
/// usual, by its owner's will, is left alone.
fn set(length: Duration) -> io::Result<()> {
    let mut attributes = attributes()?;
    let usual = [libc::SCHED_OTHER, libc::SCHED_BATCH].map(libc::c_int::cast_unsigned);
    if !usual.contains(&attributes.sched_policy) {
        return Ok(());
    }
    attributes.sched_runtime = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: the kernel reads `attributes`, which says its own size, and changes nothing but how the calling thread (0) is scheduled.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How the calling thread is scheduled.
fn attributes() -> io::Result<libc::sched_attr> {
    const SIZE: usize = size_of::<libc::sched_attr>();
    // SAFETY: `sched_attr` is a plain struct of integers, for which all zeros is a valid value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most SIZE bytes, which is what `attributes` has, of the calling thread (0).
    let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) };
    if result == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_what_was_asked_for_and_nothing_else_changes() {
        let before = attributes().unwrap();
        for turns in [Turns::Short, Turns::Long] {
            set(turns.length()).unwrap();
            let now = attributes().unwrap();
            assert_eq!((now.sched_policy, now.sched_nice), (before.sched_policy, before.sched_nice));
            // Zero: a kernel that does not say.
            let length = Duration::from_nanos(now.sched_runtime);
            assert!(now.sched_runtime == 0 || length == turns.length(), "{turns:?}: {length:?}");
        }
    }
}
