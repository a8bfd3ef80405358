//! Definition of the stream IR.

use crate::cascade::{Cascade, Expr, Extent, Node, NodeId, RankId, TensorId};
use crate::types::BinOp;

/// A kernel as a sequence of stages over the (rewritten) cascade that it carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Ranks, tensors and nodes; ids of the stages refer to it.
    pub cascade: Cascade,
    /// One entry a tensor of the cascade.
    pub places: Vec<Place>,
    /// Stages in execution order.
    pub stages: Vec<Stage>,
}

/// Where the value of a tensor is when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory: inputs, tables, outputs, and intermediates that a stage stored (workspace).
    Memory,
    /// An accumulator of the stage that reads it, complete (or running, in a driven body) at a grid point.
    State,
    /// Nowhere: its node is evaluated at the point where it is read (maps and reductions inside a pass).
    Inline,
    /// Not read by any stage.
    Dead,
}

/// One parallel region.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Name: of its first store.
    pub name: String,
    /// Ranks whose points are independent. Every accumulator is indexed by (a subset of) them plus value ranks.
    pub grid: Vec<RankId>,
    /// Passes in order. A stage with a scan has none.
    pub passes: Vec<Pass>,
    /// The recurrence that the stage steps through, if it is one.
    pub scan: Option<Scan>,
    /// Nodes evaluated after the last pass, or after the scan, and written to memory: outputs and workspace tensors. Always maps (what is
    /// folded has a tensor of its own). Their left sides hold the grid ranks plus value ranks; their bodies read
    /// states, memory and inline nodes. Workspace tensors are `Let` tensors with `Place::Memory`.
    pub stores: Vec<NodeId>,
}

/// A recurrence over the generations of an iterative rank: the grid's points step through them independently.
///
/// Steps run in order of generations. Within a step the carries move in the order of the list; a read of generation
/// `t` sees the state before the step and one of `t+1` the state after it (the other way round in a reverse scan).
/// Everything else that a step reads is inline or in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The iterative rank.
    pub rank: RankId,
    /// From the last generation to the first.
    pub reverse: bool,
    /// The states: what stands before what reads its new generation.
    pub carries: Vec<Carry>,
    /// Nodes that every step writes to memory: maps whose left sides hold the grid ranks, the iterative rank (or the one
    /// that it cuts into blocks) and value ranks.
    pub stores: Vec<NodeId>,
}

/// A state tensor of a scan, `Place::State`.
#[derive(Clone, Debug, PartialEq)]
pub struct Carry {
    /// Its first generation.
    pub init: NodeId,
    /// The next generation from the last.
    pub step: NodeId,
}

/// One traversal of the streamed ranks.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// Streamed ranks, outermost first.
    pub over: Vec<RankId>,
    /// Conjuncts shared by all accumulators, over grid and streamed ranks: what mask classification looks at.
    /// They are moved here from the nodes; conjuncts of one accumulator alone stay in its node's `fold` and `dom`.
    /// An element counts for an accumulator where `domain`, `fold` and `dom` all hold.
    pub domain: Vec<Expr>,
    /// The state monoid: accumulators in topological order, drivers before what they drive.
    pub accs: Vec<Acc>,
}

/// One component of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Acc {
    /// The reduction it computes: operator, body, left side.
    pub node: NodeId,
    /// How the running value follows the drivers that its body reads; `None` for drivers and plain folds.
    pub repair: Option<Repair>,
    /// Value before the first element, over grid ranks; `None`: the operator's identity.
    pub init: Option<Expr>,
}

/// `t ↦ h(t, d, d′)` when the drivers move from d to d′ (middle-end conditions C1-C9). The expressions read the
/// drivers' tensors; they are evaluated once with the old and once with the new values.
#[derive(Clone, Debug, PartialEq)]
pub enum Repair {
    /// `t · e^(w(d′) − w(d))`, or base 2.
    MulExp {
        /// Base 2 instead of e.
        base2: bool,
        /// Exponent.
        w: Expr,
    },
    /// `t · v(d′) / v(d)`.
    MulRatio {
        /// Factor, invertible at every visited driver.
        v: Expr,
    },
    /// `t + δ(d′) − δ(d)` (for max and min).
    Add {
        /// Shift.
        delta: Expr,
    },
}

impl Repair {
    /// The expression over the drivers.
    pub fn expr(&self) -> &Expr {
        match self {
            Repair::MulExp { w: e, .. } | Repair::MulRatio { v: e } | Repair::Add { delta: e } => e,
        }
    }

    /// The same repair over another expression.
    pub fn map(&self, f: &mut impl FnMut(&Expr) -> Expr) -> Repair {
        match self {
            Repair::MulExp { base2, w } => Repair::MulExp { base2: *base2, w: f(w) },
            Repair::MulRatio { v } => Repair::MulRatio { v: f(v) },
            Repair::Add { delta } => Repair::Add { delta: f(delta) },
        }
    }
}

/// Which generation of a state a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Before the current step.
    Before,
    /// After the current step.
    After,
    /// After the last step.
    Last,
}

impl Scan {
    /// Every node that the scan evaluates.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.carries.iter().flat_map(|c| [c.init, c.step]).chain(self.stores.iter().copied())
    }

    /// The rank that a step of this scan stores a node over: its own, or the one that it cuts into blocks.
    pub fn step_rank(&self, c: &Cascade, n: &Node) -> Option<RankId> {
        step_rank(c, self.rank, n)
    }

    /// The generation that an index of the iterative rank means; `None` for one that no scan holds.
    pub fn generation(&self, c: &Cascade, idx: &Expr) -> Option<Generation> {
        generation(c, self.rank, self.reverse, idx)
    }
}

/// The rank along which a scan over `rank` steps through the left side of a node: its own, or the one that it cuts into blocks.
pub fn step_rank(c: &Cascade, rank: RankId, n: &Node) -> Option<RankId> {
    let left = n.out_ranks();
    let own = left.contains(&rank).then_some(rank);
    own.or_else(|| blocks(c, rank).map(|(t, _)| t).filter(|t| left.contains(t)))
}

/// The rank that an iterative rank cuts into blocks, and their length: an extent of ⌈extent of the other / length⌉ says so.
///
/// Step n of a scan over such a rank covers the points `n · length ..` of the other one: what it stores may have that
/// rank instead of its own, and a fold where `t / length == n` is one over its block.
pub fn blocks(c: &Cascade, rank: RankId) -> Option<(RankId, i64)> {
    let r = &c.ranks[rank.index()];
    let Extent::Derived(Expr::Binary(BinOp::FloorDiv, up, size)) = &r.extent else { return None };
    match (&**up, &**size) {
        (Expr::Binary(BinOp::Add, t, more), Expr::Int(size)) if r.iter => match (&**t, &**more) {
            (Expr::Extent(t), Expr::Int(more)) if *more == size - 1 => Some((*t, *size)),
            _ => None,
        },
        _ => None,
    }
}

/// True if a node folds `t` where it is in block `n`.
pub fn folds_block(node: &Node, t: RankId, size: i64, n: RankId) -> bool {
    node.reduced().contains(&t) && node.fold.contains(&Expr::bin(BinOp::Eq, block_of(t, size), Expr::Var(n)))
}

/// The index of the block that a point of the cut rank is in.
pub fn block_of(rank: RankId, size: i64) -> Expr {
    Expr::bin(BinOp::FloorDiv, Expr::Var(rank), Expr::Int(size))
}

/// The generation that an index of an iterative rank means; `None` for one that no scan holds. In the blocks that a rank
/// cuts, the block of a point is a step, too.
pub fn generation(c: &Cascade, rank: RankId, reverse: bool, idx: &Expr) -> Option<Generation> {
    let here = blocks(c, rank).map(|(t, size)| block_of(t, size));
    here.into_iter().chain([Expr::Var(rank)]).find_map(|this| generation_at(c, rank, reverse, this, idx))
}

fn generation_at(c: &Cascade, rank: RankId, reverse: bool, this: Expr, idx: &Expr) -> Option<Generation> {
    let next = Expr::bin(BinOp::Add, this.clone(), Expr::Int(1));
    let (before, after) = if reverse { (next, this) } else { (this, next) };
    let last = match (reverse, &c.ranks[rank.index()].extent) {
        (true, _) => *idx == Expr::Int(0),
        (false, Extent::Const(n)) => *idx == Expr::Int(*n) || *idx == Expr::Extent(rank),
        (false, Extent::Free | Extent::Derived(_)) => *idx == Expr::Extent(rank),
    };
    match idx {
        i if *i == before => Some(Generation::Before),
        i if *i == after => Some(Generation::After),
        _ => last.then_some(Generation::Last),
    }
}

impl Stage {
    /// The nodes whose values the stage writes to memory: in the steps of its scan, and at its end.
    pub fn stored(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.scan.iter().flat_map(|s| &s.stores).chain(&self.stores).copied()
    }

    /// Every node that the stage evaluates at its grid points.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        let accs = self.passes.iter().flat_map(|p| p.accs.iter().map(|a| a.node));
        accs.chain(self.scan.iter().flat_map(Scan::nodes)).chain(self.stores.iter().copied())
    }
}

impl Stream {
    /// Place of a tensor.
    pub fn place(&self, t: TensorId) -> Place {
        self.places[t.index()]
    }
}
