//! The lines of a heap trace: the replay example reads them, and a fuzz target reads anything.

/// One heap call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A new block of so many bytes.
    Alloc(usize),
    /// A block's number and its new length.
    Resize(usize, usize),
    /// A block's number.
    Free(usize),
}

/// One line. `lens` has the length of every block so far, `None` once it is freed.
pub(crate) fn parse(line: &str, lens: &mut Vec<Option<usize>>) -> Result<Event, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |word: &str| {
        word.parse::<usize>()
            .map_err(|error| format!("`{word}` is no number: {error}"))
    };
    let event = match words[..] {
        ["a", len] => Event::Alloc(number(len)?),
        ["r", id, len] => Event::Resize(number(id)?, number(len)?),
        ["f", id] => Event::Free(number(id)?),
        _ => return Err(format!("`{line}` is none of `a SIZE`, `r ID SIZE`, `f ID`")),
    };
    let mut set = |id: usize, len| {
        let live = lens.get_mut(id).filter(|len| len.is_some());
        live.map(|place| *place = len)
            .ok_or_else(|| format!("there is no live block {id}"))
    };
    match event {
        Event::Resize(id, len) => set(id, Some(len))?,
        Event::Free(id) => set(id, None)?,
        Event::Alloc(len) => lens.push(Some(len)),
    }
    Ok(event)
}
