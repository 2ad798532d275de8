//! What stays the same in all pictures: meridians, routes, airports with labels, the title.

use std::collections::HashSet;

use tiny_skia::Rect;

use crate::canvas::{Canvas, Xy, colour, rect};
use crate::data::{Airport, Timetable};
use crate::font::{Font, Type};
use crate::globe::{Point, point};
use crate::labels::Paper;
use crate::map::Map;

/// Logical units; a scale makes pixels of them.
pub const SIZE: (u16, u16) = (960, 600);
pub const GROUND: u32 = 0x0a0f1c;
pub const TEXT: u32 = 0xe8eefc;
pub const QUIET: u32 = 0x8c9cc0;
/// The height of a row of the legend.
pub const ROW: f32 = 19.0;
const GRATICULE: u32 = 0x141d33;
const AIRPORT: u32 = 0x8ea3cf;

const CODE: Type = Type(Font::Mono, 9.0);
const TITLE: Type = Type(Font::Sans, 24.0);
pub const SUBTITLE: Type = Type(Font::Sans, 15.0);
const DEGREES: Type = Type(Font::Sans, 8.0);

/// A colour for each airport of departure, the busiest first.
pub struct Hues(Vec<usize>);

impl Hues {
    const HUES: [u32; 6] = [0xffb347, 0x4fd0ff, 0xff7096, 0x8be06a, 0xc79bff, 0xf4f07a];
    const OTHERS: u32 = 0xd5dcec;

    pub fn new(timetable: &Timetable) -> Self {
        Hues(timetable.origins())
    }

    pub fn of(&self, airport: usize) -> u32 {
        let rank = self.0.iter().position(|&origin| origin == airport);
        let hue = rank.and_then(|rank| Self::HUES.get(rank));
        hue.copied().unwrap_or(Self::OTHERS)
    }

    /// The airports with a colour of their own.
    pub fn airports(&self) -> &[usize] {
        &self.0[..self.0.len().min(Self::HUES.len())]
    }
}

/// Where the map may draw.
fn frame() -> Rect {
    rect(10.0, 78.0, 940.0, 440.0)
}

pub struct Ground<'a> {
    timetable: &'a Timetable,
    pub map: Map,
    pub hues: Hues,
}

impl<'a> Ground<'a> {
    pub fn new(timetable: &'a Timetable) -> Self {
        let used = timetable.used().into_iter();
        let places: Vec<Point> = used.map(|i| timetable.airports[i].place).collect();
        Ground {
            timetable,
            map: Map::fit(&places, rect(40.0, 84.0, 880.0, 424.0)),
            hues: Hues::new(timetable),
        }
    }

    /// Room for the legend, a row for each hue.
    pub fn legend(&self) -> Rect {
        let height = ROW * self.hues.airports().len() as f32;
        rect(24.0, 514.0 - height, 220.0, height)
    }

    pub fn draw(&self, scale: u16) -> Canvas {
        let mut canvas = Canvas::new(SIZE, scale, colour(GROUND, 1.0));
        let mut paper = Paper::new(frame());
        paper.take(self.legend());
        self.graticule(&mut canvas, &mut paper);
        self.routes(&mut canvas, &mut paper);
        self.airports(&mut canvas, &mut paper);
        self.labels(&mut canvas, &mut paper);
        self.title(&mut canvas);
        canvas
    }

    /// Every tenth meridian and parallel, named where it enters the map from the south or the west.
    fn graticule(&self, canvas: &mut Canvas, paper: &mut Paper) {
        for tens in -17..=18 {
            let longitude = f64::from(tens * 10);
            let meridian = (-160..=160).map(|half| point(f64::from(half) / 2.0, longitude));
            self.named_line(canvas, paper, meridian, degrees(tens * 10, ["W", "E"]));
        }
        for tens in -8..=8 {
            let latitude = f64::from(tens * 10);
            let parallel = (-360..=360).map(|half| point(latitude, f64::from(half) / 2.0));
            self.named_line(canvas, paper, parallel, degrees(tens * 10, ["S", "N"]));
        }
    }

    fn named_line(
        &self,
        canvas: &mut Canvas,
        paper: &mut Paper,
        places: impl Iterator<Item = Point>,
        name: String,
    ) {
        let line: Vec<Xy> = places.map(|place| self.map.xy(place)).collect();
        canvas.line(&line, 0.8, colour(GRATICULE, 1.0));
        paper.avoid(&line);
        let entry = line.into_iter().find(|&at| paper.contains(at));
        let room = entry.and_then(|at| paper.label(at, (DEGREES.width(&name), 8.0), &[3.0]));
        if let Some(room) = room {
            let base = (room.left(), room.bottom());
            canvas.text(&name, base, DEGREES, colour(QUIET, 0.45));
        }
    }

    fn routes(&self, canvas: &mut Canvas, paper: &mut Paper) {
        let mut drawn = HashSet::new();
        for flight in &self.timetable.flights {
            if drawn.insert((flight.origin, flight.dest)) {
                let route = self.map.route(&self.timetable.arc(flight));
                canvas.line(&route, 0.7, colour(self.hues.of(flight.origin), 0.16));
                paper.avoid(&route);
            }
        }
    }

    /// Dots for all, the busier the larger.
    fn airports(&self, canvas: &mut Canvas, paper: &mut Paper) {
        let airports = self.timetable.airports.iter().zip(self.timetable.visits());
        for (airport, visits) in airports {
            let at = self.map.xy(airport.place);
            let radius = 1.1 + 0.12 * (visits as f32).sqrt().min(10.0);
            canvas.dot(at, radius, colour(AIRPORT, 1.0));
            if paper.contains(at) {
                paper.take(square(at, radius));
            }
        }
    }

    /// Labels for the airports of departure, and for as many others as find room, the busiest first.
    fn labels(&self, canvas: &mut Canvas, paper: &mut Paper) {
        let origins = self.hues.airports();
        for &origin in origins {
            let at = self.map.xy(self.timetable.airports[origin].place);
            canvas.ring(at, 2.4, 1.0, colour(self.hues.of(origin), 1.0));
            paper.take(square(at, 3.0));
        }
        for &origin in origins {
            let gaps = [5.0, 12.0, 20.0, 28.0];
            self.label(canvas, paper, origin, &gaps, self.hues.of(origin));
        }
        for airport in self.timetable.used() {
            if !origins.contains(&airport) {
                self.label(canvas, paper, airport, &[4.0], AIRPORT);
            }
        }
    }

    fn label(
        &self,
        canvas: &mut Canvas,
        paper: &mut Paper,
        airport: usize,
        gaps: &[f32],
        hue: u32,
    ) {
        let Airport { code, place, .. } = &self.timetable.airports[airport];
        let (mut code, mut at) = (code.clone(), self.map.xy(*place));
        if !paper.contains(at) {
            at = self.way_out(airport, paper);
            code = paper.pointing_out(&code, at);
        }
        if let Some(room) = paper.label(at, (CODE.width(&code) + 1.0, 8.0), gaps) {
            let base = (room.left() + 0.5, room.bottom() - 0.8);
            canvas.halo(&code, base, CODE, colour(GROUND, 0.7));
            canvas.text(&code, base, CODE, colour(hue, 1.0));
        }
    }

    /// Where a route to an airport beyond the paper crosses its edge.
    fn way_out(&self, airport: usize, paper: &Paper) -> Xy {
        let mut flights = self.timetable.flights.iter();
        let flight = flights.find(|flight| flight.dest == airport || flight.origin == airport);
        let route = flight.map(|flight| self.map.route(&self.timetable.arc(flight)));
        let mut inside = route.unwrap_or_default();
        inside.retain(|&at| paper.contains(at));
        let crossing = match flight {
            Some(flight) if flight.origin == airport => inside.first(),
            _ => inside.last(),
        };
        crossing.copied().unwrap_or_default()
    }

    fn title(&self, canvas: &mut Canvas) {
        let (title, date) = (self.timetable.title(), self.timetable.date());
        canvas.text(&title, (24.0, 40.0), TITLE, colour(TEXT, 1.0));
        canvas.text(&date, (24.0, 62.0), SUBTITLE, colour(QUIET, 1.0));
    }
}

fn degrees(signed: i32, [below, above]: [&str; 2]) -> String {
    let side = if signed < 0 { below } else { above };
    match signed {
        0 | 180 => format!("{signed}\u{b0}"),
        _ => format!("{}\u{b0} {side}", signed.abs()),
    }
}

fn square((x, y): Xy, half: f32) -> Rect {
    rect(x - half, y - half, 2.0 * half, 2.0 * half)
}
