//! Every command with right and wrong arguments: exit code, and what the two streams hold.
//!
//! 0: everything was done. 1: a program was refused. 2: the command could not be carried out.

use super::harness::{ATTENTION, Folder, SCALED, f32s};
use safetensors::Dtype;

const BROKEN: &str = "kernel broken {\n    rank P;\n    in x: f32[P];\n    out o: f32[P];\n    o[p] = y[p];\n}\n";
const RECURRENT: &str = "kernel steps { iter T; rank E = 4; in x: f32[T, E]; out o: f32[T, E]; state s[t,e]: f32; \
    init s[0,e] = 0.0; s[t+1,e] = s[t,e] + x[t,e]; o[t,e] = s[t+1,e]; }";
const PRECISE: &str = "kernel precise { rank P, M; in x: f32[P, M]; out o: f32[P]; o[p] = sum[m](x[p,m]; acc = f64); }";
const SOURCES: [(&str, &str); 6] = [
    ("scaled.attn", SCALED),
    ("attention.attn", ATTENTION),
    ("broken.attn", BROKEN),
    ("steps.attn", RECURRENT),
    ("precise.attn", PRECISE),
    ("not.ir", "no cascade at all"),
];

/// A folder with sources of every kind, a file that is not text, and inputs of `precise`.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    SOURCES.iter().for_each(|(name, text)| folder.write(name, text));
    std::fs::write(folder.path("binary.attn"), [b'k', 0xff, 0xfe]).expect("a file of the test");
    let x = [1.0, 1e-9, 2.0, 3.0];
    folder.tensors("in.safetensors", &[("x", Dtype::F32, &[2, 2], f32s(&x))]);
    folder
}

/// One command line, its exit code, and parts of what it writes to the output and to the error stream, in order.
type Row = (&'static str, i32, &'static [&'static str], &'static [&'static str]);

#[track_caller]
fn check(name: &str, rows: &[Row]) {
    let folder = folder(name);
    for (line, code, out, err) in rows {
        let args: Vec<&str> = line.split_whitespace().collect();
        let run = folder.attnc(&args);
        assert_eq!(run.code, Some(*code), "attnc {line}\n{}\n{}", run.out, run.err);
        for (stream, parts) in [(&run.out, out), (&run.err, err)] {
            let mut rest = stream.as_str();
            for part in *parts {
                let at = rest.find(part);
                rest = &rest[at.unwrap_or_else(|| panic!("attnc {line}: no `{part}` in\n{stream}"))..];
            }
            assert!(!parts.is_empty() || stream.is_empty(), "attnc {line}: something is written:\n{stream}");
        }
    }
}

#[test]
fn usage() {
    check(
        "usage",
        &[
            ("--help", 0, &["check", "run", "build", "explain", "opt", "lib", "Exit codes:", "0", "1", "2"], &[]),
            ("--version", 0, &["attnc "], &[]),
            ("", 2, &[], &["Usage: attnc <COMMAND>"]),
            ("chek scaled.attn", 2, &[], &["unrecognized subcommand 'chek'", "'check'"]),
            ("check", 2, &[], &["<FILES>..."]),
            ("check scaled.attn --message-format xml", 2, &[], &["invalid value 'xml'", "human, json"]),
            ("run scaled.attn", 2, &[], &["--in", "--out"]),
            ("build scaled.attn --target gpu -o .", 2, &[], &["invalid value 'gpu'", "rust, cranelift"]),
        ],
    );
}

#[test]
fn check_command() {
    check(
        "check_command",
        &[
            ("check scaled.attn", 0, &[], &["1 kernel checked, 1 file"]),
            ("check scaled.attn attention.attn steps.attn", 0, &[], &["3 kernels checked, 3 files"]),
            ("check broken.attn", 1, &[], &["error[N-NAME]", "--> broken.attn:5:12", "o[p] = y[p];"]),
            // Every file is checked, whatever is wrong with those before it.
            ("check broken.attn scaled.attn broken.attn", 1, &[], &["broken.attn:5:12", "broken.attn:5:12"]),
            ("check nowhere.attn broken.attn", 2, &[], &["error[N-NAME]", "error: cannot read `nowhere.attn`"]),
            ("check binary.attn", 2, &[], &["error: `binary.attn` is not UTF-8 text (byte 1)"]),
            ("check nowhere.attn binary.attn", 2, &[], &["error: cannot read", "error: `binary.attn` is not"]),
            ("check .", 2, &[], &["error: cannot read `.`"]),
            // Diagnostics for programs go to the output, one JSON object a line; without any there is nothing to say.
            ("check scaled.attn --message-format json", 0, &[], &[]),
            ("check broken.attn --message-format json", 1, &["{\"code\":\"N-NAME\"", "\"line\":5"], &[]),
        ],
    );
}

#[test]
fn json_has_everything_that_people_see() {
    let folder = folder("json_has_everything");
    folder.write("two.attn", "/* é */ kernel k { rank P, P; in x: f32[P]; out o: f32[P]; o[p] = x[p + 1]; }");
    let run = folder.attnc(&["check", "two.attn", "broken.attn", "--message-format", "json"]);
    assert_eq!(run.code, Some(1));
    let found: Vec<serde_json::Value> = run.out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let short =
        |v: &serde_json::Value| format!("{} {} {}:{}-{}", v["severity"], v["code"], v["file"], v["line"], v["column"]);
    let expected = ["error N-NAME two.attn:1-28", "warning A-OOB two.attn:1-69", "error N-NAME broken.attn:5-12"];
    assert_eq!(found.iter().map(|v| short(v).replace('"', "")).collect::<Vec<_>>(), expected, "{}", run.out);
    let twice = &found[0];
    assert_eq!(twice["message"], "`P` is declared twice");
    assert_eq!((&twice["start"], &twice["end"], &twice["end_column"]), (&28.into(), &29.into(), &29.into()));
    assert_eq!(twice["labels"][0]["text"], "first declared here");
    assert_eq!(twice["labels"][0]["column"], 25);
    assert!(twice["help"].as_str().is_some_and(|h| h.contains("one namespace")), "{twice}");
    assert_eq!(found[1]["notes"].as_array().map(Vec::len), Some(1));
}

#[test]
fn run_command() {
    check(
        "run_command",
        &[
            ("run precise.attn --in in.safetensors --out out.safetensors", 0, &["o: f32[2]; interp ran in "], &[]),
            // An accumulator that the target does not have is refused, never narrowed.
            (
                "run precise.attn --in in.safetensors --out o --target cranelift",
                1,
                &[],
                &[
                    "error[U-TARGET]: `acc = f64`: `o` accumulates in f64",
                    "--> precise.attn:1:",
                    "help: leave it at f32",
                ],
            ),
            ("run steps.attn --in in.safetensors --out o", 2, &[], &["error: a dimension of `x` is 2, expected 4"]),
            ("run broken.attn --in in.safetensors --out o", 1, &[], &["error[N-NAME]", "broken.attn:5:12"]),
            ("run nowhere.attn --in in.safetensors --out o", 2, &[], &["error: cannot read `nowhere.attn`"]),
            ("run precise.attn --in nowhere --out o", 2, &[], &["error: ", "`nowhere`"]),
            ("run precise.attn --in in.safetensors --out no/where", 2, &[], &["error: ", "no/where"]),
            ("run lib:nothing --in in.safetensors --out o", 2, &[], &["error: the library has no kernel `nothing`"]),
        ],
    );
}

#[test]
fn build_command() {
    check(
        "build_command",
        &[
            (
                "build attention.attn --target cranelift -o made",
                0,
                &["made/attention.o", "made/attention.h", "made/attention.json"],
                &[],
            ),
            ("build attention.attn --target rust -o made", 0, &["made/attention.rs"], &[]),
            ("build lib:window_causal --target rust -o made", 0, &["made/window_causal.rs"], &[]),
            ("build scaled.attn --set W=3 --set T=f32 --target cranelift -o made", 0, &["made/scaled.o"], &[]),
            ("build scaled.attn --set W=x --target cranelift -o made", 1, &[], &["error[T-TYPE]: `x` is no value"]),
            (
                "build scaled.attn --set V=3 --target cranelift -o made",
                1,
                &[],
                &["error[N-NAME]: there is no `V` to set", "these can be set: `N`, `T`, `W`"],
            ),
            ("build scaled.attn --set W --target cranelift -o made", 2, &[], &["error: `--set W` is not NAME=VALUE"]),
            ("build broken.attn --target cranelift -o made", 1, &[], &["error[N-NAME]", "broken.attn:5:12"]),
            ("build precise.attn --target cranelift -o made", 1, &[], &["error[U-TARGET]: `acc = f64`"]),
            ("build precise.attn --target rust -o made", 1, &[], &["error[U-TARGET]: `acc = f64`"]),
            ("build attention.attn nothing --target rust -o made", 2, &[], &["has no kernel `nothing`"]),
            ("build attention.attn --target rust -o in.safetensors", 2, &[], &["error: cannot make `in.safetensors`"]),
        ],
    );
}

#[test]
fn explain_command() {
    check(
        "explain_command",
        &[
            ("explain T-FREE", 0, &["T-FREE: a rank variable is neither on the left nor reduced", "// good"], &[]),
            ("explain a-mask", 0, &["A-MASK: ", "#[sorted]"], &[]),
            ("explain attention.attn", 0, &["kernel attention", "Passes as written", "Rewrites", "Stages"], &[]),
            ("explain broken.attn", 1, &[], &["error[N-NAME]"]),
            ("explain T-FREEE", 2, &[], &["error: `T-FREEE` is neither a file nor a code", "T-FREE"]),
            ("explain attention.attn nothing", 2, &[], &["error: `attention.attn` has no such kernel", "attention"]),
        ],
    );
}

#[test]
fn opt_command() {
    check(
        "opt_command",
        &[
            ("opt --list", 0, &["inline", "defer", "stages"], &[]),
            ("opt not.ir --pass dce", 2, &[], &["error: not.ir:"]),
            ("opt nowhere.ir --pass dce", 2, &[], &["error: cannot read `nowhere.ir`"]),
            ("opt not.ir", 2, &[], &["--pass", "--pipeline", "--list"]),
        ],
    );
}

#[test]
fn lib_command() {
    check(
        "lib_command",
        &[
            ("lib", 0, &["prelude.attn: ", "mask causal", "local.attn: ", "kernel window_causal"], &[]),
            ("lib causal", 0, &["mask causal("], &[]),
            ("lib window_causal", 0, &["///", "kernel window_causal {", "}\n"], &[]),
            ("lib prelude.attn", 0, &["mask causal("], &[]),
            ("lib --search WINDOW", 0, &["prelude.attn: ", "mask window", "local.attn: ", "kernel window_causal"], &[]),
            (
                "lib window_casual",
                2,
                &[],
                &["error: the library has no `window_casual`", "did you mean `window_causal`?"],
            ),
            ("lib --search unheard-of", 2, &[], &["error: nothing in the library mentions `unheard-of`"]),
            ("lib causal --search window", 2, &[], &["cannot be used with"]),
        ],
    );
    let found = folder("lib_search").attnc(&["lib", "--search", "window"]);
    let listed = found.out.lines().filter(|l| l.starts_with("    "));
    assert!(listed.clone().count() >= 2 && !found.out.contains("mask same"), "{}", found.out);
}
