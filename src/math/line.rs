use super::{Affine, Double, Evaluation, LossSums, Readings, scaled};

/// A line by its slope W and a point (x, y) that it goes through:
/// Y = (X − x)·W + y.
///
/// About a point among the data, nothing cancels where these lie far from 0
/// for their spread, as W·X and b do; W and the point have twice the digits of
/// f64.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Line {
    /// W.
    pub weight: Double,
    /// The point's x.
    pub x: Double,
    /// The point's y.
    pub y: Double,
    /// The powers of two of the units that sums about the line are given in:
    /// those of X and of T.
    pub units: [i32; 2],
}

impl Line {
    /// The line of a model, through its point at `x`.
    #[must_use]
    pub fn of(model: Affine, x: Double) -> Self {
        let y = x.times(model.weight).plus(model.bias);
        Self { weight: model.weight.into(), x, y, units: [0; 2] }
    }

    /// W and b = y − W·x, each the nearest f64.
    #[must_use]
    pub fn affine(&self) -> Affine {
        Affine { weight: self.weight.value(), bias: self.y.minus(self.x.times(self.weight)).value() }
    }

    /// The line in the coordinates that data are read in.
    #[must_use]
    pub fn read(&self, readings: &Readings) -> Self {
        let exponent = readings.t.exponent - readings.x.exponent;
        let (x, y) = (readings.x.apply(self.x), readings.t.apply(self.y));
        Self { weight: self.weight.scaled(exponent), x, y, ..*self }
    }

    /// Sums about this line in its units, from those of data that were read
    /// so.
    #[must_use]
    pub fn in_units(&self, sums: LossSums, readings: &Readings) -> LossSums {
        let [x, t] = [self.units[0] - readings.x.exponent, self.units[1] - readings.t.exponent];
        LossSums { rr: scaled(sums.rr, 2 * t), rx: scaled(sums.rx, x + t), r: scaled(sums.r, t), ..sums }
    }

    /// Loss and gradients in W and b, from sums about the line in its units.
    #[must_use]
    pub fn evaluation(&self, sums: &LossSums) -> Evaluation {
        let [x, t] = self.units;
        let about = Evaluation::from_sums(sums);
        let (grad_bias, slope) = (scaled(about.grad_bias, -t), scaled(about.grad_weight, -x - t));
        Evaluation {
            loss: scaled(about.loss, -2 * t),
            grad_weight: self.x.value().mul_add(grad_bias, slope),
            grad_bias,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through (10¹⁸, 3·10¹⁸ + 7) with the slope 3, at x = 10¹⁸ + 5 the line
    /// is at 3·10¹⁸ + 22: from (1, 2) off that, read about 10¹⁸ and 3·10¹⁸, to
    /// (5, 22) there.
    #[test]
    fn a_line_far_from_0_is_itself() {
        let quintillion: i128 = 1_000_000_000_000_000_000;
        let line = Line {
            weight: 3.0.into(),
            x: Double::whole(quintillion),
            y: Double::whole(3 * quintillion + 7),
            ..Line::default()
        };
        assert_eq!(line.affine(), Affine::new(3.0, 7.0));
        let mut readings = Readings::default();
        (readings.x.shift, readings.t.shift, readings.t.exponent) = (quintillion, 3 * quintillion, 1);
        let read = line.read(&readings);
        assert_eq!((read.weight.value(), read.x.value(), read.y.value()), (6.0, 0.0, 14.0));
        assert_eq!(Line::of(line.affine(), line.x), line);
    }

    /// r = 1, 3 at x − x₀ = −1, 1 about x₀ = 10: L = 5, Σr·x/N = (9 + 33)/2.
    #[test]
    fn gradients_are_those_of_w_and_b() {
        let line = Line { x: 10.0.into(), ..Line::default() };
        let sums = LossSums { n: 2, weight_sum: 2.0, rr: 10.0, rx: 2.0, r: 4.0 };
        let want = Evaluation { loss: 5.0, grad_weight: 42.0, grad_bias: 4.0 };
        assert_eq!(line.evaluation(&sums), want);
        // In units of ½ of X and ¼ of T.
        let line = Line { units: [1, 2], ..line };
        let sums = line.in_units(sums, &Readings::default());
        assert_eq!((sums.rr, sums.rx, sums.r), (160.0, 16.0, 16.0));
        assert_eq!(line.evaluation(&sums), want);
    }
}
