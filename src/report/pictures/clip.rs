//! Lines as far as they are within a picture.

/// A point of a picture.
pub(super) type Point = (f64, f64);

/// A rectangle: the ranges of x and y.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    pub(super) x: std::ops::Range<f64>,
    pub(super) y: std::ops::Range<f64>,
}

impl Window {
    /// The part of a segment that is within (Y.-D. Liang, B. A. Barsky, 1984).
    pub(super) fn segment(&self, from: Point, to: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let (mut enter, mut leave) = (0f64, 1f64);
        for (step, room) in [
            (-dx, from.0 - self.x.start),
            (dx, self.x.end - from.0),
            (-dy, from.1 - self.y.start),
            (dy, self.y.end - from.1),
        ] {
            if step == 0.0 {
                if room.is_nan() || room < 0.0 {
                    return None;
                }
            } else if step < 0.0 {
                enter = enter.max(room / step);
            } else {
                leave = leave.min(room / step);
            }
        }
        let at = |share: f64| (from.0 + share * dx, from.1 + share * dy);
        (enter <= leave).then(|| (at(enter), at(leave)))
    }

    /// The parts of a line through some points that are within.
    pub(super) fn line(&self, points: &[Point]) -> Vec<Vec<Point>> {
        let mut parts: Vec<Vec<Point>> = Vec::new();
        for pair in points.windows(2) {
            let Some((from, to)) = self.segment(pair[0], pair[1]) else { continue };
            match parts.last_mut() {
                Some(part) if part.last() == Some(&from) => part.push(to),
                _ => parts.push(vec![from, to]),
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_is_cut_off() {
        let window = Window { x: 0.0..2.0, y: 0.0..1.0 };
        assert_eq!(window.segment((-1.0, 0.5), (3.0, 0.5)), Some(((0.0, 0.5), (2.0, 0.5))));
        assert_eq!(window.segment((0.0, -1.0), (2.0, 1.0)), Some(((1.0, 0.0), (2.0, 1.0))));
        assert_eq!(window.segment((0.5, 0.5), (1.0, 0.75)), Some(((0.5, 0.5), (1.0, 0.75))));
        assert_eq!(window.segment((-1.0, 2.0), (3.0, 2.0)), None);
        assert_eq!(window.segment((3.0, 0.0), (4.0, 1.0)), None);
        assert_eq!(window.segment((f64::NAN, 0.0), (1.0, f64::NAN)), None);
        let parts = window.line(&[(0.0, 0.5), (1.0, 0.5), (1.0, 2.0), (2.0, 2.0), (2.0, 0.0)]);
        assert_eq!(parts, [vec![(0.0, 0.5), (1.0, 0.5), (1.0, 1.0)], vec![(2.0, 1.0), (2.0, 0.0)]]);
    }
}
