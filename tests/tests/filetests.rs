//! File tests: every `tests/filetests/*/*.ir` is a program before and after some passes.
//!
//! ```text
//! # pass: inline, defer          names of passes; `rewrites` are all of L1, `pipeline` is the whole list
//! cascade NAME                   the program; its first word tells the level
//! ..
//! # expect:                      everything below is written by EINATTN_BLESS=1
//! # DEFER: ..                    what the passes reported
//! cascade NAME
//! ..
//! ```
//!
//! Without `# pass:` the program must be refused by the verifier (or parser), and the messages are expected below.
//! Passes are executed too: before and after give the same outputs on random inputs of several shapes, empty ones
//! included.

use einattn_compiler::cascade::{Cascade, Extent};
use einattn_compiler::interp::{self, Tensors, Value};
use einattn_compiler::passes::{self, Ir, PIPELINE, Pass, PassCx, PassError, Run};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("filetests");
    let mut files = vec![];
    collect(&root, &mut files);
    files.sort();
    let trials = files.into_iter().map(|file| {
        let name = file.strip_prefix(&root).unwrap_or(&file).with_extension("").display().to_string();
        Trial::test(name, move || run(&file))
    });
    libtest_mimic::run(&args, trials.collect()).exit();
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "ir") {
            files.push(path);
        }
    }
}

const EXPECT: &str = "# expect:";

fn run(file: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(file)?;
    let (input, expected) = text.split_once(EXPECT).unwrap_or((&text, ""));
    let actual = outcome(input)?;
    if actual.trim() == expected.trim() {
        return Ok(());
    }
    if std::env::var_os("EINATTN_BLESS").is_some() {
        fs::write(file, format!("{}\n{EXPECT}\n{}\n", input.trim_end(), actual.trim()))?;
        return Ok(());
    }
    Err(format!("EINATTN_BLESS=1 accepts this:\n{}\n\ninstead of:\n{}", actual.trim(), expected.trim()).into())
}

/// What stands below `# expect:`.
fn outcome(input: &str) -> Result<String, Failed> {
    let ir = Ir::parse(input).and_then(|ir| ir.verify().map(|()| ir).map_err(|e| e.join("\n")));
    let Some(line) = input.lines().find_map(|l| l.strip_prefix("# pass:")) else {
        return match ir {
            Ok(_) => Err("a program without `# pass:` must be invalid, and this one is valid".into()),
            Err(message) => Ok(commented(&message)),
        };
    };
    let ir = ir?;
    let round_trip = Ir::parse(&ir.print())?;
    if round_trip != ir {
        return Err("printing and parsing changes the program".into());
    }
    match apply_all(&passes_of(line)?, ir.clone()) {
        Ok((out, notes)) => {
            same_outputs(&ir, &out)?;
            Ok(format!("{}{}", commented(&notes.join("\n")), out.print()))
        }
        Err(PassError::Broken(errors)) => Err(format!("the result is not valid: {}", errors.join("\n")).into()),
        Err(refused) => Ok(commented(&refused.to_string())),
    }
}

fn commented(text: &str) -> String {
    text.lines().map(|l| format!("# {l}\n")).collect()
}

fn passes_of(line: &str) -> Result<Vec<&'static Pass>, Failed> {
    let mut list = vec![];
    for name in line.split(',').map(str::trim) {
        match passes::find(name) {
            Some(pass) => list.push(pass),
            None if name == "rewrites" => list.extend(PIPELINE.iter().filter(|p| matches!(p.run, Run::Cascade(_)))),
            None if name == "pipeline" => list.extend(PIPELINE),
            None => return Err(format!("there is no pass `{name}`").into()),
        }
    }
    Ok(list)
}

fn apply_all(list: &[&'static Pass], mut ir: Ir) -> Result<(Ir, Vec<String>), PassError> {
    let cx = PassCx::of(ir.cascade());
    let mut notes = vec![];
    for pass in list {
        let (out, report) = passes::apply(pass, ir, &cx)?;
        notes.extend(report.notes);
        ir = out;
    }
    Ok((ir, notes))
}

/// Executes both programs on random inputs of several shapes, empty ones included.
fn same_outputs(before: &Ir, after: &Ir) -> Result<(), Failed> {
    for (seed, extents) in shapes(before.cascade()).into_iter().enumerate() {
        let launch = Launch::random(before.cascade(), extents, seed as u64)?;
        let (want, got) = (launch.execute(before)?, launch.execute(after)?);
        for (name, want) in &want {
            let got = got.get(name).ok_or_else(|| format!("output `{name}` is lost"))?;
            close(want, got).map_err(|m| format!("`{name}` differs for {:?}: {m}", launch.extents))?;
        }
    }
    Ok(())
}

/// Extents of the free ranks: all small combinations of a few sizes, drawn round robin so that ranks differ.
fn shapes(c: &Cascade) -> Vec<BTreeMap<String, i64>> {
    let free: Vec<&str> = c.ranks.iter().filter(|r| r.extent == Extent::Free).map(|r| r.name.as_str()).collect();
    let sizes = [3, 1, 5, 2, 0, 4, 7];
    let at = |shape: usize, rank: usize| sizes[(shape + rank * (1 + shape / sizes.len())) % sizes.len()];
    let mut shapes: Vec<BTreeMap<String, i64>> =
        (0..14).map(|s| free.iter().enumerate().map(|(r, n)| (n.to_string(), at(s, r))).collect()).collect();
    shapes.extend(
        free.iter().map(|empty| free.iter().map(|n| (n.to_string(), if n == empty { 0 } else { 4 })).collect()),
    );
    shapes
}

/// Inputs of one execution.
struct Launch {
    inputs: Tensors,
    scalars: BTreeMap<String, f64>,
    extents: BTreeMap<String, i64>,
}

impl Launch {
    fn random(c: &Cascade, extents: BTreeMap<String, i64>, seed: u64) -> Result<Launch, Failed> {
        let inputs = interp::random_inputs(c, &extents, seed)?;
        let scalars = c.scalars.iter().map(|s| (s.name.clone(), if s.dtype.is_int() { 1.0 } else { 1.25 })).collect();
        Ok(Launch { inputs, scalars, extents })
    }

    fn execute(&self, ir: &Ir) -> Result<Tensors, Failed> {
        let run = match ir {
            Ir::Cascade(c) => interp::run_cascade(c, &self.inputs, &self.scalars, &self.extents),
            // A block that most extents are no multiple of.
            Ir::Stream(s) => interp::run_stream(s, &self.inputs, &self.scalars, &self.extents, 2),
        };
        run.map_err(|e| format!("for {:?}: {e}", self.extents).into())
    }
}

/// Equal up to the rounding of f64: relative to the size of the array, because sums cancel.
fn close(want: &Value, got: &Value) -> Result<(), String> {
    if want.shape != got.shape {
        return Err(format!("shape {:?} became {:?}", want.shape, got.shape));
    }
    let finite = want.data.iter().filter(|x| x.is_finite());
    let scale = finite.fold(1e-3, |m: f64, x| m.max(x.abs()));
    for (i, (a, b)) in want.data.iter().zip(&got.data).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * scale;
        if !same {
            return Err(format!("element {i} is {b}, was {a}"));
        }
    }
    Ok(())
}
