//! Settings of the process: memory and threads.

use std::num::NonZeroUsize;

/// Keeps freed tensor memory in the process instead of giving it back to the kernel each time.
///
/// On CPU a training step allocates and frees the same large buffers over and over; with glibc's
/// default thresholds each of them is mapped, faulted in page by page and unmapped again. Call it once,
/// first thing in `main`. Does nothing where the C library is not glibc.
#[allow(unsafe_code)]
pub fn tune_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const MIB: libc::c_int = 1 << 20;
        // SAFETY: mallopt only sets parameters of the allocator, and refuses values out of range.
        unsafe {
            // Older versions take no more than 32 MiB.
            if libc::mallopt(libc::M_MMAP_THRESHOLD, 1024 * MIB) == 0 {
                libc::mallopt(libc::M_MMAP_THRESHOLD, 32 * MIB);
            }
            // mallopt takes a C int, which cannot hold 2048 MiB.
            libc::mallopt(libc::M_TRIM_THRESHOLD, 2047 * MIB);
            libc::mallopt(libc::M_TOP_PAD, 64 * MIB);
        }
    }
}

/// Sets how many CPU threads libtorch computes with.
pub fn set_threads(threads: NonZeroUsize) {
    tch::set_num_threads(i32::try_from(threads.get()).unwrap_or(i32::MAX));
}
