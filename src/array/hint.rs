use std::fmt;

use super::ElementType;

/// A remedy that an error, a note or a notice points to, in which a setting of
/// the caller takes part. The library knows no options: each front end words
/// hints in its own, the command line by flags. [`Display`](fmt::Display) has
/// them in plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Something that no setting takes part in: an alternative to others.
    Do(&'static str),
    /// The bound of memory is too low.
    RaiseMemory,
    /// A bound of memory makes data that a device cannot hold be streamed.
    StreamData,
    /// Raw numbers need a type, a shape and an offset, and other ones.
    RawLayout,
    /// The first row of a text is taken for names or for data.
    Header,
    /// What separates the fields of a text has to be said.
    Delimiter,
    /// The sign before the fractions of a text's numbers has to be said.
    Decimal,
    /// The nodata value has to be said.
    NodataValue,
    /// A mask or a nodata value can exclude elements.
    Exclude,
    /// Elements of a fit, but not of a prediction, can be excluded by a mask.
    Mask,
    /// A mask that is not used can be given as one, in a fit.
    GiveMask,
    /// NaN can be the nodata value; a mask excludes any element of a fit.
    ExcludeNotFinite,
    /// Too much is excluded by nodata values, masks, weights and ranges.
    CheckExclusions,
    /// Pixels that an alpha band excludes can be included.
    IncludeTransparent,
    /// The output can hold these types, to which values may have to be clamped.
    OutputTypes(&'static [ElementType]),
    /// The CPU engine does without what is missing.
    CpuEngine,
    /// The CPU engine computes in f64.
    F64Engine,
    /// The CPU engine does not round elements to f32.
    UnroundedEngine,
    /// The CPU engine may be faster.
    FasterEngine,
    /// Another GPU adapter may do.
    OtherAdapter,
    /// The adapters can be listed, which tries broken drivers again.
    ListAdapters,
    /// Sums can be carried in f32.
    FastPrecision,
    /// Sums can be carried in two f32 for each number.
    CompensatedPrecision,
    /// Sums can be carried in f64 where the adapter has it.
    F64Precision,
    /// W and b can be updated on the host.
    UpdateOnHost,
    /// W and b can be updated on the host, as they are without a choice.
    UpdateWherePossible,
    /// The relative tolerance is too large.
    SmallerShare,
    /// The learning rate can be chosen from the data.
    BestRate,
    /// The best learning rate converges, but slowly.
    SlowBestRate,
    /// The steps can be made in standardized coordinates.
    Standardize,
    /// The closed form needs no learning rate.
    ExactSolver,
    /// Gradient descent finds a line where none is better than all others.
    DescentSolver,
    /// Gradient descent can pass over the data for each step.
    DescentByPasses,
    /// The least-squares line can be fitted.
    LeastSquares,
    /// The check that refuses can be switched off.
    Force,
    /// A model comes from a fit that was saved.
    SavedModel,
    /// A shard's moments come from a fit that saved them.
    SavedMoments,
    /// A baseline comes from a benchmark that was exported.
    ExportedBenchmark,
}

/// The remedies in plain words.
impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Do(what) => what,
            Self::RaiseMemory => "raise the bound of memory",
            Self::StreamData => "stream the data by a bound of memory",
            Self::RawLayout => "give the type, the shape and the offset of its numbers",
            Self::Header => "say whether the first row names the columns",
            Self::Delimiter => "say what separates the fields",
            Self::Decimal => "say whether fractions have a decimal comma",
            Self::NodataValue => "give the nodata value",
            Self::Exclude => "exclude elements by a mask or a nodata value",
            Self::GiveMask => "give it as the mask to use it",
            Self::Mask => "exclude such elements of a fit by a mask",
            Self::ExcludeNotFinite => "exclude NaN as the nodata value or, in a fit, any of them by a mask",
            Self::CheckExclusions => "check nodata values, mask, weights, valid ranges and conditions",
            Self::IncludeTransparent => "ignore the alpha band to include them",
            Self::OutputTypes(types) => {
                return write!(f, "write {}, clamped where necessary", alternatives(types));
            }
            Self::CpuEngine => "use the CPU engine",
            Self::F64Engine => "use the CPU engine, which computes in f64",
            Self::UnroundedEngine => "use the CPU engine, which computes with all their digits",
            Self::FasterEngine => "try the CPU engine, which may be faster",
            Self::OtherAdapter => "try another adapter",
            Self::ListAdapters => "list the adapters",
            Self::FastPrecision => "use fast precision",
            Self::CompensatedPrecision => "use compensated precision",
            Self::F64Precision => "use the precision f64",
            Self::UpdateOnHost => "update on the host",
            Self::UpdateWherePossible => "update on the host, or do not choose where",
            Self::SmallerShare => "give a smaller relative tolerance",
            Self::BestRate => "use the best learning rate",
            Self::SlowBestRate => "use the best learning rate (which converges, but slowly)",
            Self::Standardize => "use standardized coordinates",
            Self::ExactSolver => "use the closed form",
            Self::DescentSolver => "use gradient descent, which finds one of the best lines",
            Self::DescentByPasses => "pass over the data for each step",
            Self::LeastSquares => "fit the least-squares line",
            Self::Force => "skip this check",
            Self::SavedModel => "give the saved result of a fit",
            Self::SavedMoments => "give the saved moments of a fit",
            Self::ExportedBenchmark => "give the exported results of a benchmark",
        })
    }
}

/// Types as a sentence names them: `u8 or u16`.
pub(crate) fn alternatives(types: &[ElementType]) -> String {
    types.iter().map(|element| element.name()).collect::<Vec<_>>().join(" or ")
}

/// A message with remedies: its text says what is wrong, the hints what to do.
pub trait Hinted: fmt::Display {
    /// The remedies, of which any may do; most messages that say what to do
    /// without a setting have none.
    fn hints(&self) -> Vec<Hint>;

    /// The text and the hints as `word` words them.
    ///
    /// ```
    /// use linfit::array::{Array, Hint, Hinted, Problem};
    ///
    /// let matrix = |label| Array::from_vec(label, &[2], vec![1.0, f64::NAN]);
    /// let error = Problem::pair(matrix("x"), matrix("t")).unwrap_err();
    /// assert!(error.hints().contains(&Hint::ExcludeNotFinite));
    /// assert!(error.worded(|hint| hint.to_string()).contains("; remove or replace them, or exclude NaN"));
    /// ```
    fn worded(&self, word: impl Fn(Hint) -> String) -> String
    where
        Self: Sized,
    {
        let phrases: Vec<String> = self.hints().into_iter().map(word).collect();
        let mut text = self.to_string();
        for (k, phrase) in phrases.iter().enumerate() {
            text += match k {
                0 => "; ",
                _ if k + 1 < phrases.len() => ", ",
                _ => ", or ",
            };
            text += if k > 0 { without_verb_of(&phrases[k - 1], phrase) } else { phrase };
        }
        text
    }
}

/// The phrase without its verb if the one before begins with the same.
fn without_verb_of<'p>(before: &str, phrase: &'p str) -> &'p str {
    match (before.split_once(' '), phrase.split_once(' ')) {
        (Some((said, _)), Some((verb, rest))) if said == verb => rest,
        _ => phrase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Message(Vec<Hint>);

    impl fmt::Display for Message {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("it failed")
        }
    }

    impl Hinted for Message {
        fn hints(&self) -> Vec<Hint> {
            self.0.clone()
        }
    }

    #[test]
    fn hints_are_alternatives_and_a_verb_is_said_once() {
        let worded = |hints: &[Hint]| Message(hints.to_vec()).worded(|hint| hint.to_string());
        assert_eq!(worded(&[]), "it failed");
        assert_eq!(worded(&[Hint::CpuEngine]), "it failed; use the CPU engine");
        assert_eq!(
            worded(&[Hint::BestRate, Hint::ExactSolver, Hint::Force]),
            "it failed; use the best learning rate, the closed form, or skip this check"
        );
        let types = Hint::OutputTypes(&[ElementType::U8, ElementType::U16]);
        assert_eq!(
            worded(&[types, Hint::Do("write .tif")]),
            "it failed; write u8 or u16, clamped where necessary, or .tif"
        );
    }
}
