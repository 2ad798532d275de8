//! Text as paths, in the two fonts that a crate ships: the pictures look the same on every machine.

use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, OutlineBuilder};

use crate::canvas::Xy;

#[derive(Clone, Copy)]
pub enum Font {
    Sans,
    Mono,
}

impl Font {
    fn face(self) -> &'static Face<'static> {
        static SANS: LazyLock<Face<'static>> =
            LazyLock::new(|| parse(epaint_default_fonts::UBUNTU_LIGHT));
        static MONO: LazyLock<Face<'static>> =
            LazyLock::new(|| parse(epaint_default_fonts::HACK_REGULAR));
        match self {
            Font::Sans => &SANS,
            Font::Mono => &MONO,
        }
    }
}

fn parse(font: &'static [u8]) -> Face<'static> {
    Face::parse(font, 0).expect("a font that ships inside a crate is sound")
}

/// A font at a size.
#[derive(Clone, Copy)]
pub struct Type(pub Font, pub f32);

impl Type {
    pub fn width(self, text: &str) -> f32 {
        let mut pen = Pen::at((0.0, 0.0), self);
        text.chars().for_each(|letter| pen.advance(letter));
        pen.at.0
    }

    pub fn outline(self, text: &str, at: Xy) -> Option<Path> {
        let mut pen = Pen::at(at, self);
        for letter in text.chars() {
            let face = self.0.face();
            if let Some(glyph) = face.glyph_index(letter) {
                face.outline_glyph(glyph, &mut pen);
            }
            pen.advance(letter);
        }
        pen.path.finish()
    }
}

/// Turns glyphs into paths, one beside the other.
struct Pen {
    path: PathBuilder,
    face: &'static Face<'static>,
    at: Xy,
    scale: f32,
}

impl Pen {
    fn at(at: Xy, Type(font, size): Type) -> Self {
        let face = font.face();
        Pen {
            path: PathBuilder::new(),
            face,
            at,
            scale: size / f32::from(face.units_per_em()),
        }
    }

    fn advance(&mut self, letter: char) {
        let glyph = self.face.glyph_index(letter).unwrap_or_default();
        let advance = self.face.glyph_hor_advance(glyph).unwrap_or(0);
        self.at.0 += f32::from(advance) * self.scale;
    }

    fn x(&self, x: f32) -> f32 {
        self.at.0 + x * self.scale
    }

    fn y(&self, y: f32) -> f32 {
        self.at.1 - y * self.scale
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x(x), self.y(y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x(x), self.y(y));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path
            .quad_to(self.x(x1), self.y(y1), self.x(x), self.y(y));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (first, second) = ((self.x(x1), self.y(y1)), (self.x(x2), self.y(y2)));
        let end = (self.x(x), self.y(y));
        self.path
            .cubic_to(first.0, first.1, second.0, second.1, end.0, end.1);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
