//! A [`Solver`] for many fits: each by its own moments.

use std::ops::ControlFlow;

use super::many::{FitRow, ManyFits};
use super::{ConfigError, FitError, GradientDescent, Method, Solver, StopReason};
use crate::array::{Shape, Window};
use crate::engine::{Engine, EngineError};
use crate::math::{LineKind, Loss, Moments};

/// Is told how many steps were made and how many fits are done, and may end all.
pub type ManyObserver<'o> = &'o mut dyn FnMut(u64, usize) -> ControlFlow<()>;

/// Fits of which the steps are replayed without looking whether they are still wanted.
const REPLAYED: usize = 256;

impl Solver {
    /// Refuses settings that mean nothing, or that are of one fit.
    ///
    /// # Errors
    /// [`FitError::Config`].
    pub fn check_many(&self) -> Result<(), FitError> {
        self.check()?;
        let what = if self.robust.is_some() {
            "a robust fit"
        } else if self.descent.loss != Loss::Squared {
            "another loss than the mean squared error"
        } else if self.batches.is_some() {
            "a descent over batches"
        } else {
            return Ok(());
        };
        Err(ConfigError::OneFit(what).into())
    }

    /// Fits each group of the data of an engine; the moments of each, too.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn solve_many(
        &self,
        engine: &mut dyn Engine,
        observe: ManyObserver<'_>,
    ) -> Result<(ManyFits, Vec<Moments>), FitError> {
        self.check_many()?;
        let shape = engine.problem().fits().shape().clone();
        let over = engine.problem().grid().chunks();
        let (_, moments) = engine.moments(over).and_then(|all| Ok(all.into_totals()?))?;
        let fits = self.fits_of(engine, shape, &moments, observe)?;
        Ok((fits, moments))
    }

    /// Fits each group of the data of an engine, which have these moments.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fits_of(
        &self,
        engine: &mut dyn Engine,
        shape: Shape,
        moments: &[Moments],
        observe: ManyObserver<'_>,
    ) -> Result<ManyFits, FitError> {
        match (self.method, self.kind()) {
            (Method::Exact, LineKind::LeastSquares) => Ok(ManyFits::exact(engine, shape, moments)?),
            (Method::GradientDescent, _) => {
                let settings = |moments: &Moments| self.descent_of(moments);
                GradientDescent::fit_many(engine, shape, moments, &settings, observe)
            }
            _ => self.solve_many_moments(shape, moments, observe),
        }
    }

    /// Fits groups of which there are only the moments, in a shape. A descent is replayed
    /// from them, whatever the method.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn solve_many_moments(
        &self,
        shape: Shape,
        moments: &[Moments],
        observe: ManyObserver<'_>,
    ) -> Result<ManyFits, FitError> {
        self.check_many()?;
        if self.method == Method::Exact {
            return Ok(ManyFits::of_moments(shape, moments, self.kind()));
        }
        let mut all =
            ManyFits { shape, rows: Vec::with_capacity(moments.len()), steps: 0, stopped: Vec::new() };
        for part in moments.chunks(REPLAYED) {
            if observe(all.steps, all.rows.len()).is_break() {
                let left = moments.len() - all.rows.len();
                all.rows.extend(moments[all.rows.len()..].iter().map(|moments| FitRow::none(moments.n)));
                all.stopped.push((StopReason::Interrupted, left as u64));
                break;
            }
            all.extend(GradientDescent::replay_many(Shape::default(), part, &|moments| {
                self.descent_of(moments)
            })?);
        }
        Ok(all)
    }

    /// Fits the neighbourhood of every element, by its moments. An interrupted fit is
    /// that of the first elements.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn solve_windows(
        &self,
        engine: &mut dyn Engine,
        window: Window,
        observe: ManyObserver<'_>,
    ) -> Result<ManyFits, FitError> {
        self.check_many()?;
        let shape = engine.problem().x().shape().clone();
        let mut all = ManyFits { shape, rows: Vec::new(), steps: 0, stopped: Vec::new() };
        let mut ended: Option<Result<(), FitError>> = None;
        let result = engine.window_moments(window, &mut |moments| {
            if observe(all.steps, all.rows.len()).is_break() {
                ended = Some(Ok(()));
                return Err(EngineError::Sink(std::io::ErrorKind::Interrupted.into()));
            }
            match self.solve_many_moments(Shape::default(), moments, observe) {
                Ok(fits) => all.extend(fits),
                Err(error) => {
                    ended = Some(Err(error));
                    return Err(EngineError::Sink(std::io::ErrorKind::Other.into()));
                }
            }
            Ok(())
        });
        match ended {
            Some(Ok(())) => all.stopped.push((StopReason::Interrupted, 1)),
            Some(Err(error)) => return Err(error),
            None => result?,
        }
        Ok(all)
    }

    /// The descent of a fit of many, with these moments.
    fn descent_of(&self, moments: &Moments) -> Result<GradientDescent, FitError> {
        Ok(self.course(moments)?.descent.unwrap_or(self.descent))
    }
}
