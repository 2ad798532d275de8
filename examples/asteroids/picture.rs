//! Draws scenes.

use std::f32::consts::TAU;

use fastrand::Rng;
use glam::Vec2;

use crate::bodies::{Rock, Ship};
use crate::canvas::{Canvas, Xy, colour, rect};
use crate::font::{Font, Type};
use crate::plane::{SIZE as FIELD, way};
use crate::scene::{Part, Scene};

/// Logical units: the field, and a panel below it.
pub const SIZE: (u16, u16) = (720, 540);
const PANEL: f32 = FIELD.y;

const GROUND: u32 = 0x0a0f1c;
const GRID: u32 = 0x111a2e;
const TEXT: u32 = 0xe8eefc;
const QUIET: u32 = 0x8c9cc0;
const FIRE: u32 = 0xffd9a0;
const STONE: [u32; 3] = [0x1c2740, 0x212c45, 0x263049];

const SHIPS: [(&str, u32); 6] = [
    ("Amber", 0xffb347),
    ("Azure", 0x4fd0ff),
    ("Rose", 0xff7096),
    ("Lime", 0x8be06a),
    ("Violet", 0xc79bff),
    ("Gold", 0xf4f07a),
];
pub const MOST_SHIPS: u8 = SHIPS.len() as u8;

const NAME: Type = Type(Font::Sans, 15.0);
const FIGURES: Type = Type(Font::Mono, 10.0);
const LABEL: Type = Type(Font::Sans, 10.0);

/// For how many ticks a flash is seen.
const GLOW: usize = 14;

pub fn name(ship: usize) -> &'static str {
    SHIPS[ship].0
}

fn hue(ship: usize) -> u32 {
    SHIPS[ship].1
}

pub struct Picture<'a> {
    scenes: &'a [Scene],
    base: Canvas,
}

impl<'a> Picture<'a> {
    pub fn new(scenes: &'a [Scene], scale: u16) -> Self {
        Picture {
            scenes,
            base: base(scale),
        }
    }

    pub fn draw(&self, frame: usize) -> Canvas {
        let mut canvas = self.base.clone();
        let scene = &self.scenes[frame];
        for (turret, target) in &scene.turrets {
            sight(&mut canvas, turret, *target);
        }
        for old in &scene.rocks {
            rock(&mut canvas, old, scene.now);
        }
        for part in &scene.bullets {
            bullet(&mut canvas, part);
        }
        for part in &scene.ships {
            ship(&mut canvas, part, scene.now);
        }
        for (part, _) in &scene.turrets {
            turret(&mut canvas, part);
        }
        for age in 0..GLOW.min(frame + 1) {
            for &(at, size) in &self.scenes[frame - age].flashes {
                flash(&mut canvas, at, size, age as f32 / GLOW as f32);
            }
        }
        panel(&mut canvas, scene);
        canvas
    }
}

/// What stays: stars, and the grid that the rocks are sorted into.
fn base(scale: u16) -> Canvas {
    let mut canvas = Canvas::new(SIZE, scale, colour(GROUND, 1.0));
    for i in 1_u8..6 {
        let (x, y) = (120.0 * f32::from(i), 120.0 * f32::from(i));
        canvas.line(&[(x, 0.0), (x, FIELD.y)], 1.0, colour(GRID, 1.0));
        canvas.line(&[(0.0, y), (FIELD.x, y)], 1.0, colour(GRID, 1.0));
    }
    let mut rng = Rng::with_seed(1);
    for _ in 0..130 {
        let at = (rng.f32() * FIELD.x, rng.f32() * FIELD.y);
        canvas.dot(
            at,
            0.4 + 0.6 * rng.f32(),
            colour(QUIET, 0.2 + 0.5 * rng.f32()),
        );
    }
    canvas
}

fn xy(at: Vec2) -> Xy {
    (at.x, at.y)
}

/// Where to draw something of this size, so that it is seen on both sides of an edge.
fn copies(at: Vec2, size: f32) -> impl Iterator<Item = Vec2> {
    let shifts = move |at: f32, length: f32| {
        let low = (at < size).then_some(length);
        let high = (at > length - size).then_some(-length);
        [Some(0.0), low, high].into_iter().flatten()
    };
    shifts(at.x, FIELD.x)
        .flat_map(move |x| shifts(at.y, FIELD.y).map(move |y| at + Vec2::new(x, y)))
}

fn rock(canvas: &mut Canvas, rock: &Rock, now: u32) {
    let mut rng = Rng::with_seed(rock.shape);
    let stone = STONE[rng.usize(..STONE.len())];
    let turn = (rng.f32() - 0.5) * 0.06 * now as f32;
    let corners = 13_u8;
    let outline: Vec<Vec2> = (0..corners)
        .map(|i| {
            let angle = turn + TAU * (f32::from(i) + 0.5 * rng.f32()) / f32::from(corners);
            Vec2::from_angle(angle) * rock.radius * (0.82 + 0.26 * rng.f32())
        })
        .collect();
    let crater = Vec2::from_angle(turn + rng.f32() * TAU) * rock.radius * 0.4;
    for at in copies(rock.at, rock.radius * 1.1) {
        let mut line: Vec<Xy> = outline.iter().map(|&corner| xy(at + corner)).collect();
        canvas.area(&line, colour(stone, 1.0));
        line.push(line[0]);
        canvas.dot(xy(at + crater), rock.radius * 0.2, colour(GROUND, 0.45));
        canvas.line(&line, 1.3, colour(QUIET, 0.85));
    }
}

fn ship(canvas: &mut Canvas, part: &Part, now: u32) {
    let side = part.ahead.perp();
    let flame = 11.0 + 4.0 * (now as f32 * 1.9 + part.ship as f32).sin();
    for at in copies(part.at, 24.0) {
        let place = |ahead: f32, aside: f32| xy(at + part.ahead * ahead + side * aside);
        let tail = [
            place(-6.0, -3.0),
            place(-6.0 - flame, 0.0),
            place(-6.0, 3.0),
        ];
        canvas.area(&tail, colour(FIRE, 0.8));
        let hull = [
            place(14.0, 0.0),
            place(-8.0, 9.0),
            place(-4.0, 0.0),
            place(-8.0, -9.0),
        ];
        canvas.area(&hull, colour(hue(part.ship), 0.9));
        let mut line = hull.to_vec();
        line.push(hull[0]);
        canvas.line(&line, 1.2, colour(0xffffff, 0.7));
        let label = (at.x + 14.0, at.y + 22.0);
        canvas.halo(name(part.ship), label, LABEL, colour(GROUND, 0.8));
        canvas.text(name(part.ship), label, LABEL, colour(hue(part.ship), 0.9));
    }
}

fn turret(canvas: &mut Canvas, part: &Part) {
    let muzzle = xy(part.at + part.ahead * 8.0);
    canvas.line(&[xy(part.at), muzzle], 2.2, colour(TEXT, 1.0));
    canvas.dot(xy(part.at), 3.2, colour(GROUND, 1.0));
    canvas.ring(xy(part.at), 3.2, 1.2, colour(TEXT, 1.0));
}

/// A faint line from a turret to what it aims at.
fn sight(canvas: &mut Canvas, turret: &Part, target: Option<Vec2>) {
    if let Some(target) = target {
        let end = turret.at + way(turret.at, target);
        canvas.line(
            &[xy(turret.at), xy(end)],
            0.8,
            colour(hue(turret.ship), 0.28),
        );
    }
}

fn bullet(canvas: &mut Canvas, part: &Part) {
    let trail = [xy(part.at), xy(part.at - part.ahead * 1.3)];
    canvas.line(&trail, 4.5, colour(hue(part.ship), 0.3));
    canvas.line(&trail, 1.8, colour(hue(part.ship), 1.0));
    canvas.dot(trail[0], 1.4, colour(0xffffff, 1.0));
}

/// Sparks that fly apart; `age` goes from 0 to 1.
fn flash(canvas: &mut Canvas, at: Vec2, size: f32, age: f32) {
    let mut rng = Rng::with_seed(u64::from(at.x.to_bits()) << 32 | u64::from(at.y.to_bits()));
    let (fade, reach) = ((1.0 - age).powi(2), age.sqrt() * size.max(14.0));
    if size > 10.0 {
        canvas.ring(
            xy(at),
            1.0 + 1.2 * reach,
            1.0 + 2.0 * fade,
            colour(FIRE, 0.5 * fade),
        );
        for part in [1.0, 0.75, 0.5, 0.25] {
            let radius = size * part * (0.3 + 0.4 * age);
            canvas.dot(xy(at), radius, colour(FIRE, 0.35 * fade));
        }
    }
    for _ in 0..4 + size as u32 / 3 {
        let spark = at + Vec2::from_angle(rng.f32() * TAU) * reach * (0.3 + 1.2 * rng.f32());
        canvas.dot(xy(spark), 0.6 + 1.2 * rng.f32() * fade, colour(FIRE, fade));
    }
}

/// Each ship with what is left of its hull and its hits, and what is in the pools.
fn panel(canvas: &mut Canvas, scene: &Scene) {
    canvas.rect(rect(0.0, PANEL, FIELD.x, 60.0), colour(GRID, 1.0));
    canvas.line(&[(0.0, PANEL), (FIELD.x, PANEL)], 1.0, colour(QUIET, 0.6));
    for (i, score) in (0_u8..).zip(&scene.scores) {
        let (left, ship) = (16.0 + 92.0 * f32::from(i), usize::from(i));
        let there = if score.lost.is_some() { 0.3 } else { 1.0 };
        canvas.text(
            name(ship),
            (left, PANEL + 24.0),
            NAME,
            colour(hue(ship), there),
        );
        let hits = format!("{} hits", score.hits);
        canvas.text(
            &hits,
            (left, PANEL + 46.0),
            FIGURES,
            colour(TEXT, 0.3 + 0.5 * there),
        );
        for point in 0_u8..Ship::HULL as u8 {
            let full = u32::from(point) < Ship::HULL - score.rammed;
            let at = (left + 58.0 + 8.0 * f32::from(point), PANEL + 19.0);
            canvas.dot(at, 2.6, colour(hue(ship), if full { 1.0 } else { 0.2 }));
        }
    }
    let figures = [
        format!("tick {:4}", scene.now),
        format!(
            "{:3} rocks, {:2} bullets",
            scene.rocks.len(),
            scene.bullets.len()
        ),
    ];
    for (row, text) in (0_u8..).zip(&figures) {
        let at = (
            FIELD.x - 16.0 - FIGURES.width(text),
            PANEL + 24.0 + 22.0 * f32::from(row),
        );
        canvas.text(text, at, FIGURES, colour(QUIET, 1.0));
    }
}
