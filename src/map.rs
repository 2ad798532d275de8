//! A picture of a pool's memory: [`HeapMap`], for a terminal, as SVG and as JSON.

#[cfg(feature = "serde")]
mod serial;

use std::fmt::{self, Write};

/// What the bytes of a pool's chunks were used for at one moment, from
/// [`VariadicPool::heap_map`](crate::generic::VariadicPool::heap_map) or
/// [`FixedPool::heap_map`](crate::generic::FixedPool::heap_map).
///
/// `Display` draws it in a terminal: a line for each chunk, from its first byte to its last, 64 characters wide (`{map:32}`
/// makes it 32), but no wider than the chunk has bytes. A heap of many chunks is summarised.
///
/// ```
/// use mem_pool::VariadicPool;
///
/// let pool = VariadicPool::new(4096, 0);
/// let mut blocks: Vec<_> = (0..6).map(|_| pool.alloc(500)).collect();
/// blocks.remove(3);
/// blocks.remove(1);
/// let drawn = pool.heap_map().to_string();
/// let line = drawn.lines().last().unwrap();
/// assert!(line.starts_with("   4.0 KiB [│███████") && line.contains("│·······"), "{drawn}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeapMap {
    /// Each chunk, and how many of the runs, one after the other, are its.
    chunks: Vec<Span>,
    runs: Vec<Run>,
}

/// What bytes are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Somebody's.
    Used,
    /// Nobody's.
    Free,
    /// The pool's own.
    Header,
}

const KINDS: [Cell; 3] = [Cell::Used, Cell::Free, Cell::Header];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    bytes: usize,
    runs: usize,
}

/// Neighbouring bytes of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    cell: Cell,
    bytes: usize,
}

/// Lines in a terminal, rows in a picture: more are summarised.
const MOST_LINES: usize = 32;
/// Characters in a line, unless a width is given.
const COLUMNS: usize = 64;
/// Pixels in a row of a picture.
const PIXELS: usize = 560;

impl HeapMap {
    /// No chunk yet.
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Makes room for so many more chunks and runs.
    pub(crate) fn reserve(&mut self, chunks: usize, runs: usize) {
        self.chunks.reserve(chunks);
        self.runs.reserve(runs);
    }

    /// Whether so many more can be added without the allocator.
    pub(crate) fn has_room(&self, chunks: usize, runs: usize) -> bool {
        let room = |len: usize, capacity: usize| capacity - len;
        room(self.chunks.len(), self.chunks.capacity()) >= chunks
            && room(self.runs.len(), self.runs.capacity()) >= runs
    }

    /// A chunk follows, of so many bytes.
    pub(crate) fn begin_chunk(&mut self, bytes: usize) {
        self.chunks.push(Span { bytes, runs: 0 });
    }

    /// The chunk's next bytes are used for this.
    pub(crate) fn push(&mut self, cell: Cell, bytes: usize) {
        let chunk = self.chunks.last_mut().expect("a chunk was begun");
        match self.runs.last_mut() {
            Some(run) if chunk.runs > 0 && run.cell == cell => run.bytes += bytes,
            _ => {
                chunk.runs += 1;
                self.runs.push(Run { cell, bytes });
            }
        }
    }

    /// The map as SVG: a row for each chunk, drawn to scale, with a legend.
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        draw_svg(self, &mut svg).expect("writing to a string does not fail");
        svg
    }

    /// The map as JSON, every run of bytes:
    /// `{"reserved_bytes": 4096, "chunks": [{"bytes": 4096, "runs": [{"kind": "header", "bytes": 32}, ..]}, ..]}`.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        draw_json(self, &mut json).expect("writing to a string does not fail");
        json
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk<'_>> {
        self.chunks.iter().scan(&self.runs[..], |rest, span| {
            let (runs, others) = rest.split_at(span.runs);
            *rest = others;
            Some(Chunk {
                bytes: span.bytes,
                runs,
            })
        })
    }

    fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes).sum()
    }
}

/// One chunk of a map.
struct Chunk<'a> {
    bytes: usize,
    runs: &'a [Run],
}

impl Chunk<'_> {
    /// The chunk in so many equal parts: of each, how many bytes of each kind.
    fn parts(&self, count: usize) -> Vec<Share> {
        let mut parts = vec![Share::default(); count];
        let (mut at, mut end, mut part) = (0, 0, 0);
        for run in self.runs {
            end += run.bytes;
            while at < end {
                let part_end = (part + 1) * self.bytes / count;
                let next = part_end.min(end);
                parts[part].0[run.cell as usize] += next - at;
                at = next;
                part += usize::from(at == part_end);
            }
        }
        parts
    }

    fn share(&self) -> Share {
        Share::of(self.runs)
    }
}

/// How many bytes of each kind.
#[derive(Clone, Copy, Default)]
struct Share([usize; KINDS.len()]);

impl Share {
    fn of(runs: &[Run]) -> Self {
        let mut share = Self::default();
        runs.iter()
            .for_each(|run| share.0[run.cell as usize] += run.bytes);
        share
    }

    /// The kind that stands for all, of which there are some: header, if it is an eighth or more, or else what is most.
    fn cell(self) -> Cell {
        let [used, free, header] = self.0;
        if header * 8 >= used + free + header {
            Cell::Header
        } else if used >= free {
            Cell::Used
        } else {
            Cell::Free
        }
    }

    fn percent(self, cell: Cell) -> f64 {
        let all: usize = self.0.iter().sum();
        self.0[cell as usize] as f64 * 100.0 / all.max(1) as f64
    }
}

impl Cell {
    fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Free => "free",
            Self::Header => "header",
        }
    }

    fn glyph(self) -> char {
        match self {
            Self::Used => '█',
            Self::Free => '·',
            Self::Header => '│',
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Used => "#1f5f8b",
            Self::Free => "#dbe7ee",
            Self::Header => "#e0912f",
        }
    }
}

/// Bytes in the unit people read.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", units[unit])
    }
}

/// Shares in percent, each with what stands for it.
struct Legend(Share);

impl fmt::Display for Legend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cell) in KINDS.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(
                f,
                "{comma}{} {} {:.1} %",
                cell.glyph(),
                cell.name(),
                self.0.percent(cell)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for HeapMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = f.width().unwrap_or(COLUMNS).max(1);
        let count = self.chunks.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(
            f,
            "{count} chunk{plural}, {}: {}",
            Bytes(self.bytes()),
            Legend(Share::of(&self.runs))
        )?;
        for chunk in self.chunks().take(MOST_LINES) {
            let line: String = chunk
                .parts(columns.min(chunk.bytes)) // of at least a byte each
                .into_iter()
                .map(|share| share.cell().glyph())
                .collect();
            let used = chunk.share().percent(Cell::Used);
            write!(
                f,
                "\n{:>10} [{line}] {used:.0} % used",
                Bytes(chunk.bytes).to_string()
            )?;
        }
        if count > MOST_LINES {
            let rest = self.chunks().skip(MOST_LINES);
            let (bytes, used) = rest.fold((0, 0), |sum, chunk| {
                (sum.0 + chunk.bytes, sum.1 + chunk.share().0[0])
            });
            write!(
                f,
                "\n{:>10} in {} more chunks, {} of it used",
                Bytes(bytes).to_string(),
                count - MOST_LINES,
                Bytes(used)
            )?;
        }
        Ok(())
    }
}

/// Where a picture's rows begin, and what stands beside them, in pixels.
const LEFT: usize = 88;
const RIGHT: usize = 96;
const TOP: usize = 78;
const ROW: usize = 24;
const GAP: usize = 8;
/// A chunk of more runs is drawn in columns, each shaded by how much of it is used.
const MOST_RUNS: usize = 400;
const COLUMN_PIXELS: usize = 2;

fn draw_svg(map: &HeapMap, svg: &mut String) -> fmt::Result {
    let rows = map.chunks.len().min(MOST_LINES);
    let more = map.chunks.len() - rows;
    let (width, height) = (
        LEFT + PIXELS + RIGHT,
        TOP + rows * (ROW + GAP) + if more > 0 { ROW } else { 0 } + GAP,
    );
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13" fill="#22303a">"##
    )?;
    writeln!(
        svg,
        r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##
    )?;
    draw_heading(map, svg)?;
    for (row, chunk) in map.chunks().take(rows).enumerate() {
        draw_row(&chunk, TOP + row * (ROW + GAP), svg)?;
    }
    if more > 0 {
        let y = height - GAP - 6;
        writeln!(
            svg,
            r#"<text x="{LEFT}" y="{y}">and {more} more chunks</text>"#
        )?;
    }
    svg.write_str("</svg>\n")
}

fn draw_heading(map: &HeapMap, svg: &mut String) -> fmt::Result {
    let (count, share) = (map.chunks.len(), Share::of(&map.runs));
    let plural = if count == 1 { "" } else { "s" };
    let bytes = Bytes(map.bytes());
    writeln!(
        svg,
        r#"<text x="{LEFT}" y="26" font-size="17" font-weight="600">{count} chunk{plural}, {bytes}</text>"#
    )?;
    let mut x = LEFT;
    for cell in KINDS {
        let (colour, name, percent) = (cell.colour(), cell.name(), share.percent(cell));
        writeln!(
            svg,
            r##"<rect x="{x}" y="42" width="14" height="14" rx="2" fill="{colour}" stroke="#8da2b0"/>"##
        )?;
        writeln!(
            svg,
            r#"<text x="{}" y="54">{name} {percent:.1} %</text>"#,
            x + 21
        )?;
        x += 126;
    }
    writeln!(
        svg,
        r##"<text x="{x}" y="54" fill="#6b7c88">each row is a chunk, drawn to scale</text>"##
    )
}

fn draw_row(chunk: &Chunk<'_>, y: usize, svg: &mut String) -> fmt::Result {
    let (text_y, free) = (y + 17, Cell::Free.colour());
    writeln!(
        svg,
        r#"<text x="{}" y="{text_y}" text-anchor="end">{}</text>"#,
        LEFT - 10,
        Bytes(chunk.bytes)
    )?;
    writeln!(
        svg,
        r#"<rect x="{LEFT}" y="{y}" width="{PIXELS}" height="{ROW}" fill="{free}"/>"#
    )?;
    if chunk.runs.len() <= MOST_RUNS {
        draw_runs(chunk, y, svg)?
    } else {
        draw_columns(chunk, y, svg)?
    }
    writeln!(
        svg,
        r##"<rect x="{LEFT}" y="{y}" width="{PIXELS}" height="{ROW}" fill="none" stroke="#8da2b0"/>"##
    )?;
    let (x, used) = (LEFT + PIXELS + 10, chunk.share().percent(Cell::Used));
    writeln!(svg, r#"<text x="{x}" y="{text_y}">{used:.0} % used</text>"#)
}

/// Every run but the free ones, which show the background.
fn draw_runs(chunk: &Chunk<'_>, y: usize, svg: &mut String) -> fmt::Result {
    let scale = PIXELS as f64 / chunk.bytes as f64;
    let mut at = 0;
    for run in chunk.runs {
        let (x, width) = (LEFT as f64 + at as f64 * scale, run.bytes as f64 * scale);
        let (colour, name, bytes) = (run.cell.colour(), run.cell.name(), run.bytes);
        writeln!(
            svg,
            r#"<rect x="{x:.2}" y="{y}" width="{width:.2}" height="{ROW}" fill="{colour}"><title>{name}: {bytes} bytes at {at}</title></rect>"#
        )?;
        at += run.bytes;
    }
    Ok(())
}

/// Columns of used bytes over the background, the darker the more; as wide as they are equally dark.
fn draw_columns(chunk: &Chunk<'_>, y: usize, svg: &mut String) -> fmt::Result {
    let colour = Cell::Used.colour();
    let shades = chunk
        .parts(PIXELS / COLUMN_PIXELS)
        .into_iter()
        .map(|share| (100.0 - share.percent(Cell::Free)) as usize / 10);
    let shades: Vec<usize> = shades.collect();
    let mut x = LEFT;
    for like in shades.chunk_by(|a, b| a == b) {
        let width = like.len() * COLUMN_PIXELS;
        if like[0] > 0 {
            let shade = like[0] as f64 / 10.0;
            writeln!(
                svg,
                r#"<rect x="{x}" y="{y}" width="{width}" height="{ROW}" fill="{colour}" fill-opacity="{shade}"/>"#
            )?;
        }
        x += width;
    }
    Ok(())
}

fn draw_json(map: &HeapMap, json: &mut String) -> fmt::Result {
    write!(json, "{{\"reserved_bytes\": {}, \"chunks\": [", map.bytes())?;
    for (index, chunk) in map.chunks().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(json, "{comma}{{\"bytes\": {}, \"runs\": [", chunk.bytes)?;
        for (index, run) in chunk.runs.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(
                json,
                "{comma}{{\"kind\": \"{}\", \"bytes\": {}}}",
                run.cell.name(),
                run.bytes
            )?;
        }
        json.write_str("]}")?;
    }
    json.write_str("]}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half_used() -> HeapMap {
        let mut map = HeapMap::new();
        map.begin_chunk(6400);
        map.push(Cell::Header, 100);
        map.push(Cell::Used, 1550);
        map.push(Cell::Used, 1550);
        map.push(Cell::Free, 3200);
        map
    }

    /// So many chunks without a free byte.
    fn all_used(chunks: usize) -> HeapMap {
        let mut map = HeapMap::new();
        for _ in 0..chunks {
            map.begin_chunk(1024);
            map.push(Cell::Used, 1024);
        }
        map
    }

    #[test]
    fn runs_of_one_kind_are_one_run() {
        assert_eq!(half_used().runs.len(), 3);
    }

    #[test]
    fn a_run_ends_with_its_chunk() {
        let map = all_used(3);
        let expected = r#"{"bytes": 1024, "runs": [{"kind": "used", "bytes": 1024}]}"#;
        assert_eq!(map.to_json().matches(expected).count(), 3);
    }

    #[test]
    fn a_line_is_drawn_to_scale() {
        let drawn = half_used().to_string();
        assert!(
            drawn.contains(&format!("[│{}{}]", "█".repeat(31), "·".repeat(32))),
            "{drawn}"
        );
        assert!(
            drawn.starts_with("1 chunk, 6.2 KiB: █ used 48.4 %, · free 50.0 %, │ header 1.6 %"),
            "{drawn}"
        );
    }

    #[test]
    fn parts_have_every_byte() {
        for count in [1, 3, 7, 64, 1000, 6400, 10_000] {
            let map = half_used();
            let parts = map.chunks().next().unwrap().parts(count);
            assert_eq!(parts.len(), count);
            let sum = parts.iter().flat_map(|share| share.0).sum::<usize>();
            assert_eq!(sum, 6400);
        }
    }

    #[test]
    fn a_line_has_a_character_for_each_byte_at_most() {
        let mut map = HeapMap::new();
        map.begin_chunk(8);
        for cell in [Cell::Header, Cell::Used, Cell::Free, Cell::Header] {
            map.push(cell, 2);
        }
        for (columns, line) in [(4, "│█·│"), (8, "││██··││"), (100, "││██··││")]
        {
            let drawn = format!("{map:columns$}");
            assert!(drawn.contains(&format!("[{line}]")), "{drawn}");
        }
    }

    #[test]
    fn only_what_is_left_out_is_told_of() {
        for count in 1..=MOST_LINES + 2 {
            let map = all_used(count);
            let more = count.saturating_sub(MOST_LINES);
            let told = format!("{more} more chunks");
            for drawn in [map.to_string(), map.to_svg()] {
                assert_eq!(drawn.contains("more chunks"), more > 0, "{drawn}");
                assert_eq!(drawn.contains(&told), more > 0, "{drawn}");
                let plural = if count == 1 { "" } else { "s" };
                assert!(
                    drawn.contains(&format!("{count} chunk{plural}, ")),
                    "{drawn}"
                );
            }
        }
    }

    #[test]
    fn a_picture_s_rows_lie_below_each_other() {
        let svg = all_used(3).to_svg();
        for y in [78, 110, 142] {
            let row = format!(r#"<rect x="88.00" y="{y}" width="560.00" height="24""#);
            assert_eq!(svg.matches(&row).count(), 1, "{row} in {svg}");
        }
    }

    #[test]
    fn a_large_heap_is_summarised() {
        let mut map = HeapMap::new();
        for _ in 0..1000 {
            map.begin_chunk(1024);
            (0..512).for_each(|n| map.push(if n % 2 == 0 { Cell::Used } else { Cell::Free }, 2));
        }
        let drawn = map.to_string();
        assert_eq!(drawn.lines().count(), MOST_LINES + 2);
        assert!(
            drawn.ends_with("968.0 KiB in 968 more chunks, 484.0 KiB of it used"),
            "{drawn}"
        );
        assert!(map.to_svg().len() < 2_000_000);
    }

    #[test]
    fn as_many_chunks_as_there_are_lines_are_all_drawn() {
        let map = all_used(MOST_LINES);
        assert_eq!(map.to_string().lines().count(), 1 + MOST_LINES);
        assert!(!map.to_svg().contains("more"));
    }

    #[test]
    fn each_kind_has_a_colour_of_its_own() {
        let colours = KINDS.map(Cell::colour);
        let is_colour = |text: &str| {
            let digits = text.strip_prefix('#').unwrap_or("");
            digits.len() == 6 && digits.chars().all(|digit| digit.is_ascii_hexdigit())
        };
        assert!(colours.into_iter().all(is_colour), "{colours:?}");
        assert!(colours[0] != colours[1] && colours[1] != colours[2] && colours[2] != colours[0]);
    }

    #[test]
    fn a_picture_is_drawn_to_scale() {
        let svg = half_used().to_svg();
        for part in [
            r#"width="744" height="118" viewBox="0 0 744 118""#,
            r#"<text x="88" y="26""#,
            r#"<rect x="88" y="42" width="14""#,
            r#"<text x="109" y="54">used 48.4 %<"#,
            r#"<rect x="214" y="42" width="14""#,
            r#"<text x="235" y="54">free 50.0 %<"#,
            r#"<rect x="340" y="42" width="14""#,
            r#"<text x="361" y="54">header 1.6 %<"#,
            r#"<text x="466" y="54""#,
            r#"<text x="78" y="95" text-anchor="end">6.2 KiB<"#,
            r#"<rect x="88" y="78" width="560" height="24""#,
            r#"<rect x="88.00" y="78" width="8.75" height="24""#,
            r#"<rect x="96.75" y="78" width="271.25" height="24""#,
            r#"<title>used: 3100 bytes at 100<"#,
            r#"<rect x="368.00" y="78" width="280.00" height="24""#,
            r#"<title>free: 3200 bytes at 3200<"#,
            r#"<text x="658" y="95">48 % used<"#,
        ] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
    }

    #[test]
    fn a_picture_says_how_much_it_leaves_out() {
        let mut heights = Vec::new();
        for count in 1..=MOST_LINES + 2 {
            let svg = all_used(count).to_svg();
            let more = count.saturating_sub(MOST_LINES);
            let left_out = format!(
                r#"y="{}">and {more} more chunks</text>"#,
                TOP + MOST_LINES * 32 + 18
            );
            assert_eq!(svg.contains(&left_out), more > 0);
            let heading = if count == 1 {
                ">1 chunk, "
            } else {
                " chunks, "
            };
            assert!(svg.contains(heading), "{svg}");
            let last_row = TOP + (count.min(MOST_LINES) - 1) * (ROW + GAP);
            assert!(
                svg.contains(&format!(r#"y="{last_row}" width="560""#)),
                "{svg}"
            );
            assert_eq!(svg.matches("used</text>").count(), count.min(MOST_LINES));
            heights.push(
                TOP + count.min(MOST_LINES) * (ROW + GAP) + if more > 0 { ROW } else { 0 } + GAP,
            );
            assert!(svg.contains(&format!(r#"height="{}" viewBox"#, heights[count - 1])));
        }
    }

    #[test]
    fn sizes_are_told_in_the_unit_that_people_read() {
        let told = |bytes: usize| Bytes(bytes).to_string();
        for (power, unit) in [(10, "KiB"), (20, "MiB"), (30, "GiB"), (40, "TiB")] {
            assert_eq!(told(3 << power), format!("3.0 {unit}"));
            assert_eq!(told(3 << (power - 1)), format!("{} {unit}", 1.5));
        }
        assert_eq!(
            (told(1023), told(1024), told(3 << 50)),
            ("1023 B".into(), "1.0 KiB".into(), "3072.0 TiB".into())
        );
    }

    #[test]
    fn a_little_header_does_not_stand_for_the_rest() {
        let cell = |share| Share(share).cell();
        assert_eq!(cell([5, 2, 1]), Cell::Header);
        assert_eq!(cell([6, 2, 1]), Cell::Used);
        assert_eq!(cell([2, 6, 1]), Cell::Free);
        assert_eq!(cell([4, 4, 1]), Cell::Used);
    }

    #[test]
    fn a_chunk_of_many_runs_is_drawn_in_columns() {
        let mut map = HeapMap::new();
        map.begin_chunk(1_120_000);
        map.push(Cell::Free, 560_000);
        (0..280_000).for_each(|n| map.push(if n % 2 == 0 { Cell::Used } else { Cell::Free }, 2));
        // The left half shows the background alone, the right half is one column, half as dark.
        let columns: Vec<_> = map
            .to_svg()
            .lines()
            .filter(|line| line.contains("opacity"))
            .map(String::from)
            .collect();
        assert_eq!(columns.len(), 1, "{columns:?}");
        let wanted = format!(
            r#"x="{}" y="{TOP}" width="{}""#,
            LEFT + PIXELS / 2,
            PIXELS / 2
        );
        assert!(
            columns[0].contains(&wanted) && columns[0].contains(r#"fill-opacity="0.5""#),
            "{columns:?}"
        );
    }

    #[test]
    fn room_is_of_chunks_and_of_runs() {
        let mut map = HeapMap::new();
        assert!(map.has_room(0, 0) && !map.has_room(1, 0) && !map.has_room(0, 1));
        map.reserve(2, 3);
        assert!(map.has_room(2, 3) && !map.has_room(1000, 3) && !map.has_room(2, 1000));
        (0..map.chunks.capacity()).for_each(|_| map.begin_chunk(1));
        assert!(map.has_room(0, 3) && !map.has_room(1, 3));
    }

    #[test]
    fn json_has_every_run() {
        let expected = r#"{"reserved_bytes": 6400, "chunks": [{"bytes": 6400, "runs": [{"kind": "header", "bytes": 100}, {"kind": "used", "bytes": 3100}, {"kind": "free", "bytes": 3200}]}]}"#;
        assert_eq!(half_used().to_json(), expected);
    }

    #[test]
    fn an_empty_heap_is_a_map_too() {
        let map = HeapMap::new();
        assert_eq!(
            map.to_string(),
            "0 chunks, 0 B: █ used 0.0 %, · free 0.0 %, │ header 0.0 %"
        );
        assert!(map.to_svg().ends_with("</svg>\n"));
        assert_eq!(map.to_json(), r#"{"reserved_bytes": 0, "chunks": []}"#);
    }
}
