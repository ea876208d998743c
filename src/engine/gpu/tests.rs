//! The passes of the GPU engine on numbers of which every sum is known.

use super::buffers::split;
use super::device::tests::software_adapter;
use super::*;
use crate::array::{Array, Problem};
use crate::engine::{DescentRule, Engine, EngineError, Stepper};
use crate::math::{Affine, LossSums};

/// Small whole numbers, of which every sum is known.
struct Whole {
    data: Problem,
    /// At W = 2, b = 1.
    sums: LossSums,
    /// Sums of x, t, x², x·t, t².
    raw: [f64; 5],
}

impl Whole {
    const AT: Affine = Affine { weight: 2.0, bias: 1.0 };

    fn new(n: usize) -> Self {
        let (x, t): (Vec<i16>, Vec<i16>) = (0..n).map(|k| (Self::number(k, 7), Self::number(k, 11))).unzip();
        let mut sums =
            LossSums { n: n as u64, weight_sum: f64::from(u32::try_from(n).unwrap()), ..LossSums::default() };
        let mut raw = [0.0; 5];
        for (x, t) in x.iter().zip(&t).map(|(&x, &t)| (f64::from(x), f64::from(t))) {
            let residual = 2.0 * x + 1.0 - t;
            sums.rr += residual * residual;
            sums.rx += residual * x;
            sums.r += residual;
            raw.iter_mut().zip([x, t, x * x, x * t, t * t]).for_each(|(sum, term)| *sum += term);
        }
        let matrix = |label, values| Array::from_vec(label, &[n as u64], values);
        Self { data: Problem::pair(matrix("x", x), matrix("t", t)).unwrap(), sums, raw }
    }

    fn number(k: usize, period: usize) -> i16 {
        i16::try_from(k % period).unwrap_or(0) - 3
    }

    /// Every number of a pass: the sums exactly, the moments, whose shift
    /// is no whole number, to `off`, the predictions exactly.
    fn check(&self, adapter: &Adapter, settings: &GpuSettings, off: f64) {
        let mut gpu = Gpu::open_with(adapter, &self.data, settings).unwrap();
        assert_eq!(gpu.loss_sums_at(Self::AT).unwrap(), self.sums, "{settings:?}");

        let (moments, n) = (gpu.all_moments().unwrap(), self.data.len());
        let [x, t, xx, xt, tt] = self.raw;
        let count = f64::from(u32::try_from(n).unwrap());
        for (got, want, size) in [
            (moments.x_mean(), x / count, 3.0),
            (moments.t_mean(), t / count, 7.0),
            (moments.xx, xx - x * x / count, xx),
            (moments.xt, xt - x * t / count, (xx * tt).sqrt()),
            (moments.tt, tt - t * t / count, tt),
        ] {
            assert!((got - want).abs() <= off * size, "{got} for {want}, n = {n}, {settings:?}");
        }

        let mut ys = Vec::new();
        let mut keep = |chunk: &[f32]| {
            ys.extend_from_slice(chunk);
            Ok(())
        };
        gpu.predict(Self::AT, &mut keep).unwrap();
        let expected = |k: usize| f32::from(2 * Self::number(k, 7) + 1);
        assert!(ys.len() == n && ys.iter().enumerate().all(|(k, &y)| y == expected(k)), "{settings:?}");
    }
}

/// Every way of spreading the work must give the same whole numbers,
/// also those meant for devices that aren't here.
#[test]
fn every_tuning_is_exact_on_whole_numbers() {
    let adapter = software_adapter();
    let tunings = [
        Tuning::SOFTWARE,
        Tuning::DISCRETE,
        Tuning::UNKNOWN,
        Tuning { workgroup_size: 128, workgroups: 3, ..Tuning::DISCRETE },
        Tuning { contiguous: true, ..Tuning::DISCRETE },
        Tuning { loads: 1, ..Tuning::DISCRETE },
        Tuning { reduction: Reduction::Workgroup, ..Tuning::DISCRETE },
        Tuning { contiguous: false, ..Tuning::SOFTWARE },
        Tuning { loads: 4, ..Tuning::SOFTWARE },
        Tuning { workgroup_size: 1, reduction: Reduction::Subgroup, ..Tuning::SOFTWARE },
        Tuning { workgroup_size: 1, workgroups: 1, ..Tuning::SOFTWARE },
    ];
    for n in [1usize, 2, 3, 4, 5, 63, 64, 65, 257, 4_099, 65_537, (1 << 20) - 1, (1 << 20) + 1] {
        let whole = Whole::new(n);
        for tuning in tunings {
            for memory_bytes in [u64::MAX, 0] {
                let settings = GpuSettings { memory_bytes, tuning: Some(tuning), precision: Precision::Fast };
                whole.check(&adapter, &settings, 1e-5);
            }
        }
    }
}

/// Every type on either side, in lengths that leave 1, 2 and 3 in the last
/// word, on the device or streamed, in the order of a CPU and of a GPU.
#[test]
fn every_type_is_exact_on_whole_numbers() {
    fn matrix<E: crate::array::Element>(
        label: &str,
        n: usize,
        element: impl Fn(i8) -> E,
        period: usize,
    ) -> Array {
        let values = (0..n).map(|k| element(i8::try_from(Whole::number(k, period)).unwrap()));
        Array::from_vec(label, &[n as u64], values.collect())
    }
    let of = |kind: usize, label: &str, n: usize, period: usize| match kind {
        0 => matrix(label, n, |v| v, period),
        1 => matrix(label, n, i16::from, period),
        2 => matrix(label, n, |v| half::f16::from_f32(v.into()), period),
        3 => matrix(label, n, |v| half::bf16::from_f32(v.into()), period),
        4 => matrix(label, n, i32::from, period),
        _ => matrix(label, n, f64::from, period),
    };
    let adapter = software_adapter();
    for n in [1, 2, 3, 4, 5, 6, 7, 63, 4_097, (1 << 20) + 5] {
        let Whole { sums, raw, .. } = Whole::new(n);
        let pairs: &[(usize, usize)] = if n == 4_097 {
            &[(0, 0), (0, 1), (1, 2), (2, 3), (3, 0), (4, 1), (5, 3), (2, 5)]
        } else {
            &[(0, 1), (2, 3)]
        };
        for &(x, t) in pairs {
            let data = Problem::pair(of(x, "x", n, 7), of(t, "t", n, 11)).unwrap();
            let whole = Whole { data, sums, raw };
            for tuning in [Tuning::SOFTWARE, Tuning::DISCRETE] {
                for (memory_bytes, precision) in [(u64::MAX, Precision::Fast), (0, Precision::F64)] {
                    let settings = GpuSettings { memory_bytes, tuning: Some(tuning), precision };
                    whole.check(&adapter, &settings, 1e-5);
                }
            }
        }
    }
}

/// Y of W = 1, b = 0: X, as the shader brings it to f32.
fn unpacked<E: crate::array::Element>(values: &[E]) -> Vec<f32> {
    let data = Problem::inputs(Array::from_vec("x", &[values.len() as u64], values.to_vec())).unwrap();
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    let mut got = Vec::new();
    let mut keep = |ys: &[f32]| {
        got.extend_from_slice(ys);
        Ok(())
    };
    gpu.predict(Affine::new(1.0, 0.0), &mut keep).unwrap();
    assert!(gpu.take_notices().is_empty() && got.len() == values.len());
    got
}

/// Each pattern of bits of the small types, but for numbers that f32 has as
/// subnormal ones, which devices may take for 0.
#[test]
fn every_small_number_is_unpacked_exactly() {
    fn check<E: crate::array::Element>(values: &[E]) {
        for (got, value) in unpacked(values).into_iter().zip(values) {
            assert!(got == value.to_f32(), "{:?}: {got:e} for {:e}", E::TYPE, value.to_f32());
        }
    }
    check(&(0..=u8::MAX).collect::<Vec<_>>());
    check(&(i8::MIN..=i8::MAX).collect::<Vec<_>>());
    check(&(0..=u16::MAX).collect::<Vec<_>>());
    check(&(i16::MIN..=i16::MAX).collect::<Vec<_>>());
    let is_usual = |value: f32| value == 0.0 || value.is_normal();
    let halves: Vec<_> = (0..=u16::MAX).map(half::f16::from_bits).filter(|v| is_usual(v.to_f32())).collect();
    assert_eq!(halves.len(), 2 * 31 * 1024);
    check(&halves);
    let halves: Vec<_> = (0..=u16::MAX).map(half::bf16::from_bits).filter(|v| is_usual(v.to_f32())).collect();
    assert_eq!(halves.len(), 2 * (254 * 128 + 1));
    check(&halves);
}

/// Numbers that are subnormal in f32 are kept, or all taken for 0 of their sign.
#[test]
fn subnormal_numbers_are_kept_or_0() {
    let subnormal = |bits: u16| half::bf16::from_bits(bits).to_f32().is_subnormal();
    let values: Vec<_> = (0..=u16::MAX).filter(|&bits| subnormal(bits)).map(half::bf16::from_bits).collect();
    assert_eq!(values.len(), 2 * 127);
    let got = unpacked(&values);
    let kept = got.iter().zip(&values).filter(|(got, value)| **got == value.to_f32()).count();
    let zeros = got.iter().filter(|got| **got == 0.0).count();
    assert!(kept == values.len() || zeros == values.len(), "{kept} kept, {zeros} zeros of {}", values.len());
}

#[test]
fn every_precision_is_exact_on_whole_numbers() {
    let adapter = software_adapter();
    for n in [1usize, 3, 5, 64, 4_099, (1 << 20) + 3] {
        let whole = Whole::new(n);
        for (precision, off) in [(Precision::Compensated, 1e-12), (Precision::F64, 1e-14)] {
            for tuning in [Tuning::SOFTWARE, Tuning::DISCRETE] {
                for memory_bytes in [u64::MAX, 0] {
                    let settings = GpuSettings { memory_bytes, tuning: Some(tuning), precision };
                    whole.check(&adapter, &settings, off);
                }
            }
        }
    }
}

#[test]
fn a_lost_device_ends_a_pass_with_an_error() {
    let data = Problem::pair(
        Array::from_vec("x", &[2], vec![1f32, 2.0]),
        Array::from_vec("t", &[2], vec![1f32, 2.0]),
    )
    .unwrap();
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    gpu.device.device.destroy();
    let pass = gpu.loss_sums_at(Affine::default());
    assert!(matches!(pass, Err(EngineError::Gpu(_))), "{pass:?}");
    let pass = gpu.predict(Affine::default(), &mut |_| Ok(()));
    assert!(matches!(pass, Err(EngineError::Gpu(_))), "{pass:?}");
}

/// A clock of passes that read back once, many times, or for many steps.
#[test]
fn the_clock_runs_only_between_start_and_stop() {
    let column = |label| Array::from_vec(label, &[1000], vec![1f32; 1000]);
    let data = Problem::pair(column("x"), column("t")).unwrap();
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    gpu.loss_sums_at(Affine::default()).unwrap();
    assert_eq!(gpu.stop_clock(), None, "nobody started it");
    let passes: [fn(&mut Gpu); 3] = [
        |gpu| assert_eq!(gpu.loss_sums_at(Affine::default()).unwrap().rr, 1000.0),
        |gpu| gpu.predict(Affine::default(), &mut |_| Ok(())).unwrap(),
        |gpu| assert_eq!(gpu.advance(&[0.01; 100]).unwrap().len(), 100),
    ];
    gpu.start(&DescentRule::default(), Affine::default()).unwrap();
    for pass in passes {
        assert!(gpu.start_clock());
        let started = std::time::Instant::now();
        pass(&mut gpu);
        let waited = started.elapsed().as_secs_f64();
        let seconds = gpu.stop_clock().unwrap();
        assert!(seconds > 0.0 && seconds <= waited, "{seconds} of {waited}");
        assert_eq!(gpu.stop_clock(), None);
    }
    let mut streamed = Gpu::open_with(&software_adapter(), &data, &GpuSettings::within(0)).unwrap();
    assert!(!streamed.start_clock(), "not every submission is timed");
}

#[test]
fn a_tuning_that_the_adapter_cannot_follow_is_an_error() {
    let column = |label| Array::from_vec(label, &[3], vec![1f32; 3]);
    let data = Problem::pair(column("x"), column("t")).unwrap();
    let tuning = Tuning { workgroup_size: 3, ..Tuning::SOFTWARE };
    let opened = Gpu::open_with(&software_adapter(), &data, &GpuSettings::tuned(tuning)).map(|_| ());
    assert!(opened.unwrap_err().to_string().contains("workgroup_size is 3"));
}

#[test]
fn a_number_splits_into_two_f32() {
    let [hi, lo] = split(0.1);
    assert_eq!(hi, 0.1f32);
    assert!((f64::from(hi) + f64::from(lo) - 0.1).abs() < 1e-16);
    assert_eq!(split(0.5), [0.5, 0.0]);
}
