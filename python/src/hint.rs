//! Remedies in keyword words, as the users of Python have them.

use linfit::array::{ElementType, Hint, Hinted};

/// A message with its remedies.
pub(crate) fn keywords(message: &impl Hinted) -> String {
    message.worded(keyword)
}

/// A remedy in keywords.
fn keyword(hint: Hint) -> String {
    let text = match hint {
        Hint::RaiseMemory => "raise memory=",
        Hint::StreamData => "stream the data from files with memory=SIZE",
        Hint::RawLayout => "say what they are with linfit.open(…, raw_dtype=…, raw_shape=…, raw_offset=…)",
        Hint::Header => {
            "use linfit.open(…, header=True) if the first row names the columns, header=False if it is data"
        }
        Hint::NodataValue => "give the nodata value with nodata=VALUE",
        Hint::Exclude => "exclude elements with mask=ARRAY or nodata=VALUE",
        Hint::GiveMask => "give mask= to use it",
        Hint::Mask => "exclude such elements of a fit with mask=ARRAY",
        Hint::ExcludeNotFinite => "exclude NaN with nodata=nan or, in a fit, any of them with mask=ARRAY",
        Hint::CheckExclusions => "check nodata=, mask=, weights= and valid_range=",
        Hint::IncludeTransparent => "use linfit.open(…, alpha=False) to include them",
        Hint::OutputTypes(types) => {
            let names: Vec<&str> = types.iter().copied().map(ElementType::name).collect();
            return format!("use dtype= {}", names.join(" or "));
        }
        Hint::CpuEngine => "use engine=\"cpu\"",
        Hint::F64Engine => "use engine=\"cpu\", which computes in f64",
        Hint::UnroundedEngine => "use engine=\"cpu\", which computes with all their digits",
        Hint::FasterEngine => "try engine=\"cpu\", which may be faster",
        Hint::OtherAdapter => "try another adapter=",
        Hint::ListAdapters => "see linfit.devices(), which lists what adapter= takes",
        Hint::FastPrecision => "use precision=\"fast\"",
        Hint::CompensatedPrecision => "use precision=\"compensated\"",
        Hint::F64Precision => "use precision=\"f64\"",
        Hint::UpdateOnHost => "use update=\"host\"",
        Hint::UpdateWherePossible => "use update=\"host\" or \"auto\"",
        Hint::SmallerShare => "use a smaller rtol=",
        Hint::BestRate => "use lr=\"auto\"",
        Hint::SlowBestRate => "use lr=\"auto\" (which converges, but slowly)",
        Hint::Standardize => "use standardize=True",
        Hint::ExactSolver => "use solver=\"exact\"",
        Hint::DescentSolver => "use solver=\"sgd\", which finds one of the best lines",
        Hint::DescentByPasses => "use solver=\"sgd\", which passes over the data for each step",
        Hint::LeastSquares => "use line=\"least-squares\"",
        Hint::Force => "use force=True to run it anyway",
        Hint::SavedModel => "give a file written by linfit fit --save or Fit.save",
        Hint::SavedMoments => "give a file written by linfit fit --save-moments",
        _ => return hint.to_string(),
    };
    text.to_owned()
}
