//! The course of a descent: the loss by step, and the path of W and b.

use plotters::prelude::DrawingBackend;

use super::canvas::Draw;
use super::clip::Point;
use super::pen::{Area, Axes, FAINT, Failed, LINE, Pen, SECOND, Stroke};
use super::scale::Scale;
use crate::fit::State;
use crate::math::Affine;
use crate::report::view::{Bowl, FitView};

/// The picture of a descent.
pub(super) struct Descent<'a> {
    pub(super) view: &'a FitView,
}

const WIDTH: u32 = 860;
const HEIGHT: u32 = 360;

/// Contours of the loss.
const CONTOURS: u32 = 8;

/// The least ratio of numbers that are drawn by their logarithm.
const DECADE: f64 = 30.0;

impl Draw for Descent<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, pen: Pen) -> Result<(), Failed<DB>> {
        let states = self.view.trace.states();
        let (left, right) = area.split_horizontally(pen.px(WIDTH / 2));
        by_step(&left, pen, &states)?;
        path(&right, pen, &states, self.view.bowl.as_ref())
    }
}

/// Loss and the size of the gradient, by step.
fn by_step<DB: DrawingBackend>(area: &Area<DB>, pen: Pen, states: &[State]) -> Result<(), Failed<DB>> {
    let body = pen.titled(area, "Loss and size of the gradient")?;
    let legend = (WIDTH / 2 - 150, 12);
    pen.write(area, "— loss", legend, 12, LINE)?;
    pen.write(area, "— gradient", (legend.0 + 60, 12), 12, SECOND)?;
    let size = |state: &State| state.evaluation.grad_weight.hypot(state.evaluation.grad_bias);
    let positive = |value: f64| Some(value).filter(|value| *value > 0.0 && value.is_finite());
    let numbers = |of: &dyn Fn(&State) -> f64| -> Vec<(f64, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "no descent has 2^53 steps")]
        let point = |state: &State| positive(of(state)).map(|value| (state.step as f64, value));
        states.iter().filter_map(point).collect()
    };
    let (losses, gradients) = (numbers(&|state| state.evaluation.loss), numbers(&size));
    let all = || losses.iter().chain(&gradients).map(|point| point.1);
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let (low, high) = if low <= high { (low, high) } else { (1.0, 1.0) };
    let last = losses.last().map_or(1.0, |point| point.0).max(1.0);
    let is_log = high / low > DECADE;
    let value = |number: f64| if is_log { number.log10() } else { number };
    let x = Scale::new([0.0, last]);
    let y = if is_log {
        Scale::powers([value(low).floor(), value(high).ceil()])
    } else {
        Scale::with_margin([0.0, high], 0.05)
    };
    let axes = Axes { x: &x, y: &y, x_name: "step", y_name: "", ticks: [6, 7] };
    let mut chart = pen.chart(&body, &axes)?;
    for (points, color) in [(gradients, SECOND), (losses, LINE)] {
        let places: Vec<Point> =
            points.iter().map(|&(step, number)| (x.place(step), y.place(value(number)))).collect();
        pen.draw_line(&mut chart, &axes.window(), &places, Stroke::solid(color, 2))?;
    }
    Ok(())
}

/// The path of W and b over contours of the loss.
fn path<DB: DrawingBackend>(
    area: &Area<DB>,
    pen: Pen,
    states: &[State],
    bowl: Option<&Bowl>,
) -> Result<(), Failed<DB>> {
    let body = pen.titled(area, "W and b over contours of the loss")?;
    let best = bowl.map(|bowl| bowl.best);
    let models = || states.iter().map(|state| state.model).chain(best);
    let range = |of: &dyn Fn(Affine) -> f64| {
        let values = models().map(of);
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low <= high { [low, high] } else { [0.0, 1.0] }
    };
    let x = Scale::with_margin(range(&|model| model.weight), 0.15);
    let y = Scale::with_margin(range(&|model| model.bias), 0.15);
    let axes = Axes { x: &x, y: &y, x_name: "W", y_name: "b", ticks: [6, 6] };
    let mut chart = pen.chart(&body, &axes)?;
    let window = axes.window();
    let place = |weight: f64, bias: f64| (x.place(weight), y.place(bias));
    if let Some(bowl) = bowl {
        for contour in contours(bowl, x.ends(), y.ends()) {
            let places: Vec<Point> = contour.into_iter().map(|(weight, bias)| place(weight, bias)).collect();
            let faint = Stroke { opacity: 0.7, ..Stroke::solid(FAINT, 1) };
            pen.draw_line(&mut chart, &window, &places, faint)?;
        }
    }
    let places: Vec<Point> = states.iter().map(|state| place(state.model.weight, state.model.bias)).collect();
    pen.draw_line(&mut chart, &window, &places, Stroke::solid(LINE, 2))?;
    pen.draw_dots(&mut chart, &places[..places.len().min(50)], LINE, 2)?;
    if let Some(best) = best {
        pen.draw_dots(&mut chart, &[place(best.weight, best.bias)], SECOND, 4)?;
        pen.write(area, "• least squares", (WIDTH / 2 - 108, 12), 12, SECOND)?;
    }
    Ok(())
}

/// Ellipses of equal loss, from the farthest corner inwards, each a quarter of the
/// loss of the one before.
fn contours(bowl: &Bowl, weights: [f64; 2], biases: [f64; 2]) -> Vec<Vec<Point>> {
    const POINTS: u32 = 720;
    let corners = weights.iter().flat_map(|&w| biases.iter().map(move |&b| Affine::new(w, b)));
    let most = corners.map(|corner| bowl.above(corner)).fold(0.0, f64::max);
    let ellipse = |level: f64| {
        let radius = level.sqrt();
        let point = |k: u32| {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(k) / f64::from(POINTS)).sin_cos();
            let weight = radius * cos / bowl.x_deviation;
            (bowl.best.weight + weight, bowl.best.bias + radius * sin - bowl.x_mean * weight)
        };
        (0..=POINTS).map(point).collect()
    };
    (0..CONTOURS).map(|k| most / 4f64.powi(k.try_into().unwrap_or(0))).map(ellipse).collect()
}
