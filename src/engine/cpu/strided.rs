//! Passes over fits whose elements are apart: a pixel of every frame, a channel of
//! every pixel, the rows of a tile.
//!
//! The problem's levels say where the elements are. Rows are the runs of elements
//! along the last level, on which fits lie side by side; those before it say which
//! rows belong to the same fits. A task owns some columns of the rows of some fits,
//! so that nothing is shared between threads, and which additions are made depends on
//! the shape alone.

use std::ops::Range;

use super::blocks::{BLOCK_WORDS, contains_all, words_of};
use super::read::{fill_unset, read_finite, read_weights};
use super::side::{FLUSH_ROWS, ROWS, SIDE_ELEMENTS, SidePass};
use crate::array::{Array, Element, Level, Problem, with_element};
use crate::engine::frame::{self, Frame};

/// Elements of a task after which its rows are handed to another: so many rows of
/// so few fits that one thread would have all of the work.
const SEGMENT_ELEMENTS: usize = 1 << 20;

/// Fewer fits side by side than this are repeated, for as many rows as it takes to
/// fill the lanes.
const FEW_FITS: usize = 128;

/// The fits that lanes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folding {
    /// So many neighbours are one fit.
    Neighbours(usize),
    /// Lanes so far apart are one fit.
    Period(usize),
}

/// The way through the elements of a problem whose fits are regular.
#[derive(Debug)]
pub(super) struct Walk {
    outer: Vec<Level>,
    /// The elements from one index to the next along each outer level.
    strides: Vec<usize>,
    /// The elements of a row.
    width: usize,
    /// The elements that the rows of the last outer level have together.
    block: usize,
    folding: Folding,
}

/// Some columns of the rows of fits that lie side by side.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// The index of the fits along each outer level.
    slots: Vec<u64>,
    /// The number of rows.
    rows: usize,
    columns: Range<usize>,
    /// The fits that the task finds.
    pub(super) fits: Range<usize>,
}

impl Task {
    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

/// A number that is small enough for an array in memory.
fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Walk {
    pub(super) fn new(levels: &[Level]) -> Self {
        let (inner, outer) = levels.split_last().map_or_else(
            || (Level { extent: 1, shared: 1, fit_step: 1 }, &[][..]),
            |(inner, outer)| (*inner, outer),
        );
        let mut outer = outer.to_vec();
        let (fits, shared) = (whole(inner.extent), whole(inner.shared));
        let (mut width, mut folding) = (fits, Folding::Neighbours(shared));
        let mut block = fits;
        if let Some(last) = outer.last_mut() {
            block = whole(last.extent) * fits;
            if last.is_along() && shared == 1 && fits < FEW_FITS {
                let repeated = (SIDE_ELEMENTS / fits).min(whole(last.extent));
                width = repeated * fits;
                folding = Folding::Period(fits);
                let extent = (block as u64).div_ceil(width as u64);
                *last = Level { extent, shared: extent, fit_step: 0 };
            }
        }
        let mut strides = vec![width; outer.len()];
        let mut step = block;
        for (k, level) in outer.iter().enumerate().rev().skip(1) {
            strides[k] = step;
            step *= whole(level.extent);
        }
        Self { outer, strides, width, block, folding }
    }

    /// The tasks, in the order of their fits.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        let mut slots = vec![0; self.outer.len()];
        let mut first = 0;
        loop {
            let rows = self.outer.iter().zip(&slots).map(|(level, &slot)| whole(Self::shared(level, slot)));
            let rows = rows.product();
            match self.folding {
                Folding::Period(fits) => {
                    let (columns, found) = (0..self.width, first..first + fits);
                    tasks.push(Task { slots: slots.clone(), rows, columns, fits: found });
                    first += fits;
                }
                Folding::Neighbours(shared) => {
                    let step = (SIDE_ELEMENTS / shared).max(1) * shared;
                    for start in (0..self.width).step_by(step) {
                        let columns = start..self.width.min(start + step);
                        let fits = columns.len().div_ceil(shared);
                        let fits = first..first + fits;
                        first = fits.end;
                        tasks.push(Task { slots: slots.clone(), rows, columns, fits });
                    }
                }
            }
            if !self.advance(&mut slots) {
                return tasks;
            }
        }
    }

    /// A task for each fit, in the order of the fits.
    pub(super) fn single_tasks(&self) -> Vec<Task> {
        let Folding::Neighbours(shared) = self.folding else { return self.tasks() };
        let single = |task: Task| {
            let starts = task.columns.clone().step_by(shared.max(1));
            let columns = starts.map(move |start| start..task.columns.end.min(start + shared));
            columns.zip(task.fits.clone()).map(move |(columns, fit)| Task {
                slots: task.slots.clone(),
                rows: task.rows,
                columns,
                fits: fit..fit + 1,
            })
        };
        self.tasks().into_iter().flat_map(single).collect()
    }

    /// The indices of a slot of a level.
    fn shared(level: &Level, slot: u64) -> u64 {
        level.shared.min(level.extent - slot * level.shared)
    }

    fn advance(&self, slots: &mut [u64]) -> bool {
        for (slot, level) in slots.iter_mut().zip(&self.outer).rev() {
            *slot += 1;
            if *slot < level.fits() {
                return true;
            }
            *slot = 0;
        }
        false
    }

    /// The elements of row number `row` of a task.
    pub(super) fn row(&self, task: &Task, mut row: usize) -> Range<usize> {
        let (mut start, mut along_last) = (0, 0);
        for (k, (level, &slot)) in self.outer.iter().zip(&task.slots).enumerate().rev() {
            let shared = whole(Self::shared(level, slot));
            let index = whole(slot * level.shared) + row % shared;
            row /= shared;
            start += index * self.strides[k];
            if k + 1 == self.outer.len() {
                along_last = index * self.strides[k];
            }
        }
        // Rows of repeated fits may end within one.
        let end = task.columns.end.min(self.block - along_last);
        start + task.columns.start..start + end.max(task.columns.start)
    }

    /// The segments that a task's rows are shared out in.
    pub(super) fn segments(task: &Task) -> Vec<Range<usize>> {
        let rows =
            (SEGMENT_ELEMENTS / task.columns.len().max(1)).next_multiple_of(FLUSH_ROWS).max(FLUSH_ROWS);
        (0..task.rows).step_by(rows).map(|start| start..task.rows.min(start + rows)).collect()
    }

    /// The place among a task's fits of each of its lanes.
    pub(super) fn places(&self, task: &Task) -> Vec<usize> {
        (0..task.columns.len())
            .map(|lane| match self.folding {
                Folding::Neighbours(shared) => lane / shared,
                Folding::Period(fits) => lane % fits,
            })
            .collect()
    }

    /// Whether each lane is a fit of its own.
    pub(super) fn is_plain(&self) -> bool {
        self.folding == Folding::Neighbours(1)
    }

    /// Hands the rows of a segment to a pass: as they lie in memory if X and T are
    /// of one type, read as they are, and all pairs are valid, else brought to f64.
    pub(super) fn pass_over(
        &self,
        data: &Problem,
        t: &Array,
        frame: &Frame,
        task: &Task,
        segment: Range<usize>,
        pass: &mut impl SidePass,
    ) {
        let x = data.x();
        let is_whole = |row: usize| {
            let row = self.row(task, row);
            data.validity().is_none_or(|validity| contains_all(validity, &row, data.len()))
        };
        let is_weighted = data.weights().is_some() || !segment.clone().all(is_whole);
        let is_plain = !is_weighted && frame.is_plain();
        let in_place = is_plain && x.element() == t.element() && {
            with_element!(x.element(), E => {
                let pair = x.as_slice::<E>(data.order()).zip(t.as_slice::<E>(data.order()));
                pair.map(|(xs, ts)| self.in_place(data, task, segment.clone(), xs, ts, pass)).is_some()
            })
        };
        if !in_place {
            self.widened(data, t, frame, task, segment, is_weighted, pass);
        }
    }

    fn in_place<E: Element>(
        &self,
        data: &Problem,
        task: &Task,
        segment: Range<usize>,
        xs: &[E],
        ts: &[E],
        pass: &mut impl SidePass,
    ) {
        let mut row = segment.start;
        while row < segment.end {
            if row > segment.start && (row - segment.start).is_multiple_of(FLUSH_ROWS) {
                pass.flush();
            }
            let rows: [Range<usize>; ROWS] =
                std::array::from_fn(|k| self.row(task, (row + k).min(segment.end - 1)));
            let is_full = row + ROWS <= segment.end && rows.iter().all(|other| other.len() == rows[0].len());
            if is_full {
                pass.add(
                    rows.each_ref().map(|row| &xs[row.clone()]),
                    rows.each_ref().map(|row| &ts[row.clone()]),
                );
                rows.iter().for_each(|row| data.release(row));
                row += ROWS;
            } else {
                let [first, ..] = rows;
                pass.add([&xs[first.clone()]], [&ts[first.clone()]]);
                data.release(&first);
                row += 1;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are of one pass")]
    fn widened(
        &self,
        data: &Problem,
        t: &Array,
        frame: &Frame,
        task: &Task,
        segment: Range<usize>,
        is_weighted: bool,
        pass: &mut impl SidePass,
    ) {
        let mut room = Room::default();
        for (k, row) in segment.clone().enumerate() {
            if k > 0 && k % FLUSH_ROWS == 0 {
                pass.flush();
            }
            let row = self.row(task, row);
            room.read(data, t, frame, row.clone(), is_weighted);
            if is_weighted {
                pass.add_weighted(&room.xs, &room.ts, &room.ws);
            } else {
                pass.add([&room.xs[..]], [&room.ts[..]]);
            }
            data.release(&row);
        }
    }
}

/// Room for some pairs in f64, and their weights.
#[derive(Default)]
pub(super) struct Room {
    pub(super) xs: Vec<f64>,
    pub(super) ts: Vec<f64>,
    pub(super) ws: Vec<f64>,
}

impl Room {
    /// Reads the pairs of a range, and their weights if they have some or not all
    /// are valid: 0 for those that are not, in whose place is 0.
    pub(super) fn read(
        &mut self,
        data: &Problem,
        t: &Array,
        frame: &Frame,
        range: Range<usize>,
        is_weighted: bool,
    ) {
        let (order, len) = (data.order(), range.len());
        for values in [&mut self.xs, &mut self.ts, &mut self.ws] {
            values.resize(len, 0.0);
        }
        for (array, reading, out) in
            [(data.x(), frame.readings.x, &mut self.xs), (t, frame.readings.t, &mut self.ts)]
        {
            if reading.is_plain() {
                read_finite(array, order, range.start, out);
            } else {
                frame::read(array, reading, order, range.start, out, None);
            }
        }
        if !is_weighted {
            return;
        }
        read_weights(frame, data, order, range.start, &mut self.ws);
        let Some(validity) = data.validity() else { return };
        for start in (0..len).step_by(SIDE_ELEMENTS) {
            let part = start..len.min(start + SIDE_ELEMENTS);
            let block = range.start + part.start..range.start + part.end;
            if contains_all(validity, &block, data.len()) {
                continue;
            }
            let mut words = [0; BLOCK_WORDS];
            let words = words_of(validity, &block, data.len(), &mut words);
            for values in [&mut self.xs, &mut self.ts, &mut self.ws] {
                fill_unset(words, &mut values[part.clone()], 0.0);
            }
        }
    }
}
