//! A moment of the world, kept for the replay.

use std::collections::BTreeMap;

use glam::Vec2;
use mem_pool::WeakKey;

use crate::bodies::{Rock, Ship};
use crate::world::{Score, World};

/// Something of a ship's, whose number is its place in the table.
pub struct Part {
    pub ship: usize,
    pub at: Vec2,
    pub ahead: Vec2,
}

pub struct Scene {
    pub now: u32,
    pub ships: Vec<Part>,
    /// Turrets and the rocks they aim at.
    pub turrets: Vec<(Part, Option<Vec2>)>,
    pub bullets: Vec<Part>,
    pub rocks: Vec<Rock>,
    pub flashes: Vec<(Vec2, f32)>,
    pub scores: Vec<Score>,
}

impl Scene {
    pub fn of(world: &World) -> Self {
        let keys = world.scores.keys().copied();
        let numbers: BTreeMap<WeakKey<Ship>, usize> = keys.zip(0..).collect();
        let part = |ship, at, ahead| Part {
            ship: numbers[&ship],
            at,
            ahead,
        };
        let (ships, rocks) = (world.ships.hold(), world.rocks.hold());
        let (turrets, bullets) = (world.turrets.hold(), world.bullets.hold());
        let ship = |(key, ship): (_, &Ship)| part(key, ship.at, ship.ahead());
        let target = |key| rocks.get(key).map(|rock| rock.at);
        Scene {
            now: world.now,
            ships: ships.iter_keys().map(ship).collect(),
            turrets: turrets
                .iter()
                .map(|t| (part(t.ship, t.at, t.aim), t.target.and_then(target)))
                .collect(),
            bullets: bullets
                .iter()
                .map(|bullet| part(bullet.from, bullet.at, bullet.speed))
                .collect(),
            rocks: rocks.iter().cloned().collect(),
            flashes: world.flashes.clone(),
            scores: world.scores.values().cloned().collect(),
        }
    }

    pub fn objects(&self) -> usize {
        self.ships.len() + self.turrets.len() + self.bullets.len() + self.rocks.len()
    }
}
