/// W or b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// W.
    Weight,
    /// b.
    Bias,
}
