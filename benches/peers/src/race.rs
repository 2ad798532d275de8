//! Interleaved rounds: in each, every contender has a turn, and each round begins with another contender.
//!
//! What disturbs a machine for a while disturbs all of them, and the median over the rounds forgets it.

/// The median of each contender's turns.
pub(crate) fn race<C>(
    rounds: usize,
    contenders: &mut [C],
    mut turn: impl FnMut(&mut C) -> f64,
) -> Vec<f64> {
    let count = contenders.len();
    let mut results = vec![Vec::with_capacity(rounds); count];
    for round in 0..rounds {
        for place in 0..count {
            let next = (place + round * count.div_ceil(rounds)) % count;
            forget_last();
            results[next].push(turn(&mut contenders[next]));
        }
    }
    results.iter_mut().map(|turns| median(turns)).collect()
}

/// What the last contender left behind in the free lists of the system's allocator, on which most pools stand, does not go to
/// the next.
#[expect(unsafe_code, reason = "a call to the system")]
fn forget_last() {
    // SAFETY: may be called at any time.
    unsafe { libc::malloc_trim(0) };
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
