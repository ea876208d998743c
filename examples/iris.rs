//! Fits petal width to petal length of Fisher's irises through the library,
//! and shows how far every thousandth step is from the end:
//! `cargo run --release --example iris`.

#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::ops::ControlFlow;

use linfit::array::Problem;
use linfit::engine::Cpu;
use linfit::fit::{GradientDescent, State};
use linfit::io::{Source, open_pair};

fn main() -> Result<(), Box<dyn Error>> {
    let iris = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/iris.csv");
    let length: Source = format!("{iris}:petal_length").parse()?;
    let width: Source = format!("{iris}:petal_width").parse()?;
    let (x, t) = open_pair(&length, &width)?;
    let data = Problem::pair(x, t)?;

    let sgd = GradientDescent { steps: 10_000, tolerance: 1e-9, ..GradientDescent::default() };
    let mut show = |state: &State| {
        if state.step.is_multiple_of(1000) {
            println!(
                "step {:5}: loss {:.9}, W {:+.6}, b {:+.6}",
                state.step, state.evaluation.loss, state.model.weight, state.model.bias
            );
        }
        ControlFlow::Continue(())
    };
    let fit = sgd.fit(&mut Cpu::new(&data), &mut show)?;
    println!("width = {:.5} · length {:+.5} after {} steps", fit.model.weight, fit.model.bias, fit.steps);
    Ok(())
}
