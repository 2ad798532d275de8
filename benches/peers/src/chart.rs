//! Bars, side by side: a panel for each workload, the fastest on top, ours in another colour.
//!
//! On a white ground with dark letters, so that they can be read wherever the page is dark. The same figures give the same file.

use std::error::Error;
use std::fmt::Write;

use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, IntoDrawingArea, PathElement, RGBColor, Rectangle, SVGBackend, Text, TextStyle,
    WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont};

use crate::contenders::Side;

/// One contender's figure.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) side: Side,
    pub(crate) value: f64,
}

/// One workload.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Chart {
    pub(crate) title: String,
    /// What a bar's length is.
    pub(crate) measure: String,
    pub(crate) panels: Vec<Panel>,
}

/// A workload's times as multiples of one contender's, if that has run.
pub(crate) fn beside<'n>(
    title: &str,
    unit: &str,
    times: impl Iterator<Item = ((&'n str, Side), Option<f64>)> + Clone,
) -> Option<Panel> {
    let known = times.filter_map(|((name, side), time)| Some((name, side, time?)));
    let (.., unit) = known.clone().find(|(name, ..)| *name == unit)?;
    let bar = |(name, side, time): (&str, Side, f64)| Bar {
        name: name.into(),
        side,
        value: time / unit,
    };
    Some(Panel {
        title: title.into(),
        bars: known.map(bar).collect(),
    })
}

/// A longer bar ends here, and only its figure says how long it would be.
const LONGEST: f64 = 3.0;

// All in pixels.
const WIDTH: u32 = 800;
const MARGIN: i32 = 16;
const HEAD: i32 = 92;
const PANEL_HEAD: i32 = 30;
const PANEL_GAP: i32 = 18;
const LINE: i32 = 17;
const NAMES: i32 = 160;
const FIGURES: i32 = 44;

const INK: RGBColor = RGBColor(31, 35, 40);
const FAINT: RGBColor = RGBColor(110, 119, 129);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error + Send + Sync>>;

fn colour(side: Side) -> RGBColor {
    match side {
        Side::Ours => RGBColor(207, 34, 46),
        Side::Heap => RGBColor(110, 119, 129),
        Side::Pool => RGBColor(175, 184, 193),
    }
}

impl Chart {
    pub(crate) fn to_svg(&self) -> Result<String, Box<dyn Error + Send + Sync>> {
        let mut svg = String::new();
        let rows: Vec<&[Panel]> = self.panels.chunks(2).collect();
        let heights: Vec<i32> = rows.iter().map(|row| height(row)).collect();
        let height = HEAD + heights.iter().sum::<i32>();
        {
            let area =
                SVGBackend::with_string(&mut svg, (WIDTH, height as u32)).into_drawing_area();
            area.fill(&WHITE)?;
            self.head(&area)?;
            let mut top = HEAD;
            for (row, height) in rows.iter().zip(heights) {
                let width = WIDTH as i32 / 2;
                for (column, panel) in row.iter().enumerate() {
                    panel.draw(
                        &area,
                        column as i32 * width + MARGIN,
                        top,
                        width - 2 * MARGIN,
                    )?;
                }
                top += height;
            }
            area.present()?;
        }
        Ok(svg)
    }

    fn head(&self, area: &Area<'_>) -> Drawn {
        write(area, &self.title, (MARGIN, 24), &bold(18), HPos::Left)?;
        write(
            area,
            &self.measure,
            (MARGIN, 46),
            &plain(13, INK),
            HPos::Left,
        )?;
        let mut left = MARGIN;
        for (side, name) in [
            (Side::Ours, "mem-pool"),
            (Side::Heap, "allocators, vectors"),
            (Side::Pool, "other pools"),
        ] {
            let square = Rectangle::new([(left, 60), (left + 11, 71)], colour(side).filled());
            area.draw(&square)?;
            write(area, name, (left + 17, 66), &plain(13, INK), HPos::Left)?;
            left += 40 + 7 * name.len() as i32;
        }
        Ok(())
    }
}

fn height(row: &[Panel]) -> i32 {
    let bars = row.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
    PANEL_HEAD + LINE * bars as i32 + PANEL_GAP
}

impl Panel {
    fn draw(&self, area: &Area<'_>, left: i32, top: i32, width: i32) -> Drawn {
        write(area, &self.title, (left, top + 12), &bold(14), HPos::Left)?;
        let (zero, top) = (left + NAMES, top + PANEL_HEAD);
        let unit = f64::from(width - NAMES - FIGURES) / LONGEST;
        let mut bars: Vec<&Bar> = self.bars.iter().collect();
        bars.sort_by(|one, other| one.value.total_cmp(&other.value));
        let (one, bottom) = (zero + unit as i32, top + bars.len() as i32 * LINE);
        let line = PathElement::new(vec![(one, top - 4), (one, bottom)], FAINT);
        area.draw(&line)?;
        for (line, bar) in (0..).zip(&bars) {
            bar.draw(area, zero, top + line * LINE, unit)?;
        }
        Ok(())
    }
}

impl Bar {
    fn draw(&self, area: &Area<'_>, zero: i32, top: i32, unit: f64) -> Drawn {
        let (middle, ours) = (top + LINE / 2, self.side == Side::Ours);
        let style = if ours { bold(12) } else { plain(12, INK) };
        write(area, &self.name, (zero - 6, middle), &style, HPos::Right)?;
        let end = zero + (self.value.min(LONGEST) * unit).round() as i32;
        let bar = [(zero, top + 2), (end, top + LINE - 2)];
        area.draw(&Rectangle::new(bar, colour(self.side).filled()))?;
        let style = if ours { bold(12) } else { plain(12, FAINT) };
        let figure = self.figure();
        // The line at 1 must not cross it.
        let ground = [
            (end + 2, top),
            (end + 8 + 7 * figure.len() as i32, top + LINE),
        ];
        area.draw(&Rectangle::new(ground, WHITE.filled()))?;
        write(area, &figure, (end + 5, middle), &style, HPos::Left)
    }

    fn figure(&self) -> String {
        let mut figure = crate::table::figure(self.value);
        if self.value > LONGEST {
            write!(figure, " \u{203a}").expect("a string takes all");
        }
        figure
    }
}

fn plain(size: i32, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour)
}

fn bold(size: i32) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .style(FontStyle::Bold)
        .color(&INK)
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    style: &TextStyle<'static>,
    side: HPos,
) -> Drawn {
    let style = style.pos(Pos::new(side, VPos::Center));
    Ok(area.draw(&Text::new(text.to_string(), at, style))?)
}
