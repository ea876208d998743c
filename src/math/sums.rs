use super::Compensated;

/// What one pass over the data adds up at given W and b, with
/// r = x·W + b − t: everything the loss and both gradients need. Where pairs
/// have weights w, each term counts w times; where they have none, w = 1.
///
/// Sums over two parts of the data [`combine`](Self::combine) into the sums
/// over both, whatever the parts are: windows, chunks, threads or files.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossSums {
    /// The number of elements.
    pub n: u64,
    /// Σ w: n, where there are no weights.
    pub weight_sum: f64,
    /// Σ w·r².
    pub rr: f64,
    /// Σ w·r·x.
    pub rx: f64,
    /// Σ w·r.
    pub r: f64,
}

impl LossSums {
    /// The sums over the elements of both parts.
    #[must_use]
    pub fn combine(self, other: Self) -> Self {
        Self {
            n: self.n + other.n,
            weight_sum: self.weight_sum + other.weight_sum,
            rr: self.rr + other.rr,
            rx: self.rx + other.rx,
            r: self.r + other.r,
        }
    }

    /// The sums of residuals that are all higher by h, about a mean x̄, where
    /// Σ w·(x − x̄) = 0: of (r + h)² there is 2·h·Σ r + h²·Σ w more.
    #[must_use]
    pub fn raised(self, h: f64) -> Self {
        let by = h * self.weight_sum;
        Self { rr: self.rr + 2.0 * h * self.r + h * by, r: self.r + by, ..self }
    }
}

/// Adds up [`LossSums`] of many parts without losing digits.
#[derive(Debug, Clone, Copy, Default)]
pub struct SumsAccumulator {
    n: u64,
    weight_sum: Compensated,
    rr: Compensated,
    rx: Compensated,
    r: Compensated,
}

impl SumsAccumulator {
    /// Adds the sums over one part.
    pub fn add(&mut self, part: LossSums) {
        self.n += part.n;
        self.weight_sum.add(part.weight_sum);
        self.rr.add(part.rr);
        self.rx.add(part.rx);
        self.r.add(part.r);
    }

    /// The sums over all parts added so far.
    #[must_use]
    pub fn total(&self) -> LossSums {
        LossSums {
            n: self.n,
            weight_sum: self.weight_sum.value(),
            rr: self.rr.value(),
            rx: self.rx.value(),
            r: self.r.value(),
        }
    }
}

impl FromIterator<LossSums> for SumsAccumulator {
    fn from_iter<I: IntoIterator<Item = LossSums>>(parts: I) -> Self {
        let mut all = Self::default();
        parts.into_iter().for_each(|part| all.add(part));
        all
    }
}
