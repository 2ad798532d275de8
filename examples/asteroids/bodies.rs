//! What there is in the world, and what each does by itself.

use std::f32::consts::TAU;

use fastrand::Rng;
use glam::{Vec2, vec2};
use mem_pool::{Keyed, PoolBox, WeakKey};

use crate::plane::{SIZE, way, wrap};

pub struct Ship {
    pub at: Vec2,
    pub speed: Vec2,
    pub hull: u32,
    /// Owned: they go when the ship goes.
    pub turrets: Vec<PoolBox<Turret, Keyed>>,
}

impl Ship {
    pub const HULL: u32 = 3;
    pub const RADIUS: f32 = 9.0;

    /// A ship on its way out of the middle.
    pub fn new(speed: Vec2) -> Self {
        Ship {
            at: SIZE / 2.0 + 90.0 * speed,
            speed,
            hull: Self::HULL,
            turrets: Vec::new(),
        }
    }

    pub fn ahead(&self) -> Vec2 {
        self.speed.normalize()
    }

    pub fn fly(&mut self) {
        self.speed = (self.speed * 1.02).clamp_length(1.0, 3.2);
        self.at = wrap(self.at + self.speed);
    }

    /// The nearer the rock, the harder. Says whether it is too late.
    pub fn swerve(&mut self, rock: &Rock) -> bool {
        let away = way(rock.at, self.at);
        let gap = away.length() - rock.radius - Self::RADIUS;
        self.speed += away.normalize_or_zero() * (4.0 / gap.max(4.0)).powi(2);
        gap < 0.0
    }
}

#[derive(Clone)]
pub struct Turret {
    pub ship: WeakKey<Ship>,
    pub target: Option<WeakKey<Rock>>,
    pub at: Vec2,
    pub aim: Vec2,
    side: f32,
    reload: u32,
}

impl Turret {
    const REACH: u32 = 190;

    pub fn new(ship: WeakKey<Ship>, side: f32) -> Self {
        Turret {
            ship,
            target: None,
            at: Vec2::ZERO,
            aim: Vec2::X,
            side,
            reload: 0,
        }
    }

    pub fn follow(&mut self, ship: &Ship) {
        self.at = wrap(ship.at + ship.ahead().perp() * self.side);
        self.reload = self.reload.saturating_sub(1);
        if self.target.is_none() {
            self.aim = self.aim.rotate_towards(ship.ahead(), 0.1);
        }
    }

    pub fn distance(&self, rock: &Rock) -> u32 {
        way(self.at, rock.at).length() as u32
    }

    pub fn sees(&self, rock: &Rock) -> bool {
        self.distance(rock) < Self::REACH
    }

    /// Turns to where the rock is going to be; fires when it is about there.
    pub fn track(&mut self, rock: &Rock) -> Option<Bullet> {
        let to = way(self.at, rock.at);
        let to = to + rock.speed * (to.length() / Bullet::SPEED);
        self.aim = self.aim.rotate_towards(to.normalize_or_zero(), 0.15);
        let ready = self.reload == 0 && self.aim.angle_to(to).abs() < 0.1;
        ready.then(|| {
            self.reload = 7;
            Bullet {
                at: self.at,
                speed: self.aim * Bullet::SPEED,
                life: 24,
                from: self.ship,
            }
        })
    }
}

#[derive(Clone)]
pub struct Bullet {
    pub at: Vec2,
    pub speed: Vec2,
    pub life: u32,
    /// Names the ship even when that is gone.
    pub from: WeakKey<Ship>,
}

impl Bullet {
    const SPEED: f32 = 9.0;

    pub fn fly(&mut self) {
        self.at = wrap(self.at + self.speed);
        self.life -= 1;
    }
}

#[derive(Clone)]
pub struct Rock {
    pub at: Vec2,
    pub speed: Vec2,
    pub radius: f32,
    pub hull: u32,
    /// What the drawing makes its outline of.
    pub shape: u64,
}

impl Rock {
    /// A large one on the left edge or the upper one, which are the right one and the lower one, too.
    pub fn large(rng: &mut Rng) -> Self {
        let edge = if rng.bool() { Vec2::X } else { Vec2::Y };
        Rock {
            at: vec2(rng.f32(), rng.f32()) * SIZE * edge,
            speed: direction(rng) * (0.6 + rng.f32()),
            radius: 42.0,
            hull: 8,
            shape: rng.u64(..),
        }
    }

    pub fn fly(&mut self) {
        self.at = wrap(self.at + self.speed);
    }

    pub fn is_hit(&self, bullet: &Bullet) -> bool {
        self.hull > 0 && way(self.at, bullet.at).length() < self.radius
    }

    /// The two halves of a rock that is not too small to have any.
    pub fn halves(&self, rng: &mut Rng) -> impl Iterator<Item = Rock> {
        let (aside, radius) = (direction(rng), self.radius * 0.6);
        let half = |side: Vec2| Rock {
            at: wrap(self.at + side * radius),
            speed: self.speed + side,
            radius,
            hull: self.radius as u32 / 8,
            shape: rng.u64(..),
        };
        let halves = [aside, -aside].map(half);
        halves.into_iter().filter(|half| half.radius > 9.0)
    }
}

fn direction(rng: &mut Rng) -> Vec2 {
    Vec2::from_angle(rng.f32() * TAU)
}
