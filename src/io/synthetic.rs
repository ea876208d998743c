//! Synthetic pairs: T = X·W + b + noise, for trials and benchmarks.

use half::f16;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;

use super::writer::ResultFile;
use crate::array::parallel;
use crate::array::{Array, DataError, Element, ElementType};
use crate::math::Affine;

/// Elements made from one random stream. Fixed, so that the same seed gives
/// the same data on any number of threads.
const STREAM_ELEMENTS: usize = 1 << 16;

/// Streams made, then written, at a time.
const STREAMS_AT_ONCE: usize = 64;

/// The recipe of a synthetic pair.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The W and b behind T.
    pub model: Affine,
    /// Standard deviation of the normal noise on T.
    pub noise: f64,
    /// The type both arrays are stored in.
    pub element: ElementType,
    /// The seed of the random numbers.
    pub seed: u64,
}

/// The effect on T of storing a pair in its element type.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Elements of T beyond the type's range, stored as its limit.
    pub saturated: u64,
}

/// A type that synthetic data can be stored in.
trait Synthetic: Element {
    /// One element of X: standard normal for floating point, uniform over the
    /// type's range for 8- and 16-bit integers, over ±1,000,000 (from 0 if
    /// unsigned) for wider ones.
    fn draw(random: &mut Pcg64Mcg) -> Self;
    /// The nearest value of the type, and whether it had to be clamped.
    fn store(value: f64) -> (Self, bool);
}

macro_rules! synthetic_integer {
    ($($int:ty: $low:expr, $high:expr;)*) => {$(
        impl Synthetic for $int {
            fn draw(random: &mut Pcg64Mcg) -> Self { random.random_range($low..=$high) }
            fn store(value: f64) -> (Self, bool) {
                let rounded = value.round_ties_even();
                (Self::from_f64(rounded), rounded < Self::MIN.to_f64() || rounded > Self::MAX.to_f64())
            }
        }
    )*};
}

synthetic_integer! {
    u8: u8::MIN, u8::MAX;
    i8: i8::MIN, i8::MAX;
    u16: u16::MIN, u16::MAX;
    i16: i16::MIN, i16::MAX;
    u32: 0, 1_000_000;
    i32: -1_000_000, 1_000_000;
    u64: 0, 1_000_000;
    i64: -1_000_000, 1_000_000;
}

macro_rules! synthetic_float {
    ($($float:ty)*) => {$(
        impl Synthetic for $float {
            fn draw(random: &mut Pcg64Mcg) -> Self { Self::from_f64(random.sample::<f64, _>(StandardNormal)) }
            fn store(value: f64) -> (Self, bool) {
                let stored: Self = Element::from_f64(value);
                match stored.is_infinite() {
                    true if value > 0.0 => (Self::MAX, true),
                    true => (Self::MIN, true),
                    false => (stored, false),
                }
            }
        }
    )*};
}

synthetic_float!(f16 f32 f64);

/// Calls a generic method with the type behind an [`ElementType`]; one that
/// isn't [supported](Recipe::supports) is an error.
macro_rules! with_synthetic {
    ($element:expr, $E:ident => $call:expr) => {{
        macro_rules! call {
            ($type:ty) => {{
                type $E = $type;
                $call
            }};
        }
        match $element {
            ElementType::Bool | ElementType::Bf16 => {
                Err(DataError::ElementType { path: "generate".into(), found: $element.name().to_owned() })
            }
            ElementType::U8 => call!(u8),
            ElementType::I8 => call!(i8),
            ElementType::U16 => call!(u16),
            ElementType::I16 => call!(i16),
            ElementType::U32 => call!(u32),
            ElementType::I32 => call!(i32),
            ElementType::U64 => call!(u64),
            ElementType::I64 => call!(i64),
            ElementType::F16 => call!(f16),
            ElementType::F32 => call!(f32),
            ElementType::F64 => call!(f64),
        }
    }};
}

impl Recipe {
    /// Whether pairs can be made in this type: all but bool, which has no
    /// noise, and bf16, which `.npy` doesn't know.
    #[must_use]
    pub fn supports(element: ElementType) -> bool {
        !matches!(element, ElementType::Bool | ElementType::Bf16)
    }

    /// Writes X and T, calling `progress` with the number of elements done so
    /// far; it says whether to go on.
    ///
    /// # Errors
    /// [`DataError::Write`]; [`DataError::ElementType`] for bool.
    pub fn write(
        &self,
        elements: u64,
        x: &mut ResultFile,
        t: &mut ResultFile,
        mut progress: impl FnMut(u64) -> bool,
    ) -> Result<Written, DataError> {
        with_synthetic!(self.element, E => self.write_as::<E>(elements, x, t, &mut progress))
    }

    /// X and T in memory, row-major in one dimension: the elements that
    /// [`write`](Self::write) writes.
    ///
    /// # Errors
    /// [`DataError::ElementType`] for bool.
    pub fn matrices(&self, elements: usize) -> Result<(Array, Array), DataError> {
        with_synthetic!(self.element, E => Ok(self.matrices_as::<E>(elements)))
    }

    fn matrices_as<E: Synthetic>(&self, elements: usize) -> (Array, Array) {
        let (mut xs, mut ts) = (vec![E::zeroed(); elements], vec![E::zeroed(); elements]);
        let streams = xs.chunks_mut(STREAM_ELEMENTS).zip(ts.chunks_mut(STREAM_ELEMENTS));
        parallel::for_each(streams.enumerate(), |(stream, (xs, ts))| {
            self.fill(stream as u64, xs, ts);
        });
        let shape = [elements as u64];
        (Array::from_vec("x", &shape, xs), Array::from_vec("t", &shape, ts))
    }

    #[expect(clippy::cast_possible_truncation, reason = "bounded by STREAM_ELEMENTS")]
    fn write_as<E: Synthetic>(
        &self,
        elements: u64,
        x: &mut ResultFile,
        t: &mut ResultFile,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Written, DataError> {
        let streams = elements.div_ceil(STREAM_ELEMENTS as u64);
        let mut written = Written::default();
        for first in (0..streams).step_by(STREAMS_AT_ONCE) {
            let count = (streams - first).min(STREAMS_AT_ONCE as u64) as usize;
            let made: Vec<(Vec<E>, Vec<E>, u64)> = parallel::map(count, |k| {
                let stream = first + k as u64;
                let start = stream * STREAM_ELEMENTS as u64;
                self.stream::<E>(stream, (elements - start).min(STREAM_ELEMENTS as u64) as usize)
            });
            for (xs, ts, saturated) in &made {
                x.write(xs).map_err(|e| x.failed(e))?;
                t.write(ts).map_err(|e| t.failed(e))?;
                written.saturated += saturated;
            }
            let done = (first + STREAMS_AT_ONCE as u64).min(streams) * STREAM_ELEMENTS as u64;
            if !progress(done.min(elements)) {
                break;
            }
        }
        Ok(written)
    }

    fn stream<E: Synthetic>(&self, stream: u64, elements: usize) -> (Vec<E>, Vec<E>, u64) {
        let (mut xs, mut ts) = (vec![E::zeroed(); elements], vec![E::zeroed(); elements]);
        let saturated = self.fill(stream, &mut xs, &mut ts);
        (xs, ts, saturated)
    }

    /// Makes one stream's elements and says how many of T were saturated.
    fn fill<E: Synthetic>(&self, stream: u64, xs: &mut [E], ts: &mut [E]) -> u64 {
        // SplitMix64's increment spreads the stream numbers over all bits;
        // `seed_from_u64` mixes them.
        let mut random = Pcg64Mcg::seed_from_u64(self.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut saturated = 0;
        for (x, t) in xs.iter_mut().zip(ts) {
            *x = E::draw(&mut random);
            let noise =
                if self.noise == 0.0 { 0.0 } else { self.noise * random.sample::<f64, _>(StandardNormal) };
            let (stored, clamped) = E::store(self.model.apply(x.to_f64()) + noise);
            *t = stored;
            saturated += u64::from(clamped);
        }
        saturated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Order, Shape};
    use crate::io::{Source, npy, open};

    #[test]
    fn pairs_in_memory_are_those_in_files() {
        let directory = tempfile::tempdir().unwrap();
        let elements = 2 * STREAM_ELEMENTS + 3;
        let recipe = Recipe { model: Affine::new(2.0, 1.0), noise: 0.5, element: ElementType::I16, seed: 7 };
        let shape = Shape(vec![elements as u64]);
        let paths = ["x.npy", "t.npy"].map(|name| directory.path().join(name));
        let [mut x, mut t] =
            [0, 1].map(|k| npy::create(&paths[k], &shape, ElementType::I16, Order::C).unwrap());
        recipe.write(elements as u64, &mut x, &mut t, |_| true).unwrap();
        x.finish().unwrap();
        t.finish().unwrap();
        let (x, t) = recipe.matrices(elements).unwrap();
        for (path, matrix) in paths.iter().zip([x, t]) {
            let source: Source = path.to_str().unwrap().parse().unwrap();
            let file = open(&source).unwrap();
            let of_file: &[i16] = file.as_slice(Order::C).unwrap();
            assert!(of_file == matrix.as_slice::<i16>(Order::C).unwrap());
            assert_eq!(matrix.shape(), &shape);
        }
        let bool_recipe = Recipe { element: ElementType::Bool, ..recipe };
        assert!(bool_recipe.matrices(1).is_err());
    }
}
