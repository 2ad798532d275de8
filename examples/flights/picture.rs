//! One moment of the day over the ground: aircraft with their trails, the clock, the legend, the curve of the day.

use crate::canvas::{Canvas, Xy, colour, rect};
use crate::data::Timetable;
use crate::day::{Day, Scene, clock};
use crate::font::{Font, Type};
use crate::ground::{GROUND, Ground, QUIET, ROW, SUBTITLE, TEXT};
use crate::sky::Aircraft;

/// Minutes of flight that an aircraft drags behind it, in so many pieces.
const TRAIL: f64 = 18.0;
const PIECES: u8 = 4;

const CLOCK: Type = Type(Font::Sans, 40.0);
const LEGEND: Type = Type(Font::Sans, 13.0);
const HOURS: Type = Type(Font::Sans, 11.0);

/// The strip with the curve of the day.
const LEFT: f32 = 24.0;
const RIGHT: f32 = 936.0;
const TOP: f32 = 530.0;
const BOTTOM: f32 = 578.0;

pub struct Picture<'a> {
    timetable: &'a Timetable,
    day: &'a Day,
    ground: &'a Ground<'a>,
    base: Canvas,
}

impl<'a> Picture<'a> {
    pub fn new(timetable: &'a Timetable, day: &'a Day, ground: &'a Ground<'a>, scale: u16) -> Self {
        Picture {
            timetable,
            day,
            ground,
            base: ground.draw(scale),
        }
    }

    pub fn draw(&self, scene: &Scene) -> Canvas {
        let mut canvas = self.base.clone();
        for aircraft in &scene.aircraft {
            self.trail(&mut canvas, aircraft);
        }
        for aircraft in &scene.aircraft {
            self.head(&mut canvas, aircraft);
        }
        // Over the aircraft, some of which leave the map.
        self.axis(&mut canvas);
        self.clock(&mut canvas, scene);
        self.legend(&mut canvas, scene);
        self.curve(&mut canvas, scene.minute);
        canvas
    }

    fn origin(&self, aircraft: &Aircraft) -> usize {
        self.timetable.flights[aircraft.flight as usize].origin
    }

    fn hue(&self, aircraft: &Aircraft) -> u32 {
        self.ground.hues.of(self.origin(aircraft))
    }

    fn trail(&self, canvas: &mut Canvas, aircraft: &Aircraft) {
        let ago = |piece: u8| TRAIL * f64::from(piece) / f64::from(PIECES);
        let xy = |piece| self.ground.map.xy(aircraft.before(ago(piece)));
        for piece in (0..PIECES).rev() {
            let fresh = 1.0 - f32::from(piece) / f32::from(PIECES);
            let ink = colour(self.hue(aircraft), 0.75 * fresh);
            canvas.line(&[xy(piece), xy(piece + 1)], 0.8 + fresh, ink);
        }
    }

    fn head(&self, canvas: &mut Canvas, aircraft: &Aircraft) {
        let at = self.ground.map.xy(aircraft.at);
        canvas.dot(at, 2.4, colour(self.hue(aircraft), 1.0));
        canvas.dot(at, 1.3, colour(0xffffff, 0.9));
    }

    fn clock(&self, canvas: &mut Canvas, scene: &Scene) {
        let count = match scene.minute / 1440 {
            0 => format!("{} in the air", scene.aircraft.len()),
            _ => format!("the next day, {} in the air", scene.aircraft.len()),
        };
        // Not aligned to the right by its own width, which is not always the same: it would tremble.
        let left = RIGHT - CLOCK.width("00:00");
        let below = (RIGHT - SUBTITLE.width(&count), 65.0);
        let time = clock(scene.minute % 1440);
        canvas.text(&time, (left, 45.0), CLOCK, colour(TEXT, 1.0));
        canvas.text(&count, below, SUBTITLE, colour(QUIET, 1.0));
    }

    /// Where those in the air come from.
    fn legend(&self, canvas: &mut Canvas, scene: &Scene) {
        let room = self.ground.legend();
        for (row, &origin) in (0_u8..).zip(self.ground.hues.airports()) {
            let of_origin = |aircraft: &&Aircraft| self.origin(aircraft) == origin;
            let count = scene.aircraft.iter().filter(of_origin).count().to_string();
            let y = room.top() + 14.0 + ROW * f32::from(row);
            let left = room.left() + 40.0 - LEGEND.width(&count);
            let name = &self.timetable.airports[origin].name;
            let hue = colour(self.ground.hues.of(origin), 1.0);
            canvas.dot((room.left() + 6.0, y - 4.5), 4.0, hue);
            canvas.text(&count, (left, y), LEGEND, colour(TEXT, 1.0));
            canvas.text(name, (room.left() + 48.0, y), LEGEND, colour(QUIET, 1.0));
        }
    }

    fn x(&self, minute: usize) -> f32 {
        LEFT + (RIGHT - LEFT) * minute as f32 / self.day.in_the_air.len() as f32
    }

    fn y(&self, count: usize) -> f32 {
        let most = self.day.busiest.aircraft.len().max(1);
        BOTTOM - (BOTTOM - TOP) * count as f32 / most as f32
    }

    /// The area below the curve up to a minute.
    fn below(&self, end: usize) -> Vec<Xy> {
        let counts = self.day.in_the_air.iter().take(end + 1).enumerate();
        let curve = counts.map(|(minute, &count)| (self.x(minute), self.y(count)));
        let feet = [(self.x(end), BOTTOM), (LEFT, BOTTOM)];
        curve.chain(feet).collect()
    }

    /// The whole day, faint, and its hours.
    fn axis(&self, canvas: &mut Canvas) {
        let end = self.day.in_the_air.len() - 1;
        canvas.rect(rect(0.0, TOP - 10.0, 960.0, 90.0), colour(GROUND, 1.0));
        canvas.area(&self.below(end), colour(QUIET, 0.22));
        canvas.line(&[(LEFT, BOTTOM), (RIGHT, BOTTOM)], 0.8, colour(QUIET, 0.6));
        for minute in (0..=end).step_by(180) {
            let (x, name) = (self.x(minute), clock(minute));
            canvas.line(&[(x, BOTTOM), (x, BOTTOM + 3.0)], 0.8, colour(QUIET, 0.6));
            let width = HOURS.width(&name);
            let left = (x - width / 2.0).clamp(LEFT, RIGHT - width);
            canvas.text(&name, (left, BOTTOM + 14.0), HOURS, colour(QUIET, 1.0));
        }
    }

    fn curve(&self, canvas: &mut Canvas, minute: usize) {
        let count = self.day.in_the_air[minute];
        let (x, y) = (self.x(minute), self.y(count));
        canvas.area(&self.below(minute), colour(QUIET, 0.45));
        canvas.line(&[(x, TOP), (x, BOTTOM)], 0.8, colour(TEXT, 0.5));
        canvas.dot((x, y), 2.6, colour(TEXT, 1.0));
    }
}
