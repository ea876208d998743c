//! The W and b that residuals in f32 are computed at, and the way from there to
//! the W and b that were asked for.
//!
//! With all digits of W and b, f32 would lose some of every residual, and not
//! like noise: a residual that was rounded to 24 bits stays the same whatever is
//! added to it below half of the last, and what digits of b lie below there round
//! all residuals of a size the same way. So every residual is off by about the
//! same, and so is their mean, however many there are: 1e-8 to 6e-8. With a W and
//! b of so few digits that they end where residuals do, what rounding takes
//! differs from element to element and averages out.
//!
//! The rest of W and b is added afterwards, with no approximation: the residual
//! at W + w and b + v is r + w·x + v, and of the sums of that only Σx and Σx²
//! are not known yet.

use super::buffers::split;
use crate::math::{Affine, Double, LossSums, Moments, scaled};

/// Sizes of X and T about what residuals are computed about, as powers of two:
/// roughly the roots of their mean squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
    pub(super) x: f32,
    pub(super) t: f32,
}

/// From here on, and below [`LEAST_SIZE`], residuals are computed with W and b
/// as they are: what they are rounded by would leave the range of f32.
const MOST_SIZE: f64 = f64::from_bits((1023 + 100) << 52);
const LEAST_SIZE: f64 = f64::from_bits((1023 - 100) << 52);

impl Sizes {
    /// W and b with the last digits that f32 has of a residual, less 12 bits to
    /// keep what is added to them apart. Twin of `coarse` in
    /// `shared/step.wgsl`.
    pub(super) fn coarse(self, at: Affine) -> [f32; 2] {
        let (x, t) = (f64::from(self.x), f64::from(self.t));
        let size = (at.weight.abs() * x).max(at.bias.abs()).max(t);
        if !(LEAST_SIZE..MOST_SIZE).contains(&size) {
            return [at.weight, at.bias].map(|value| split(value)[0]);
        }
        let unit = (size.log2().floor() - 11.0).exp2();
        let round = |value: f64, unit: f64| split((value / unit).round_ties_even() * unit)[0];
        [round(at.weight, unit / x), round(at.bias, unit)]
    }

    /// The digits of W and b that residuals are computed without.
    pub(super) fn left_out(self, at: Affine) -> Affine {
        let [weight, bias] = self.coarse(at).map(f64::from);
        Affine { weight: at.weight - weight, bias: at.bias - bias }
    }
}

/// Means over X about some point: what sums at one W and b lack for another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// The mean of x.
    pub(super) mean: f64,
    /// The mean of x².
    pub(super) square: f64,
}

impl Spread {
    /// The spread about a shift.
    pub(super) fn about(shift: Double, moments: &Moments) -> Self {
        let mean = moments.x_mean_double().minus(shift).value();
        let squares = scaled(moments.xx, -2 * moments.units()[0]);
        Self { mean, square: mean.mul_add(mean, squares / moments.weight_sum) }
    }

    /// Sums at W + w and b + v from those at W and b, with x about the same
    /// point.
    pub(super) fn moved(self, sums: LossSums, by: Affine) -> LossSums {
        let Affine { weight: w, bias: v } = by;
        if w == 0.0 && v == 0.0 {
            return sums;
        }
        let r = sums.r + sums.weight_sum * w.mul_add(self.mean, v);
        let rx = sums.rx + sums.weight_sum * w.mul_add(self.square, v * self.mean);
        let rr = sums.rr + w.mul_add(sums.rx + rx, v * (sums.r + r));
        // No sum of squares is negative; `max` would swallow a NaN.
        let rr = if rr < 0.0 { 0.0 } else { rr };
        LossSums { rr, rx, r, ..sums }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_and_what_is_not_make_the_whole() {
        let sizes = Sizes { x: 1.0, t: 1.0 };
        for value in [1.3, -0.4, 1e-30, 1e30, 0.0, 2.0, 0.5 + 1.0 / 4096.0, -1.0 / 3.0] {
            let at = Affine::new(value, -value);
            let ([weight, bias], rest) = (sizes.coarse(at).map(f64::from), sizes.left_out(at));
            assert_eq!((rest.weight, rest.bias), (value - weight, -value - bias));
            assert!(rest.weight.abs() <= value.abs().max(1.0) / 4096.0, "{value}");
        }
        // What ends where residuals do is all there.
        assert_eq!(sizes.left_out(Affine::new(2047.0, -0.75)), Affine::new(0.0, -0.75 + 1.0));
        assert_eq!(sizes.left_out(Affine::new(1.5, -0.75)), Affine::new(0.0, 0.0));
        assert_eq!(Sizes { x: 1024.0, ..sizes }.left_out(Affine::new(-1.0 / 1024.0, 1.0)), Affine::default());
    }

    /// 0.001 is far below the last digit of residuals of 1,000, 0.1 is not.
    #[test]
    fn what_residuals_have_no_digits_of_is_left_out() {
        let sizes = Sizes { x: 1.0, t: 4096.0 };
        assert_eq!(sizes.coarse(Affine::new(0.001, 0.9)), [0.0, 0.0]);
        assert_eq!(sizes.coarse(Affine::new(1.1, -3.1)), [2.0, -4.0]);
        // The two ends of what is cut, as in the shader.
        let third = 1.0 / 3.0;
        for (size, is_cut) in [
            (2f32.powi(99), true),
            (2f32.powi(100), false),
            (2f32.powi(-100), true),
            (2f32.powi(-101), false),
        ] {
            let value = third * f64::from(size);
            let [_, bias] = Sizes { x: 1.0, t: size }.coarse(Affine::new(0.0, value));
            assert_eq!(bias != split(value)[0], is_cut, "{size:e}");
        }
        let beyond = Sizes { x: 2f32.powi(60), t: 1.0 }.coarse(Affine::new(1e300, 1e-300));
        assert_eq!(beyond, [f32::INFINITY, 0.0]);
    }

    /// x = 1, 2, 4 about 1 and t = 3, 5, 7: whole numbers throughout.
    #[test]
    fn moved_sums_are_those_of_the_other_point() {
        let (x, t) = ([0.0, 1.0, 3.0], [3.0, 5.0, 7.0]);
        let sums = |weight: f64, bias: f64| {
            let mut sums = LossSums { n: 3, weight_sum: 3.0, ..LossSums::default() };
            for (x, t) in x.iter().zip(t) {
                let r = weight * x + bias - t;
                sums.rr += r * r;
                sums.rx += r * x;
                sums.r += r;
            }
            sums
        };
        let spread = Spread { mean: 4.0 / 3.0, square: 10.0 / 3.0 };
        for (w, v) in [(0.0, 0.0), (1.0, 0.0), (0.0, -2.0), (-3.0, 5.0), (0.5, 0.25)] {
            let (got, want) = (spread.moved(sums(2.0, 1.0), Affine::new(w, v)), sums(2.0 + w, 1.0 + v));
            for (got, want) in [(got.rr, want.rr), (got.rx, want.rx), (got.r, want.r)] {
                assert!((got - want).abs() <= 1e-13 * (1.0 + want.abs()), "{got} for {want}");
            }
        }
        // ∞ times nothing is nothing.
        let beyond = Spread { mean: f64::INFINITY, square: f64::NAN };
        assert_eq!(beyond.moved(sums(2.0, 1.0), Affine::default()), sums(2.0, 1.0));
    }

    /// The shader's function alone, on either side of both ends of what is cut
    /// and far beyond them.
    #[test]
    fn the_shader_cuts_where_its_twin_does() {
        use super::super::buffers::{STORAGE_INPUT, create_buffer};
        use super::super::device::{Device, tests::software_adapter};
        use super::super::readback::Staging;
        const ENTRY: &str = "
            struct Sizes { x_size: f32, t_size: f32, x_reciprocal: f32 }
            var<private> descent: Sizes;
            @group(0) @binding(0) var<storage, read_write> rows: array<vec4<f32>>;
            @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                let row = rows[id.x];
                descent = Sizes(row.x, row.y, 1.0 / row.x);
                rows[id.x] = vec4(coarse(row.z, row.w), 0.0, 0.0);
            }";
        let step = include_str!("../../../shaders/shared/step.wgsl");
        let start = step.find("fn coarse(").unwrap();
        let function = &step[start..][..step[start..].find("\n}\n").unwrap() + 2];
        let power = |exponent: i32| 2f32.powi(exponent);
        let mut rows = Vec::new();
        for x in [power(-20), 1.0, power(20)] {
            for size in [-120, -101, -100, -99, -1, 0, 12, 99, 100, 120].map(power) {
                for value in [1.0, 1.3, -1.0 / 3.0, 1.999_999_9, 0.0] {
                    rows.push([x, size / 1024.0, 0.3 * value * size / x, value * size]);
                    rows.push([x, size, value * size / x / 4096.0, value]);
                }
            }
        }
        let device = Device::open(&software_adapter()).unwrap();
        let bytes = size_of_val(&rows[..]) as u64;
        let usage = STORAGE_INPUT | wgpu::BufferUsages::COPY_SRC;
        let buffer = create_buffer(&device, "rows", bytes, usage).unwrap();
        let staging = Staging::new(&device, "staging", bytes).unwrap();
        let (pipeline, group) = device
            .scoped(0, |device, queue| {
                queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&rows));
                let source = wgpu::ShaderSource::Wgsl(format!("{ENTRY}\n{function}").into());
                let descriptor = wgpu::ShaderModuleDescriptor { label: None, source };
                let module = device.create_shader_module(descriptor);
                let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: None,
                    layout: None,
                    module: &module,
                    entry_point: Some("main"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    cache: None,
                });
                let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: None,
                    layout: &pipeline.get_bind_group_layout(0),
                    entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
                });
                (pipeline, group)
            })
            .unwrap();
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(u32::try_from(rows.len()).unwrap(), 1, 1);
        };
        let read = |bytes: &[u8]| bytemuck::pod_collect_to_vec::<u8, [f32; 4]>(bytes);
        let got = staging.run(&device, &buffer, bytes, record, read).unwrap();
        let mut cut = 0;
        for ([x, t, weight, bias], got) in rows.iter().copied().zip(got) {
            let want = Sizes { x, t }.coarse(Affine::new(weight.into(), bias.into()));
            assert_eq!(got[..2], want, "{x:e} {t:e} {weight:e} {bias:e}");
            cut += usize::from(want != [weight, bias]);
        }
        assert!(cut > 20 && cut < rows.len() - 20, "{cut} of {}", rows.len());
    }
}
