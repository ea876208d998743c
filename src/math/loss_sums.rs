/// The sums that one pass over the data accumulates at given W and b, with
/// r = x·W + b − t: everything the loss ρ and both gradients need, with ρ = r² and
/// ρ′/2 = r unless another [`Loss`](super::Loss) is asked for. Where pairs
/// have sample weights w, each term counts w times; where they have none, w = 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossSums {
    /// The number of elements.
    pub n: u64,
    /// Σ w: n, where there are no weights.
    pub weight_sum: f64,
    /// Σ w·ρ(r).
    pub rr: f64,
    /// Σ w·ρ′(r)/2·x.
    pub rx: f64,
    /// Σ w·ρ′(r)/2.
    pub r: f64,
}

impl LossSums {
    /// The sums of residuals that are all higher by h, about a mean x̄, where
    /// Σ w·(x − x̄) = 0: of (r + h)² there is 2·h·Σ r + h²·Σ w more.
    #[must_use]
    pub fn raised(self, h: f64) -> Self {
        let by = h * self.weight_sum;
        Self { rr: self.rr + 2.0 * h * self.r + h * by, r: self.r + by, ..self }
    }
}
