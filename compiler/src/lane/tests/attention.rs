//! A hand-built tile program of masked softmax attention, as the pipeline is expected to make it.

use super::names::*;

fn coord(a: u32) -> Expr {
    Expr::Coord(AxisId(a))
}

fn local(b: u32) -> Expr {
    Expr::Local(BufId(b))
}

fn bin(op: BinOp, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

fn exp2(a: Expr) -> Expr {
    Expr::Unary(UnOp::Exp2, Box::new(a))
}

fn select(c: Expr, a: Expr, b: Expr) -> Expr {
    Expr::Select(Box::new(c), Box::new(a), Box::new(b))
}

const B: u32 = 0;
const H: u32 = 1;
const P: u32 = 2;
const M: u32 = 3;
const E: u32 = 4;
const F: u32 = 5;

fn map(dst: u32, value: Expr) -> Stmt {
    Stmt::Map { dst: BufId(dst), op: None, value }
}

/// `Q[b,h,p,e]`-like input with the given last two ranks.
fn tensor(name: &str, kind: TensorKind, dtype: DType, ranks: [u32; 4]) -> Tensor {
    Tensor {
        name: name.into(),
        dtype,
        dims: ranks.map(|r| cascade::Expr::Extent(RankId(r))).to_vec(),
        kind,
        empty: 0.0,
        facts: Facts::default(),
        table: None,
    }
}

/// Sizes and options of the program.
pub(super) struct Attention {
    /// Mask `m <= p`.
    pub(super) causal: bool,
    /// Storage type of all tensors.
    pub(super) dtype: DType,
    /// Constant head size, or a run-time one.
    pub(super) head: Option<i64>,
    /// Width of the lane tile.
    pub(super) lane_tile: i64,
    /// Keys in a block.
    pub(super) stream_tile: i64,
    /// Factor of the scores.
    pub(super) scale: f64,
}

impl Attention {
    fn cascade(&self) -> Cascade {
        let head = self.head.map_or(Extent::Free, Extent::Const);
        let rank = |name: &str, extent: &Extent| Rank { name: name.into(), extent: extent.clone(), iter: false };
        let free = Extent::Free;
        let names = ["B", "H", "P", "M", "E", "F"];
        Cascade {
            name: "attention".into(),
            docs: vec![],
            ranks: names.iter().map(|n| rank(n, if matches!(*n, "E" | "F") { &head } else { &free })).collect(),
            scalars: vec![],
            tensors: vec![
                tensor("Q", TensorKind::In, self.dtype, [B, H, P, E]),
                tensor("K", TensorKind::In, self.dtype, [B, H, M, E]),
                tensor("V", TensorKind::In, self.dtype, [B, H, M, F]),
                tensor("O", TensorKind::Out, self.dtype, [B, H, P, F]),
            ],
            nodes: vec![],
            asserts: vec![],
            attrs: Attrs::default(),
            spec: vec![],
        }
    }

    /// Tiles: q[e,p], g[p], g1[p], d[p], r[p], nv[f,p], s[m,p].
    /// 16-bit operands are widened in k16[m,e] and v16[m,f].
    fn bufs(&self) -> Vec<Buf> {
        let buf = |name: &str, axes: &[u32]| Buf {
            name: name.into(),
            ty: BufType::F32,
            axes: axes.iter().map(|a| AxisId(*a)).collect(),
        };
        let mut bufs = vec![
            buf("q", &[E, P]),
            buf("g", &[P]),
            buf("g1", &[P]),
            buf("d", &[P]),
            buf("r", &[P]),
            buf("nv", &[F, P]),
            buf("s", &[M, P]),
        ];
        if self.dtype != DType::F32 {
            bufs.extend([buf("k16", &[M, E]), buf("v16", &[M, F])]);
        }
        bufs
    }

    fn tile(&self, masked: bool) -> Vec<Stmt> {
        let (g, g1, d, r, nv, s) = (1, 2, 3, 4, 5, 6);
        let global = |t: u32, row: Expr, col: Expr| Expr::Global(TensorId(t), vec![coord(B), coord(H), row, col]);
        let visible = bin(BinOp::Le, coord(M), coord(P));
        let mask = |e: Expr, other: f64| match masked {
            true => select(visible.clone(), e, Expr::Float(other)),
            false => e,
        };
        let scaled = bin(BinOp::Mul, local(s), Expr::Float(self.scale * std::f64::consts::LOG2_E));
        let over = vec![AxisId(M)];
        let (mut k, mut v) = (global(1, coord(M), coord(E)), global(2, coord(M), coord(F)));
        let mut tile = vec![];
        if self.dtype != DType::F32 {
            tile.extend([map(7, k), map(8, v)]);
            (k, v) = (local(7), local(8));
        }
        tile.extend([
            Stmt::Contract { dst: BufId(s), over: AxisId(E), a: k, b: BufId(0), accumulate: false },
            map(s, mask(scaled, f64::NEG_INFINITY)),
            map(g1, local(g)),
            Stmt::Reduce { dst: BufId(g1), op: RedOp::Max, over: over.clone(), value: local(s) },
            map(g1, bin(BinOp::Max, local(g1), Expr::Float(-1e30))),
            map(r, exp2(bin(BinOp::Sub, local(g), local(g1)))),
            map(d, bin(BinOp::Mul, local(d), local(r))),
            map(nv, bin(BinOp::Mul, local(nv), local(r))),
            map(g, local(g1)),
            map(s, mask(exp2(bin(BinOp::Sub, local(s), local(g))), 0.0)),
            Stmt::Reduce { dst: BufId(d), op: RedOp::Sum, over, value: local(s) },
            Stmt::Contract { dst: BufId(nv), over: AxisId(M), a: v, b: BufId(s), accumulate: true },
        ]);
        tile
    }

    fn body(&self) -> Vec<Stmt> {
        let one = Expr::Int(1);
        let base = Expr::Base(AxisId(P));
        let last = bin(BinOp::Add, base.clone(), Expr::Count(AxisId(P)));
        let all = Expr::Extent(RankId(M));
        let range = match self.causal {
            true => Range { lo: Expr::Int(0), hi: last, full: Some((Expr::Int(0), bin(BinOp::Add, base, one))) },
            false => Range { lo: Expr::Int(0), hi: all.clone(), full: Some((Expr::Int(0), all)) },
        };
        let at = |row: u32, col: u32| vec![coord(B), coord(H), coord(row), coord(col)];
        let quotient = bin(BinOp::Div, local(5), local(3));
        vec![
            map(0, Expr::Global(TensorId(0), at(P, E))),
            map(1, Expr::Float(f64::NEG_INFINITY)),
            map(3, Expr::Float(0.0)),
            map(5, Expr::Float(0.0)),
            Stmt::Loop { axis: AxisId(M), ranges: vec![range], full: self.tile(false), partial: self.tile(true) },
            Stmt::Store {
                tensor: TensorId(3),
                idx: at(P, F),
                axes: vec![AxisId(F), AxisId(P)],
                value: select(bin(BinOp::Gt, local(3), Expr::Float(0.0)), quotient, Expr::Float(0.0)),
            },
        ]
    }

    /// The program.
    pub(super) fn kernel(&self) -> TileKernel {
        let axis =
            |name: &str, rank: u32, tile: Tile| Axis { name: name.into(), rank: RankId(rank), tile, lane: name == "p" };
        let axes = vec![
            axis("b", B, Tile::One),
            axis("h", H, Tile::One),
            axis("p", P, Tile::Fixed(self.lane_tile)),
            axis("m", M, Tile::Fixed(self.stream_tile)),
            axis("e", E, Tile::Whole),
            axis("f", F, Tile::Whole),
        ];
        TileKernel {
            cascade: self.cascade(),
            memory: (0..4).map(TensorId).collect(),
            workspace: 0,
            stages: vec![TileStage {
                name: "O".into(),
                axes,
                grid: vec![AxisId(B), AxisId(H), AxisId(P)],
                bufs: self.bufs(),
                body: self.body(),
            }],
        }
    }
}
