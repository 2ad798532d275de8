//! Pictures as an animated GIF: one palette for all frames, and of each frame only what changed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread;

use color_quant::NeuQuant;
use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};
use indicatif::ProgressBar;

use crate::canvas::Canvas;

/// Hundredths of a second.
const LAST_DELAY: u16 = 250;

/// The palette has 255 colours, and this one for what is as it was.
const AS_BEFORE: u8 = 255;

/// So many of them are colours that really occur.
const EXACT: usize = 96;

/// Red, green, blue and an opacity that is always full.
type Pixel = [u8; 4];

/// A number of pictures of the same size, drawn when they are asked for.
pub struct Film<'a> {
    pub size: (u16, u16),
    pub frames: usize,
    /// Hundredths of a second.
    pub delay: u16,
    pub draw: &'a (dyn Fn(usize) -> Canvas + Sync),
}

impl Film<'_> {
    pub fn write(&self, path: &Path, bar: &ProgressBar) -> Result<(), EncodingError> {
        let (width, height) = self.size;
        let palette = self.palette();
        let file = BufWriter::new(File::create(path)?);
        let colours: Vec<u8> = palette.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
        let mut encoder = Encoder::new(file, width, height, &colours)?;
        encoder.set_repeat(Repeat::Infinite)?;
        let mut frames = self.shoot(&palette, bar);
        if let Some(last) = frames.last_mut() {
            last.delay = LAST_DELAY;
        }
        for frame in frames {
            encoder.write_lzw_pre_encoded_frame(&frame)?;
        }
        encoder.into_inner()?.flush()?;
        Ok(())
    }

    /// The colours of a dozen pictures: those of the large areas as they are, and the others as near as may be.
    fn palette(&self) -> Vec<Pixel> {
        let mut counts: HashMap<Pixel, usize> = HashMap::new();
        for frame in (0..self.frames).step_by(self.frames.div_ceil(12).max(1)) {
            for pixel in (self.draw)(frame).pixels() {
                *counts.entry(pixel).or_default() += 1;
            }
        }
        let mut colours: Vec<(usize, Pixel)> =
            counts.into_iter().map(|(pixel, n)| (n, pixel)).collect();
        colours.sort_unstable_by(|a, b| b.cmp(a));
        let rare = colours.split_off(colours.len().min(EXACT));
        let exact = colours.into_iter().map(|(_, pixel)| pixel);
        exact.chain(blends(&rare)).collect()
    }

    /// Draws and encodes all frames, on all cores.
    fn shoot(&self, palette: &[Pixel], bar: &ProgressBar) -> Vec<Frame<'static>> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let share = self.frames.div_ceil(workers).max(1);
        let shoot = |first| Camera::new(self, palette).reel(first, share, bar);
        thread::scope(|scope| {
            let firsts = (0..self.frames).step_by(share);
            let workers = firsts.map(|first| scope.spawn(move || shoot(first)));
            let workers: Vec<_> = workers.collect();
            let reels = workers.into_iter().map(|worker| worker.join());
            let reels = reels.map(|reel| reel.expect("drawing does not panic"));
            reels.flatten().collect()
        })
    }
}

/// Colours that stand for many: each counts, however few pixels have it.
fn blends(rare: &[(usize, Pixel)]) -> Vec<Pixel> {
    let sample: Vec<Pixel> = rare
        .iter()
        .flat_map(|&(count, pixel)| std::iter::repeat_n(pixel, 1 + count.ilog2() as usize))
        .collect();
    let learnt = NeuQuant::new(1, usize::from(AS_BEFORE) - EXACT, sample.as_flattened());
    let colours = learnt.color_map_rgba();
    colours
        .chunks_exact(4)
        .map(|c| [c[0], c[1], c[2], 255])
        .collect()
}

/// Turns pictures into frames, each made to follow the one before.
struct Camera<'a> {
    film: &'a Film<'a>,
    palette: &'a [Pixel],
    known: HashMap<Pixel, u8>,
    before: Option<Canvas>,
}

impl<'a> Camera<'a> {
    fn new(film: &'a Film<'a>, palette: &'a [Pixel]) -> Self {
        Camera {
            film,
            palette,
            known: HashMap::new(),
            before: None,
        }
    }

    /// Up to `share` frames.
    fn reel(mut self, first: usize, share: usize, bar: &ProgressBar) -> Vec<Frame<'static>> {
        // Even the first frame shows only what changed since the picture before.
        self.before = first.checked_sub(1).map(|before| (self.film.draw)(before));
        let end = self.film.frames.min(first + share);
        let shoot = |frame| {
            bar.inc(1);
            self.shoot((self.film.draw)(frame))
        };
        (first..end).map(shoot).collect()
    }

    fn shoot(&mut self, now: Canvas) -> Frame<'static> {
        let indexes = match self.before.take() {
            None => now.pixels().map(|pixel| self.index(pixel)).collect(),
            Some(before) => self.changes(&before, &now),
        };
        self.before = Some(now);
        self.frame(indexes)
    }

    fn changes(&mut self, before: &Canvas, now: &Canvas) -> Vec<u8> {
        let pixels = before.pixels().zip(now.pixels());
        let index = |(before, now)| match before == now {
            true => AS_BEFORE,
            false => self.index(now),
        };
        pixels.map(index).collect()
    }

    fn index(&mut self, pixel: Pixel) -> u8 {
        let search = || nearest(self.palette, pixel);
        *self.known.entry(pixel).or_insert_with(search)
    }

    fn frame(&self, indexes: Vec<u8>) -> Frame<'static> {
        let (width, height) = self.film.size;
        let mut frame = Frame::from_indexed_pixels(width, height, indexes, Some(AS_BEFORE));
        frame.delay = self.film.delay;
        frame.dispose = DisposalMethod::Keep;
        frame.make_lzw_pre_encoded();
        frame
    }
}

fn nearest(palette: &[Pixel], pixel: Pixel) -> u8 {
    let distance = |other: &Pixel| -> u32 {
        let channels = other.iter().zip(pixel);
        channels
            .map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2))
            .sum()
    };
    let indexed = (0_u8..).zip(palette);
    indexed
        .min_by_key(|(_, other)| distance(other))
        .map_or(0, |(index, _)| index)
}
