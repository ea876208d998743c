use std::fmt;

use serde::Serialize;

use super::numbers::{exact, short};
use crate::engine::EngineInfo;
use crate::fit::{GradientDescent, State};

/// A descent over a handful of elements, with every number written out as on
/// a blackboard.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The elements of X, row by row.
    pub x: Vec<f64>,
    /// The elements of T, row by row.
    pub t: Vec<f64>,
    /// The number of elements in a row; at least 1.
    pub columns: usize,
    /// The settings of the steps.
    #[serde(skip)]
    pub descent: GradientDescent,
    /// The states that the engine went through; the last one is only told of.
    #[serde(skip)]
    pub states: Vec<State>,
    /// Whether a step led out of the finite numbers.
    pub diverged: bool,
    /// The engine that computed loss, gradients and updates.
    pub engine: EngineInfo,
}

/// Lines no longer than this, where a sum can be broken.
const WIDTH: usize = 100;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.x.len();
        write!(f, "Y = X·W + b, fitted to T; N = {n}, η = {}", exact(self.descent.learning_rate))?;
        for (name, value) in
            [("μ", self.descent.momentum), ("τ", self.descent.dampening), ("δ", self.descent.weight_decay)]
        {
            if value > 0.0 {
                write!(f, ", {name} = {}", exact(value))?;
            }
        }
        writeln!(f, "{}", if self.descent.nesterov { ", Nesterov's" } else { "" })?;
        writeln!(f, "loss, gradients and updates by {}", self.engine)?;
        writeln!(f)?;
        self.write_matrices(f, &[("X", &self.x), ("T", &self.t)])?;
        let steps = self.states.windows(2);
        for step in steps.clone() {
            writeln!(f)?;
            writeln!(f, "Step {}", step[1].step)?;
            self.write_state(f, &step[0])?;
            self.write_update(f, &step[0], &step[1])?;
        }
        let Some(last) = self.states.last() else { return Ok(()) };
        writeln!(f)?;
        if steps.len() == 0 {
            writeln!(f, "No step")?;
            return self.write_state(f, last);
        }
        let plural = if last.step == 1 { "" } else { "s" };
        write!(
            f,
            "After {} step{plural}: W = {}, b = {}, L = {}",
            last.step,
            short(last.model.weight),
            short(last.model.bias),
            short(last.evaluation.loss)
        )?;
        if self.diverged { write!(f, "\nDIVERGED: the next step leaves the finite numbers") } else { Ok(()) }
    }
}

impl Explanation {
    fn write_state(&self, f: &mut fmt::Formatter<'_>, state: &State) -> fmt::Result {
        let State { model, evaluation, .. } = state;
        let n = self.x.len();
        let y: Vec<f64> = self.x.iter().map(|&x| model.apply(x)).collect();
        let r: Vec<f64> = y.iter().zip(&self.t).map(|(y, t)| y - t).collect();
        let products: Vec<f64> = r.iter().zip(&self.x).map(|(r, x)| r * x).collect();
        let squares: Vec<f64> = r.iter().map(|r| r * r).collect();
        let pairs: Vec<String> =
            r.iter().zip(&self.x).map(|(&r, &x)| format!("{}·{}", factor(r), factor(x))).collect();
        let powers: Vec<String> = r.iter().map(|&r| format!("{}²", factor(r))).collect();

        writeln!(f, "  at W = {}, b = {}", short(model.weight), short(model.bias))?;
        writeln!(f)?;
        self.write_matrices(f, &[("Y = X·W + b", &y), ("r = Y - T", &r)])?;
        writeln!(f)?;
        write_sum(f, "  L     = (1/N)·Σ r²    = ", "(", &plus(&powers), &format!(") / {n}"))?;
        write_sum(f, EQUALS, "(", &signed(&squares), &format!(") / {n}"))?;
        writeln!(f, "{EQUALS}{}", short(evaluation.loss))?;
        write_sum(f, "  ∂L/∂W = (1/N)·Σ 2·r·x = ", "2·(", &plus(&pairs), &format!(") / {n}"))?;
        write_sum(f, EQUALS, "2·(", &signed(&products), &format!(") / {n}"))?;
        writeln!(f, "{EQUALS}{}", short(evaluation.grad_weight))?;
        write_sum(f, "  ∂L/∂b = (1/N)·Σ 2·r   = ", "2·(", &signed(&r), &format!(") / {n}"))?;
        writeln!(f, "{EQUALS}{}", short(evaluation.grad_bias))
    }

    fn write_update(&self, f: &mut fmt::Formatter<'_>, from: &State, to: &State) -> fmt::Result {
        let (before, after) = (from.progress.velocity, to.progress.velocity);
        writeln!(f)?;
        for (name, from, gradient, velocities, to) in [
            (
                "W",
                from.model.weight,
                from.evaluation.grad_weight,
                [before.weight, after.weight],
                to.model.weight,
            ),
            ("b", from.model.bias, from.evaluation.grad_bias, [before.bias, after.bias], to.model.bias),
        ] {
            self.write_move(f, name, from, gradient, velocities, to)?;
        }
        Ok(())
    }

    /// Writes how one of W and b moves: by its gradient, that with a decay, the
    /// velocity before and after, and from where to where.
    fn write_move(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        from: f64,
        gradient: f64,
        [before, after]: [f64; 2],
        to: f64,
    ) -> fmt::Result {
        let GradientDescent { momentum, dampening, nesterov, weight_decay, .. } = self.descent;
        let rate = exact(self.descent.learning_rate);
        let (mut slope, mut term) = (gradient, format!("∂L/∂{name}"));
        if weight_decay > 0.0 {
            slope += weight_decay * from;
            let (decay, at, sum) = (exact(weight_decay), factor(from), short(slope));
            let gradient = short(gradient);
            writeln!(f, "  g{name} = ∂L/∂{name} + δ·{name} = {gradient} + {decay}·{at} = {sum}")?;
            term = format!("g{name}");
        }
        if momentum > 0.0 {
            let is_first = before == 0.0 && after == slope;
            let share = if dampening > 0.0 && !is_first { format!("(1 - τ)·{term}") } else { term.clone() };
            let shares = if dampening > 0.0 && !is_first {
                format!("(1 - {})·", exact(dampening))
            } else {
                String::new()
            };
            let (mu, slope_text) = (exact(momentum), factor(slope));
            writeln!(
                f,
                "  v{name} ← μ·v{name} + {share} = {mu}·{} + {shares}{slope_text} = {}",
                factor(before),
                short(after)
            )?;
            if nesterov {
                slope += momentum * after;
                let (velocity, sum) = (factor(after), short(slope));
                writeln!(f, "  n{name} = {term} + μ·v{name} = {slope_text} + {mu}·{velocity} = {sum}")?;
                term = format!("n{name}");
            } else {
                slope = after;
                term = format!("v{name}");
            }
        }
        let (from, slope, to) = (short(from), factor(slope), short(to));
        writeln!(f, "  {name} ← {name} - η·{term} = {from} - {rate}·{slope} = {to}")
    }

    /// Named matrices side by side.
    fn write_matrices(&self, f: &mut fmt::Formatter<'_>, named: &[(&str, &Vec<f64>)]) -> fmt::Result {
        let columns = self.columns.max(1);
        let blocks: Vec<(String, Vec<String>)> = named
            .iter()
            .map(|(name, values)| {
                let cells: Vec<String> = values.iter().map(|&value| short(value)).collect();
                let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
                let row = |cells: &[String]| {
                    let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>width$}")).collect();
                    format!("[ {} ]", cells.join("  "))
                };
                (format!("{name} = "), cells.chunks(columns).map(row).collect())
            })
            .collect();
        let rows = blocks.first().map_or(0, |(_, rows)| rows.len());
        for k in 0..rows {
            let mut text = String::from("  ");
            for (place, (name, rows)) in blocks.iter().enumerate() {
                let gap = if place == 0 { "" } else { "    " };
                let name = if k == 0 { name.clone() } else { " ".repeat(name.chars().count()) };
                text.push_str(gap);
                text.push_str(&name);
                text.push_str(rows.get(k).map_or("", String::as_str));
            }
            writeln!(f, "{text}")?;
        }
        Ok(())
    }
}

/// Puts what follows under what stands after the first `=`.
const EQUALS: &str = "                        = ";

/// `lead`, an opening, the terms and a closing, over as many lines as it
/// takes.
fn write_sum(
    f: &mut fmt::Formatter<'_>,
    lead: &str,
    opening: &str,
    terms: &[String],
    closing: &str,
) -> fmt::Result {
    let indent = " ".repeat(lead.chars().count() + opening.chars().count());
    let mut text = format!("{lead}{opening}");
    let mut used = text.chars().count();
    for (k, term) in terms.iter().enumerate() {
        let length = term.chars().count() + 1;
        if k > 0 && used + length > WIDTH {
            text = format!("{}\n{indent}", text.trim_end());
            used = indent.len();
        }
        text.push_str(term);
        text.push_str(if k + 1 < terms.len() { " " } else { "" });
        used += length;
    }
    writeln!(f, "{text}{closing}")
}

/// Terms with a plus before all but the first.
fn plus(terms: &[String]) -> Vec<String> {
    terms
        .iter()
        .enumerate()
        .map(|(k, term)| if k == 0 { term.clone() } else { format!("+ {term}") })
        .collect()
}

/// Numbers as the terms of a sum: -3, - 10, + 2.
fn signed(values: &[f64]) -> Vec<String> {
    let term = |(k, &value): (usize, &f64)| match (k, value < 0.0) {
        (0, _) => short(value),
        (_, true) => format!("- {}", short(-value)),
        (_, false) => format!("+ {}", short(value)),
    };
    values.iter().enumerate().map(term).collect()
}

/// A number as a factor: in parentheses if it has a sign.
fn factor(value: f64) -> String {
    let text = short(value);
    if text.starts_with('-') { format!("({text})") } else { text }
}
