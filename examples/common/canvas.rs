//! A pixmap with the few strokes the pictures need, in logical units that a scale turns into pixels.

use std::fmt::Display;

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform,
};

use crate::font::Type;

pub type Xy = (f32, f32);

/// A colour from 0xRRGGBB and an opacity from 0 to 1.
pub fn colour(rgb: u32, opacity: f32) -> Color {
    let [_, red, green, blue] = rgb.to_be_bytes();
    let mut colour = Color::from_rgba8(red, green, blue, 255);
    colour.set_alpha(opacity);
    colour
}

pub fn rect(x: f32, y: f32, width: f32, height: f32) -> Rect {
    Rect::from_xywh(x, y, width, height).expect("rectangles lie near the picture and have a size")
}

#[derive(Clone)]
pub struct Canvas {
    pixmap: Pixmap,
    scale: Transform,
}

impl Canvas {
    pub fn new((width, height): (u16, u16), scale: u16, ground: Color) -> Self {
        let pixels = |length| u32::from(length) * u32::from(scale);
        let mut pixmap = Pixmap::new(pixels(width), pixels(height))
            .expect("a picture has some pixels and not too many");
        pixmap.fill(ground);
        let scale = f32::from(scale);
        Canvas {
            pixmap,
            scale: Transform::from_scale(scale, scale),
        }
    }

    /// Red, green, blue and an opacity that is always full.
    pub fn pixels(&self) -> impl Iterator<Item = [u8; 4]> {
        let pixels = self.pixmap.pixels().iter();
        pixels.map(|p| [p.red(), p.green(), p.blue(), p.alpha()])
    }

    pub fn save(&self, png: &std::path::Path) -> Result<(), impl Display + use<>> {
        self.pixmap.save_png(png)
    }

    fn fill(&mut self, path: Option<&Path>, colour: Color) {
        if let Some(path) = path {
            self.pixmap
                .fill_path(path, &paint(colour), FillRule::Winding, self.scale, None);
        }
    }

    fn stroke(&mut self, path: Option<&Path>, width: f32, colour: Color) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        if let Some(path) = path {
            self.pixmap
                .stroke_path(path, &paint(colour), &stroke, self.scale, None);
        }
    }

    pub fn dot(&mut self, (x, y): Xy, radius: f32, colour: Color) {
        self.fill(PathBuilder::from_circle(x, y, radius).as_ref(), colour);
    }

    pub fn ring(&mut self, (x, y): Xy, radius: f32, width: f32, colour: Color) {
        let circle = PathBuilder::from_circle(x, y, radius);
        self.stroke(circle.as_ref(), width, colour);
    }

    pub fn line(&mut self, points: &[Xy], width: f32, colour: Color) {
        self.stroke(polyline(points).finish().as_ref(), width, colour);
    }

    pub fn area(&mut self, corners: &[Xy], colour: Color) {
        let mut path = polyline(corners);
        path.close();
        self.fill(path.finish().as_ref(), colour);
    }

    pub fn rect(&mut self, rect: Rect, colour: Color) {
        self.fill(Some(&PathBuilder::from_rect(rect)), colour);
    }

    /// Writes `text` from `at`, the left end of its base line.
    pub fn text(&mut self, text: &str, at: Xy, font: Type, colour: Color) {
        self.fill(font.outline(text, at).as_ref(), colour);
    }

    /// Keeps lines away from a text that follows.
    pub fn halo(&mut self, text: &str, at: Xy, font: Type, colour: Color) {
        self.stroke(font.outline(text, at).as_ref(), 3.0, colour);
    }
}

fn paint(colour: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour);
    paint
}

fn polyline(points: &[Xy]) -> PathBuilder {
    let mut path = PathBuilder::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        match i {
            0 => path.move_to(x, y),
            _ => path.line_to(x, y),
        }
    }
    path
}
