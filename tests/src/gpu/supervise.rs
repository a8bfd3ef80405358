//! Runs the checks in a process of their own, which is started anew after a hang, a crash or an error that the device does not
//! recover from: nothing that was found is lost.

use super::checks::{self, Check};
use crate::vectors::{Outcome, suite};
use einattn::cuda::Device;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Time that one check may take. The repeats take longest.
const LIMIT: Duration = Duration::from_secs(90);

/// Which checks run: all of `only` are in the name, none of `skip` is.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Parts of names.
    pub only: Vec<String>,
    /// Parts of names.
    pub skip: Vec<String>,
}

impl Choice {
    /// True if a check with this name runs.
    pub fn takes(&self, name: &str) -> bool {
        self.only.iter().all(|s| name.contains(s)) && !self.skip.iter().any(|s| name.contains(s))
    }

    fn checks(&self) -> Result<Vec<(String, Check)>, String> {
        let all = checks::all(suite()?);
        Ok(all.into_iter().filter(|(name, _)| self.takes(name)).collect())
    }
}

/// What came of a check.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Name.
    pub name: String,
    /// `ok`, `refused`, `failed` or `out of scope`.
    pub kind: String,
    /// Error, reason or what is wrong.
    pub text: String,
    /// Seconds.
    pub seconds: f64,
}

/// The process that runs checks, from the `first` on: one JSON line at the start of each and one at its end.
///
/// # Errors
///
/// There is no device or there are no vectors.
pub fn work(choice: &Choice, first: usize) -> Result<(), String> {
    let device = Device::get(0).map_err(|e| e.to_string())?;
    let say = |line: Json| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| e.to_string())
    };
    for (i, (name, check)) in choice.checks()?.into_iter().enumerate().skip(first) {
        say(json!({ "start": i, "name": name }))?;
        let start = Instant::now();
        let (kind, text) = described(&check.run(device));
        let seconds = start.elapsed().as_secs_f64();
        say(json!({ "end": i, "name": name, "kind": kind, "text": text, "seconds": seconds }))?;
        if device.wait().is_err() {
            return Ok(());
        }
    }
    say(json!({ "done": true }))
}

fn described(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Accepted(rel) => ("ok", format!("{rel:.1e}")),
        Outcome::Refused(why) => ("refused", why.clone()),
        Outcome::Failed(why) => ("failed", why.clone()),
        Outcome::OutOfScope(why) => ("out of scope", why.clone()),
    }
}

/// Runs all checks in processes of their own; `tell` hears of each at once.
///
/// # Errors
///
/// The checks cannot be started at all.
pub fn run(choice: &Choice, tell: &mut dyn FnMut(&Finding)) -> Result<Vec<Finding>, String> {
    let names: Vec<String> = choice.checks()?.into_iter().map(|(name, _)| name).collect();
    let mut results: Vec<Finding> = vec![];
    while results.len() < names.len() {
        let before = results.len();
        let ended = one_process(choice, before, &mut |r| {
            tell(&r);
            results.push(r);
        })?;
        match ended {
            Ended::Done => break,
            Ended::Broken if results.len() > before => {}
            Ended::Broken if before > 0 => return Err("the device does not come back".to_string()),
            Ended::Broken => return Err("the checks did not start".to_string()),
            Ended::During(why) => {
                let name = names.get(results.len()).cloned().unwrap_or_default();
                let seconds = LIMIT.as_secs_f64();
                let r = Finding { name, kind: "failed".to_string(), text: why.to_string(), seconds };
                tell(&r);
                results.push(r);
            }
        }
    }
    Ok(results)
}

enum Ended {
    Done,
    /// Between two checks.
    Broken,
    /// In a check, with the reason.
    During(&'static str),
}

fn one_process(choice: &Choice, first: usize, found: &mut dyn FnMut(Finding)) -> Result<Ended, String> {
    let mut child = start(choice, first)?;
    let lines = lines(&mut child)?;
    let mut running = false;
    let ended = loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) if line["done"] == true => break Ended::Done,
            Ok(line) if line["start"].is_u64() => running = true,
            Ok(line) => {
                running = false;
                let text = |key: &str| line[key].as_str().unwrap_or_default().to_string();
                let seconds = line["seconds"].as_f64().unwrap_or_default();
                found(Finding { name: text("name"), kind: text("kind"), text: text("text"), seconds });
            }
            Err(RecvTimeoutError::Timeout) => break Ended::During("it did not end in time"),
            Err(RecvTimeoutError::Disconnected) if running => break Ended::During("the process died"),
            Err(RecvTimeoutError::Disconnected) => break Ended::Broken,
        }
    };
    // A process that has ended cannot be killed, which is as well.
    let _ = child.kill();
    child.wait().map_err(|e| e.to_string())?;
    Ok(ended)
}

fn start(choice: &Choice, first: usize) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.arg("work").arg("--first").arg(first.to_string());
    choice.only.iter().for_each(|s| {
        command.arg(s);
    });
    choice.skip.iter().for_each(|s| {
        command.arg("--skip").arg(s);
    });
    command.stdout(Stdio::piped()).spawn().map_err(|e| e.to_string())
}

fn lines(child: &mut Child) -> Result<Receiver<Json>, String> {
    let (send, receive) = channel();
    let out = child.stdout.take().ok_or("no output")?;
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let parsed = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "name": line, "kind": "failed" }));
            if send.send(parsed).is_err() {
                return;
            }
        }
    });
    Ok(receive)
}
