use statrs::function::erf::{erf, erf_inv};

/// The share of a standard normal distribution that lies below a number.
#[must_use]
pub fn normal_share(z: f64) -> f64 {
    f64::midpoint(1.0, erf(z / std::f64::consts::SQRT_2))
}

/// The number below which lies a share of a standard normal distribution.
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    std::f64::consts::SQRT_2 * erf_inv(2.0 * share - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Φ(1.959964) = 0.975 and Φ(−3) = 0.001349898 (M. Abramowitz, I. A. Stegun,
    /// 1964, table 26.1).
    #[test]
    fn quantiles_of_the_tables() {
        for (z, share) in [(0.0, 0.5), (1.959_963_984_540_054, 0.975), (-3.0, 1.349_898_031_630_095e-3)] {
            assert!((normal_share(z) - share).abs() < 1e-12, "{z}");
            assert!((normal_quantile(share) - z).abs() < 1e-9, "{share}");
        }
    }
}
