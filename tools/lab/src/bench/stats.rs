// SPDX-License-Identifier: GPL-2.0

//! Medians with their spread, and the exponent of growth.

use serde::Deserialize;
use serde::Serialize;

/// What several runs measured; ascending.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(from = "Vec<f64>")]
pub struct Sample(Vec<f64>);

impl From<Vec<f64>> for Sample {
    fn from(mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Sample {
    /// Adds the result of one run.
    pub fn add(&mut self, value: f64) {
        if value.is_finite() {
            let at = self.0.partition_point(|known| *known <= value);
            self.0.insert(at, value);
        }
    }

    /// The value in the middle, or between the two in the middle.
    pub fn median(&self) -> Option<f64> {
        let upper = *self.0.get(self.0.len() / 2)?;
        if self.0.len() % 2 == 1 {
            return Some(upper);
        }
        let lower = *self.0.get((self.0.len() / 2).checked_sub(1)?)?;
        Some((lower + upper) / 2.0)
    }

    /// The smallest and the largest value.
    pub fn spread(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same with each value changed.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self::from(
            self.0
                .iter()
                .map(|&value| change(value))
                .collect::<Vec<_>>(),
        )
    }
}

/// The exponent `e` of the `a * n^e` that is nearest to `points` by least squares of logarithms.
///
/// `None` for fewer than two points with different `n`, or for a value that has no logarithm.
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    if points.iter().any(|&(n, value)| n <= 0.0 || value <= 0.0) {
        return None;
    }
    let count = points.len() as f64;
    let logs = || points.iter().map(|&(n, value)| (n.ln(), value.ln()));
    let mean_x = logs().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = logs().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let mut sample = Sample::default();
        assert_eq!(sample.median(), None);
        assert_eq!(sample.spread(), None);
        for value in [3.0, 1.0, 10.0] {
            sample.add(value);
        }
        assert_eq!(sample.median(), Some(3.0));
        sample.add(f64::NAN);
        sample.add(4.0);
        assert_eq!(sample.median(), Some(3.5));
        assert_eq!(sample.spread(), Some((1.0, 10.0)));
        assert_eq!(sample.len(), 4);
        assert_eq!(sample.map(|value| value - 1.0).median(), Some(2.5));
    }

    #[test]
    fn samples_are_in_order_wherever_they_come_from() {
        let sample: Sample = serde_json::from_str("[2.0, 1.0]").expect("JSON");
        assert_eq!(sample.spread(), Some((1.0, 2.0)));
    }

    #[test]
    fn exponents_of_powers_are_found() {
        let grow = |e: f64| -> Vec<(f64, f64)> {
            [1.0, 16.0, 128.0, 1024.0]
                .map(|n: f64| (n, 7.0 * n.powf(e)))
                .to_vec()
        };
        for e in [0.0, 1.0, 1.5, 2.0] {
            let found = exponent(&grow(e)).expect("points");
            assert!((found - e).abs() < 1e-9, "{found} is not {e}");
        }
        assert_eq!(exponent(&[(1.0, 1.0)]), None);
        assert_eq!(exponent(&[(2.0, 1.0), (2.0, 3.0)]), None);
        assert_eq!(exponent(&[(1.0, 0.0), (2.0, 3.0)]), None);
        assert_eq!(exponent(&[]), None);
    }
}
