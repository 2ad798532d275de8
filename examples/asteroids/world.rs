//! The world, in which objects own, name and find each other.
//!
//! Ships own their turrets, and turrets name their ship; rocks and bullets belong to their pools.

use std::collections::BTreeMap;
use std::f32::consts::TAU;

use fastrand::Rng;
use glam::Vec2;
use mem_pool::{FixedPool, Keyed, PoolBox, WeakKey};

use crate::bodies::{Bullet, Rock, Ship, Turret};
use crate::plane::Grid;

#[derive(Clone, Default)]
pub struct Score {
    pub shots: u32,
    pub hits: u32,
    /// Hits by bullets that outlived their ship.
    pub late: u32,
    pub rammed: u32,
    pub lost: Option<u32>,
}

#[derive(Default)]
pub struct World {
    pub ships: FixedPool<Ship, Keyed>,
    pub turrets: FixedPool<Turret, Keyed>,
    pub rocks: FixedPool<Rock, Keyed>,
    pub bullets: FixedPool<Bullet, Keyed>,
    fleet: Vec<PoolBox<Ship, Keyed>>,
    /// By ship, whether it is still there or not.
    pub scores: BTreeMap<WeakKey<Ship>, Score>,
    /// Where something burst in this tick, and how large it was.
    pub flashes: Vec<(Vec2, f32)>,
    pub now: u32,
    rng: Rng,
}

impl World {
    pub fn new(seed: u64, ships: u8) -> Self {
        let mut world = World::default();
        world.rng.seed(seed);
        for ship in 0..ships {
            world.launch(TAU * f32::from(ship) / f32::from(ships));
        }
        for _ in 0..8 {
            world.add_rock();
        }
        world
    }

    fn launch(&mut self, angle: f32) {
        let owner = self.ships.alloc(Ship::new(Vec2::from_angle(angle)));
        let ship = PoolBox::downgrade(&owner);
        for side in [-8.0, 8.0] {
            let turret = self.turrets.alloc(Turret::new(ship, side));
            self.ships.at_mut(&owner).turrets.push(turret);
        }
        self.scores.insert(ship, Score::default());
        self.fleet.push(owner);
    }

    fn add_rock(&mut self) {
        let rock = Rock::large(&mut self.rng);
        self.rocks.adopt(self.rocks.alloc(rock));
    }

    pub fn tick(&mut self) {
        self.now += 1;
        self.flashes.clear();
        if self.now % 40 == 0 {
            self.add_rock();
        }
        let rocks = self.rocks.hold();
        let grid = Grid::of(rocks.iter_keys().map(|(key, rock)| (key, rock.at)));
        drop(rocks);
        self.fly(&grid);
        self.aim(&grid);
        self.shoot(&grid);
        self.crumble();
    }

    /// Ships swerve from rocks, or ram them.
    fn fly(&mut self, grid: &Grid<Rock>) {
        let mut rocks = self.rocks.hold_mut();
        self.ships.for_each_mut(|ship| {
            for key in grid.near(ship.at) {
                let rock = &mut rocks[key];
                if rock.hull > 0 && ship.swerve(rock) {
                    rock.hull = 0;
                    ship.hull = ship.hull.saturating_sub(1);
                }
            }
            ship.fly();
        });
        self.fleet.retain(|owner| {
            let ship = self.ships.at(owner);
            let score = self.scores.entry(owner.into()).or_default();
            score.rammed = Ship::HULL - ship.hull;
            if ship.hull == 0 {
                score.lost = Some(self.now);
                self.flashes.push((ship.at, 90.0));
            }
            ship.hull > 0 // else its owner is dropped, with it the ship, and with that its turrets
        });
    }

    /// Turrets go with their ship, stay on their target while it lives, and fire.
    fn aim(&mut self, grid: &Grid<Rock>) {
        let (ships, rocks) = (self.ships.hold(), self.rocks.hold());
        self.turrets.for_each_mut(|turret| {
            turret.follow(&ships[turret.ship]); // it owns this turret, so it is there
            let seen = |key: &WeakKey<Rock>| rocks.get(*key).is_some_and(|rock| turret.sees(rock));
            let nearest = || {
                grid.near(turret.at)
                    .filter(seen)
                    .min_by_key(|&key| turret.distance(&rocks[key]))
            };
            turret.target = turret.target.filter(seen).or_else(nearest);
            let target = turret.target.map(|key| &rocks[key]);
            if let Some(bullet) = target.and_then(|rock| turret.track(rock)) {
                self.bullets.adopt(self.bullets.alloc(bullet));
                self.scores.entry(turret.ship).or_default().shots += 1;
            }
        });
    }

    /// Bullets go until they hit or expire.
    fn shoot(&mut self, grid: &Grid<Rock>) {
        let (ships, mut rocks) = (self.ships.hold(), self.rocks.hold_mut());
        self.bullets.retain(|bullet| {
            bullet.fly();
            let hit = grid.near(bullet.at).find(|&key| rocks[key].is_hit(bullet));
            if let Some(key) = hit {
                rocks[key].hull -= 1;
                self.flashes.push((bullet.at, 5.0));
                let score = self.scores.entry(bullet.from).or_default();
                score.hits += 1;
                score.late += u32::from(ships.get(bullet.from).is_none());
            }
            hit.is_none() && bullet.life > 0
        });
    }

    /// Rocks drift; a broken one becomes two smaller ones, spawned while the others are updated.
    fn crumble(&mut self) {
        let mut hold = self.rocks.hold_mut();
        let (rocks, spawner) = hold.split();
        for rock in rocks {
            rock.fly();
            if rock.hull == 0 {
                self.flashes.push((rock.at, rock.radius));
                for half in rock.halves(&mut self.rng) {
                    spawner.adopt(spawner.alloc(half));
                }
            }
        }
        drop(hold);
        self.rocks.retain(|rock| rock.hull > 0);
    }
}
