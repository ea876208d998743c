use crate::array::{Array, Order, Problem};
use crate::math::{Reading, Readings, scaled};

/// The way in which an engine reads X, T and the weights of some elements.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    /// X and T.
    pub(super) readings: Readings,
    /// The power of two that weights are multiplied with; even, so that it has
    /// a root.
    pub(super) weight_exponent: i32,
}

impl Frame {
    /// Whether every number is read as it is.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The weights of the elements from number `start` on, as they are read: 1
    /// where there are none, and any number for what is not finite.
    pub(super) fn read_weights(&self, data: &Problem, order: Order, start: usize, out: &mut [f64]) {
        match data.weights() {
            Some(weights) => weights.read(order, start, out),
            None => out.fill(1.0),
        }
        self.scale_weights(out);
    }

    /// Brings stored weights to those that sums are made with.
    pub(super) fn scale_weights(&self, weights: &mut [f64]) {
        if self.weight_exponent != 0 {
            weights.iter_mut().for_each(|weight| *weight = scaled(*weight, self.weight_exponent));
        }
    }

    /// The same with X and T multiplied with these powers of two.
    pub(super) fn in_units(&self, [x, t]: [i32; 2]) -> Self {
        let readings = Readings {
            x: Reading { exponent: x, ..self.readings.x },
            t: Reading { exponent: t, ..self.readings.t },
        };
        Self { readings, ..*self }
    }
}

/// The elements from number `start` on, as they are to be read; any number for
/// what is not finite. What rounding to f64 takes goes to `rests`, if wanted.
pub(super) fn read(
    array: &Array,
    reading: Reading,
    order: Order,
    start: usize,
    out: &mut [f64],
    mut rests: Option<&mut [f64]>,
) {
    array.read_shifted(order, start, reading.shift, out, rests.as_deref_mut());
    if reading.exponent != 0 {
        out.iter_mut().for_each(|value| *value = scaled(*value, reading.exponent));
        rests.into_iter().flatten().for_each(|rest| *rest = scaled(*rest, reading.exponent));
    }
}
