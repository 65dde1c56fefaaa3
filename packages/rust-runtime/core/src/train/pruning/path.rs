//! The path of backward elimination, for callers that hold a triangle of their own.

use super::triangle::Triangle;
use crate::error::Error;
use crate::train::gcv;

/// One size on the path of backward elimination.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathStep {
    /// Residual sum of squares over all responses.
    pub rss: f64,
    /// GCV of that.
    pub gcv: f64,
    /// Position of the term that goes next; None once only the first is left.
    pub next: Option<usize>,
}

/// Drop the term that costs least, again and again, from B = QR; sizes 1, 2, ... of B's columns.
///
/// `r` is the triangle, `size` x `size` in row order; `z` = Q'y, `size` x responses in row order;
/// `rss` what lies outside all columns, and `n` the number of rows. The first column always stays.
///
/// ```
/// use mars_earth_core::train::gcv_path;
///
/// let path = gcv_path(&[1.0, 0.0, 0.0, 1.0], &[3.0, 4.0], 2, 1.0, 10, 3.0)?;
/// assert_eq!((path[0].rss, path[1].rss), (17.0, 1.0));
/// assert_eq!((path[0].next, path[1].next), (None, Some(1)));
/// # Ok::<(), mars_earth_core::Error>(())
/// ```
///
/// # Errors
/// Shapes that do not fit, and a zero on the diagonal: the columns then depend on each other.
pub fn gcv_path(
    r: &[f64],
    z: &[f64],
    size: usize,
    rss: f64,
    n: usize,
    penalty: f64,
) -> Result<Vec<PathStep>, Error> {
    if size == 0 || size.checked_mul(size) != Some(r.len()) || z.len() % size != 0 {
        return Err(Error::ShapeMismatch(format!(
            "r holds {} values and z {}; {size} columns need {size} x {size} and {size} x responses",
            r.len(),
            z.len()
        )));
    }
    if let Some(k) = (0..size).find(|&k| r[k * size + k] == 0.0) {
        return Err(Error::InvalidArgument(format!(
            "r[{k}, {k}] is 0: column {k} depends on those before it; leave it out"
        )));
    }
    let column = |k: usize| (0..=k).map(|i| r[i * size + k]).collect();
    let columns: Vec<Vec<f64>> = (0..size).map(column).collect();
    let responses = z.len() / size;
    let of_response = |j: usize| (0..size).map(|k| z[k * responses + j]).collect();
    let along: Vec<Vec<f64>> = (0..responses).map(of_response).collect();
    let mut triangle = Triangle::new(&columns, &along, rss);
    let mut path = Vec::with_capacity(size);
    while !triangle.order.is_empty() {
        let costs = triangle.costs();
        let cheapest = (1..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b]));
        let rss = triangle.rss(triangle.len());
        path.push(PathStep {
            rss,
            gcv: gcv(rss, n, triangle.len(), penalty),
            next: cheapest.map(|k| triangle.order[k]),
        });
        triangle.drop(cheapest.unwrap_or(0));
    }
    path.reverse();
    Ok(path)
}
