//! Where places go on paper: the extent of the map, and labels that keep out of each other's way.

use tiny_skia::Rect;

use crate::canvas::Xy;
use crate::globe::{Arc, Point, Projection};

/// What lies beyond is drawn here: lines far longer than the picture are slow to draw and not exact.
const FAR: f64 = 20_000.0;

pub struct Map {
    projection: Projection,
    centre: (f64, f64),
    /// Pixels in an Earth radius.
    scale: f64,
    middle: Xy,
}

impl Map {
    /// Fits `places` into `frame`, all but a few that lie far out.
    pub fn fit(places: &[Point], frame: Rect) -> Self {
        let mut projection = Projection::around(places.iter().copied());
        let mut near = places.to_vec();
        // Centred on where most airports are, the rest of the map would lean: centre on its edges instead.
        for _ in 0..2 {
            near = without_outliers(near, &projection);
            projection = Projection::around(edges(&near, &projection).into_iter());
        }
        let (low, high) = bounds(&near, &projection);
        let scale = |length: f32, span: f64| f64::from(length) / span.max(1e-3);
        Map {
            projection,
            centre: ((low.0 + high.0) / 2.0, (low.1 + high.1) / 2.0),
            scale: scale(frame.width(), high.0 - low.0).min(scale(frame.height(), high.1 - low.1)),
            middle: (
                frame.x() + frame.width() / 2.0,
                frame.y() + frame.height() / 2.0,
            ),
        }
    }

    pub fn xy(&self, place: Point) -> Xy {
        let (x, y) = self.projection.project(place);
        let pixels = |length: f64| (length * self.scale).clamp(-FAR, FAR) as f32;
        (
            self.middle.0 + pixels(x - self.centre.0),
            self.middle.1 - pixels(y - self.centre.1),
        )
    }

    pub fn route(&self, arc: &Arc) -> Vec<Xy> {
        let steps = 48;
        let places = (0..=steps).map(|i| arc.at(f64::from(i) / f64::from(steps)));
        places.map(|place| self.xy(place)).collect()
    }
}

/// The outermost places to the west, east, south and north.
fn edges(places: &[Point], projection: &Projection) -> Vec<Point> {
    let x = |place: &Point| projection.project(*place).0;
    let y = |place: &Point| projection.project(*place).1;
    let outermost = |by: &dyn Fn(&Point) -> f64| {
        places
            .iter()
            .copied()
            .max_by(|a, b| by(a).total_cmp(&by(b)))
    };
    [
        outermost(&|place| -x(place)),
        outermost(&x),
        outermost(&|place| -y(place)),
        outermost(&y),
    ]
    .into_iter()
    .flatten()
    .collect()
}

type Corner = (f64, f64);

fn bounds(places: &[Point], projection: &Projection) -> (Corner, Corner) {
    let start = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
    places.iter().fold(start, |(low, high), place| {
        let (x, y) = projection.project(*place);
        ((low.0.min(x), low.1.min(y)), (high.0.max(x), high.1.max(y)))
    })
}

fn extent(places: &[Point], projection: &Projection) -> f64 {
    let (low, high) = bounds(places, projection);
    (high.0 - low.0) * (high.1 - low.1)
}

/// Drops up to a twentieth of the places: each time the one without which the map shrinks most, if by a sixth or more.
fn without_outliers(mut places: Vec<Point>, projection: &Projection) -> Vec<Point> {
    for _ in 0..places.len() / 20 {
        let without = |far: &Point| {
            let rest: Vec<Point> = places.iter().copied().filter(|p| p != far).collect();
            (extent(&rest, projection), rest)
        };
        let candidates = edges(&places, projection).into_iter();
        let best = candidates
            .map(|far| without(&far))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((smaller, rest)) if smaller * 1.2 < extent(&places, projection) => places = rest,
            _ => break,
        }
    }
    places
}
