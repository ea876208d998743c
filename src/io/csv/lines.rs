//! Lines that are counted for a note.

use crate::io::note::{LinesLike, Note};

/// The number of some lines, and the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) count: u64,
    pub(super) first: u64,
    second: u64,
}

impl Lines {
    pub(super) fn add(&mut self, line: u64) {
        match self.count {
            0 => self.first = line,
            1 => self.second = line,
            _ => {}
        }
        self.count += 1;
    }

    /// Adds those of a block, of which the first line is that number of the file's.
    pub(super) fn append(&mut self, block: &Self, first_line: u64) {
        let lines = [block.first, block.second];
        let lines = lines.into_iter().take(usize::try_from(block.count).unwrap_or(usize::MAX));
        lines.for_each(|line| self.add(first_line + line - 1));
        self.count += block.count.saturating_sub(2);
    }

    /// Takes away a line, which was added.
    fn remove(&mut self, line: u64) {
        if self.first == line {
            self.first = self.second;
        }
        self.count = self.count.saturating_sub(1);
    }
}

/// Lines that are no rows, or empty ones, or more than one a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NotRows {
    pub(super) comments: Lines,
    pub(super) empty: Lines,
    pub(super) nulls: Lines,
    /// The first lines of rows that take several.
    pub(super) long: Lines,
    /// All lines of these.
    pub(super) long_lines: u64,
}

impl NotRows {
    /// Adds those of a block, of which the first line is that number of the file's.
    pub(super) fn append(&mut self, block: &Self, first_line: u64) {
        self.comments.append(&block.comments, first_line);
        self.empty.append(&block.empty, first_line);
        self.nulls.append(&block.nulls, first_line);
        self.long.append(&block.long, first_line);
        self.long_lines += block.long_lines;
    }

    /// Takes away the comment in that line, which has a meaning.
    pub(super) fn remove_comment(&mut self, line: u64) {
        self.comments.remove(line);
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = Note> {
        let note = |lines: &Lines, what| {
            let (count, first_line) = (lines.count, lines.first);
            (count > 0).then_some(Note::Lines { count, first_line, what })
        };
        let Lines { count, first: first_line, .. } = self.long;
        let long = (count > 0).then_some(Note::LongRows { count, lines: self.long_lines, first_line });
        [
            note(&self.comments, LinesLike::Comments),
            note(&self.empty, LinesLike::Empty),
            note(&self.nulls, LinesLike::Nulls),
            long,
        ]
        .into_iter()
        .flatten()
    }
}
