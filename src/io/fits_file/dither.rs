//! Floating-point pixels that were quantized to whole numbers, with noise of half a
//! step that is known (FITS standard 4.0, section 10.2 and appendix I).

/// Random numbers of the standard's sequence, which begins again after so many.
const COUNT: usize = 10_000;

/// A quantized value that stands for none.
const NULL: i32 = -2_147_483_647;

/// A quantized value that stands for 0, of the second method.
const ZERO: i32 = -2_147_483_646;

/// The noise that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    None,
    One,
    /// One that keeps zeros.
    Two,
}

/// The random numbers: Park's and Miller's generator.
pub(super) struct Noise(Vec<f32>);

impl Noise {
    pub(super) fn new() -> Self {
        let mut seed = 1u64;
        let next = |_| {
            seed = seed * 16_807 % 2_147_483_647;
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "as the standard has it"
            )]
            let number = (seed as f64 / 2_147_483_647.0) as f32;
            number
        };
        Self((0..COUNT).map(next).collect())
    }

    /// The numbers from a tile's place in the sequence on: the tile's number is added to
    /// the file's seed.
    fn of_tile(&self, number: usize) -> impl Iterator<Item = f32> + '_ {
        let mut place = number % COUNT;
        let mut next = self.start(place);
        std::iter::from_fn(move || {
            let noise = *self.0.get(next)?;
            next += 1;
            if next == COUNT {
                place = (place + 1) % COUNT;
                next = self.start(place);
            }
            Some(noise)
        })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 500")]
    fn start(&self, place: usize) -> usize {
        (self.0[place] * 500.0) as usize
    }
}

/// The scale, the offset and the missing value of a tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantized {
    pub(super) scale: f64,
    pub(super) zero: f64,
    pub(super) blank: Option<i64>,
}

/// The pixels of tile number `number`, counted from the file's seed.
pub(super) fn restore(
    quantized: Quantized,
    method: Method,
    noise: &Noise,
    number: usize,
    values: &[u32],
) -> Vec<f64> {
    let Quantized { scale, zero, blank } = quantized;
    let pixel = |(value, noise): (&u32, f32)| {
        let value = value.cast_signed();
        let is_null = match blank {
            Some(blank) => i64::from(value) == blank,
            None => value == NULL,
        };
        match method {
            _ if is_null => f64::NAN,
            Method::Two if value == ZERO => 0.0,
            Method::None => f64::from(value) * scale + zero,
            _ => (f64::from(value) - f64::from(noise) + 0.5) * scale + zero,
        }
    };
    values.iter().zip(noise.of_tile(number)).map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard gives the last seed of the sequence: 1043618065.
    #[test]
    fn the_sequence_is_that_of_the_standard() {
        let noise = Noise::new();
        assert_eq!(noise.0.len(), COUNT);
        #[expect(clippy::cast_possible_truncation, reason = "as f32 has it")]
        let last = (1_043_618_065.0f64 / 2_147_483_647.0) as f32;
        assert_eq!(noise.0[COUNT - 1], last);
        assert_eq!(noise.of_tile(3).take(20_000).count(), 20_000);
    }

    #[test]
    fn missing_pixels_are_nan_and_zeros_are_kept() {
        let noise = Noise::new();
        let quantized = Quantized { scale: 2.0, zero: 1.0, blank: None };
        let values = [NULL.cast_unsigned(), ZERO.cast_unsigned(), 5];
        let plain = restore(quantized, Method::None, &noise, 0, &values);
        assert!(plain[0].is_nan() && plain[2] == 11.0);
        let two = restore(quantized, Method::Two, &noise, 0, &values);
        assert!(two[0].is_nan() && two[1] == 0.0 && (two[2] - 11.0).abs() <= 1.0 && two[2] != 11.0);
        let blank = Quantized { blank: Some(5), ..quantized };
        assert!(restore(blank, Method::One, &noise, 0, &values)[2].is_nan());
    }
}
