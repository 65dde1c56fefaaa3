//! The Rust tier of the tutorial: C functions over the caller's arrays, without crates.
//!
//! `python -m kuramoto` builds it with `rustc --crate-type cdylib`.

const PER_QUARTER: f64 = std::f64::consts::FRAC_2_PI;
/// A quarter turn in three parts; the products with whole numbers below 2^20 are exact (Cody, Waite 1980).
const QUARTER: [f64; 3] = [
    1.570_796_326_734_125_6,
    6.077_100_506_303_966e-11,
    2.022_266_248_795_950_6e-21,
];
/// Adding it rounds to a whole number, which then lies in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// Beyond it the reduction loses digits; the standard library is asked then.
const FAR: f64 = 1e6;

/// Sine and cosine from polynomials around the nearest quarter turn, without a branch, so that several
/// angles are computed at once. Taylor series to x^17 and x^16: the rest is below 1e-16 there.
#[inline(always)]
fn sine_cosine(x: f64) -> (f64, f64) {
    let shifted = x * PER_QUARTER + ROUND;
    let quarters = shifted.to_bits();
    let k = shifted - ROUND;
    let r = ((x - k * QUARTER[0]) - k * QUARTER[1]) - k * QUARTER[2];
    let z = r * r;
    let mut sine = 1.0 / 355_687_428_096_000.0;
    for divisor in [
        -1_307_674_368_000.0,
        6_227_020_800.0,
        -39_916_800.0,
        362_880.0,
        -5_040.0,
        120.0,
        -6.0,
        1.0,
    ] {
        sine = sine * z + 1.0 / divisor;
    }
    sine *= r;
    let mut cosine = 1.0 / 20_922_789_888_000.0;
    for divisor in [
        -87_178_291_200.0,
        479_001_600.0,
        -3_628_800.0,
        40_320.0,
        -720.0,
        24.0,
        -2.0,
        1.0,
    ] {
        cosine = cosine * z + 1.0 / divisor;
    }
    let swap = quarters & 1 == 1;
    let (s, c) = if swap { (cosine, sine) } else { (sine, cosine) };
    let sign_of_s = (quarters & 2) << 62;
    let sign_of_c = ((quarters + 1) & 2) << 62;
    (
        f64::from_bits(s.to_bits() ^ sign_of_s),
        f64::from_bits(c.to_bits() ^ sign_of_c),
    )
}

fn are_near(angles: &[f64]) -> bool {
    angles.iter().all(|x| x.abs() < FAR)
}

/// |sum of exp(i theta)| / n.
///
/// # Safety
/// `theta` points to `n` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn order_parameter(theta: *const f64, n: usize) -> f64 {
    // SAFETY: as the caller promises.
    let theta = unsafe { std::slice::from_raw_parts(theta, n) };
    let (mut sines, mut cosines) = ([0.0; 8], [0.0; 8]);
    let near = are_near(theta);
    let parts = theta.chunks_exact(8);
    for &x in parts.remainder() {
        let (s, c) = x.sin_cos();
        sines[0] += s;
        cosines[0] += c;
    }
    for part in parts {
        for k in 0..8 {
            let (s, c) = if near { sine_cosine(part[k]) } else { part[k].sin_cos() };
            sines[k] += s;
            cosines[k] += c;
        }
    }
    sines.iter().sum::<f64>().hypot(cosines.iter().sum()) / n as f64
}

/// Euler steps of d theta_i / dt = omega_i + sum_j K_ij sin(theta_j - theta_i), in place.
///
/// # Safety
/// `theta` and `omega` point to `n` values, `coupling` to `n` x `n`, `work` to 2 `n`, all apart.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kuramoto_euler(
    theta: *mut f64,
    omega: *const f64,
    coupling: *const f64,
    n: usize,
    dt: f64,
    steps: usize,
    work: *mut f64,
) {
    use std::slice::{from_raw_parts, from_raw_parts_mut};
    // SAFETY: as the caller promises.
    let (theta, work) = unsafe { (from_raw_parts_mut(theta, n), from_raw_parts_mut(work, 2 * n)) };
    // SAFETY: as the caller promises.
    let (omega, coupling) = unsafe { (from_raw_parts(omega, n), from_raw_parts(coupling, n * n)) };
    let (sines, cosines) = work.split_at_mut(n);
    for _ in 0..steps {
        let near = are_near(theta);
        for ((x, s), c) in theta.iter().zip(&mut *sines).zip(&mut *cosines) {
            (*s, *c) = if near { sine_cosine(*x) } else { x.sin_cos() };
        }
        // sin(a - b) = sin a cos b - cos a sin b, so each pair costs two products and no sine.
        for (i, row) in coupling.chunks_exact(n).enumerate() {
            let (s, c) = (dot(row, sines), dot(row, cosines));
            theta[i] += dt * (omega[i] + s * cosines[i] - c * sines[i]);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a8.remainder().iter().zip(b8.remainder());
    let mut total: f64 = rest.map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for k in 0..8 {
            sums[k] += x[k] * y[k];
        }
    }
    for sum in sums {
        total += sum;
    }
    total
}
