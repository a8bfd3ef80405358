//! Writes the planned stages: nodes in stage order, reads of stored reductions redirected to memory.

use super::Defs;
use super::normalise::{add_like, redirect_node};
use super::passes::{Member, order, split_domain};
use super::plan::Group;
use super::scan::{Family, in_step_order};
use crate::cascade::{Cascade, Node, NodeId, OutIdx, TensorId, TensorKind};
use crate::stream::{Carry, Place, Scan, Stage, Stream, step_rank};

/// Builds the stream of a normalised cascade.
pub(super) fn build(c: &Cascade, groups: &[Group]) -> Stream {
    let mut b = Builder { from: c, out: Cascade { nodes: vec![], ..c.clone() }, memory: vec![], states: vec![] };
    b.allocate(groups);
    let mut stages: Vec<Stage> = groups.iter().map(|g| b.stage(g)).collect();
    let stored: Vec<TensorId> = stages.iter().flat_map(Stage::stored).map(|n| b.out.nodes[n.index()].out).collect();
    let places = places(&b.out, &b.states, &stored);
    for s in &mut stages {
        let grid = &s.grid;
        s.passes.iter_mut().for_each(|p| split_domain(&mut b.out, grid, p));
    }
    Stream { cascade: b.out, places, stages }
}

struct Builder<'a> {
    from: &'a Cascade,
    out: Cascade,
    /// Stored reduction → tensor in memory.
    memory: Vec<(TensorId, TensorId)>,
    states: Vec<TensorId>,
}

impl Builder<'_> {
    /// Gives every stored reduction its tensor in memory.
    fn allocate(&mut self, groups: &[Group]) {
        for r in groups.iter().flat_map(|g| &g.roots) {
            if self.from.tensor(r.key).kind == TensorKind::Let {
                let to = if r.node.out == r.key { add_like(&mut self.out, r.key, "mem") } else { r.node.out };
                self.memory.push((r.key, to));
            }
        }
    }

    fn stage(&mut self, g: &Group) -> Stage {
        if let Some(family) = g.scan {
            return self.scan_stage(g, family);
        }
        let far = |(t, _): &&(TensorId, TensorId)| !g.placed.states.contains(t);
        let mut moved: Vec<(TensorId, TensorId)> = self.memory.iter().filter(far).copied().collect();
        let mut accs = vec![];
        for n in &self.from.nodes {
            let n = redirect_node(n, &moved);
            if g.placed.states.contains(&n.out) {
                accs.push(self.state(n, &mut moved));
            } else if g.placed.inlines.contains(&n.out) {
                self.inline(n, &mut moved);
            }
        }
        let stores: Vec<NodeId> = g.roots.iter().map(|r| self.store(&r.node, r.key, &moved)).collect();
        let name = stores.first().map_or(String::new(), |s| self.name(*s));
        let states: Vec<TensorId> = accs.iter().map(|a| self.out.nodes[a.index()].out).collect();
        let d = Defs::new(&self.out);
        let members: Vec<Member> = accs.iter().map(|a| Member::new(&d, *a, &states)).collect();
        let passes = order(&self.out, &members, &mut |_, _| None);
        Stage { name, grid: g.roots[0].grid.clone(), passes, scan: None, stores }
    }

    /// A stage that steps through a recurrence.
    fn scan_stage(&mut self, g: &Group, family: Family) -> Stage {
        let far = |(t, _): &&(TensorId, TensorId)| g.placed.memory.contains(t);
        let mut moved: Vec<(TensorId, TensorId)> = self.memory.iter().filter(far).copied().collect();
        let order = in_step_order(self.from, family, &g.placed.states);
        for t in order.iter().filter(|t| self.is_taken(**t)).copied().collect::<Vec<_>>() {
            let to = add_like(&mut self.out, t, "re");
            moved.push((t, to));
        }
        for n in &self.from.nodes {
            let mut n = redirect_node(n, &moved);
            if g.placed.states.contains(&n.out) {
                n.out = moved.iter().find(|(t, _)| *t == n.out).map_or(n.out, |(_, to)| *to);
                self.push(n);
            } else if g.placed.inlines.contains(&n.out) {
                self.inline(n, &mut moved);
            }
        }
        let own = |t: &TensorId| moved.iter().find(|(from, _)| from == t).map_or(*t, |(_, to)| *to);
        let carries: Vec<Carry> = order.iter().filter_map(|t| self.carry(own(t))).collect();
        self.states.extend(order.iter().map(own));
        let (mut steps, mut stores) = (vec![], vec![]);
        for r in &g.roots {
            let id = self.store(&r.node, r.key, &moved);
            if step_rank(self.from, family.0, &r.node).is_some() { steps.push(id) } else { stores.push(id) }
        }
        let name = steps.first().or(stores.first()).map_or(String::new(), |s| self.name(*s));
        let scan = Some(Scan { rank: family.0, reverse: family.1, carries, stores: steps });
        Stage { name, grid: g.roots[0].grid.clone(), passes: vec![], scan, stores }
    }

    fn carry(&self, t: TensorId) -> Option<Carry> {
        let find = |init: bool| {
            let is = |n: &Node| n.out == t && n.vars.iter().any(|v| matches!(v, OutIdx::At(_))) == init;
            self.out.nodes.iter().position(is).map(|i| NodeId(i as u32))
        };
        Some(Carry { init: find(true)?, step: find(false)? })
    }

    fn name(&self, id: NodeId) -> String {
        self.out.tensor(self.out.nodes[id.index()].out).name.clone()
    }

    fn push(&mut self, n: Node) -> NodeId {
        self.out.nodes.push(n);
        NodeId(self.out.nodes.len() as u32 - 1)
    }

    fn is_taken(&self, t: TensorId) -> bool {
        self.out.nodes.iter().any(|m| m.out == t)
    }

    /// Adds an accumulator; what another stage evaluates inline gets its own name here.
    fn state(&mut self, mut n: Node, moved: &mut Vec<(TensorId, TensorId)>) -> NodeId {
        if self.is_taken(n.out) {
            let to = add_like(&mut self.out, n.out, "re");
            moved.push((n.out, to));
            n.out = to;
        }
        self.states.push(n.out);
        self.push(n)
    }

    /// Adds an inline node; one that another stage reads in the same form is shared, otherwise it gets its own name.
    fn inline(&mut self, n: Node, moved: &mut Vec<(TensorId, TensorId)>) {
        if !self.is_taken(n.out) {
            self.push(n);
            return;
        }
        let same = |m: &&Node| !self.states.contains(&m.out) && Node { out: n.out, ..(*m).clone() } == n;
        let twin = self.out.nodes.iter().find(same).map(|m| m.out);
        if twin == Some(n.out) {
            return;
        }
        let to = twin.unwrap_or_else(|| add_like(&mut self.out, n.out, "re"));
        moved.push((n.out, to));
        if twin.is_none() {
            self.push(Node { out: to, ..n });
        }
    }

    fn store(&mut self, n: &Node, key: TensorId, moved: &[(TensorId, TensorId)]) -> NodeId {
        let mut n = redirect_node(n, moved);
        if n.out == key
            && let Some((_, to)) = self.memory.iter().find(|(t, _)| *t == key)
        {
            n.out = *to;
        }
        self.push(n)
    }
}

/// Places of all tensors of a finished stream.
fn places(c: &Cascade, states: &[TensorId], stored: &[TensorId]) -> Vec<Place> {
    let read: Vec<TensorId> = c.nodes.iter().flat_map(|n| n.exprs().flat_map(|e| e.reads())).collect();
    let place = |i: usize| {
        let t = TensorId(i as u32);
        match c.tensors[i].kind {
            TensorKind::In | TensorKind::Out | TensorKind::InOut | TensorKind::Table => Place::Memory,
            TensorKind::Let if states.contains(&t) => Place::State,
            TensorKind::Let if stored.contains(&t) => Place::Memory,
            TensorKind::Let if !read.contains(&t) => Place::Dead,
            TensorKind::Let => Place::Inline,
        }
    };
    (0..c.tensors.len()).map(place).collect()
}
