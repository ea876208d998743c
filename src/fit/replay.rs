use super::coordinates::{Coordinates, Position};
use crate::engine::{DescentRule, DeviceDescent, EngineError, Evaluated, StepOutcome};
use crate::math::{Affine, Moments, Quadratic};

/// A descent over the moments instead of the data: the same steps, without
/// another pass.
pub(super) struct Replay {
    quadratic: Quadratic,
    elements: u64,
    weight_sum: f64,
    coordinates: Coordinates,
    rule: DescentRule,
    position: Position,
}

impl Replay {
    pub(super) fn new(moments: &Moments, coordinates: Coordinates) -> Self {
        let start = Affine::default();
        Self {
            quadratic: moments.quadratic(),
            elements: moments.n,
            weight_sum: moments.weight_sum,
            coordinates,
            rule: DescentRule { start, learning_rate: 0.0, tolerance: [0.0; 2] },
            position: Position::new(start, coordinates),
        }
    }
}

impl DeviceDescent for Replay {
    fn begin(&mut self, rule: &DescentRule) -> Result<(), EngineError> {
        self.rule = *rule;
        self.position = Position::new(rule.start, self.coordinates);
        Ok(())
    }

    fn advance(&mut self, evaluations: u32) -> Result<Vec<Evaluated>, EngineError> {
        let mut rows = Vec::with_capacity(evaluations as usize);
        for _ in 0..evaluations {
            let mut slopes = self.position.slopes(&self.quadratic);
            // A pass adds up Σr², which overflows before its mean does.
            if (slopes.evaluation.loss * self.weight_sum).is_infinite() {
                slopes.evaluation.loss = f64::INFINITY;
            }
            let row = self.position.advance(slopes, &self.rule);
            rows.push(row);
            if row.onward != StepOutcome::Step {
                break;
            }
        }
        Ok(rows)
    }

    fn elements(&self) -> u64 {
        self.elements
    }
}
