//! Instruction sets that code is made for. One kernel holds code for several; the launcher takes the first one that
//! the processor has.

use einattn_compiler::target::CpuCaps;

/// All of them, best first; the last one runs everywhere.
pub const ALL: [CpuCaps; 3] = [CpuCaps::AVX512, CpuCaps::AVX2, CpuCaps::PORTABLE];

/// The instruction sets of a list of names (`avx2,portable`), best first.
///
/// # Errors
///
/// Says which name is none.
pub fn named(names: &str) -> Result<Vec<CpuCaps>, String> {
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    if let Some(unknown) = names.iter().find(|n| ALL.iter().all(|caps| caps.name != **n)) {
        let known = ALL.map(|caps| caps.name).join(", ");
        return Err(format!("there is no instruction set `{unknown}` ({known})"));
    }
    Ok(ALL.into_iter().filter(|caps| names.contains(&caps.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &str, expected: Result<&[CpuCaps], &str>) {
        let expected = expected.map(<[CpuCaps]>::to_vec).map_err(str::to_string);
        assert_eq!(named(names), expected);
    }

    #[test]
    fn names_become_instruction_sets() {
        check("avx2", Ok(&[CpuCaps::AVX2]));
        check("portable, avx512,portable", Ok(&[CpuCaps::AVX512, CpuCaps::PORTABLE]));
        check("neon", Err("there is no instruction set `neon` (avx512, avx2, portable)"));
        check("", Err("there is no instruction set `` (avx512, avx2, portable)"));
    }
}
