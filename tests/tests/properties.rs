//! Properties that hold for every kernel, on random ones.

use einattn_compiler::cascade::{Cascade, parse, print, verify};
use einattn_compiler::driver::{Options, check_source, lower_observed};
use einattn_compiler::interp;
use einattn_compiler::library::FILES;
use einattn_compiler::passes::{Ir, Level, PIPELINE, PassCx, PassError, apply, lower};
use einattn_compiler::target::{Caps, CpuCaps, GpuCaps};
use einattn_tests::generator;
use einattn_tests::launch::{Launch, difference};

const KERNELS: u64 = 300;

#[test]
fn random_kernels_verify_and_survive_printing() {
    for seed in 0..KERNELS {
        let c = generator::cascade(seed);
        assert_eq!(verify(&c), Ok(()), "seed {seed}\n{}", print(&c));
        assert_eq!(parse(&print(&c)).as_ref(), Ok(&c), "seed {seed}");
    }
}

fn launches(c: &Cascade, seed: u64) -> Vec<Launch> {
    let launch = |round: u64| {
        let extents = generator::extents(c, seed * 8 + round);
        let inputs = interp::random_inputs(c, &extents, seed + round).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        Launch { inputs, scalars: [("tau".to_string(), 0.75)].into(), extents }
    };
    (0..4).map(launch).collect()
}

/// Runs the pipeline to the end for CPUs, comparing after every pass that changed something, and to that for GPUs. `Ok(false)`: refused by a later level.
fn pipeline_keeps_values(seed: u64) -> Result<bool, String> {
    let c = generator::cascade(seed);
    let cx = PassCx::of(&c);
    let launches = launches(&c, seed);
    let run = |ir: &Ir, l: &Launch| l.execute(&c, ir, 2);
    let wanted = launches.iter().map(|l| run(&Ir::Cascade(c.clone()), l)).collect::<Result<Vec<_>, _>>()?;
    let mut ir = Ir::Cascade(c.clone());
    for pass in PIPELINE.iter().filter(|p| p.run.gives().leads_to(Level::Lane)) {
        let next = match apply(pass, ir.clone(), &cx) {
            Ok((next, _)) => next,
            Err(PassError::Refused(_)) if pass.run.gives() != Level::Cascade => return Ok(false),
            Err(e) => return Err(format!("{}: {e}", pass.name)),
        };
        if next != ir {
            let text = next.print();
            if Ir::parse(&text).as_ref() != Ok(&next) {
                return Err(format!("after {}, the text does not survive:\n{text}", pass.name));
            }
            for (l, want) in launches.iter().zip(&wanted) {
                let got = run(&next, l).map_err(|e| format!("after {}: {e}\n{text}", pass.name))?;
                if let Some(d) = difference(want, &got, next.level()) {
                    return Err(format!("{}: {d} for {:?}\n{text}", pass.name, l.extents));
                }
            }
        }
        ir = next;
    }
    let gpu = &GpuCaps::ALL[seed as usize % GpuCaps::ALL.len()];
    let cx = PassCx { caps: Caps::Gpu(gpu.clone()), ..cx };
    let simt = lower(Ir::Cascade(c.clone()), Level::Simt, &cx, &mut |_, _| {}).map_err(|e| e.to_string())?;
    for (l, want) in launches.iter().zip(&wanted) {
        let got = run(&simt, l).map_err(|e| format!("on {}: {e}\n{}", gpu.name, simt.print()))?;
        if let Some(d) = difference(want, &got, Level::Simt) {
            return Err(format!("on {}: {d} for {:?}\n{}", gpu.name, l.extents, simt.print()));
        }
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

/// Every kernel of the library survives printing and parsing at every level, for long and for short vectors.
#[test]
fn library_kernels_survive_printing_at_every_level() {
    let mut seen = [0; 4];
    for (name, text) in FILES {
        let (checked, _) = check_source(text, &[]);
        for c in checked.kernels.iter().flat_map(|k| k.members.first()) {
            for caps in [CpuCaps::AVX512, CpuCaps::CRANELIFT] {
                let options = Options::default();
                // A refused kernel is looked at as far as it came.
                _ = lower_observed(c, &caps, &options, &mut |pass, ir| {
                    seen[ir.level() as usize] += 1;
                    let text = ir.print();
                    let read =
                        Ir::parse(&text).unwrap_or_else(|e| panic!("{name} {} after {pass}: {e}\n{text}", c.name));
                    assert!(read == *ir, "{name} {} after {pass}:\n{text}\nbecame\n{}", c.name, read.print());
                });
            }
        }
    }
    assert!(seen.iter().all(|n| *n > 100), "texts of each level: {seen:?}");
}
