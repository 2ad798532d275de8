//! The plane of the world, whose edges meet, and a grid over it.

use std::collections::HashMap;

use glam::{IVec2, Vec2, ivec2, vec2};
use mem_pool::WeakKey;

/// What leaves on one side comes back on the other.
pub const SIZE: Vec2 = vec2(720.0, 480.0);
const CELL: f32 = 120.0;

pub fn wrap(at: Vec2) -> Vec2 {
    at.rem_euclid(SIZE)
}

/// The shortest way between two places.
pub fn way(from: Vec2, to: Vec2) -> Vec2 {
    wrap(to - from + SIZE / 2.0) - SIZE / 2.0
}

/// Objects by place: keys, so that nothing in the grid can dangle.
pub struct Grid<T>(HashMap<IVec2, Vec<WeakKey<T>>>);

impl<T> Grid<T> {
    pub fn of(objects: impl Iterator<Item = (WeakKey<T>, Vec2)>) -> Self {
        let mut cells: HashMap<_, Vec<_>> = HashMap::new();
        for (key, at) in objects {
            cells.entry(cell(at)).or_default().push(key);
        }
        Grid(cells)
    }

    /// The objects of the cell around a place and of the eight next to it.
    pub fn near(&self, at: Vec2) -> impl Iterator<Item = WeakKey<T>> {
        let steps = (0..9).map(|i| ivec2(i % 3 - 1, i / 3 - 1));
        let cells = steps.map(move |step| (cell(at) + step).rem_euclid(cell(SIZE)));
        let known = cells.filter_map(|cell| self.0.get(&cell));
        known.flatten().copied()
    }
}

fn cell(at: Vec2) -> IVec2 {
    (at / CELL).as_ivec2()
}
