//! Random kernels from building blocks: scores, masks, weights, outputs. The same seed gives the same kernel.
//!
//! Guarantees verified cascades whose values are well conditioned: every division is by a sum of positive terms, so
//! that two correct evaluations agree up to rounding. Rows may be empty, extents differ and may be 0 or 1.

use einattn_compiler::cascade::{Cascade, Extent, parse};
use std::collections::BTreeMap;
use std::fmt::Write;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Another sequence for every seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.draw() % n.max(1) as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// A random kernel.
pub fn cascade(seed: u64) -> Cascade {
    let text = Writer::new(seed).kernel();
    parse(&text).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"))
}

/// Random extents for the free ranks of a kernel.
pub fn extents(c: &Cascade, seed: u64) -> BTreeMap<String, i64> {
    let mut rng = Rng::new(seed ^ 0xe17e);
    let free = c.ranks.iter().filter(|r| r.extent == Extent::Free);
    free.map(|r| (r.name.clone(), *rng.pick(&[3, 1, 5, 2, 4, 7, 0]))).collect()
}

/// Writes a kernel as text: declarations and statements on the way, put together at the end.
struct Writer {
    rng: Rng,
    declared: String,
    lets: String,
    nodes: String,
    /// Streamed rank variables: `m`, or `m, n`.
    streamed: &'static str,
    /// The same as upper-case names.
    dims: &'static str,
    /// Conjuncts of the mask, each in parentheses.
    mask: String,
    names: usize,
}

impl Writer {
    fn new(seed: u64) -> Writer {
        let mut rng = Rng::new(seed);
        let (streamed, dims) = *rng.pick(&[("m", "M"), ("m", "M"), ("m", "M"), ("m, n", "M, N")]);
        let (declared, lets, nodes, mask) = Default::default();
        Writer { rng, declared, lets, nodes, streamed, dims, mask, names: 0 }
    }

    fn kernel(mut self) -> String {
        self.mask = self.random_mask();
        for i in 0..1 + self.rng.below(2) {
            let scores = self.scores(i);
            let weights = self.weights(&scores);
            self.outputs(&weights, i);
        }
        let ranks = "rank B free\nrank P free\nrank M free\nrank N free\nrank E const 4\nrank F const 3\n";
        let Writer { declared, lets, nodes, .. } = self;
        format!("cascade random\n{ranks}scalar tau f32\n{declared}{lets}{nodes}")
    }

    fn fresh(&mut self, base: &str) -> String {
        self.names += 1;
        format!("{base}{}", self.names)
    }

    fn input(&mut self, base: &str, dtype: &str, dims: &str, facts: &str) -> String {
        let name = self.fresh(base);
        _ = writeln!(self.declared, "in {name} {dtype} [{dims}]{facts}");
        name
    }

    /// Defines an intermediate over `[b, p]` and further ranks.
    fn define(&mut self, base: &str, more: (&str, &str), rhs: &str) -> String {
        let name = self.fresh(base);
        let (vars, dims) = if more.0.is_empty() {
            (String::new(), String::new())
        } else {
            (format!(", {}", more.0), format!(", {}", more.1))
        };
        _ = writeln!(self.lets, "let {name} f32 [B, P{dims}]");
        _ = writeln!(self.nodes, "{name}[b, p{vars}] = {rhs}");
        name
    }

    /// A value at every streamed point where the mask holds.
    fn map(&mut self, base: &str, body: &str) -> String {
        let dom = if self.mask.is_empty() { String::new() } else { format!(" dom {}", self.mask) };
        let name = self.define(base, (self.streamed, self.dims), &format!("{body}{dom}"));
        format!("{name}[b, p, {}]", self.streamed)
    }

    /// A reduction of the streamed ranks.
    fn reduce(&mut self, base: &str, op: &str, body: &str) -> String {
        let rhs = self.reduction(op, body);
        let name = self.define(base, ("", ""), &rhs);
        format!("{name}[b, p]")
    }

    fn reduction(&self, op: &str, body: &str) -> String {
        let fold = if self.mask.is_empty() { String::new() } else { format!(" fold {}", self.mask) };
        format!("{op}[{}] acc f32 {body}{fold}", self.streamed)
    }

    fn random_mask(&mut self) -> String {
        let count = self.rng.below(3);
        (0..count).map(|_| self.conjunct()).collect::<Vec<_>>().join(" ")
    }

    fn conjunct(&mut self) -> String {
        match self.rng.below(9) {
            0 | 1 => "(m <= p)".to_string(),
            2 => "(m <= p + (M - P))".to_string(),
            3 => "(p - m < 2)".to_string(),
            4 => "(m < p)".to_string(),
            5 => "(m % 3 != p % 2)".to_string(),
            6 => {
                let len = self.input("Len", "i32", "B", " range(0, 4)");
                format!("(m < {len}[b])")
            }
            7 => {
                let doc = self.input("Doc", "i32", "B, P", " range(0, 2)");
                format!("({doc}[b, p] == m // 2 || m == 0)")
            }
            _ => {
                let keep = self.input("Keep", "bool", "P, M", "");
                format!("({keep}[p, m])")
            }
        }
    }

    /// Scores at every streamed point.
    fn scores(&mut self, kernel: usize) -> String {
        let q = self.input("Q", "f32", "B, P, E", "");
        let k = self.input("K", "f32", &format!("B, {}, E", self.dims), "");
        let body = format!("sum[e] acc f32 {q}[b, p, e] * {k}[b, {}, e]", self.streamed);
        let name = self.define("Dot", (self.streamed, self.dims), &body);
        let mut s = format!("{name}[b, p, {}]", self.streamed);
        if !self.rng.one_in(4) {
            s = format!("{s} {}", self.rng.pick(&["/ sqrt(float(E))", "* 0.5", "* tau", "/ 3.0 * tau"]));
        }
        if self.rng.one_in(4) {
            s = format!("2.0 * tanh({s} / 2.0)");
        }
        if self.rng.one_in(2) {
            let bias = self.bias();
            s = format!("{s} {} {bias}", self.rng.pick(&["+", "-"]));
        }
        if kernel == 0 || self.rng.one_in(2) { self.map("S", &s) } else { format!("({s})") }
    }

    fn bias(&mut self) -> String {
        match self.rng.below(4) {
            0 => format!("{}[m]", self.input("Bias", "f32", "M", "")),
            1 => format!("{}[b] * float(m - p)", self.input("Slope", "f32", "B", " nonpositive")),
            2 => {
                let table = self.input("Tab", "f32", "F", "");
                let index = self.input("Buck", "i32", "P, M", " range(0, 2)");
                format!("{table}[{index}[p, m]]")
            }
            _ => "log(float(1 + p))".to_string(),
        }
    }

    /// Weights at every streamed point, from scores.
    fn weights(&mut self, s: &str) -> String {
        match self.rng.below(8) {
            0..=2 => self.softmax(s, None),
            3 => {
                let sink = self.input("Sink", "f32", "B", "");
                self.softmax(s, Some(&format!("{sink}[b]")))
            }
            4 => format!("1.0 / (1.0 + exp(-{s}))"),
            5 => self.map("W", &format!("exp({s} - 1.0)")),
            6 => {
                let w = self.map("W", &format!("if {s} > 0.0 {{ {s} + 1.0 }} else {{ exp({s}) }}"));
                let z = self.reduce("Z", "sum", &w);
                format!("{w} / {z}")
            }
            _ => self.map("W", &format!("max({s}, 0.0) * max({s}, 0.0)")),
        }
    }

    fn softmax(&mut self, s: &str, sink: Option<&str>) -> String {
        let g = self.reduce("G", "max", s);
        let (g, extra) = match sink {
            None => (g, String::new()),
            Some(sink) => (format!("max({g}, {sink})"), format!(" + exp({sink} - max({g}, {sink}))")),
        };
        let n = self.map("N", &format!("exp({s} - {g})"));
        let d = self.reduce("D", "sum", &n);
        self.map("A", &format!("{n} / ({d}{extra})"))
    }

    fn outputs(&mut self, a: &str, kernel: usize) {
        let v = self.input("V", "f32", &format!("B, {}, F", self.dims), "");
        let v = format!("{v}[b, {}, f]", self.streamed);
        let value = match self.rng.below(5) {
            0 => {
                let gate = self.input("Gate", "f32", "B, P", "");
                format!("{gate}[b, p] * ({a} * {v})")
            }
            1 => format!("{a} * ({v} * {v}) * 0.25"),
            2 => format!("-({a}) * {v}"),
            _ => format!("{a} * {v}"),
        };
        self.output("O", ("F", "f"), kernel, |w| w.reduction("sum", &value));
        if self.rng.one_in(3) {
            let (op, body) = *self.rng.pick(&[("sum", "1.0"), ("max", "A"), ("sum", "A * A"), ("min", "A")]);
            let body = body.replace('A', &format!("({a})"));
            self.output("X", ("", ""), kernel, |w| w.reduction(op, &body));
        }
    }

    fn output(&mut self, base: &str, more: (&str, &str), kernel: usize, rhs: impl FnOnce(&Writer) -> String) {
        let sep = if more.0.is_empty() { "" } else { ", " };
        _ = writeln!(self.declared, "out {base}_{kernel} f32 [B, P{sep}{}]", more.0);
        let rhs = rhs(self);
        _ = writeln!(self.nodes, "{base}_{kernel}[b, p{sep}{}] = {rhs}", more.1);
    }
}
