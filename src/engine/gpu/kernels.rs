//! The kernels before they are compiled: the parts of each one's source, its
//! bindings and the values of its override constants, by what it is to do.
//! Nothing here needs a device.

use super::Precision;
use super::abi::{
    Binding, Contents, DescentUniform, FinishUniform, FinishedSum, HistoryHead, HistoryRow, Parameters,
    PlannedStep, ReweightedPoint, RunOfWindow, SelfTestCase, SelfTestResult, SelfTestUniform, SharedStruct,
    Shift, WideParameters, WideReweightedPoint, WindowUniform, binding,
};
use super::inputs::Inputs;
use super::packing::{Packing, Proven};
use super::plan::{BLOCK_VECTORS, FINISHERS, Pieces, UPDATERS};
use super::shaders::{Choices, PARTS};
use super::tuning::{Reduction, Tuning};
use crate::math::{Loss, RobustWeight};

/// The source of one kernel.
#[derive(Clone)]
pub(super) struct KernelSource {
    /// The name of its file, and of its entry point.
    pub(super) name: &'static str,
    pub(super) choices: Choices,
    pub(super) bindings: Vec<(Binding, Contents)>,
    pub(super) constants: Vec<(&'static str, f64)>,
}

impl KernelSource {
    /// The whole WGSL.
    pub(super) fn text(&self) -> String {
        let parts = self.choices.compose(self.name);
        parts.iter().map(|part| part.text.as_ref()).collect::<Vec<_>>().join("\n")
    }
}

/// The data that kernels over elements are made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) x: Packing,
    pub(super) t: Packing,
    pub(super) weights: Option<Packing>,
    /// Whether some elements are not valid.
    pub(super) has_validity: bool,
    /// Whether residuals in f32 take a shift off X or T.
    pub(super) is_shifted: bool,
    /// The functions that they may be computed with.
    pub(super) proven: Proven,
}

impl Form {
    pub(super) fn of(inputs: Inputs, is_shifted: bool, proven: Proven) -> Self {
        let Inputs { x, t, weights, has_validity, .. } = inputs;
        Self { x, t, weights, has_validity, is_shifted, proven }
    }

    fn choices(self) -> Choices {
        let mut packings = [Some(self.x), Some(self.t), self.weights].into_iter().flatten();
        let used = packings.find_map(|packing| packing.part(self.proven)).unwrap_or("none");
        let weights = self.weights.map_or_else(
            || Packing::source_of_ones(binding::elements::WEIGHTS.name),
            |weights| weights.source(binding::elements::WEIGHTS),
        );
        let load = [
            format!("{PARTS}{used}"),
            format!("const WEIGHTED = {};", self.weights.is_some()),
            self.x.source(binding::elements::X),
            self.t.source(binding::elements::T),
            weights,
        ];
        Choices::default()
            .with_text("load", load.join("\n\n"))
            .with("pass", if self.has_validity { "validity_bits" } else { "validity_none" })
    }

    fn bindings(self) -> Vec<(Binding, Contents)> {
        use binding::elements::{T, VALIDITY, WEIGHTS, X};
        let array_of = |packing: Packing| Contents::Array(4 * packing.size());
        let mut bindings = vec![(X, array_of(self.x)), (T, array_of(self.t))];
        bindings.extend(self.has_validity.then(|| (VALIDITY, Contents::array_of::<u32>())));
        bindings.extend(self.weights.map(|weights| (WEIGHTS, array_of(weights))));
        bindings
    }
}

/// The sums of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// (Σr², Σr·x, Σr, 0) at a W and b.
    LossSums,
    /// (Σρ, Σρ′/2·x, Σρ′/2, 0) of Huber's loss.
    HuberSums,
    /// (Σ(x − p), Σ(t − q), 0, 0) and (Σ(x − p)², Σ(x − p)(t − q), Σ(t − q)², 0)
    /// about a shift (p, q).
    Moments,
    /// The same with weights that follow from the residuals at a W and b: (Σw·(x − p),
    /// Σw·(t − q), Σw, the number of w > 0) and the squares and products.
    Reweighted(Weighing),
}

/// The kind of weights of residuals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weighing {
    Huber,
    Tukey,
    Clip,
}

impl Weighing {
    pub(super) fn of(weight: RobustWeight) -> Self {
        match weight {
            RobustWeight::Huber(_) => Self::Huber,
            RobustWeight::Tukey(_) => Self::Tukey,
            RobustWeight::Clip(_) => Self::Clip,
        }
    }

    fn part(self) -> &'static str {
        match self {
            Self::Huber => "robust_huber",
            Self::Tukey => "robust_tukey",
            Self::Clip => "robust_clip",
        }
    }
}

impl Quantity {
    /// The sums of a loss.
    pub(super) fn of_loss(loss: Loss) -> Self {
        match loss {
            Loss::Squared => Self::LossSums,
            Loss::Huber { .. } => Self::HuberSums,
        }
    }

    /// Whether these are the sums of a loss, whose points are of fits, not of runs.
    pub(super) fn is_of_a_loss(self) -> bool {
        matches!(self, Self::LossSums | Self::HuberSums)
    }

    /// The precision of a pass where that of squares is this one. In f32 residuals have
    /// few digits of W and b, and the sums of their squares alone can be completed
    /// afterwards.
    pub(super) fn precision(self, of_squares: Precision) -> Precision {
        match (self, of_squares) {
            (Self::HuberSums | Self::Reweighted(_), Precision::Fast) => Precision::Compensated,
            _ => of_squares,
        }
    }

    /// Parts of four sums that a partial sum consists of.
    pub(super) fn parts(self) -> u32 {
        match self {
            Self::LossSums | Self::HuberSums => 1,
            Self::Moments | Self::Reweighted(_) => 2,
        }
    }

    pub(super) fn points(self, precision: Precision) -> Contents {
        match (self, precision) {
            (Self::Moments, _) => Contents::array_of::<Shift>(),
            (Self::Reweighted(_), Precision::F64) => Contents::array_of::<WideReweightedPoint>(),
            (Self::Reweighted(_), _) => Contents::array_of::<ReweightedPoint>(),
            (_, Precision::F64) => Contents::array_of::<WideParameters>(),
            _ => Contents::array_of::<Parameters>(),
        }
    }
}

/// Bytes of a part of a partial sum.
pub(super) fn part_bytes(precision: Precision) -> u32 {
    match precision {
        Precision::Fast => 16,
        Precision::Compensated | Precision::F64 => 32,
    }
}

/// The part that adds up parts of partial sums.
fn part(precision: Precision) -> &'static str {
    match precision {
        Precision::Fast => "part_f32",
        Precision::Compensated => "part_two_float",
        Precision::F64 => "part_f64",
    }
}

/// The part that multiplies two-floats.
fn product(proven: Proven) -> &'static str {
    if proven.fma { "product_fma" } else { "product_dekker" }
}

/// The choices of a kernel that sums a quantity.
fn with_sums(form: Form, quantity: Quantity, precision: Precision) -> Choices {
    let choices = form.choices().with("product", product(form.proven));
    let choices = match precision {
        Precision::Fast => choices.with("real", "real_plain").with("scalar", "scalar_f32"),
        Precision::Compensated => choices.with("real", "real_two_float"),
        Precision::F64 => choices.with("real", "real_plain").with("scalar", "scalar_f64"),
    };
    let residual = match precision {
        Precision::Fast => "residual_f32",
        Precision::Compensated => "residual_two_float",
        Precision::F64 => "residual_f64",
    };
    let loss = if quantity == Quantity::HuberSums { "loss_huber" } else { "loss_squared" };
    let name = if quantity.is_of_a_loss() { "loss_sums" } else { "moments" };
    let choices = choices.with("quantity", name).with("residual", residual).with("loss", loss);
    match quantity {
        Quantity::Reweighted(weighing) => {
            choices.with("weighing", "weighing_robust").with("robust", weighing.part())
        }
        _ => choices.with("weighing", "weighing_given"),
    }
}

/// A boolean as override constants are given.
fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// The constants of `walk`.
fn walk_constants(tuning: &Tuning, block: u32) -> Vec<(&'static str, f64)> {
    vec![
        ("CONTIGUOUS", flag(tuning.contiguous)),
        ("LOADS", f64::from(tuning.loads)),
        ("BLOCK", f64::from(block)),
    ]
}

/// The constants of pieces.
fn piece_constants(pieces: Pieces) -> [(&'static str, f64); 2] {
    [("PIECE", f64::from(pieces.elements)), ("PIECES", f64::from(pieces.per_run))]
}

/// The bindings of kernels over the runs of a window.
fn window_bindings() -> [(Binding, Contents); 2] {
    use binding::window::{RUNS, WINDOW};
    [(WINDOW, Contents::one::<WindowUniform>()), (RUNS, Contents::array_of::<RunOfWindow>())]
}

/// The pass that leaves partial sums of a quantity.
pub(super) fn sums(
    tuning: &Tuning,
    precision: Precision,
    quantity: Quantity,
    form: Form,
    pieces: Pieces,
) -> KernelSource {
    use binding::sums::{PARTIALS, POINTS};
    let mut bindings = form.bindings();
    let partial = Contents::Array((quantity.parts() * part_bytes(precision)) as usize);
    bindings.extend(window_bindings());
    bindings.extend([(PARTIALS, partial), (POINTS, quantity.points(precision))]);
    let mut constants = walk_constants(tuning, BLOCK_VECTORS);
    constants.extend(piece_constants(pieces));
    constants.push(("WORKGROUP_SIZE", f64::from(tuning.workgroup_size)));
    if quantity.is_of_a_loss() {
        constants.push(("SHIFTED", flag(form.is_shifted && precision == Precision::Fast)));
    }
    KernelSource {
        name: match tuning.reduction {
            Reduction::Invocation => "sums_by_invocation",
            Reduction::Workgroup => "sums_by_workgroup",
            Reduction::Subgroup => "sums_by_subgroup",
        },
        choices: with_sums(form, quantity, precision).with("zero", "sums"),
        bindings,
        constants,
    }
}

/// The kernel that adds up partial sums.
pub(super) fn finish(precision: Precision, quantity: Quantity, pieces: Pieces) -> KernelSource {
    use binding::finish::{FINISH, PARTS, SUMS};
    KernelSource {
        name: "finish_sums",
        choices: Choices::default()
            .with("part", part(precision))
            .with("zero", "finish_sums")
            .with("product", product(Proven::default())),
        bindings: vec![
            (PARTS, Contents::Array(part_bytes(precision) as usize)),
            (SUMS, Contents::array_of::<FinishedSum>()),
            (FINISH, Contents::one::<FinishUniform>()),
        ],
        constants: vec![
            ("FINISHERS", f64::from(FINISHERS)),
            ("PARTS", f64::from(quantity.parts())),
            ("PIECES", f64::from(pieces.per_run)),
            ("PART_SCALE", f64::from(pieces.part_scale())),
        ],
    }
}

/// The kernel that predicts.
pub(super) fn predict(tuning: &Tuning, form: Form, fits_share_groups: bool) -> KernelSource {
    use binding::elements::{T, WEIGHTS, X};
    use binding::predict::{POINTS, Y};
    /// Groups in a block: none is ever full, since there is nothing to flush.
    const BLOCK: u32 = 1 << 31;
    let x = form.x;
    let load = [
        format!("{PARTS}{}", x.part(form.proven).unwrap_or("none")),
        x.source(X),
        Packing::source_of_ones(T.name),
        Packing::source_of_ones(WEIGHTS.name),
    ];
    let mut constants = walk_constants(tuning, BLOCK);
    constants.push(("WORKGROUP_SIZE", f64::from(tuning.workgroup_size)));
    constants.push(("SHIFTED", flag(form.is_shifted)));
    constants.extend(piece_constants(Pieces::PREDICTED));
    let mut bindings = vec![
        (X, Contents::Array(4 * x.size())),
        (Y, if fits_share_groups { Contents::array_of::<f32>() } else { Contents::array_of::<[f32; 4]>() }),
        (POINTS, Contents::array_of::<Parameters>()),
    ];
    bindings.extend(window_bindings());
    KernelSource {
        name: "predict",
        choices: Choices::default()
            .with_text("load", load.join("\n\n"))
            .with("pass", "predict")
            .with("store", if fits_share_groups { "store_elements" } else { "store_groups" })
            .with("quantity", "predict"),
        bindings,
        constants,
    }
}

/// The kernel that shows whether rounding errors survive, from the parts that
/// need them.
pub(super) fn self_test(proven: Proven) -> KernelSource {
    use binding::self_test::{CASES, RESULTS, TEST};
    KernelSource {
        name: "self_test",
        choices: Choices::default().with("zero", "self_test").with("product", product(proven)),
        bindings: vec![
            (CASES, Contents::array_of::<SelfTestCase>()),
            (RESULTS, Contents::array_of::<SelfTestResult>()),
            (TEST, Contents::one::<SelfTestUniform>()),
        ],
        constants: Vec::new(),
    }
}

/// The kernel that shows whether the built-in function unpacks all halves.
pub(super) fn self_test_halves() -> KernelSource {
    KernelSource {
        name: "self_test_halves",
        choices: Choices::default(),
        bindings: vec![(binding::self_test::UNPACKED, Contents::array_of::<[f32; 4]>())],
        constants: Vec::new(),
    }
}

const HISTORY_CONTENTS: Contents = Contents::Rows { head: HistoryHead::LAYOUT, row: HistoryRow::LAYOUT };

/// The kernel that updates W and b from the partial sums of a pass.
pub(super) fn update(proven: Proven, precision: Precision) -> KernelSource {
    use binding::update::{DESCENT, HISTORY, PARAMETERS, PARTIALS, PLAN};
    KernelSource {
        name: "update",
        choices: Choices::default()
            .with("zero", "step")
            .with("kernel", "update")
            .with("part", part(precision))
            .with("product", product(proven)),
        bindings: vec![
            (PARTIALS, Contents::Array(part_bytes(precision) as usize)),
            (HISTORY, HISTORY_CONTENTS),
            (PARAMETERS, Contents::one::<Parameters>()),
            (DESCENT, Contents::one::<DescentUniform>()),
            (PLAN, Contents::array_of::<PlannedStep>()),
        ],
        constants: vec![("WIDTH", f64::from(UPDATERS))],
    }
}

/// The kernel that takes whole steps in one workgroup.
pub(super) fn descend(tuning: &Tuning, form: Form, quantity: Quantity, precision: Precision) -> KernelSource {
    use binding::descend::{DESCENT, HISTORY, PARAMETERS, PLAN};
    let mut bindings = form.bindings();
    bindings.extend([
        (HISTORY, HISTORY_CONTENTS),
        (PARAMETERS, Contents::one::<Parameters>()),
        (DESCENT, Contents::one::<DescentUniform>()),
        (PLAN, Contents::array_of::<PlannedStep>()),
    ]);
    let mut constants = walk_constants(tuning, BLOCK_VECTORS);
    constants.push(("SHIFTED", flag(form.is_shifted && precision == Precision::Fast)));
    constants.push(("WIDTH", f64::from(tuning.workgroup_size)));
    KernelSource {
        name: "descend",
        choices: with_sums(form, quantity, precision)
            .with("part", part(precision))
            .with("zero", "step")
            .with("kernel", "descend"),
        bindings,
        constants,
    }
}
