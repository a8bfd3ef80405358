//! The stable diagnostic codes, each with a title and an explanation (`attnc explain CODE`).

/// A diagnostic code such as `T-FREE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(pub &'static str);

/// What a code means.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// A paragraph with an example of the mistake and its cure.
    pub explain: &'static str,
}

macro_rules! codes {
    ($($ident:ident = $code:literal, $title:literal, $explain:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $ident: Code = Code($code);)*
        }
        /// Every code, in the order of the reference.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo { code: Code($code), title: $title, explain: $explain }),*];
    };
}

codes! {
    SYNTAX = "P-SYNTAX", "the text does not follow the grammar",
"The parser found something else than the grammar allows. It skips to the next `;` or statement and goes on, so that every broken
statement of a file is reported at once.

    assert 0 <= i < n;               // comparisons do not chain
    assert 0 <= i && i < n;          // good

The grammar is in the language reference, compiler/src/syntax/README.md.";
    LEX = "P-LEX", "the text is not made of Rust tokens",
"The same text can stand in a Rust macro, so it is made of Rust tokens: operators are ASCII, brackets balance, there are no quotes, and
everything else is in comments.

    let S'[p] = a[p] × b[p];         // a prime, and a sign that is not ASCII
    let S1[p] = a[p] * b[p];         // good";
    NAME = "N-NAME", "a name is unknown or used twice",
"Ranks, tensors, params, scalars, consts and dtypes of a kernel share one namespace, and every name is declared before it is used. A `fn`
or `mask` sees its parameters only.

    rank S; in S: f32[S];            // a rank and a tensor of one name
    rank S; in x: f32[S];            // good";
    ACC = "T-ACC", "an access does not fit the tensor's ranks",
"A tensor takes one index per dimension, and a bare rank variable needs the rank of that dimension, or one whose extent is provably equal.

    rank P, M; in q: f32[P]; let a[m] = q[m];       // q has rank P
    rank P, M = P; in q: f32[P]; let a[m] = q[m];   // good";
    BND = "T-BND", "an index is always outside of its dimension",
"The index was proved to lie outside of its dimension wherever it is used, so the statement reads nothing.

    rank P; in x: f32[P]; let a[p] = x[p + P];      // never inside
    rank P; in x: f32[P]; let a[p] = x[P - 1 - p];  // good: reversed";
    FREE = "T-FREE", "a rank variable is neither on the left nor reduced",
"There is no implicit summation. A variable on the right is on the left, or a reduction binds it.

    let s[p,m] = q[p,e] * k[m,e];                   // what about e?
    let s[p,m] = sum[e](q[p,e] * k[m,e]);           // good";
    OUT = "T-OUT", "the left side does not define a tensor",
"The left side names distinct rank variables (or `t+1`, `0`, `T` at an iterative position). A tensor is defined once, inputs are not
defined, and every output is.

    o[p,0] = x[p];                                  // 0 is no variable
    o[p,p] = x[p];                                  // p stands twice";
    WHERE = "T-WHERE", "a `where` predicate is not an index predicate",
"`where` decides where a tensor is present. It compares index expressions, integer tensors, params and scalars, so that loop bounds can be
derived from it. Floats select through `topk`, `argmax`, `if`, or a `bool` tensor.

    let a[p] = x[p] where x[p] > 0.0;               // a float decides
    let a[p] = if x[p] > 0.0 { x[p] } else { 0.0 }; // good";
    RED = "T-RED", "a reduction does not fit its argument",
"`sum`, `prod`, `max`, `min`, `argmax` and `topk` take numbers, `any` and `all` truth values. A reduced variable is not on the left, and the
slot of `topk` is.

    let a[p] = sum[m](m <= p);                      // truth values have no sum
    let a[p] = sum[m]((m <= p) as i32);             // good";
    EXT = "T-EXT", "an extent cannot be inferred",
"The launcher takes run-time extents from the shapes of the inputs, so each of them is a dimension of an input, or derived from such.

    rank B, J; in x: f32[B]; out o: f32[B, J];      // how long is J?
    rank B; scalar n: int; rank J = n;              // good: the caller says it";
    STATE = "T-STATE", "a recurrence is not well formed",
"A state has one iterative rank, one `init` before its update, and one update, which defines generation `t+1` from generation `t`. Outputs
read it at `t` or `t+1`, and at `T` for the end.

    st[t] = st[t] * g[t] + x[t];                    // defines what it reads
    st[t+1] = st[t] * g[t] + x[t];                  // good";
    TYPE = "T-TYPE", "value types do not fit",
"Expressions are integers, floats or truth values. An integer becomes a float where it meets one; everything else is said with `as`.

    let a[p] = x[p] * (p < n);                      // a number times a truth value
    let a[p] = if p < n { x[p] } else { 0.0 };      // good";
    ATTR = "T-ATTR", "an attribute is unknown or misplaced",
"Attributes are checked, because a misspelt one would silently do nothing.

    #[sortd] in seg: i32[M];
    #[sorted] in seg: i32[M];                       // good";
    ASSERT = "T-ASSERT", "an assertion does not hold",
"An `assert` over constants was evaluated and is false. Assertions over run-time extents are checked by the launcher.

    rank H = 6, G = 4; assert H % G == 0;";
    PASS = "A-PASS", "the kernel needs more passes than it promises",
"`assert passes(M) == 1` failed. A pass is a traversal of the whole rank; where a statement reads a reduction over M and M itself, it
needs another one, unless the compiler can repair the running value. The message names the barriers and the factor that blocks.

    let d[p] = sum[m](s[p,m]);
    let q[p,m] = round(s[p,m] / d[p]);              // round cannot be repaired when d changes";
    ESC = "A-ESC", "a value that keeps the streamed rank escapes",
"An output keeps the reduced rank, so the row statistics must be complete before any of it is written.

    a[p,m] = softmax[m](s[p,m]);                    // with `out a: f32[P, M]`";
    EXPAND = "A-EXPAND", "one pass needs an expansion that can cancel",
"One pass is possible by expanding a product of sums, for example a variance as E(x²) - E(x)², which can cancel catastrophically. It is
done only in kernels with `#[expand]`.";
    MASK = "A-MASK", "a predicate is opaque to the mask classifier",
"The predicate looks elements up along a reduced rank, so it says nothing about a whole tile: tiles that no other condition skips are
evaluated element by element. The result is right; the note says that it is slower than it looks. Bounds follow from comparisons of indices,
from elements that do not depend on the reduced rank, and from integer tensors with `#[sorted]`.

    in doc: i32[B, M]; let s[b,p,m] = .. where doc[b,p] == doc[b,m];
    #[sorted] in doc: i32[B, M]; ..                 // good";
    REC = "A-REC", "a recurrence is sequential",
"The update is not linear in the state, so steps cannot be combined before they are taken: it runs step by step. The result is right; the
note says that no chunked form exists.

    st[t+1,e] = tanh(st[t,e]) + x[t,e];             // step by step
    st[t+1,e] = g[t] * st[t,e] + x[t,e];            // chunks are possible";
    OOB = "A-OOB", "an index may leave its dimension",
"The index was not proved to stay inside of its dimension. Elements outside are absent: never read, and contributing nothing. Say what is meant
with `where`, promise the values of an index tensor with `#[range(lo, hi)]`, or fill absent elements with `or(x, c)`.

    in tbl: i32[P]; let a[p] = x[tbl[p]];
    #[range(0, N - 1)] in tbl: i32[P]; let a[p] = x[tbl[p]];   // good";
    UNSUPPORTED = "U-TARGET", "the target cannot compile this yet",
"The construct is part of the language and runs on the interpreter (`attnc run --target interp`); the named target refuses it rather than
miscompile it.";
    SCHEDULE = "U-SCHED", "a schedule does not apply",
"A schedule never changes what a kernel means, so one that cannot be applied is reported and the compiler's own choice is taken. No target
reads schedules yet.";
    INTERNAL = "X-BUG", "a bug in the compiler",
        "An intermediate form did not verify. The compiler refuses to emit code from it. This is never the user's mistake: please report the source.";
}
