//! File tests: every `tests/filetests/*/*.ir` is a program before and after some passes.
//!
//! ```text
//! # pass: inline, defer          names of passes; `rewrites` are all of L1, `stream` are all up to L2, `tiles` those
//!                                that give L3, `pipeline` is the list for CPUs; `split_kv M = 2;` and `chunk T = 3;` before them cut a rank
//! cascade NAME                   the program; its first word tells the level
//! ..
//! # expect:                      everything below is written by EINATTN_BLESS=1
//! # DEFER: ..                    what the passes reported
//! cascade NAME
//! ..
//! ```
//!
//! Without `# pass:` the program must be refused by the verifier (or parser), and the messages are expected below.
//! A program followed by `# same as:` and another one computes the same; no pass is needed then.
//! Passes are executed too: before and after give the same outputs on random inputs of several shapes, empty ones
//! included.

use einattn_compiler::cascade::{Cascade, Extent, Origin};
use einattn_compiler::interp;
use einattn_compiler::passes::{self, Ir, Level, PIPELINE, Pass, PassCx, PassError, Run};
use einattn_compiler::schedule::{Cut, Split};
use einattn_tests::launch::{Launch, difference};
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
const SAME: &str = "# same as:";

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
    let (program, reference) = input.split_once(SAME).map_or((input, None), |(p, r)| (p, Some(r)));
    let ir = Ir::parse(program).and_then(|ir| ir.verify().map(|()| ir).map_err(|e| e.join("\n")));
    let line = program.lines().find_map(|l| l.strip_prefix("# pass:"));
    if line.is_none() && reference.is_none() {
        return match ir {
            Ok(_) => Err("a program without `# pass:` must be invalid, and this one is valid".into()),
            Err(message) => Ok(commented(&message)),
        };
    }
    let ir = ir?;
    let round_trip = Ir::parse(&ir.print())?;
    if round_trip != ir {
        return Err("printing and parsing changes the program".into());
    }
    if let Some(text) = reference {
        same_outputs(&Ir::parse(text)?, &ir)?;
    }
    let Some(line) = line else { return Ok(String::new()) };
    match apply_all(line, ir.clone())? {
        Ok((out, notes)) => {
            same_outputs(&ir, &out)?;
            // What is executed is what the text says.
            if Ir::parse(&out.print())? != out {
                return Err(format!("printing and parsing changes the result:\n{}", out.print()).into());
            }
            Ok(format!("{}{}", commented(&notes.join("\n")), out.print()))
        }
        Err(PassError::Broken { errors, .. }) => Err(format!("the result is not valid: {}", errors.join("\n")).into()),
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
            None if name == "stream" => list.extend(PIPELINE.iter().filter(|p| p.run.gives() <= Level::Stream)),
            None if name == "tiles" => list.extend(PIPELINE.iter().filter(|p| p.run.gives() == Level::Tile)),
            None if name == "pipeline" => list.extend(PIPELINE.iter().filter(|p| p.run.gives() <= Level::Lane)),
            None => return Err(format!("there is no pass `{name}`").into()),
        }
    }
    Ok(list)
}

/// Options stand before the passes, as in `split_kv M = 2; pipeline`.
fn apply_all(line: &str, mut ir: Ir) -> Result<Result<(Ir, Vec<String>), PassError>, Failed> {
    let (options, passes) = line.rsplit_once(';').unwrap_or(("", line));
    let mut cx = PassCx::of(ir.cascade().ok_or("no pass takes a lane program")?);
    for option in options.split(';').map(str::trim).filter(|o| !o.is_empty()) {
        cx.splits.push(split(option).ok_or_else(|| format!("`{option}` is no option"))?);
    }
    let mut notes = vec![];
    for pass in passes_of(passes)? {
        match passes::apply(pass, ir, &cx) {
            Ok((out, report)) => {
                notes.extend(report.notes);
                ir = out;
            }
            Err(e) => return Ok(Err(e)),
        }
    }
    Ok(Ok((ir, notes)))
}

/// `split_kv M = 2` or `chunk T = 3`
fn split(option: &str) -> Option<Split> {
    let (word, choice) = option.split_once(' ')?;
    let (rank, size) = choice.split_once(" = ")?;
    let (cut, target) = (Cut::of(word)?, "any".to_string());
    Some(Split { cut, target, rank: rank.to_string(), size: size.parse().ok()?, origin: Origin::default() })
}

/// Executes both programs on random inputs of several shapes, empty ones included.
fn same_outputs(before: &Ir, after: &Ir) -> Result<(), Failed> {
    let c = before.cascade().ok_or("lane programs have nothing to be compared with")?;
    for (seed, extents) in shapes(c).into_iter().enumerate() {
        let launch = random(c, extents, seed as u64)?;
        // A block that most extents are no multiple of.
        let run = |ir| launch.execute(c, ir, 2).map_err(|e| format!("for {:?}: {e}", launch.extents));
        let (want, got) = (run(before)?, run(after)?);
        if let Some(d) = difference(&want, &got, after.level()) {
            return Err(format!("{d} for {:?}", launch.extents).into());
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

fn random(c: &Cascade, extents: BTreeMap<String, i64>, seed: u64) -> Result<Launch, Failed> {
    let inputs = interp::random_inputs(c, &extents, seed)?;
    let scalars = c.scalars.iter().map(|s| (s.name.clone(), if s.dtype.is_int() { 1.0 } else { 1.25 })).collect();
    Ok(Launch { inputs, scalars, extents })
}
