//! How many cores there are, found out without allocating where that can be done.
//!
//! `available_parallelism` allocates on Linux, to read what the process's control group allows. A pool's first call cannot: it
//! may be made when memory is out, and must not end the process then, or by a global allocator that is built on the pool.

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use system::count;

#[cfg(all(target_os = "linux", not(miri)))]
#[expect(
    unsafe_code,
    reason = "a system call that the standard library has only together with allocations"
)]
mod system {
    /// The cores that this thread may run on.
    pub(in crate::sync) fn count() -> usize {
        let mut cores = [0_u64; 128];
        // SAFETY: the call writes at most as many bytes as it is told to the array, which stands for bits.
        let error =
            unsafe { libc::sched_getaffinity(0, size_of_val(&cores), cores.as_mut_ptr().cast()) };
        let count: u32 = cores.iter().map(|word| word.count_ones()).sum();
        if error == 0 { count.max(1) as usize } else { 1 }
    }
}

/// The cores that this thread may run on.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_at_least_as_many_cores_as_threads_that_can_run_at_once() {
        // Fewer, where a control group allows the process only a part of the cores' time.
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        assert!(super::count() >= at_once);
    }
}
