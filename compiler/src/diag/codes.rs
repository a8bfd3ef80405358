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
        "The parser found something else than the grammar allows; it skips to the next `;` and goes on, so that every broken statement is reported.";
    LEX = "P-LEX", "the text is not made of Rust tokens",
        "An .attn file consists of Rust tokens: ASCII operators, balanced brackets, no lone quotes.";
    NAME = "N-NAME", "a name is unknown or used twice",
        "Ranks, tensors, params, scalars and consts of a kernel share one namespace, and every name is declared before it is used.";
    ACC = "T-ACC", "an access does not fit the tensor's ranks",
        "A tensor takes one index per rank, and a bare rank variable needs the rank of that position. Declare `rank M = P` where two ranks have equal extents.";
    BND = "T-BND", "an index leaves its dimension",
        "An affine index was proved to leave the bounds of its dimension. Restrict it with `where`, `clamp` or an `assert`.";
    FREE = "T-FREE", "a rank variable is neither on the left nor reduced",
        "There is no implicit summation: write `sum[v](..)` or add the variable to the left side.";
    OUT = "T-OUT", "the left side is not a list of distinct rank variables",
        "The left side of a statement names distinct rank variables (or `t+1`, `0`, `T` at an iterative position), and a tensor is assigned once.";
    WHERE = "T-WHERE", "a `where` predicate is not an index predicate",
        "Predicates compare index expressions, integer tensors, params and scalars. Floats select through `topk`, `argmax` or a `bool` tensor.";
    RED = "T-RED", "a reduction does not fit its argument",
        "`sum` and `prod` take numbers, `max`, `min`, `argmax` ordered values, `any` and `all` truth values; `topk` needs its slot on the left.";
    EXT = "T-EXT", "an extent cannot be inferred",
        "Every run-time extent must appear as a bare dimension of an input, or be a declared scalar.";
    STATE = "T-STATE", "a recurrence is not well formed",
        "An update reads its state at `t` only; outputs read it at `t` or `t+1`; there is one `init`.";
    TYPE = "T-TYPE", "value types do not fit",
        "Index, float and bool expressions convert only where the language says so.";
    ATTR = "T-ATTR", "an attribute is unknown or misplaced",
        "Attributes are checked: a misspelt `#[sorted]` would otherwise silently do nothing.";
    ASSERT = "T-ASSERT", "an assertion does not hold",
        "An `assert` over constants was evaluated at compile time and is false.";
    PASS = "A-PASS", "the kernel needs more passes than it promises",
        "`assert passes(M) == 1` failed. The message names the barriers and the factor that blocks the one-pass form.";
    ESC = "A-ESC", "a value that keeps the streamed rank escapes",
        "An output keeps the reduced rank, so the row statistics must be complete before it is written.";
    EXPAND = "A-EXPAND", "one pass needs an expansion that can cancel",
        "One pass is possible by expanding a product of sums, which can cancel catastrophically. Opt in with `#[expand]`.";
    MASK = "A-MASK", "a predicate is opaque to the mask classifier",
        "Every tile will be evaluated element by element, because the predicate depends on data of the streamed rank.";
    REC = "A-REC", "a recurrence is sequential",
        "The state update is not linear in the state, so it runs step by step.";
    OOB = "A-OOB", "a data-dependent index may leave its dimension",
        "The read is predicated: elements out of bounds are absent. Add `where` or `#[range]` to make it dense.";
    UNSUPPORTED = "U-TARGET", "the target cannot compile this yet",
        "The construct is part of the language and runs on the interpreter; the named target refuses it rather than miscompile it.";
    SCHEDULE = "U-SCHED", "a schedule does not apply",
        "The schedule names something the kernel does not have, or does not fit the target; the message has the numbers.";
}
