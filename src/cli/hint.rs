use super::error::CliError;
use crate::array::{Hint, Hinted, alternatives};

/// A message with its remedies, as the command line's user has them.
pub(super) fn told(message: &impl Hinted) -> String {
    message.worded(flags)
}

/// The same of an error of a command.
pub(super) fn told_of(error: &CliError) -> String {
    error.worded(|hint| match (hint, error) {
        // Only the device takes several steps at a time.
        (Hint::UpdateOnHost | Hint::UpdateWherePossible, CliError::FitBySubmits(_)) => {
            flags(hint) + ", without --steps-per-submit"
        }
        _ => flags(hint),
    })
}

/// A remedy in flags.
pub(super) fn flags(hint: Hint) -> String {
    let text = match hint {
        Hint::RaiseMemory => "raise --memory",
        Hint::StreamData => "stream the data with --memory SIZE",
        Hint::RawLayout => "say what they are with --raw-dtype TYPE, --raw-shape RxC and --raw-offset BYTES",
        Hint::Header => "use --header yes if the first row names the columns, --header no if it is data",
        Hint::Delimiter => "say what separates them with --delimiter CHAR, tab or blanks",
        Hint::Decimal => "use --decimal , for decimal commas, --decimal . for points",
        Hint::NodataValue => "give the nodata value with --nodata VALUE",
        Hint::Exclude => "exclude elements with --mask FILE or --nodata VALUE",
        Hint::GiveMask => "give --mask to use it",
        Hint::Mask => "exclude such elements of a fit with --mask FILE",
        Hint::ExcludeNotFinite => "exclude NaN with --nodata nan or, in a fit, any of them with --mask FILE",
        Hint::CheckExclusions => "check --nodata, --mask, --weights, --valid-range and --where",
        Hint::IncludeTransparent => "use --no-alpha to include them",
        Hint::OutputTypes(types) => {
            return format!("use --dtype {}, perhaps with --clamp", alternatives(types));
        }
        Hint::CpuEngine => "use --engine cpu",
        Hint::F64Engine => "use --engine cpu, which computes in f64",
        Hint::UnroundedEngine => "use --engine cpu, which computes with all their digits",
        Hint::FasterEngine => "try --engine cpu, which may be faster",
        Hint::OtherAdapter => "try another --adapter",
        Hint::ListAdapters => {
            "see `linfit devices`, which tries drivers again and lists what --adapter takes"
        }
        Hint::FastPrecision => "use --precision fast",
        Hint::CompensatedPrecision => "use --precision compensated",
        Hint::F64Precision => "use --precision f64",
        Hint::UpdateOnHost => "use --update host",
        Hint::UpdateWherePossible => "use --update host or auto",
        Hint::SmallerShare => "use a smaller --rtol",
        Hint::BestRate => "use --lr auto",
        Hint::SlowBestRate => "use --lr auto (which converges, but slowly)",
        Hint::Standardize => "use --standardize",
        Hint::ExactSolver => "use --solver exact",
        Hint::DescentSolver => "use --solver sgd, which finds one of the best lines",
        Hint::DescentByPasses => "use --solver sgd",
        Hint::LeastSquares => "use --line least-squares",
        Hint::Force => "use --force to run it anyway",
        Hint::SavedModel => "give a file written by `linfit fit --save`",
        Hint::SavedMoments => "give a file written by `linfit fit --save-moments`",
        Hint::ExportedBenchmark => "give a file written by `linfit bench --export-json`",
        Hint::Do(_) => return hint.to_string(),
    };
    text.to_owned()
}
