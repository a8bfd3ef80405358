//! AST → typed kernels: names, ranks, dtypes, facts; elaboration to the cascade IR.
