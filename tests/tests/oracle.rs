//! Kernels of the library beside references that were written from the equations of the papers.

use einattn_tests::oracle::{Oracle, WRONG_ON_CPUS, cases};
use einattn_tests::vectors::{Answer, Cranelift, Instance, Launch, Target, library_kernel};
use std::collections::BTreeMap;

/// Machine code computes in f32.
const SINGLE: f64 = 1e-4;

fn check(case: &Oracle) -> Result<f64, String> {
    let (file, _) = library_kernel(case.kernel).ok_or("the library has no such kernel")?;
    case.check(&file)
}

/// The interpreter computes what the equations say.
#[test]
fn interpreter() {
    let (mut checked, mut wrong) = (0, vec![]);
    for case in cases() {
        checked += 1;
        if let Err(e) = check(case) {
            wrong.push(format!("{} with {}: {e}", case.kernel, case.set));
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 100, "only {checked} cases");
}

/// Runs machine code on the same inputs; `Ok(false)`: the target refuses the kernel.
fn check_machine_code(case: &Oracle) -> Result<bool, String> {
    let (file, _) = library_kernel(case.kernel).ok_or("the library has no such kernel")?;
    for l in case.launches(&file)? {
        let instance = Instance { kernel: case.kernel.to_string(), set: BTreeMap::new() };
        let launch =
            Launch { instance, cascade: l.cascade.clone(), inputs: l.inputs.clone(), scalars: l.scalars.clone() };
        match Cranelift.run(&launch) {
            Answer::Ran(got) => _ = l.compare(&got, SINGLE)?,
            Answer::Refused(_) => return Ok(false),
            Answer::Broken(why) => return Err(why),
        }
    }
    Ok(true)
}

/// So does machine code, where the kernel is not refused; known defects are named, and a repaired one has to leave the list.
#[test]
fn machine_code() {
    let (mut ran, mut refused, mut wrong) = (0, vec![], vec![]);
    for case in cases() {
        match check_machine_code(case) {
            Ok(true) if WRONG_ON_CPUS.contains(&case.kernel) => wrong.push(format!("{} is right now", case.kernel)),
            Ok(true) => ran += 1,
            Ok(false) => refused.push(case.kernel),
            Err(e) if WRONG_ON_CPUS.contains(&case.kernel) => println!("known: {}: {e}", case.kernel),
            Err(e) => wrong.push(format!("{} with {}: {e}", case.kernel, case.set)),
        }
    }
    println!("{ran} ran, refused: {refused:?}");
    assert!(wrong.is_empty(), "{} of {ran} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran > 100, "only {ran} cases ran");
}
