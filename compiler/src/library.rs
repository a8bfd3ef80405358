//! The embedded library: the prelude, and kernels of attention variants to use, read and copy.

/// A library file: its name and its text.
macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../lib/", $name)))
    };
}

/// Definitions that every program sees.
pub const PRELUDE: &str = include_str!("../lib/prelude.attn");

/// Every library file with its text, the prelude first. A new file is one more line.
pub const FILES: &[(&str, &str)] = &[
    file!("prelude.attn"),
    file!("dense.attn"),
    file!("heads.attn"),
    file!("local.attn"),
    file!("windows.attn"),
    file!("sources.attn"),
    file!("sparse.attn"),
    file!("bias.attn"),
    file!("pointwise.attn"),
    file!("linear.attn"),
    file!("features.attn"),
    file!("gated.attn"),
    file!("scans.attn"),
    file!("delta.attn"),
    file!("hybrid.attn"),
    file!("latent.attn"),
    file!("landmarks.attn"),
    file!("decode.attn"),
    file!("eviction.attn"),
    file!("selection.attn"),
    file!("routing.attn"),
    file!("clusters.attn"),
    file!("mixers.attn"),
    file!("convolutions.attn"),
    file!("spectral.attn"),
];

#[cfg(test)]
mod tests {
    use crate::syntax::{parse_str, print};

    #[test]
    fn files_parse_and_print_back() {
        for (name, text) in super::FILES {
            let (file, diags) = parse_str(text);
            assert!(diags.is_empty(), "{name}: {}", diags[0].message);
            let printed = print(&file);
            assert_eq!(print(&parse_str(&printed).0), printed, "{name}");
        }
    }

    #[test]
    fn the_prelude_is_the_first_file() {
        assert_eq!(super::FILES[0], ("prelude.attn", super::PRELUDE));
    }
}
