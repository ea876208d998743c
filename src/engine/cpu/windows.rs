//! The moments of the neighbourhood of every element, at a cost that does not depend on
//! the neighbourhood's size.
//!
//! Running sums that add what enters a window and subtract what leaves it keep the
//! rounding of everything that was ever within. Here nothing is subtracted: along each
//! axis a window is the end of one block as long as the window and the start of the
//! next (M. van Herk, 1992; J. Gil and M. Werman, 1993), so that three additions an
//! axis make the sums of a window. They are sums about a shift near the data, the mean
//! of a tile. Where a window's own mean is still so far off that six digits cancel, it
//! is added up again by itself.

use std::ops::Range;

use super::Cpu;
use super::blocks::contains_all;
use super::strided::Room;
use crate::array::parallel;
use crate::array::{Array, Window};
use crate::engine::frame::Frame;
use crate::engine::whole::whole_frame;
use crate::engine::{EngineError, MomentsSink, targets};
use crate::math::{Moments, ShiftedSums};

/// Rows and columns of a tile, unless windows are larger: its sums fit into the
/// second-level cache.
const TILE: [usize; 2] = [64, 128];

/// The share of Σ w·(x − shift)² that is left of Mxx where all digits are needed.
const CANCELLED: f64 = 1e-6;

/// n, Σ w, Σ x, Σ t, Σ x², Σ x·t and Σ t², and one that fills the vector.
type Terms = [f64; 8];

/// The sums over neighbourhoods of an image.
struct Windows<'d> {
    cpu: &'d Cpu,
    t: &'d Array,
    frame: Frame,
    window: [usize; 2],
    /// The rows and columns of the image.
    extent: [usize; 2],
}

/// The pairs around a tile, of which those beyond the image have the weight 0.
struct Tile {
    /// The rows and columns of the tile within the image.
    place: [Range<usize>; 2],
    /// The columns of the pairs.
    width: usize,
    xs: Vec<f64>,
    ts: Vec<f64>,
    ws: Vec<f64>,
}

fn add(sum: &mut Terms, other: &Terms) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
}

impl Cpu {
    /// Hands the moments of the neighbourhood of every element to a sink, in order, some
    /// rows of an image at a time.
    pub(super) fn windows(&self, window: Window, sink: MomentsSink<'_>) -> Result<(), EngineError> {
        let (data, t) = (&self.data, targets(&self.data)?);
        let [height, width] = window.within(data.x().shape())?;
        let frame = whole_frame(data);
        let windows = Windows {
            cpu: self,
            t,
            frame,
            window: [window.rows(), window.columns()],
            extent: [height, width],
        };
        let rows = TILE[0].max(window.rows());
        for plane in (0..data.len()).step_by(height * width) {
            for top in (0..height).step_by(rows) {
                let strip = windows.strip(plane, top..height.min(top + rows));
                data.check_intact()?;
                sink(&strip)?;
            }
        }
        Ok(())
    }
}

impl Windows<'_> {
    /// The moments of some rows of an image.
    fn strip(&self, plane: usize, rows: Range<usize>) -> Vec<Moments> {
        let width = self.extent[1];
        let columns = TILE[1].max(self.window[1]);
        let tiles: Vec<Range<usize>> =
            (0..width).step_by(columns).map(|left| left..width.min(left + columns)).collect();
        let found: Vec<Vec<Moments>> =
            parallel::map(tiles.len(), |k| self.moments(&self.tile(plane, [rows.clone(), tiles[k].clone()])));
        let around = rows.start.saturating_sub(self.window[0] / 2)..rows.end;
        self.cpu.data.release(&(plane + around.start * width..plane + rows.end * width));
        let mut strip = Vec::with_capacity(rows.len() * width);
        for row in 0..rows.len() {
            for (columns, found) in tiles.iter().zip(&found) {
                strip.extend_from_slice(&found[row * columns.len()..][..columns.len()]);
            }
        }
        strip
    }

    /// Reads the pairs around a tile.
    fn tile(&self, plane: usize, place: [Range<usize>; 2]) -> Tile {
        let data = &self.cpu.data;
        let half = self.window.map(|extent| extent / 2);
        let width = place[1].len() + 2 * half[1];
        let height = place[0].len() + 2 * half[0];
        let zeros = || vec![0.0; width * height];
        let mut tile = Tile { place, width, xs: zeros(), ts: zeros(), ws: zeros() };
        let [rows, columns] = &tile.place;
        let left = columns.start.saturating_sub(half[1]);
        let right = self.extent[1].min(columns.end + half[1]);
        let mut room = Room::default();
        for row in 0..height {
            let Some(from) = (rows.start + row).checked_sub(half[0]).filter(|&row| row < self.extent[0])
            else {
                continue;
            };
            let start = plane + from * self.extent[1];
            let range = start + left..start + right;
            let is_weighted = data.weights().is_some()
                || data.validity().is_some_and(|validity| {
                    let mut blocks = crate::engine::chunks(range.clone(), super::lanes::BLOCK_ELEMENTS);
                    !blocks.all(|block| contains_all(validity, &block, data.len()))
                });
            room.read(data, self.t, &self.frame, range.clone(), is_weighted);
            let at = row * width + (left + half[1] - columns.start);
            let at = at..at + range.len();
            tile.xs[at.clone()].copy_from_slice(&room.xs);
            tile.ts[at.clone()].copy_from_slice(&room.ts);
            if is_weighted {
                tile.ws[at].copy_from_slice(&room.ws);
            } else {
                tile.ws[at].fill(1.0);
            }
        }
        tile
    }

    /// The moments of the neighbourhoods of a tile's elements, row by row.
    fn moments(&self, tile: &Tile) -> Vec<Moments> {
        let [rows, columns] = tile.place.each_ref().map(Range::len);
        let shift = tile.shift();
        let mut terms = tile.terms(shift);
        along_columns(&mut terms, tile.width, self.window[0]);
        for row in terms.chunks_exact_mut(tile.width).take(rows) {
            along_row(row, self.window[1]);
        }
        let mut moments = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            for column in 0..columns {
                moments.push(self.moments_at(tile, shift, &terms[row * tile.width + column], row, column));
            }
        }
        moments
    }

    fn moments_at(&self, tile: &Tile, shift: [f64; 2], terms: &Terms, row: usize, column: usize) -> Moments {
        let &[n, weight_sum, x, t, xx, xt, tt, _] = terms;
        if n == 0.0 {
            return Moments::default();
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let n = n as u64;
        let sums = ShiftedSums { n, weight_sum, x_shift: shift[0], t_shift: shift[1], x, t, xx, xt, tt };
        let moments = Moments::from_shifted_sums(&sums);
        let is_far = |left: f64, all: f64| all > 0.0 && (left.is_nan() || left <= CANCELLED * all);
        let moments = if is_far(moments.xx, xx) || is_far(moments.tt, tt) {
            tile.alone(self.window, row, column)
        } else {
            moments
        };
        if self.frame.is_plain() { moments } else { moments.of_readings(&self.frame.readings, 0) }
    }
}

impl Tile {
    /// The means of X and T around the tile.
    fn shift(&self) -> [f64; 2] {
        let mut sums = [0.0; 3];
        for ((x, t), w) in self.xs.iter().zip(&self.ts).zip(&self.ws) {
            let is_valid = f64::from(u8::from(*w > 0.0));
            sums.iter_mut().zip([is_valid, is_valid * x, is_valid * t]).for_each(|(sum, term)| *sum += term);
        }
        let [n, x, t] = sums;
        let mean = |sum: f64| if n > 0.0 && sum.is_finite() { sum / n } else { 0.0 };
        [mean(x), mean(t)]
    }

    /// The terms of the sums about a shift.
    fn terms(&self, shift: [f64; 2]) -> Vec<Terms> {
        let pairs = self.xs.iter().zip(&self.ts).zip(&self.ws);
        pairs
            .map(|((x, t), &w)| {
                let (x, t) = (x - shift[0], t - shift[1]);
                let (wx, wt) = (w * x, w * t);
                [f64::from(u8::from(w > 0.0)), w, wx, wt, wx * x, wx * t, wt * t, 0.0]
            })
            .collect()
    }

    /// The moments of one window from its pairs: the means first, then the sums about
    /// them.
    fn alone(&self, window: [usize; 2], row: usize, column: usize) -> Moments {
        let pairs = || {
            (row..row + window[0]).flat_map(move |row| {
                let at = row * self.width + column;
                let at = at..at + window[1];
                let pairs = self.xs[at.clone()].iter().zip(&self.ts[at.clone()]).zip(&self.ws[at]);
                pairs.map(|((x, t), w)| (*x, *t, *w)).filter(|(_, _, w)| *w > 0.0)
            })
        };
        let Some((x_first, t_first, _)) = pairs().next() else { return Moments::default() };
        let (mut n, mut sums) = (0, [0.0; 3]);
        for (x, t, w) in pairs() {
            n += 1;
            let terms = [w, w * (x - x_first), w * (t - t_first)];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        let [weight_sum, x, t] = sums;
        let (x_shift, t_shift) = (x_first + x / weight_sum, t_first + t / weight_sum);
        let mut sums = [0.0; 5];
        for (x, t, w) in pairs() {
            let (x, t) = (x - x_shift, t - t_shift);
            let terms = [w * x, w * t, w * x * x, w * x * t, w * t * t];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        let [x, t, xx, xt, tt] = sums;
        Moments::from_shifted_sums(&ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt })
    }
}

/// Replaces each row by its sum with the rows that follow it in a window, as far as
/// there are whole windows.
fn along_columns(terms: &mut [Terms], width: usize, window: usize) {
    let height = terms.len() / width;
    let mut next = vec![Terms::default(); width];
    for start in (0..height).step_by(window) {
        let end = height.min(start + window);
        for row in (start..end - 1).rev() {
            let (above, below) = terms.split_at_mut((row + 1) * width);
            above[row * width..].iter_mut().zip(&below[..width]).for_each(|(sum, other)| add(sum, other));
        }
        next.fill(Terms::default());
        for row in start..end.min((height + 1).saturating_sub(window)) {
            let (block, after) = terms.split_at_mut(end * width);
            block[row * width..][..width].iter_mut().zip(&next).for_each(|(sum, other)| add(sum, other));
            let after = after.get((row - start) * width..(row - start + 1) * width);
            after.into_iter().for_each(|after| {
                next.iter_mut().zip(after).for_each(|(sum, other)| add(sum, other));
            });
        }
    }
}

/// The same along a row.
fn along_row(terms: &mut [Terms], window: usize) {
    let width = terms.len();
    for start in (0..width).step_by(window) {
        let end = width.min(start + window);
        let mut sum = Terms::default();
        for term in terms[start..end].iter_mut().rev() {
            add(&mut sum, term);
            *term = sum;
        }
        let mut next = Terms::default();
        for place in start..end.min((width + 1).saturating_sub(window)) {
            add(&mut terms[place], &next);
            if let Some(after) = terms.get(end + place - start) {
                let after = *after;
                add(&mut next, &after);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small numbers")]
mod tests {
    use super::*;

    fn counted(n: usize) -> Vec<Terms> {
        (0..n)
            .map(|k| {
                let mut terms = Terms::default();
                terms[0] = 2f64.powi(k as i32);
                terms
            })
            .collect()
    }

    /// Powers of two, of which a sum tells which ones are in it.
    #[test]
    fn a_window_has_all_of_its_terms_once() {
        for (n, window) in [(1, 1), (5, 1), (7, 3), (8, 3), (9, 3), (10, 5), (11, 5), (5, 5), (30, 7)] {
            let want: Vec<f64> =
                (0..=n - window).map(|k| (k..k + window).map(|k| 2f64.powi(k as i32)).sum()).collect();
            let mut row = counted(n);
            along_row(&mut row, window);
            let mut column = counted(n);
            along_columns(&mut column, 1, window);
            for terms in [row, column] {
                let got: Vec<f64> = terms.iter().take(want.len()).map(|terms| terms[0]).collect();
                assert_eq!(got, want, "{n} terms, windows of {window}");
            }
        }
    }
}
