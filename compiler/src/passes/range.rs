//! Intervals of floats, in real arithmetic, with open ends.

/// An interval. An infinite end is open where every value is a number, closed where −∞ or ∞ itself can occur (the
/// maximum of an empty fiber).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// The lower end itself does not occur.
    pub lo_open: bool,
    /// The upper end itself does not occur.
    pub hi_open: bool,
}

impl Range {
    /// Every number.
    pub const REAL: Range = Range { lo: f64::NEG_INFINITY, hi: f64::INFINITY, lo_open: true, hi_open: true };
    /// Every number and both infinities.
    pub const ALL: Range = Range { lo: f64::NEG_INFINITY, hi: f64::INFINITY, lo_open: false, hi_open: false };

    /// One value.
    pub fn point(x: f64) -> Range {
        if x.is_nan() { Range::ALL } else { Range::closed(x, x) }
    }

    /// `[lo, hi]`, with infinite ends open.
    pub fn closed(lo: f64, hi: f64) -> Range {
        Range { lo, hi, lo_open: lo == f64::NEG_INFINITY, hi_open: hi == f64::INFINITY }
    }

    /// `(0, ∞)`.
    pub fn positive() -> Range {
        Range { lo: 0.0, hi: f64::INFINITY, lo_open: true, hi_open: true }
    }

    /// Always > 0.
    pub fn is_positive(&self) -> bool {
        self.lo > 0.0 || (self.lo == 0.0 && self.lo_open)
    }

    /// Always < 0.
    pub fn is_negative(&self) -> bool {
        self.neg().is_positive()
    }

    /// Always ≥ 0.
    pub fn is_nonnegative(&self) -> bool {
        self.lo >= 0.0
    }

    /// Always ≤ 0.
    pub fn is_nonpositive(&self) -> bool {
        self.hi <= 0.0
    }

    /// Largest magnitude, ∞ if unbounded.
    pub fn magnitude(&self) -> f64 {
        self.lo.abs().max(self.hi.abs())
    }

    /// Smallest interval around both.
    pub fn join(&self, o: &Range) -> Range {
        let (lo, lo_open) = least((self.lo, self.lo_open), (o.lo, o.lo_open));
        let (hi, hi_open) = greatest((self.hi, self.hi_open), (o.hi, o.hi_open));
        Range { lo, hi, lo_open, hi_open }
    }

    /// Values in both.
    pub fn meet(&self, o: &Range) -> Range {
        let tighter_lo = o.lo > self.lo || (o.lo == self.lo && o.lo_open);
        let tighter_hi = o.hi < self.hi || (o.hi == self.hi && o.hi_open);
        let (lo, lo_open) = if tighter_lo { (o.lo, o.lo_open) } else { (self.lo, self.lo_open) };
        let (hi, hi_open) = if tighter_hi { (o.hi, o.hi_open) } else { (self.hi, self.hi_open) };
        Range { lo, hi, lo_open, hi_open }
    }

    /// `-x`.
    pub fn neg(&self) -> Range {
        Range { lo: -self.hi, hi: -self.lo, lo_open: self.hi_open, hi_open: self.lo_open }
    }

    /// `x + y`.
    pub fn add(&self, o: &Range) -> Range {
        if (self.lo + o.lo).is_nan() || (self.hi + o.hi).is_nan() {
            return Range::ALL;
        }
        Range {
            lo: self.lo + o.lo,
            hi: self.hi + o.hi,
            lo_open: sum_open(self.lo, self.lo_open, o.lo, o.lo_open),
            hi_open: sum_open(self.hi, self.hi_open, o.hi, o.hi_open),
        }
    }

    /// `x · y`.
    pub fn mul(&self, o: &Range) -> Range {
        let ends = |r: &Range| [(r.lo, r.lo_open), (r.hi, r.hi_open)];
        let corners = ends(self).into_iter().flat_map(|a| ends(o).into_iter().map(move |b| corner(a, b)));
        let corners: Vec<(f64, bool)> = corners.collect();
        let (lo, lo_open) = corners.iter().copied().fold((f64::INFINITY, true), least);
        let (hi, hi_open) = corners.iter().copied().fold((f64::NEG_INFINITY, true), greatest);
        Range { lo, hi, lo_open, hi_open }
    }

    /// `1 / x`; everything if x may be 0.
    pub fn recip(&self) -> Range {
        if self.is_positive() {
            let at = |x: f64| if x == 0.0 { f64::INFINITY } else { 1.0 / x };
            Range { lo: at(self.hi), hi: at(self.lo), lo_open: self.hi_open, hi_open: self.lo_open }
        } else if self.is_negative() {
            self.neg().recip().neg()
        } else {
            Range::ALL
        }
    }

    /// The image under an increasing function that is defined at infinite ends too.
    pub fn increasing(&self, f: impl Fn(f64) -> f64) -> Range {
        Range { lo: f(self.lo), hi: f(self.hi), lo_open: self.lo_open, hi_open: self.hi_open }
    }

    /// `max(x, y)`.
    pub fn maximum(&self, o: &Range) -> Range {
        let (hi, hi_open) = greatest((self.hi, self.hi_open), (o.hi, o.hi_open));
        let lower_is_self = self.lo < o.lo || (self.lo == o.lo && !self.lo_open);
        let (lo, lo_open) = if lower_is_self { (o.lo, o.lo_open) } else { (self.lo, self.lo_open) };
        Range { lo, hi, lo_open, hi_open }
    }

    /// The same range with its ends reached: what is left after a rounding.
    pub fn rounded(&self) -> Range {
        Range { lo_open: false, hi_open: false, ..*self }
    }

    /// The same range with its lower end reached.
    pub fn closed_lo(&self) -> Range {
        Range { lo_open: false, ..*self }
    }

    /// `|x|`.
    pub fn abs(&self) -> Range {
        if self.is_nonnegative() {
            *self
        } else if self.is_nonpositive() {
            self.neg()
        } else {
            let (hi, hi_open) = greatest((self.hi, self.hi_open), (-self.lo, self.lo_open));
            Range { lo: 0.0, hi, lo_open: false, hi_open }
        }
    }
}

fn least(a: (f64, bool), b: (f64, bool)) -> (f64, bool) {
    if b.0 < a.0 || (b.0 == a.0 && !b.1) { b } else { a }
}

fn greatest(a: (f64, bool), b: (f64, bool)) -> (f64, bool) {
    if b.0 > a.0 || (b.0 == a.0 && !b.1) { b } else { a }
}

/// An end of a sum is missed if one of its parts is missed, unless the other part alone is infinite there.
fn sum_open(a: f64, a_open: bool, b: f64, b_open: bool) -> bool {
    let infinite = (a.is_infinite() && !a_open) || (b.is_infinite() && !b_open);
    (a_open || b_open) && !infinite
}

/// A corner of a product. A closed 0 is reached whatever the other factor is.
fn corner(a: (f64, bool), b: (f64, bool)) -> (f64, bool) {
    match (a.0 == 0.0, b.0 == 0.0) {
        (true, false) => (0.0, a.1),
        (false, true) => (0.0, b.1),
        (true, true) => (0.0, a.1 && b.1),
        (false, false) => (a.0 * b.0, a.1 || b.1),
    }
}
