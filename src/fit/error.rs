use crate::array::{Hint, Hinted};
use crate::engine::{EngineError, EngineKind};
use crate::math::{Affine, LineKind, Loss, six_digits_below};

/// A configuration that cannot be fitted with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its field holds")]
pub enum ConfigError {
    #[error("the learning rate must be a positive number, not {0:?}")]
    LearningRate(f64),
    #[error("the tolerance must be 0 (off) or a positive number, not {0:?}")]
    Tolerance(f64),
    #[error("the weight and bias to start from must be finite numbers, not {:?} and {:?}", .0.weight, .0.bias)]
    Start(Affine),
    #[error("the momentum must be from 0 (none) to below 1, not {0:?}")]
    Momentum(f64),
    #[error("the dampening must be from 0 (none) to below 1, not {0:?}")]
    Dampening(f64),
    #[error("Nesterov's momentum needs a momentum above 0 and no dampening")]
    Nesterov,
    #[error("the weight decay must be 0 (none) or a positive number, not {0:?}")]
    WeightDecay(f64),
    #[error("a weight decay is of W and b, which steps in standardized coordinates are not made in")]
    DecayCoordinates,
    #[error("a batch has at least 1 element")]
    Batch,
    #[error(
        "a batch of {batch} elements is never full: there are {elements}, and short batches are left out"
    )]
    NoBatch { batch: u64, elements: u64 },
    #[error("steps over batches are made in the original coordinates")]
    BatchesElsewhere,
    #[error("steps over batches are made on the squared error, and of both the weight and the bias")]
    BatchesPlain,
    #[error("no learning rate is known to be the best for batches; give a number")]
    BatchesRate,
    #[error("the best momentum goes with the best learning rate; choose both from the data")]
    BestMomentum,
    #[error("{0} is for one fit, not for groups of elements")]
    OneFit(&'static str),
    #[error("the learning rate {0:?} has no update on a device, which computes in f32")]
    DeviceRate(f64),
    #[error("a descent of W or b alone is updated on the host")]
    DeviceFixed,
    #[error("steps in standardized coordinates are for both W and b, and the squared loss")]
    PlainCoordinates,
    #[error("the moments of the data determine the squared loss, and not {0}")]
    LossMoments(Loss),
    #[error("a robust fit weighs by the residuals of T, and {0} is a line of errors in X and T")]
    RobustLine(LineKind),
    #[error("steps in standardized coordinates are updated on the host")]
    DeviceCoordinates,
}

/// The reason why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A pass failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// [`Update::Device`](super::Update::Device) with an engine that can't.
    #[error(
        "the {} engine updates W and b on the host{}",
        .0.name(),
        if *.0 == EngineKind::Gpu { " when it streams the data" } else { "" }
    )]
    NoDeviceUpdate(EngineKind),
    /// A learning rate with which the descent cannot converge.
    #[error(
        "the learning rate {rate:?} diverges on these data: it must be below {:?}, and {:?} is the best",
        six_digits_below(*.bound), six_digits_below(*.best)
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    RateTooLarge { rate: f64, bound: f64, best: f64, remedies: &'static [Hint] },
    /// The best line is not determined.
    #[error(
        "X has no spread: its elements are all {0:?}, or differ from it by less than the engine's numbers \
         hold; without spread no single line is the best, and none can be standardized"
    )]
    NoSpread(f64),
    /// The best line is not determined.
    #[error("a single element determines no line")]
    OneElement,
    /// No line is the best of its kind.
    #[error(
        "{}",
        match .0 {
            LineKind::ReducedMajorAxis => "X and T have no correlation, which decides the sign of the reduced major axis",
            LineKind::Deming { .. } => "these data scatter alike in all directions, or up and down only: no single line is \
                the nearest",
            _ => "X is 0 everywhere, or the line is beyond f64: no line of this kind is better than others",
        }
    )]
    NoLine(LineKind),
    /// The best line is beyond f64.
    #[error(
        "the least-squares line is beyond f64: its weight is about ±1e{0}, and the largest number is 1e308; \
         scale X or T, for example both to the range ±1"
    )]
    LineBeyondRange(i64),
    /// A relative tolerance is beyond f64.
    #[error(
        "a share of {0:?} of the scale of the gradients, as the tolerance, is not a finite number: X times T is \
         beyond f64"
    )]
    ToleranceBeyondRange(f64),
    /// The sums of squares are beyond f64.
    #[error("the sums of squares of X and T overflow f64: scale the data, for example to the range ±1")]
    MomentsOverflow,
    /// Nothing to report: not even the start has a finite loss.
    #[error(
        "the loss at the start (W = {:e}, b = {:e}) is not finite: the sum of squares overflows f64{}",
        start.weight,
        start.bias,
        if *engine == EngineKind::Gpu { ", or f32 on a GPU" } else { "" }
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    StartOverflows { start: Affine, engine: EngineKind },
}

impl FitError {
    /// Whether the data have no line of the kind, so that only more of them help.
    #[must_use]
    pub fn is_of_data(&self) -> bool {
        matches!(self, Self::NoSpread(_) | Self::OneElement | Self::NoLine(_))
    }
}

impl Hinted for ConfigError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::DeviceRate(_) => vec![Hint::UpdateOnHost],
            Self::DeviceCoordinates | Self::DeviceFixed => vec![Hint::UpdateWherePossible],
            Self::PlainCoordinates => vec![Hint::Do("descend in original coordinates")],
            Self::LossMoments(_) => vec![Hint::DescentByPasses],
            Self::RobustLine(_) => vec![Hint::LeastSquares],
            Self::LearningRate(_)
            | Self::Tolerance(_)
            | Self::Start(_)
            | Self::Momentum(_)
            | Self::Dampening(_)
            | Self::Nesterov
            | Self::WeightDecay(_)
            | Self::DecayCoordinates
            | Self::Batch
            | Self::NoBatch { .. }
            | Self::BatchesElsewhere
            | Self::BatchesPlain
            | Self::BatchesRate
            | Self::OneFit(_) => Vec::new(),
            Self::BestMomentum => vec![Hint::BestRate],
        }
    }
}

impl Hinted for FitError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Config(error) => error.hints(),
            Self::Engine(error) => error.hints(),
            Self::NoDeviceUpdate(_) => vec![Hint::UpdateWherePossible],
            Self::RateTooLarge { remedies, .. } => remedies.iter().copied().chain([Hint::Force]).collect(),
            Self::NoSpread(_) => {
                let vary = "give data whose X varies (around 0, if it is far from there)";
                vec![Hint::DescentSolver, Hint::Do(vary)]
            }
            Self::OneElement => vec![Hint::DescentSolver, Hint::Do("give more elements")],
            Self::StartOverflows { engine, .. } => {
                let f64_engine = (*engine == EngineKind::Gpu).then_some(Hint::F64Engine);
                [Hint::Do("scale the data"), Hint::Do("start nearer")].into_iter().chain(f64_engine).collect()
            }
            Self::ToleranceBeyondRange(_) => {
                vec![Hint::Do("scale the data, for example to the range ±1"), Hint::SmallerShare]
            }
            Self::NoLine(_) => vec![Hint::LeastSquares],
            Self::LineBeyondRange(_) | Self::MomentsOverflow => Vec::new(),
        }
    }
}
