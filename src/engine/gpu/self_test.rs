//! Devices that claim a precision have to prove it: a kernel whose results show
//! whether rounding errors are kept.

use super::abi::{FinishedSum, SelfTestCase, SelfTestResult, SelfTestUniform, binding};
use super::buffers::{STORAGE, STORAGE_INPUT, create_buffer};
use super::device::Device;
use super::kernels::{self, KernelSource};
use super::packing::Proven;
use super::pipelines::Kernel;
use super::readback::Staging;
use super::{Adapter, GpuError, Precision};

impl Precision {
    /// Checks that the adapter offers this precision. For that it may have to be
    /// opened.
    ///
    /// # Errors
    /// [`GpuError::NoF64`], [`GpuError::NoCompensation`], whatever the device
    /// reports.
    pub fn check(self, adapter: &Adapter) -> Result<(), GpuError> {
        match self {
            Self::Fast => Ok(()),
            Self::Compensated => self_test(&Device::open(adapter)?).map(|_| ()),
            Self::F64 => self.check_f64(adapter),
        }
    }
}

/// Cases of the self-test, four pairs of numbers each.
const CASES: usize = 256;

/// Proves that a device keeps the rounding errors of sums and products, with
/// numbers whose errors the host knows. Drivers are free to simplify them away,
/// and some do. Twin of `self_test.wgsl`.
///
/// True if `fma` rounds once on the device, so that products may be made with it.
///
/// # Errors
/// [`GpuError::NoCompensation`] if it loses any either way; whatever the device
/// reports.
pub(super) fn self_test(device: &Device) -> Result<bool, GpuError> {
    let mut found = Ok(false);
    for fma in [true, false] {
        let source = kernels::self_test(Proven { fma, ..Proven::default() });
        found = self_test_of(device, &source, source.text()).map(|()| fma);
        if found.is_ok() {
            break;
        }
    }
    found
}

/// Whether a device's built-in function unpacks every finite number of 16 bits
/// exactly. Twin of `self_test_halves.wgsl`.
pub(super) fn self_test_halves(device: &Device) -> Result<bool, GpuError> {
    const PATTERNS: usize = 1 << 16;
    let bytes = (PATTERNS * size_of::<f32>()) as u64;
    let unpacked = create_buffer(device, "unpacked halves", bytes, STORAGE)?;
    let (kernel, bindings) = device.scoped(0, |device, _| {
        use binding::self_test::UNPACKED;
        let kernel = Kernel::compile(device, &kernels::self_test_halves());
        let bindings = kernel.bind(device, &[(UNPACKED, unpacked.as_entire_binding())]);
        (kernel, bindings)
    })?;
    let record = |pass: &mut wgpu::ComputePass<'_>| {
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(1 << 8, 1, 1);
    };
    let staging = Staging::new(device, "unpacked halves staging", bytes)?;
    let read = |bytes: &[u8]| bytemuck::pod_collect_to_vec::<u8, f32>(bytes);
    let got = staging.run(device, &unpacked, bytes, record, read)?;
    Ok(got.len() == PATTERNS && are_all_exact(&got))
}

/// Whether these are the numbers of all patterns of 16 bits, with their signs, in
/// order; those that are not finite may be anything.
fn are_all_exact(unpacked: &[f32]) -> bool {
    let want = (0..=u16::MAX).map(|bits| half::f16::from_bits(bits).to_f32());
    unpacked.iter().zip(want).all(|(got, want)| !want.is_finite() || got.to_bits() == want.to_bits())
}

fn self_test_of(device: &Device, source: &KernelSource, text: String) -> Result<(), GpuError> {
    let cases = cases();
    let bytes = (CASES * size_of::<SelfTestResult>()) as u64;
    let input = create_buffer(device, "self-test cases", size_of_val(&*cases) as u64, STORAGE_INPUT)?;
    let results = create_buffer(device, "self-test results", bytes, STORAGE)?;
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let uniform = create_buffer(device, "self-test", size_of::<SelfTestUniform>() as u64, usage)?;
    let count = u32::try_from(CASES).unwrap_or(0);
    let (kernel, bindings) = device.scoped(0, |device, queue| {
        use binding::self_test::{CASES, RESULTS, TEST};
        queue.write_buffer(&input, 0, bytemuck::cast_slice(&cases));
        queue.write_buffer(
            &uniform,
            0,
            bytemuck::bytes_of(&SelfTestUniform { count, zero: 0, unused: [0; 2] }),
        );
        let kernel = Kernel::compile_text(device, source, text);
        let bindings = kernel.bind(
            device,
            &[
                (CASES, input.as_entire_binding()),
                (RESULTS, results.as_entire_binding()),
                (TEST, uniform.as_entire_binding()),
            ],
        );
        (kernel, bindings)
    })?;
    let record = |pass: &mut wgpu::ComputePass<'_>| {
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(count.div_ceil(64), 1, 1);
    };
    let staging = Staging::new(device, "self-test staging", bytes)?;
    let read = |bytes: &[u8]| -> Vec<SelfTestResult> {
        bytes.chunks_exact(size_of::<SelfTestResult>()).map(bytemuck::pod_read_unaligned).collect()
    };
    let results = staging.run(device, &results, bytes, record, read)?;
    let lost = cases.iter().zip(&results).map(|(case, result)| lost(case, result)).sum();
    if lost > 0 || results.len() != CASES {
        return Err(GpuError::NoCompensation { adapter: device.adapter(), lost, of: 12 * CASES });
    }
    Ok(())
}

/// Numbers of both signs and of sizes from 2⁻³⁰ to 2³⁰ with all their bits in
/// use, so that neither sums nor products nor their errors leave f32's range.
fn cases() -> Vec<SelfTestCase> {
    let mut state = 0x2545_f491_u32;
    let mut number = || {
        // Xorshift (G. Marsaglia, 2003).
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let exponent = 127 - 30 + (state >> 8) % 61;
        f32::from_bits((state & 0x807f_ffff) | (exponent << 23) | 1)
    };
    let mut four = || [number(), number(), number(), number()];
    (0..CASES).map(|_| SelfTestCase { a: four(), b: four() }).collect()
}

/// The number of a case's results that are wrong: not the rounded sum, product
/// or chain, or not exactly its rounding error.
fn lost(case: &SelfTestCase, result: &SelfTestResult) -> usize {
    (0..4)
        .map(|lane| {
            let (a, b) = (case.a[lane], case.b[lane]);
            let (wide_a, wide_b) = (f64::from(a), f64::from(b));
            let got = |sum: &FinishedSum| (sum.hi[lane], sum.lo[lane]);
            // A sum of sizes up to 2⁶⁰ apart may have more bits than f64: its
            // error is computed as the device must (D. E. Knuth, 1969), where
            // every operation rounds once.
            let sum = a + b;
            let b_part = sum - a;
            let sum_error = (a - (sum - b_part)) + (b - b_part);
            // A product of 24 bits by 24 is exact in f64, and so is the rest.
            let product = a * b;
            #[expect(clippy::cast_possible_truncation, reason = "at most 24 bits are left")]
            let product_error = (wide_a * wide_b - f64::from(product)) as f32;
            let chain = got(&result.chain);
            // b to 2⁻⁴⁶ of the largest number on the way.
            let chain_off = (f64::from(chain.0) + f64::from(chain.1) - wide_b).abs();
            usize::from(got(&result.sum) != (sum, sum_error))
                + usize::from(got(&result.product) != (product, product_error))
                + usize::from(chain_off > 2f64.powi(-46) * wide_a.abs().max(wide_b.abs()))
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::device::tests::software_adapter;
    use super::*;
    use crate::array::{Hint, Hinted};

    #[test]
    fn a_device_that_keeps_rounding_errors_passes() {
        let device = Device::open(&software_adapter()).unwrap();
        self_test(&device).unwrap();
        // By halves of factors too, whatever fma does.
        let dekker = kernels::self_test(Proven::default());
        self_test_of(&device, &dekker, dekker.text()).unwrap();
    }

    /// One wrong bit of one number, or a lost sign of 0, is noticed.
    #[test]
    fn halves_are_all_compared() {
        let mut all: Vec<f32> = (0..=u16::MAX).map(|bits| half::f16::from_bits(bits).to_f32()).collect();
        assert!(are_all_exact(&all));
        all[0x7c00] = 0.0;
        assert!(are_all_exact(&all), "infinity may be anything");
        for (place, wrong) in [(1usize, 0.0f32), (0x8000, 0.0), (0x3c00, 1.000_000_1), (0x7bff, 65_503.0)] {
            let right = std::mem::replace(&mut all[place], wrong);
            assert!(!are_all_exact(&all), "{place:x}");
            all[place] = right;
        }
        let device = Device::open(&software_adapter()).unwrap();
        self_test_halves(&device).unwrap();
    }

    /// Without the operation that hides the numbers from the compiler,
    /// lavapipe's loses the errors: that must be noticed.
    #[test]
    fn a_device_that_simplifies_rounding_errors_away_is_refused() {
        let device = Device::open(&software_adapter()).unwrap();
        let hidden = "bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4(run_time_zero()))";
        let source = kernels::self_test(Proven::default());
        let text = source.text();
        assert_eq!(text.matches(hidden).count(), 1);
        let error = self_test_of(&device, &source, text.replace(hidden, "v")).unwrap_err();
        assert!(matches!(error, GpuError::NoCompensation { lost: 1.., .. }), "{error}");
        assert!(error.hints().contains(&Hint::FastPrecision), "{error}");
    }

    #[test]
    fn one_wrong_bit_is_a_loss() {
        let case = SelfTestCase { a: [1.0; 4], b: [2f32.powi(-30); 4] };
        let exact = |hi: f32, lo: f32| FinishedSum { hi: [hi; 4], lo: [lo; 4] };
        let small = 2f32.powi(-30);
        let good =
            SelfTestResult { sum: exact(1.0, small), product: exact(small, 0.0), chain: exact(small, 0.0) };
        assert_eq!(lost(&case, &good), 0);
        assert_eq!(lost(&case, &SelfTestResult { sum: exact(1.0, 0.0), ..good }), 4);
        assert_eq!(lost(&case, &SelfTestResult { product: exact(small, small), ..good }), 4);
        assert_eq!(lost(&case, &SelfTestResult { chain: exact(0.0, 0.0), ..good }), 4);
    }
}
