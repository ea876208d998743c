//! `linfit explain`: the numbers of the definition, written out.

use linfit::array::ElementType;

use crate::cli::Lab;
use crate::cli::fit::ENGINES;
use crate::common::Number::Float;

/// The step that the definition works out by hand: L = 41, gradients −35 and
/// −12, and, with η = 0.01, W = 0.35 and b = 0.12, where r = 0.35·x + 0.12 − t
/// is −2.53, −4.18, −5.83, −7.48 and L = (6.4009 + 17.4724 + 33.9889 +
/// 55.9504)/4 = 28.45315.
const WORKED: &str = "
  X = [ 1  2 ]    T = [ 3  5 ]
      [ 3  4 ]        [ 7  9 ]

Step 1
  at W = 0, b = 0

  Y = X·W + b = [ 0  0 ]    r = Y - T = [ -3  -5 ]
                [ 0  0 ]                [ -7  -9 ]

  L     = (1/N)·Σ r²    = ((-3)² + (-5)² + (-7)² + (-9)²) / 4
                        = (9 + 25 + 49 + 81) / 4
                        = 41
  ∂L/∂W = (1/N)·Σ 2·r·x = 2·((-3)·1 + (-5)·2 + (-7)·3 + (-9)·4) / 4
                        = 2·(-3 - 10 - 21 - 36) / 4
                        = -35
  ∂L/∂b = (1/N)·Σ 2·r   = 2·(-3 - 5 - 7 - 9) / 4
                        = -12

  W ← W - η·∂L/∂W = 0 - 0.01·(-35) = 0.35
  b ← b - η·∂L/∂b = 0 - 0.01·(-12) = 0.12

After 1 step: W = 0.35, b = 0.12, L = ";

#[test]
fn the_worked_example_as_on_a_blackboard() {
    let lab = Lab::new();
    for engine in ENGINES {
        let text = lab.run(&format!("explain {engine}")).succeeds().stdout;
        assert!(text.starts_with("Y = X·W + b, fitted to T; N = 4, η = 0.01\n"), "{text}");
        let (worked, loss) = text.trim_end().rsplit_once("L = ").unwrap();
        assert!(format!("{worked}L = ").ends_with(WORKED), "{engine}:\n{text}");
        // Four residuals in f32, each off by at most 2⁻²⁴ of what it is the
        // difference of.
        let rounding = if engine.contains("llvmpipe") { 1e-5 } else { 0.0 };
        assert!((loss.parse::<f64>().unwrap() - 28.45315).abs() <= rounding, "{engine}:\n{text}");
        let name = if engine.contains("llvmpipe") { "llvmpipe" } else { engine.rsplit(' ').next().unwrap() };
        assert!(text.lines().nth(1).unwrap().contains(name), "{text}");
    }
}

/// The states computed by hand in src/fit/descend.rs.
#[test]
fn steps_follow_one_another() {
    let lab = Lab::new();
    let text = lab.run("explain --steps 3 --lr 0.0625").succeeds().stdout;
    for part in [
        "Step 2\n  at W = 2.1875, b = 0.75\n",
        "  W ← W - η·∂L/∂W = 2.1875 - 0.0625·1.5625 = 2.089844\n",
        "Step 3\n  at W = 2.089844, b = 0.722656\n",
        "  b ← b - η·∂L/∂b = 0.722656 - 0.0625·(-0.105469) = 0.729248\n",
        "After 3 steps: W = 2.092285, b = 0.729248, L = ",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let text = lab.run("explain --steps 0 --w0 2 --b0 1").succeeds().stdout;
    assert!(text.contains("No step\n  at W = 2, b = 1\n") && !text.contains('←'), "{text}");
    let ran = lab.run("explain --steps 1000 --lr 9").exits(1);
    assert!(ran.stdout.contains("DIVERGED"), "{}", ran.stdout);
}

#[test]
fn any_small_pair_and_nothing_larger() {
    let lab = Lab::new();
    let numbers: Vec<_> = (0..16).map(|k| Float(f64::from(k) - 7.25)).collect();
    lab.npy("x.npy", ElementType::F64, &[4, 4], &numbers).npy("t.npy", ElementType::F32, &[4, 4], &numbers);
    let text = lab.run("explain x.npy t.npy --w0 -0.5").succeeds().stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    assert!(text.contains("  X = [ -7.25  -6.25  -5.25  -4.25 ]    T = [ "), "{text}");
    // r = −1.5·x: L = 2.25·E x², with E x = 0.25 and a variance of 21.25.
    assert!(text.contains(&format!("= {}\n", 2.25 * 21.3125)), "{text}");

    lab.npy("long.npy", ElementType::F32, &[17], &[1.0; 17].map(Float));
    lab.run("explain long.npy long.npy").ends_refused(&["long.npy", "17 elements", "16", "linfit fit"]);
    lab.run("explain x.npy").ends_refused(&["<T>"]);
    lab.run("explain --lr 0").ends_refused(&["learning rate"]);
    lab.run("explain --steps 1001").ends_refused(&["--steps", "1000"]);
    lab.npy("row.npy", ElementType::F32, &[3], &[1.0, 2.0, 3.0].map(Float));
    assert!(
        lab.run("explain row.npy row.npy").succeeds().stdout.contains("X = [ 1  2  3 ]    T = [ 1  2  3 ]")
    );
}

/// From (0, 0) with η = 2⁻⁴ and μ = ½: v = g = (−35, −12) leads to (2.1875, 0.75), where
/// g = (1.5625, 0.4375), so that v = ½·(−35, −12) + g = (−15.9375, −5.5625) and
/// W = 2.1875 + 0.99609375 = 3.18359375. Nesterov's is g + ½·v: the first −35 − 17.5.
/// With δ = ½ the second gradient is 1.5625 + ½·2.1875 = 2.65625.
#[test]
fn momentum_by_hand() {
    let lab = Lab::new();
    for engine in ENGINES {
        let text =
            lab.run(&format!("explain --steps 2 --lr 0.0625 --momentum 0.5 {engine}")).succeeds().stdout;
        for part in [
            "N = 4, η = 0.0625, μ = 0.5\n",
            "  vW ← μ·vW + ∂L/∂W = 0.5·0 + (-35) = -35\n  W ← W - η·vW = 0 - 0.0625·(-35) = 2.1875\n",
            "  vW ← μ·vW + ∂L/∂W = 0.5·(-35) + 1.5625 = -15.9375\n",
            "  W ← W - η·vW = 2.1875 - 0.0625·(-15.9375) = 3.183594\n",
            "  vb ← μ·vb + ∂L/∂b = 0.5·(-12) + 0.4375 = -5.5625\n",
        ] {
            assert!(text.contains(part), "{engine}: no {part:?} in\n{text}");
        }
    }
    let text = lab.run("explain --lr 0.0625 --momentum 0.5 --nesterov").succeeds().stdout;
    for part in [
        "μ = 0.5, Nesterov's\n",
        "  nW = ∂L/∂W + μ·vW = (-35) + 0.5·(-35) = -52.5\n  W ← W - η·nW = 0 - 0.0625·(-52.5) = 3.28125\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let text = lab
        .run("explain --steps 2 --lr 0.0625 --momentum 0.5 --dampening 0.25 --weight-decay 0.5")
        .succeeds()
        .stdout;
    for part in [
        "μ = 0.5, τ = 0.25, δ = 0.5\n",
        "  gW = ∂L/∂W + δ·W = 1.5625 + 0.5·2.1875 = 2.65625\n",
        "  vW ← μ·vW + (1 - τ)·gW = 0.5·(-35) + (1 - 0.25)·2.65625 = -15.507812\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    lab.run("explain --momentum 1").ends_refused(&["momentum", "below 1"]);
    lab.run("explain --nesterov").ends_refused(&["Nesterov"]);
}
