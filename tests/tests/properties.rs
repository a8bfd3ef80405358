//! Properties that hold for every kernel, on random ones.

use einattn_compiler::cascade::{Cascade, parse, print, verify};
use einattn_compiler::interp::{self, Tensors};
use einattn_compiler::passes::{Ir, PIPELINE, PassCx, PassError, apply};
use einattn_tests::generator;
use std::collections::BTreeMap;

const KERNELS: u64 = 300;

#[test]
fn random_kernels_verify_and_survive_printing() {
    for seed in 0..KERNELS {
        let c = generator::cascade(seed);
        assert_eq!(verify(&c), Ok(()), "seed {seed}\n{}", print(&c));
        assert_eq!(parse(&print(&c)).as_ref(), Ok(&c), "seed {seed}");
    }
}

fn close(name: &str, want: &Tensors, got: &Tensors) -> Result<(), String> {
    for (out, want) in want {
        let got = got.get(out).ok_or_else(|| format!("{name}: `{out}` is lost"))?;
        let scale = want.data.iter().filter(|x| x.is_finite()).fold(1e-3, |m: f64, x| m.max(x.abs()));
        for (i, (a, b)) in want.data.iter().zip(&got.data).enumerate() {
            if !(a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-11 * scale) {
                return Err(format!("{name}: element {i} of `{out}` is {b}, was {a}"));
            }
        }
    }
    Ok(())
}

struct Launch {
    inputs: Tensors,
    scalars: BTreeMap<String, f64>,
    extents: BTreeMap<String, i64>,
}

fn launches(c: &Cascade, seed: u64) -> Vec<Launch> {
    let launch = |round: u64| {
        let extents = generator::extents(c, seed * 8 + round);
        let inputs = interp::random_inputs(c, &extents, seed + round).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        Launch { inputs, scalars: [("tau".to_string(), 0.75)].into(), extents }
    };
    (0..4).map(launch).collect()
}

fn execute(ir: &Ir, l: &Launch) -> Result<Tensors, String> {
    match ir {
        Ir::Cascade(c) => interp::run_cascade(c, &l.inputs, &l.scalars, &l.extents),
        Ir::Stream(s) => interp::run_stream(s, &l.inputs, &l.scalars, &l.extents, 2),
    }
}

/// Runs the pipeline and compares after every pass that changed something. `Ok(false)`: refused by a later level.
fn pipeline_keeps_values(seed: u64) -> Result<bool, String> {
    let c = generator::cascade(seed);
    let cx = PassCx::of(&c);
    let launches = launches(&c, seed);
    let wanted = launches.iter().map(|l| execute(&Ir::Cascade(c.clone()), l)).collect::<Result<Vec<_>, _>>()?;
    let mut ir = Ir::Cascade(c);
    for pass in PIPELINE {
        let next = match apply(pass, ir.clone(), &cx) {
            Ok((next, _)) => next,
            Err(PassError::Refused(_)) if pass.run.gives() != "cascade" => return Ok(false),
            Err(e) => return Err(format!("{}: {e}", pass.name)),
        };
        if next != ir {
            for (l, want) in launches.iter().zip(&wanted) {
                let got = execute(&next, l).map_err(|e| format!("after {}: {e}\n{}", pass.name, next.print()))?;
                close(pass.name, want, &got).map_err(|e| format!("{e} for {:?}\n{}", l.extents, next.print()))?;
            }
        }
        ir = next;
    }
    Ok(true)
}

#[test]
fn the_pipeline_keeps_the_values_of_random_kernels() {
    let mut refused = 0;
    for seed in 0..KERNELS {
        let done = pipeline_keeps_values(seed);
        let done = done.unwrap_or_else(|e| panic!("seed {seed}: {e}\n{}", print(&generator::cascade(seed))));
        refused += u64::from(!done);
    }
    assert!(refused * 20 < KERNELS, "{refused} of {KERNELS} random kernels are refused");
}
