//! Interleaved rounds: in each, every contender has a turn, and each round begins with another contender.
//!
//! What disturbs a machine for a while disturbs all of them, and the median over the rounds forgets it.

use crate::process::trim;

/// The median of each contender's turns.
pub(crate) fn race<C>(
    rounds: usize,
    contenders: &mut [C],
    turn: impl FnMut(&mut C) -> f64,
) -> Vec<f64> {
    let turns = turns(rounds, contenders, turn);
    turns.into_iter().map(median).collect()
}

/// What each contender's turns gave.
pub(crate) fn turns<C, R>(
    rounds: usize,
    contenders: &mut [C],
    mut turn: impl FnMut(&mut C) -> R,
) -> Vec<Vec<R>> {
    let count = contenders.len();
    let mut results: Vec<Vec<R>> = (0..count).map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for place in 0..count {
            let next = (place + round * count.div_ceil(rounds)) % count;
            trim();
            results[next].push(turn(&mut contenders[next]));
        }
    }
    results
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
