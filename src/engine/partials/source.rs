use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::array::{CHUNK_ELEMENTS, Order, Problem};

/// The order in which parts merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// By the numbers of their chunks: to the same bits however they were split.
    Dyadic,
    /// As neighbours: to the same numbers but for rounding.
    Ranges,
    /// Not yet: chunks are kept apart until their place in a whole is known.
    Apart,
}

/// The origin of results: the grid, the order and the arithmetic. Only those of
/// one source merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub(super) chunk_elements: u64,
    pub(super) tree: Tree,
    pub(super) arithmetic: Cow<'static, str>,
    /// The elements of a fit, if there may be several.
    pub(super) fit_elements: Option<u64>,
    /// The number of fits whose elements are apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fits: Option<u64>,
    /// The order in which elements are numbered; `None` where both are one, of
    /// data along a single axis.
    pub(super) order: Option<Order>,
}

impl Source {
    /// The source of results for a problem by an engine with this arithmetic, in a
    /// word or two.
    #[must_use]
    pub fn of(data: &Problem, tree: Tree, arithmetic: impl Into<Cow<'static, str>>) -> Self {
        let tree = if tree == Tree::Dyadic && data.has_chunks_apart() { Tree::Apart } else { tree };
        Self {
            chunk_elements: CHUNK_ELEMENTS,
            tree,
            arithmetic: arithmetic.into(),
            fit_elements: data.fit_elements(),
            fits: data.fits().run_elements().is_none().then(|| data.fits().count()),
            order: (!data.x().shape().is_linear()).then(|| data.order()),
        }
    }

    /// The name of the arithmetic, which decides the bits.
    pub(in crate::engine) fn arithmetic(&self) -> &Cow<'static, str> {
        &self.arithmetic
    }

    /// The same whatever the fits are: for results that merge fit by fit.
    #[must_use]
    pub fn of_any_fits(self) -> Self {
        Self { fit_elements: None, fits: None, ..self }
    }

    /// The source of parts of both, if they merge.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        let order = self.order.or(other.order);
        let [one, other] =
            [self, other].map(|source| Self { order: source.order.or(order), ..source.clone() });
        (one == other).then_some(one)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} over chunks of {} elements", self.arithmetic, self.chunk_elements)?;
        match self.order {
            Some(Order::C) => f.write_str(" row by row")?,
            Some(Order::Fortran) => f.write_str(" column by column")?,
            None => {}
        }
        self.fits.map_or(Ok(()), |fits| write!(f, " in {fits} fits"))?;
        self.fit_elements.map_or(Ok(()), |elements| write!(f, " in fits of {elements}"))
    }
}
