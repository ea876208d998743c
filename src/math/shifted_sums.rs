/// The sums that a loop accumulates over a part of the data, with every x and t
/// less a shift, a point among the data.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ShiftedSums {
    /// The number of elements.
    pub n: u64,
    /// Σ w: n, where there are no weights.
    pub weight_sum: f64,
    /// The shift of X.
    pub x_shift: f64,
    /// The shift of T.
    pub t_shift: f64,
    /// Σ w·(x − shift).
    pub x: f64,
    /// Σ w·(t − shift).
    pub t: f64,
    /// Σ w·(x − shift)².
    pub xx: f64,
    /// Σ w·(x − shift)·(t − shift).
    pub xt: f64,
    /// Σ w·(t − shift)².
    pub tt: f64,
}
