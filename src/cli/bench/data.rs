use crate::array::{ElementType, Problem};
use crate::cli::error::CliError;
use crate::io::synthetic::Recipe;
use crate::math::Affine;

/// Random data of a type with T about 2·X + 1.
pub(super) fn random(elements: usize, element: ElementType) -> Result<Problem, CliError> {
    let recipe = Recipe { model: Affine::new(2.0, 1.0), noise: 0.1, element, seed: 0 };
    let (x, t) = recipe.matrices(elements)?;
    Ok(Problem::pair(x, t)?)
}
