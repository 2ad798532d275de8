//! Who comes closest to whom: a hash grid of weak keys over the globe, filled anew every minute.

use std::collections::HashMap;

use mem_pool::{Hold, Keyed, WeakKey};

use crate::data::Timetable;
use crate::globe::{Point, RADIUS, kilometres};
use crate::sky::Aircraft;

/// Two aircraft farther apart than this are not looked at.
pub const SIGHT: f64 = 50.0;

/// So many minutes after departure and before landing an aircraft is not looked at: near airports all come close.
pub const GROUND: u32 = 20;

/// Two flights and the distance between them, in kilometres.
#[derive(Clone, Copy)]
pub struct Pair {
    pub minute: usize,
    pub flights: [u32; 2],
    pub apart: f64,
}

/// Keys of aircraft by cubes as wide as the sight. References would end with the hold they are from; keys can stay.
pub struct Grid<'a> {
    timetable: &'a Timetable,
    cells: HashMap<[i32; 3], Vec<WeakKey<Aircraft>>>,
}

impl<'a> Grid<'a> {
    pub fn new(timetable: &'a Timetable) -> Self {
        Grid {
            timetable,
            cells: HashMap::new(),
        }
    }

    /// The two aircraft that are closest to each other, if any are in sight of each other. Those of the same route do not
    /// count: the faster overtakes the slower on the very same line.
    pub fn closest(&mut self, minute: usize, sky: &Hold<'_, Aircraft, Keyed>) -> Option<Pair> {
        self.cells.values_mut().for_each(Vec::clear);
        let mut best: Option<Pair> = None;
        let cruising = sky.iter_keys().filter(|(_, plane)| plane.cruises(GROUND));
        for (key, plane) in cruising {
            let cell = cell(plane.at);
            for other in self.around(cell).filter_map(|key| sky.get(key)) {
                let apart = kilometres(plane.at, other.at);
                let flights = [other.flight, plane.flight];
                if apart < best.map_or(SIGHT, |best| best.apart) && !self.same_route(flights) {
                    best = Some(Pair {
                        minute,
                        flights,
                        apart,
                    });
                }
            }
            self.cells.entry(cell).or_default().push(key);
        }
        best
    }

    fn same_route(&self, flights: [u32; 2]) -> bool {
        let [one, other] = flights.map(|flight| &self.timetable.flights[flight as usize]);
        (one.origin, one.dest) == (other.origin, other.dest)
    }

    /// The aircraft in a cell and the 26 next to it.
    fn around(&self, [x, y, z]: [i32; 3]) -> impl Iterator<Item = WeakKey<Aircraft>> {
        let steps = (0..27).map(|i| [i % 3 - 1, i / 3 % 3 - 1, i / 9 - 1]);
        let cells = steps.filter_map(move |[i, j, k]| self.cells.get(&[x + i, y + j, z + k]));
        cells.flatten().copied()
    }
}

fn cell(at: Point) -> [i32; 3] {
    let sight = SIGHT / RADIUS;
    at.map(|length| (length / sight).floor() as i32)
}
