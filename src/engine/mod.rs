//! The engines that compute passes over the data.
//!
//! An [`Engine`] is given its [`Problem`] once and then asked for passes over a
//! range of its chunks, at any W and b. A pass takes a point (W, b) for each fit
//! and gives a result for each, as [`Partials`], which merge with those of other
//! chunks. An engine knows nothing of learning rates or stopping, except behind
//! a [`Stepper`]; a solver knows nothing of threads or devices. [`Reference`]
//! is the definition, plain and slow; [`Cpu`] uses every core; [`gpu::Gpu`] runs
//! the shaders, and [`Gathered`] gives them the fits whose elements are apart.
//!
//! `interface` is that seam, `pass` the chunks of a pass on the host. `facts` has
//! what such a pass must know of the data, `frame` the way in which it reads a run
//! of them, and `reframe` chooses another frame near the ends of the range of f64.

mod alone;
#[cfg(test)]
mod altered;
mod bins;
mod check;
mod cpu;
mod error;
mod facts;
mod frame;
mod gathered;
pub mod gpu;
mod influence;
mod info;
mod interface;
mod notice;
mod pairs;
mod partials;
mod pass;
mod probe;
mod reference;
mod reframe;
mod reweighting;
mod rule;
mod scales;
mod scan;
mod stepper;
mod whole;

#[cfg(test)]
pub(crate) use altered::{Altered, Found};
pub use bins::{BinPlan, Binned, BlockMeans, Extremes};
pub use check::{Mismatch, POINTS, PassErrors, PointResult, ReferenceResult, TOLERANCE, relative};
pub use cpu::Cpu;
pub use error::EngineError;
pub use gathered::Gathered;
pub use influence::Influence;
pub use info::{EngineInfo, EngineKind};
pub(crate) use interface::RESOLVED_SHARE;
pub use interface::{Digits, Engine, MomentsSink, Sink};
pub use notice::Notice;
pub use partials::{Mergeable, Partials, PartialsError, Source, SumsAt, Tree};
pub(crate) use pass::CHUNK;
pub use probe::ReadProbe;
pub use reference::Reference;
pub use reweighting::Reweighting;
pub use rule::{DescentRule, Movable, StepOutcome, StepState};
pub use scales::TermScales;
pub use stepper::{Evaluated, MOST_EVALUATIONS, Stepper};

use crate::array::Problem;
use pass::{
    Leaf, check_one_fit, check_points, check_runs, check_squared, chunks, elements_of, partials_of,
    partials_of_fits, point_of, targets,
};

/// Engines move between threads, and threads share a problem.
const _: () = {
    const fn moves<T: Send + 'static>() {}
    const fn is_shared<T: Send + Sync + 'static>() {}
    moves::<Reference>();
    moves::<Cpu>();
    moves::<gpu::Gpu>();
    moves::<Box<dyn Engine>>();
    is_shared::<ReadProbe>();
    is_shared::<Problem>();
};
