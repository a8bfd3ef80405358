//! Stages of cascades in the form that the L1 rewrites leave behind.

use super::super::fuse::fuse;
use super::stages;
use crate::cascade;
use crate::stream;

/// Declarations that the cascades below share.
const HEAD: &str = "cascade k
rank B free
rank H free
rank P free
rank M free
rank E const 4
rank F const 3
rank G derived (H)
in q f32 [B, H, P, E]
in k f32 [B, H, M, E]
in v f32 [B, H, M, F]
";

/// The stages of a cascade, before and after fusion, as the lines that the stream adds to its cascade.
#[track_caller]
fn check(nodes: &str, fused: bool, want: &str) {
    let c = cascade::parse(&format!("{HEAD}{nodes}")).expect("parses");
    assert_eq!(cascade::verify(&c), Ok(()));
    let mut s = stages(&c).expect("stages");
    if fused {
        fuse(&mut s);
    }
    let text = stream::print(&s);
    let got: Vec<&str> =
        text.lines().filter(|l| ["stage ", "pass ", "acc ", "store "].iter().any(|w| l.starts_with(w))).collect();
    let want: Vec<&str> = want.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(got, want, "\n{text}");
    assert_eq!(cascade::verify(&s.cascade), Ok(()), "\n{text}");
    assert_eq!(stream::parse(&text).as_ref(), Ok(&s), "\n{text}");
}

const SOFTMAX: &str = "
let s f32 [B, H, P, M]
let g f32 [B, H, P]
let d f32 [B, H, P]
let nv f32 [B, H, P, F]
s[b,h,p,m] = sum[e] acc f32 q[b,h,p,e] * k[b,h,m,e]
g[b,h,p] = max[m] acc f32 s[b,h,p,m] * 0.5 fold (m <= p)
d[b,h,p] = sum[m] acc f32 exp2(s[b,h,p,m] * 0.5 - g[b,h,p]) fold (m <= p)
nv[b,h,p,f] = sum[m] acc f32 exp2(s[b,h,p,m] * 0.5 - g[b,h,p]) * v[b,h,m,f] fold (m <= p)
";

#[test]
fn softmax_is_one_pass() {
    let nodes = format!(
        "out o f32 [B, H, P, F]\n{SOFTMAX}o[b,h,p,f] = if d[b,h,p] > 0.0 {{ nv[b,h,p,f] / d[b,h,p] }} else {{ 0.0 }}\n"
    );
    check(
        &nodes,
        false,
        "stage o grid [b, h, p]
         pass [m] where (m <= p)
         acc g
         pass [m] where (m <= p)
         acc d
         acc nv
         store o",
    );
    check(
        &nodes,
        true,
        "stage o grid [b, h, p]
         pass [m] where (m <= p)
         acc g
         acc d repair exp2 (-g[b, h, p])
         acc nv repair exp2 (-g[b, h, p])
         store o",
    );
}

#[test]
fn outputs_share_the_state() {
    let nodes = format!(
        "out o f32 [B, H, P, F]\nout l f32 [B, H, P]\nout w f32 [B, H, P, M]\n{SOFTMAX}o[b,h,p,f] = nv[b,h,p,f] / d[b,h,p]
         l[b,h,p] = g[b,h,p] + log2(d[b,h,p])
         w[b,h,p,m] = exp2(s[b,h,p,m] * 0.5 - g[b,h,p]) / d[b,h,p] dom (m <= p)\n"
    );
    check(
        &nodes,
        true,
        "stage o grid [b, h, p]
         pass [m] where (m <= p)
         acc g
         acc d repair exp2 (-g[b, h, p])
         acc nv repair exp2 (-g[b, h, p])
         store o
         store l
         store w",
    );
}

/// Weights mixed over heads, and sums over queries: the statistics are stored, the weights recomputed.
#[test]
fn statistics_read_elsewhere_are_stored() {
    check(
        "out o f32 [B, H, P, F]
out c f32 [B, H, M]
in w f32 [H, G]
let s f32 [B, H, P, M]
let g f32 [B, H, P]
let d f32 [B, H, P]
let a f32 [B, H, P, M]
s[b,h,p,m] = sum[e] acc f32 q[b,h,p,e] * k[b,h,m,e]
g[b,h,p] = max[m] acc f32 s[b,h,p,m]
d[b,h,p] = sum[m] acc f32 exp(s[b,h,p,m] - g[b,h,p])
a[b,h,p,m] = sum[g] acc f32 w[h,g] * exp(s[b,g,p,m] - g[b,g,p]) / d[b,g,p]
o[b,h,p,f] = sum[m] acc f32 a[b,h,p,m] * v[b,h,m,f]
c[b,h,m] = sum[p] acc f32 exp(s[b,h,p,m] - g[b,h,p]) / d[b,h,p]
",
        true,
        "stage g_mem grid [b, h, p]
         pass [m]
         acc g
         acc d repair exp (-g[b, h, p])
         store g_mem
         store d_mem
         stage o grid [b, h, p]
         pass [m]
         acc o_acc
         store o
         stage c grid [b, h, m]
         pass [p]
         acc c_acc
         store c",
    );
}

/// |q|² of the row is state of an earlier pass, |k|² of the streamed side is stored.
#[test]
fn norms() {
    check(
        "out o f32 [B, H, P, F]
let s f32 [B, H, P, M]
let qn f32 [B, H, P]
let kn f32 [B, H, M]
s[b,h,p,m] = sum[e] acc f32 q[b,h,p,e] * k[b,h,m,e]
qn[b,h,p] = sum[e] acc f32 q[b,h,p,e] * q[b,h,p,e]
kn[b,h,m] = sum[e] acc f32 k[b,h,m,e] * k[b,h,m,e]
o[b,h,p,f] = sum[m] acc f32 exp(2.0 * s[b,h,p,m] - qn[b,h,p] - kn[b,h,m]) * v[b,h,m,f]
",
        true,
        "stage kn_mem grid [b, h, m]
         pass [e]
         acc kn
         store kn_mem
         stage o grid [b, h, p]
         pass [e]
         acc qn
         pass [m]
         acc o_acc
         store o",
    );
}

/// Projected queries are held, projected keys stored, shifted scores recomputed at the shifted point.
#[test]
fn projections_and_shifts() {
    check(
        "out o f32 [B, H, P, F]
rank R const 2
rank A const 2
in wq f32 [H, R, E]
in wc f32 [A]
let pq f32 [B, H, P, R]
let pk f32 [B, H, M, R]
let s f32 [B, H, P, M]
let t f32 [B, H, P, M]
pq[b,h,p,r] = sum[e] acc f32 wq[h,r,e] * q[b,h,p,e]
pk[b,h,m,r] = sum[e] acc f32 wq[h,r,e] * k[b,h,m,e]
s[b,h,p,m] = sum[r] acc f32 pq[b,h,p,r] * pk[b,h,m,r]
t[b,h,p,m] = sum[a] acc f32 wc[a] * s[b,h,p,m - a] fold (a <= m)
o[b,h,p,f] = sum[m] acc f32 t[b,h,p,m] * v[b,h,m,f]
",
        true,
        "stage pk_mem grid [b, h, m]
         pass [e]
         acc pk
         store pk_mem
         stage o grid [b, h, p]
         pass [e]
         acc pq
         pass [m]
         acc o_acc
         store o",
    );
}

#[test]
fn coordinates_are_stored() {
    check(
        "out o f32 [B, H, P, F]
out i i32 [B, H, P, J]
rank J const 2
let s f32 [B, H, P, M]
s[b,h,p,m] = sum[e] acc f32 q[b,h,p,e] * k[b,h,m,e]
i[b,h,p,j] = topk[m] acc f32 slot j s[b,h,p,m] fold (m <= p)
o[b,h,p,f] = sum[j] acc f32 v[b,h,i[b,h,p,j],f] fold (i[b,h,p,j] >= 0)
",
        true,
        "stage i grid [b, h, p]
         pass [m] where (m <= p)
         acc i_acc
         store i
         stage o grid [b, h, p]
         pass [j] where (i[b, h, p, j] >= 0)
         acc o_acc
         store o",
    );
}

#[test]
fn maps_have_no_pass() {
    check(
        "out y f32 [B, H, P, E]
y[b,h,p,e] = q[b,h,p,e] * 2.0
",
        true,
        "stage y grid [b, h, p, e]
         store y",
    );
}
