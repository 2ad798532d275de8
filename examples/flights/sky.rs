//! The sky: every aircraft in the air lives in a keyed pool, and landing is dropping its key.

use mem_pool::{FixedPool, FixedStats, Hold, Keyed, PoolBox};

use crate::data::Timetable;
use crate::globe::{Arc, Point, blend};

/// An aircraft in the air. Flying along a great circle is turning two vectors by the same small angle every minute.
#[derive(Clone)]
pub struct Aircraft {
    pub at: Point,
    /// The direction of flight, square to `at`.
    ahead: Point,
    /// The angle flown in a minute.
    sin: f64,
    cos: f64,
    flown: u32,
    minutes: u32,
    /// Index into [`Timetable::flights`].
    pub flight: u32,
}

impl Aircraft {
    pub fn new(flight: usize, minutes: usize, route: &Arc) -> Self {
        let (sin, cos) = (route.angle / minutes as f64).sin_cos();
        Aircraft {
            at: route.from,
            ahead: route.ahead,
            sin,
            cos,
            flown: 0,
            minutes: minutes as u32,
            flight: flight as u32,
        }
    }

    /// Flies for a minute; says whether it is still in the air.
    pub fn fly(&mut self) -> bool {
        (self.at, self.ahead) = (
            blend(self.at, self.cos, self.ahead, self.sin),
            blend(self.ahead, self.cos, self.at, -self.sin),
        );
        self.flown += 1;
        self.flown < self.minutes
    }

    /// Whether departure and landing are so many minutes away.
    pub fn cruises(&self, minutes: u32) -> bool {
        self.flown >= minutes && self.flown + minutes <= self.minutes
    }

    /// Where it was some minutes ago, at the earliest at its origin.
    pub fn before(&self, minutes: f64) -> Point {
        let ago = minutes.min(f64::from(self.flown));
        let (sin, cos) = (ago * self.sin.atan2(self.cos)).sin_cos();
        blend(self.at, cos, self.ahead, -sin)
    }
}

/// The day's flights as aircraft ready to depart, in the timetable's order.
pub fn aircraft(timetable: &Timetable) -> Vec<Aircraft> {
    let flights = timetable.flights.iter().enumerate();
    flights
        .map(|(i, flight)| Aircraft::new(i, flight.minutes, &timetable.arc(flight)))
        .collect()
}

/// Owns one aircraft: dropping the key ends it and frees its slot.
type Key = PoolBox<Aircraft, Keyed>;

pub struct Sky {
    pool: FixedPool<Aircraft, Keyed>,
    /// Whether aircraft fly on all threads.
    parallel: bool,
    /// The keys of all aircraft in the air, by the minute of their landing.
    landings: Vec<Vec<Key>>,
}

impl Sky {
    /// An empty sky for the minutes from 0 to `end`.
    pub fn new(end: usize, parallel: bool) -> Self {
        Sky {
            pool: FixedPool::keyed(),
            parallel,
            landings: (0..=end).map(|_| Vec::new()).collect(),
        }
    }

    pub fn depart(&mut self, aircraft: Aircraft, lands: usize) {
        self.landings[lands].push(self.pool.alloc(aircraft));
    }

    /// One minute for everybody in the air.
    pub fn fly(&mut self) {
        let fly = |aircraft: &mut Aircraft| {
            aircraft.fly();
        };
        match self.parallel {
            #[cfg(feature = "rayon")]
            true => self.pool.par_for_each_mut(fly),
            _ => self.pool.for_each_mut(fly),
        }
    }

    /// Drops the keys of those due; says how many.
    pub fn land(&mut self, minute: usize) -> usize {
        self.landings[minute].drain(..).count()
    }

    pub fn in_the_air(&self) -> usize {
        self.pool.len()
    }

    /// Keeps all aircraft in place, to be found by key.
    pub fn hold(&self) -> Hold<'_, Aircraft, Keyed> {
        self.pool.hold()
    }

    pub fn look(&self) -> Vec<Aircraft> {
        let mut seen = Vec::with_capacity(self.pool.len());
        self.pool.for_each(|aircraft| seen.push(aircraft.clone()));
        seen
    }

    pub fn stats(&self) -> FixedStats {
        self.pool.stats()
    }

    /// Gives the memory that holds no aircraft back.
    pub fn shrink(&self) {
        self.pool.shrink_to_fit();
    }
}
