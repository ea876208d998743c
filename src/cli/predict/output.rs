use std::io;

use super::types::{whole, with_whole};
use crate::array::{DataError, Element, ElementType, Problem, Real, Saturated, Whole};
use crate::cli::interrupt;
use crate::cli::progress::Progress;
use crate::cli::verbosity::Verbosity;
use crate::io::Metadata;
use crate::io::results::{ResultFile, ResultPlan};
use crate::report::count;

/// The file of Y, and what was found on the way there.
pub(super) struct Output<'d> {
    pub(super) file: ResultFile,
    pub(super) progress: Progress,
    data: &'d Problem,
    metadata: &'d Metadata,
    element: ElementType,
    nodata: Option<f64>,
    /// Whether the file has nulls where X has.
    keeps_nulls: bool,
    clamp: bool,
    /// Elements so far.
    written: usize,
    /// Predictions among them that equal the nodata value.
    equal_nodata: u64,
    saturated: Saturated,
}

impl<'d> Output<'d> {
    pub(super) fn new(
        file: ResultFile,
        data: &'d Problem,
        plan: &ResultPlan<'d>,
        keeps_nulls: bool,
        clamp: bool,
        verbosity: Verbosity,
    ) -> Self {
        Self {
            file,
            progress: Progress::new(verbosity.quiet, data.len() as u64, "elements"),
            data,
            metadata: plan.metadata,
            element: plan.element,
            nodata: plan.nodata,
            keeps_nulls,
            clamp,
            written: 0,
            equal_nodata: 0,
            saturated: Saturated::default(),
        }
    }

    /// Puts the file in its place and tells what was found.
    pub(super) fn finish(self, verbosity: Verbosity) -> Result<(), DataError> {
        let Self { file, data, element, nodata, saturated, equal_nodata, .. } = self;
        file.finish()?;
        if saturated.total() > 0 {
            let (below, above) = (count(saturated.below), count(saturated.above));
            verbosity.note(&format!(
                "{} of {} elements of Y saturated: {below} below the range of {element}, {above} above it",
                count(saturated.total()),
                count(data.len() as u64)
            ));
        }
        if let Some(nodata) = nodata.filter(|_| equal_nodata > 0) {
            let equal = if equal_nodata == 1 { "element of Y equals" } else { "elements of Y equal" };
            verbosity.note(&format!(
                "{} {equal} the nodata value {} and will be read as missing; choose another with --y-nodata",
                count(equal_nodata),
                shortest(nodata)
            ));
        }
        Ok(())
    }

    /// Fills Y with nodata where no element of X is valid, which needs no engine.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        const RUN_ELEMENTS: usize = 1 << 16;
        let zeros = vec![0f64; RUN_ELEMENTS.min(self.data.len())];
        while self.written < self.data.len() {
            self.write_f64(&zeros[..RUN_ELEMENTS.min(self.data.len() - self.written)])?;
        }
        Ok(())
    }

    /// Writes predictions in f64, of which the file has another type.
    pub(super) fn write_f64(&mut self, ys: &[f64]) -> io::Result<()> {
        let element = self.element;
        with_whole!(element, W => self.write_whole::<W>(ys), else match element {
            ElementType::F64 => self.write_real(ys),
            _ => self.write_real(&ys.iter().map(|y| y.to_f32()).collect::<Vec<f32>>()),
        })
    }

    /// Writes fractions as they are, and nodata where X is missing.
    pub(super) fn write_real<R: Real>(&mut self, ys: &[R]) -> io::Result<()> {
        let finite = |ys: &[R]| ys.iter().all(|y| y.is_finite());
        let beyond = || {
            let advice = if R::TYPE == ElementType::F64 {
                "the model is out of proportion"
            } else {
                "use --dtype f64"
            };
            io::Error::other(format!("elements of Y lie beyond the range of {}; {advice}", R::TYPE))
        };
        let nodata = self.nodata.map(R::from_element);
        if self.data.validity().is_none() {
            if !finite(ys) {
                return Err(beyond());
            }
            self.count_equal(ys, nodata, &[]);
            return self.write(ys);
        }
        let mut ys = ys.to_vec();
        let missing = self.missing(ys.len());
        // A prediction from a missing value is not beyond any range.
        missing.iter().for_each(|&k| ys[k] = R::zeroed());
        if !finite(&ys) {
            return Err(beyond());
        }
        self.count_equal(&ys, nodata, &missing);
        let nodata = nodata.unwrap_or(R::from_element(f64::NAN));
        self.without_nulls(missing).into_iter().for_each(|k| ys[k] = nodata);
        self.write(&ys)
    }

    /// Writes the nearest whole numbers; those beyond the range are an error
    /// unless they are to be clamped.
    fn write_whole<W: Whole>(&mut self, ys: &[f64]) -> io::Result<()> {
        let missing = self.missing(ys.len());
        let mut rounded = Vec::with_capacity(ys.len());
        let mut next_missing = missing.iter().copied().peekable();
        for (k, &y) in ys.iter().enumerate() {
            let is_missing = next_missing.next_if_eq(&k).is_some();
            rounded.push(if is_missing { W::zeroed() } else { self.saturated.round(y) });
        }
        let (least, most) = (W::LEAST, W::MOST);
        if self.saturated.total() > 0 && !self.clamp {
            return Err(io::Error::other(format!(
                "elements of Y lie beyond the range of {}, {least} to {most}; \
                 use --clamp to set them to its ends, or another --dtype",
                W::TYPE
            )));
        }
        let nodata = self.nodata.and_then(whole::<W>);
        self.count_equal(&rounded, nodata, &missing);
        let missing = self.without_nulls(missing);
        if !missing.is_empty() {
            let nodata = nodata.ok_or_else(|| {
                io::Error::other(format!(
                    "the nodata value {} is no {}, {least} to {most}; give Y another with --y-nodata VALUE, or use \
                     another --dtype",
                    shortest(self.nodata.unwrap_or(f64::NAN)),
                    W::TYPE
                ))
            })?;
            missing.into_iter().for_each(|k| rounded[k] = nodata);
        }
        self.write(&rounded)
    }

    /// Counts the predictions that readers will take for missing values.
    fn count_equal<E: Element>(&mut self, ys: &[E], nodata: Option<E>, missing: &[usize]) {
        let Some(nodata) = nodata.map(E::to_f64) else { return };
        let is_equal = |y: E| y.to_f64() == nodata;
        let all = ys.iter().filter(|&&y| is_equal(y)).count();
        let of_missing = missing.iter().filter(|&&k| is_equal(ys[k])).count();
        self.equal_nodata += (all - of_missing) as u64;
    }

    /// The places among the next elements where X is missing.
    fn missing(&self, elements: usize) -> Vec<usize> {
        let is_missing = |k: &usize| self.data.validity().is_some_and(|v| !v.contains(self.written + k));
        (0..elements).filter(is_missing).collect()
    }

    /// The places of missing values that the file has no null for.
    fn without_nulls(&self, mut missing: Vec<usize>) -> Vec<usize> {
        missing.retain(|k| !(self.keeps_nulls && self.metadata.is_null(self.written + k)));
        missing
    }

    fn write<E: Element>(&mut self, ys: &[E]) -> io::Result<()> {
        if interrupt::requested() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.file.write(ys)?;
        self.written += ys.len();
        self.progress.advance(ys.len() as u64);
        Ok(())
    }
}

/// A number in whichever notation of all its digits is shorter: 0 and 1e300.
pub(super) fn shortest(number: f64) -> String {
    let (plain, scientific) = (format!("{number}"), format!("{number:?}"));
    if plain.len() <= scientific.len() { plain } else { scientific }
}
