//! Labels that keep out of each other's way, and off busy lines where they can.

use tiny_skia::Rect;

use crate::canvas::{Xy, rect};

pub struct Paper {
    frame: Rect,
    /// No label may touch these.
    taken: Vec<Rect>,
    /// Labels cover as few of these as they can.
    lines: Vec<Xy>,
}

impl Paper {
    pub fn new(frame: Rect) -> Self {
        Paper {
            frame,
            taken: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub fn contains(&self, at: Xy) -> bool {
        contains(&self.frame, at)
    }

    /// The name of a place beyond the frame, with an arrow across the side next to `at`.
    pub fn pointing_out(&self, name: &str, (x, y): Xy) -> String {
        let sides = [
            (x - self.frame.left(), format!("\u{2190} {name}")),
            (self.frame.right() - x, format!("{name} \u{2192}")),
            (y - self.frame.top(), format!("\u{2191} {name}")),
            (self.frame.bottom() - y, format!("\u{2193} {name}")),
        ];
        let nearest = sides.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        nearest.map_or_else(String::new, |(_, name)| name)
    }

    pub fn take(&mut self, rect: Rect) {
        self.taken.push(rect);
    }

    pub fn avoid(&mut self, line: &[Xy]) {
        self.lines.extend(line);
    }

    /// Finds the best room for a label of this size at one of these distances from `at`, and takes it.
    pub fn label(&mut self, at: Xy, size: Xy, gaps: &[f32]) -> Option<Rect> {
        let places = gaps.iter().flat_map(|&gap| around(at, size, gap));
        let free = places.enumerate().filter(|(_, place)| self.is_free(place));
        // The earlier places read better: a later one must be worth it.
        let best = free.min_by_key(|(rank, place)| 2 * self.covered(place) + rank);
        let (_, room) = best?;
        self.take(room);
        Some(room)
    }

    fn is_free(&self, rect: &Rect) -> bool {
        let inside = self.frame.intersect(rect).as_ref() == Some(rect);
        inside
            && self
                .taken
                .iter()
                .all(|taken| taken.intersect(rect).is_none())
    }

    fn covered(&self, rect: &Rect) -> usize {
        self.lines.iter().filter(|at| contains(rect, **at)).count()
    }
}

fn contains(rect: &Rect, (x, y): Xy) -> bool {
    (rect.left()..rect.right()).contains(&x) && (rect.top()..rect.bottom()).contains(&y)
}

/// Places for a label, the most readable first: right, left, above, below, then the corners.
fn around((x, y): Xy, (width, height): Xy, gap: f32) -> impl Iterator<Item = Rect> {
    let sides = [
        (1.0, 0.0),
        (-1.0, 0.0),
        (0.0, -1.0),
        (0.0, 1.0),
        (0.8, -0.8),
        (0.8, 0.8),
        (-0.8, -0.8),
        (-0.8, 0.8),
    ];
    sides.into_iter().map(move |(right, down)| {
        let left = x + right * (gap + width / 2.0) - width / 2.0;
        let top = y + down * (gap + height / 2.0) - height / 2.0;
        rect(left, top, width, height)
    })
}
