//! Places as unit vectors: great circles and a map projection without a single angle.

/// A place: the unit vector from the centre of the Earth towards it.
pub type Point = [f64; 3];

/// Of the Earth, in kilometres.
pub const RADIUS: f64 = 6371.0;

pub fn point(latitude: f64, longitude: f64) -> Point {
    let (up, level) = latitude.to_radians().sin_cos();
    let (east, towards) = longitude.to_radians().sin_cos();
    [level * towards, level * east, up]
}

pub fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// `a * x + b * y`, all that turning a vector takes.
pub fn blend(a: Point, x: f64, b: Point, y: f64) -> Point {
    [
        a[0] * x + b[0] * y,
        a[1] * x + b[1] * y,
        a[2] * x + b[2] * y,
    ]
}

fn cross(a: Point, b: Point) -> Point {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// How far two places are apart, along the ground.
pub fn kilometres(a: Point, b: Point) -> f64 {
    let straight = blend(a, 1.0, b, -1.0);
    2.0 * RADIUS * (dot(straight, straight).sqrt() / 2.0).min(1.0).asin()
}

/// `None` for a vector too short to have a direction.
fn unit(a: Point) -> Option<Point> {
    let length = dot(a, a).sqrt();
    (length > 1e-9).then(|| blend(a, 1.0 / length, a, 0.0))
}

/// A vector square to `a`, whichever.
fn square(a: Point) -> Point {
    unit(cross(a, [0.0, 0.0, 1.0])).unwrap_or([0.0, 1.0, 0.0])
}

/// The shortest way between two places.
#[derive(Clone, Copy)]
pub struct Arc {
    pub from: Point,
    /// The direction of departure, square to `from`.
    pub ahead: Point,
    pub angle: f64,
}

impl Arc {
    pub fn between(from: Point, to: Point) -> Self {
        let along = dot(from, to);
        let aside = blend(to, 1.0, from, -along);
        Arc {
            from,
            // Opposite places have no shortest way, and equal ones need none: any direction will do.
            ahead: unit(aside).unwrap_or_else(|| square(from)),
            angle: dot(aside, aside).sqrt().atan2(along),
        }
    }

    /// The place a `fraction` of the way.
    pub fn at(&self, fraction: f64) -> Point {
        let (sin, cos) = (self.angle * fraction).sin_cos();
        blend(self.from, cos, self.ahead, sin)
    }
}

/// Lambert's azimuthal equal-area projection, north up at its centre.
#[derive(Clone, Copy)]
pub struct Projection {
    centre: Point,
    east: Point,
    north: Point,
}

impl Projection {
    /// Centred on the mean of `places`.
    pub fn around(places: impl Iterator<Item = Point>) -> Self {
        let sum = places.fold([0.0; 3], |sum, place| blend(sum, 1.0, place, 1.0));
        let centre = unit(sum).unwrap_or([1.0, 0.0, 0.0]);
        let east = unit(cross([0.0, 0.0, 1.0], centre)).unwrap_or([0.0, 1.0, 0.0]);
        let north = cross(centre, east);
        Projection {
            centre,
            east,
            north,
        }
    }

    /// East and north of the centre, in Earth radii.
    pub fn project(&self, place: Point) -> (f64, f64) {
        // The place opposite the centre would lie everywhere on the rim.
        let towards = (1.0 + dot(place, self.centre)).max(1e-9);
        let stretch = (2.0 / towards).sqrt();
        (
            stretch * dot(place, self.east),
            stretch * dot(place, self.north),
        )
    }
}
