//! The loss of a descent by its steps, as characters.

use std::fmt::Write;

use super::Trace;
use super::numbers::{count, short};

/// Lines of the curve.
const ROWS: usize = 6;

/// The narrowest and the widest curve, in characters.
const COLUMNS: [usize; 2] = [16, 60];

/// Room for the loss beside it.
const LABEL: usize = 13;

/// Dots of a character, across and down, and the bits of its dots in Unicode's
/// block of braille patterns, column by column.
const DOTS: [usize; 2] = [2, 4];
const BITS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
const BLANK: u32 = 0x2800;

/// The curve of log loss in lines of at most `width` characters; `None` if that is
/// too narrow, or there are not two losses that differ.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a small picture"
)]
pub fn loss_curve(trace: &Trace, width: usize) -> Option<String> {
    let columns = width.checked_sub(LABEL + 2)?.min(COLUMNS[1]);
    let points: Vec<(u64, f64)> = trace
        .states()
        .iter()
        .filter(|state| state.evaluation.loss > 0.0 && state.evaluation.loss.is_finite())
        .map(|state| (state.step, state.evaluation.loss))
        .collect();
    let losses = || points.iter().map(|point| point.1);
    let (low, high) = (losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max));
    let last = points.last()?.0;
    if columns < COLUMNS[0] || low >= high || last == 0 {
        return None;
    }
    let (across, down) = (columns * DOTS[0], ROWS * DOTS[1]);
    let mut cells = vec![vec![BLANK; columns]; ROWS];
    let height = |loss: f64| (high.ln() - loss.ln()) / (high.ln() - low.ln());
    for dot in 0..across {
        let step = last as f64 * dot as f64 / (across - 1) as f64;
        let k = points.partition_point(|point| point.0 as f64 <= step).max(1) - 1;
        let row = (height(points[k].1) * (down - 1) as f64).round() as usize;
        let (column, row) = (dot, row.min(down - 1));
        cells[row / DOTS[1]][column / DOTS[0]] |= BITS[column % DOTS[0]][row % DOTS[1]];
    }
    let mut text = String::new();
    for (k, row) in cells.iter().enumerate() {
        let label = match k {
            0 => format!("loss {}", rounded(high)),
            _ if k + 1 == ROWS => rounded(low),
            _ => String::new(),
        };
        let dots: String = row.iter().filter_map(|&cell| char::from_u32(cell)).collect();
        let _ = writeln!(text, "{label:>LABEL$} │{}", dots.trim_end_matches('\u{2800}'));
    }
    let end = format!("{} steps", count(last));
    let _ = write!(text, "{:>LABEL$} └0{}", "", format_args!("{end:─>width$}", width = columns - 1));
    Some(text)
}

/// A loss in few digits.
fn rounded(loss: f64) -> String {
    let text = short(loss);
    if text.len() > 8 { format!("{loss:.1e}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Progress, State};
    use crate::math::{Affine, Evaluation};

    fn trace(losses: &[f64]) -> Trace {
        let mut trace = Trace::default();
        for (step, &loss) in (0..).zip(losses) {
            let evaluation = Evaluation { loss, ..Evaluation::default() };
            let progress = Progress::default();
            trace.add(&State { step, model: Affine::default(), evaluation, progress });
        }
        trace
    }

    /// From 10⁰ to 10⁻²³ in 23 steps: a straight line over 24 rows of dots.
    #[test]
    fn a_geometric_loss_is_a_straight_line() {
        let losses: Vec<f64> = (0..24).map(|step| 0.1f64.powi(step)).collect();
        let curve = loss_curve(&trace(&losses), 31).unwrap();
        let lines: Vec<&str> = curve.lines().collect();
        assert_eq!(lines.len(), 7, "{curve}");
        assert!(lines[0].starts_with("       loss 1 │⠉"), "{curve}");
        assert!(lines[5].starts_with("      1.0e-23 │"), "{curve}");
        assert!(lines[6].ends_with("23 steps"), "{curve}");
        assert!(lines.iter().all(|line| line.chars().count() <= 31), "{curve}");
        let starts: Vec<usize> = lines[..6]
            .iter()
            .map(|line| line.chars().skip(15).take_while(|&dot| dot == '\u{2800}').count())
            .collect();
        assert!(starts.is_sorted() && starts[0] == 0 && starts[5] >= 12, "{starts:?}\n{curve}");
    }

    #[test]
    fn nothing_is_drawn_where_nothing_is_seen() {
        assert_eq!(loss_curve(&trace(&[1.0, 0.5, 0.2]), 30), None);
        assert_eq!(loss_curve(&trace(&[]), 80), None);
        assert_eq!(loss_curve(&trace(&[1.0]), 80), None);
        assert_eq!(loss_curve(&trace(&[1.0, 1.0]), 80), None);
        assert_eq!(loss_curve(&trace(&[0.0, 0.0, 0.0]), 80), None);
    }
}
