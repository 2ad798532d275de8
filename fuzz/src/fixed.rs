//! `FixedPool` streams: what the accesses share.

pub(crate) mod unique;
pub(crate) mod walked;

use crate::input::Input;

/// How a pool is built.
pub(crate) struct Setup {
    pub(crate) growth: Option<usize>,
    pub(crate) limit: usize,
    pub(crate) keep_empty: Option<usize>,
}

impl Setup {
    pub(crate) fn choose(input: &mut Input<'_>) -> Self {
        Self {
            growth: [None, Some(1), Some(7), Some(64), Some(200)][input.below(5)],
            limit: [usize::MAX, 1, 10, 70, 300][input.below(5)],
            keep_empty: [None, Some(0), Some(1)][input.below(3)],
        }
    }
}

/// Applies a [`Setup`] to a builder.
macro_rules! set_up {
    ($builder:expr, $setup:expr) => {{
        let mut builder = $builder.limit($setup.limit);
        if let Some(slots) = $setup.growth {
            builder = builder.growth(slots);
        }
        if let Some(chunks) = $setup.keep_empty {
            builder = builder.keep_empty(chunks);
        }
        builder.build()
    }};
}
pub(crate) use set_up;
