//! Random streams of what can happen to a core.

use fastrand::Rng;

use super::*;

/// A core, and who has a right to something in it.
struct Stream {
    random: Rng,
    fixture: Fixture,
    live: Vec<Lease>,
    /// Objects that are being destroyed.
    ending: Vec<Lease>,
    pins: Vec<Pin>,
    /// How often a walk had live objects next door.
    next_doors: usize,
}

impl Stream {
    /// All slots that are opened by now are taken.
    fn new(mut fixture: Fixture, seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            live: fixture.take_all(),
            fixture,
            ending: Vec::new(),
            pins: Vec::new(),
            next_doors: 0,
        }
    }

    /// Says how often a walk had live objects next door.
    fn run(mut self, steps: usize) -> usize {
        for _ in 0..if cfg!(miri) { steps / 10 } else { steps } {
            match self.random.usize(..18) {
                0 => self.grow(),
                1..=5 => self.live.extend(self.fixture.take()),
                6..=8 => self.drop_one(|stream, lease| _ = stream.fixture.release(lease)),
                9 | 10 => self.drop_one(Self::begin_to_end),
                11 => self.end_one(),
                12 => self.enter(),
                13 => self.leave_one(),
                14 | 15 => self.step_one(),
                16 => self.sweep(),
                _ => drop(self.fixture.slots.detach_idle(self.random.usize(..3))),
            }
            self.fixture.check();
            self.fixture.check_pins(&self.pins);
            assert_eq!(self.fixture.slots.live(), self.live.len());
        }
        self.finish()
    }

    fn grow(&mut self) {
        let slots = &mut self.fixture.slots;
        match slots.unopened() {
            0 if slots.chunk_count < 6 => self.fixture.grow(100, 50),
            unopened => slots.open(unopened.min(self.random.usize(..60))),
        }
    }

    /// Drops an object: at once as the caller says, or when the walks in its group have left.
    fn drop_one(&mut self, end: fn(&mut Self, Lease)) {
        let Some(lease) = taken(&mut self.random, &mut self.live) else {
            return;
        };
        if self.fixture.slots.is_pinned(&lease) {
            self.fixture.defer(lease);
        } else {
            end(self, lease);
        }
    }

    fn begin_to_end(&mut self, lease: Lease) {
        lease.end();
        self.fixture.slots.hide_ending(&lease);
        self.ending.push(lease);
    }

    /// Ends the object that began to last, or first.
    fn end_one(&mut self) {
        if let Some(last) = self.ending.len().checked_sub(1) {
            let which = self.random.usize(..2) * last;
            self.fixture.release_ending(self.ending.swap_remove(which));
        }
    }

    fn enter(&mut self) {
        self.pins
            .extend(self.fixture.slots.pin_next(self.pins.last()));
    }

    fn leave_one(&mut self) {
        if let Some(pin) = taken(&mut self.random, &mut self.pins) {
            let held = self.random.usize(..4) == 0;
            let due = self.fixture.slots.unpin(pin, held);
            self.destroy(&due);
        }
    }

    /// Lets a walk step to the group next door, or to the next, wherever that is.
    fn step_one(&mut self) {
        if self.pins.is_empty() {
            return;
        }
        let slots = &mut self.fixture.slots;
        if self.random.usize(..4) != 0 {
            slots.flush();
        }
        for spot in self.pins.iter().map(Pin::spot) {
            let next_door = slots.look(spot, Look::NextDoor);
            self.next_doors += usize::from(next_door.is_some());
            assert!(
                next_door.is_none() || next_door == slots.look(spot, Look::Behind),
                "no group is nearer"
            );
        }
        let stepping = self.random.usize(..self.pins.len());
        let look = [Look::NextDoor, Look::Behind][self.random.usize(..2)];
        slots.step(&mut self.pins[stepping], look);
    }

    fn sweep(&mut self) {
        if let Some(due) = self.fixture.slots.sweep_next(None) {
            self.destroy(&due);
        }
    }

    /// Destroys what no walk may look at any more.
    fn destroy(&mut self, due: &Due) {
        if due.is_empty() {
            return;
        }
        let spot = due.spot();
        let there = self.pins.iter().map(Pin::spot);
        let mut there =
            there.filter(|there| (there.header, there.group) == (spot.header, spot.group));
        assert!(
            there.all(|there| there.mask & spot.mask == 0),
            "pinned-is-intact: {due:?}"
        );
        self.fixture.release_due(due);
    }

    fn finish(mut self) -> usize {
        for lease in std::mem::take(&mut self.ending) {
            self.fixture.release_ending(lease);
        }
        while !self.pins.is_empty() {
            self.leave_one();
        }
        while self.fixture.slots.deferred() > 0 {
            let due = self.fixture.slots.sweep_next(None);
            self.destroy(&due.expect("nothing is put off when no walk is inside"));
        }
        self.next_doors
    }
}

fn taken<T>(random: &mut Rng, from: &mut Vec<T>) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(random.usize(..from.len())))
}

#[rstest]
fn random_streams_keep_every_invariant(
    #[values(false, true)] counted: bool,
    #[values(1, 2, 3)] seed: u64,
) {
    Stream::new(Fixture::new::<[u64; 128]>(counted), seed).run(1000);
}

/// Four groups of a chunk lie next to each other, and all their slots are opened: there walks go from door to door.
#[rstest]
fn random_streams_in_full_groups_keep_every_invariant(
    #[values(false, true)] counted: bool,
    #[values(1, 2, 3)] seed: u64,
) {
    let mut fixture = Fixture::new::<Line>(counted);
    fixture.grow(256, 256);
    let next_doors = Stream::new(fixture, seed).run(400);
    assert!(next_doors > 0 || cfg!(miri));
}
