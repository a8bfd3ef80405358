//! The acceptance rule: relative error in the Frobenius norm over the finite entries of the reference, at most twice
//! the error of an eager evaluation in the same type, plus 1e-6; infinite entries must be reproduced exactly.

use einattn_compiler::interp::Value;

/// What an output is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Relative error.
    pub rel: f64,
    /// Why the output is wrong beyond its error: shape, a missing infinity, a NaN.
    pub defect: Option<String>,
}

impl Verdict {
    /// True if the output is accepted under a bound.
    pub fn accepted(&self, bound: f64) -> bool {
        self.defect.is_none() && self.rel <= bound
    }
}

/// The bound of compiled targets.
pub fn naive_bound(naive: f64) -> f64 {
    2.0 * naive + 1e-6
}

/// The bound of the interpreter.
pub fn interpreter_bound() -> f64 {
    1e-6
}

/// Compares an output with the reference.
pub fn compare(got: &Value, reference: &Value) -> Verdict {
    if got.shape != reference.shape {
        let defect = format!("shape {:?} instead of {:?}", got.shape, reference.shape);
        return Verdict { rel: f64::INFINITY, defect: Some(defect) };
    }
    let (mut error, mut norm) = (0.0, 0.0);
    for (i, (x, r)) in got.data.iter().zip(&reference.data).enumerate() {
        if r.is_finite() && x.is_finite() {
            error += (x - r) * (x - r);
            norm += r * r;
        } else if x != r {
            let defect = format!("element {i} is {x} instead of {r}");
            return Verdict { rel: f64::INFINITY, defect: Some(defect) };
        }
    }
    // A reference of zeros leaves the absolute error.
    Verdict { rel: if norm > 0.0 { (error / norm).sqrt() } else { error.sqrt() }, defect: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(data: &[f64]) -> Value {
        Value { shape: vec![data.len()], data: data.to_vec() }
    }

    #[track_caller]
    fn check(got: &[f64], reference: &[f64], rel: f64, defect: bool) {
        let v = compare(&value(got), &value(reference));
        assert_eq!((v.rel, v.defect.is_some()), (rel, defect), "{v:?}");
    }

    #[test]
    fn errors_and_infinities() {
        let inf = f64::NEG_INFINITY;
        check(&[3.0, 4.0], &[3.0, 4.0], 0.0, false);
        check(&[3.0, 9.0], &[3.0, 4.0], 1.0, false);
        check(&[3.0, inf], &[3.0, inf], 0.0, false);
        check(&[0.5], &[0.0], 0.5, false);
        check(&[3.0, -1e30], &[3.0, inf], f64::INFINITY, true);
        check(&[f64::NAN], &[1.0], f64::INFINITY, true);
        check(&[1.0, 2.0], &[1.0], f64::INFINITY, true);
        assert!(!compare(&value(&[f64::NAN]), &value(&[f64::NAN])).accepted(1.0));
    }
}
