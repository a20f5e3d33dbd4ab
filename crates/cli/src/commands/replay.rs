//! `cofferdam replay`: rebuilds the state from recorded facts, with no module loaded; or decides every recorded input again and
//! compares fact by fact.

use super::run::{FACTS, INPUTS, STACK, SUMMARY};
use crate::args::ReplayArgs;
use crate::error::CliError;
use crate::ui::Ui;
use cofferdam_stack::{
    Engine, Fact, FactFrame, Input, JournalError, JournalKind, JournalReader, Observer, StackConfig, State,
    StepCause,
};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

type Frames = JournalReader<BufReader<File>, FactFrame>;

pub(crate) fn run(args: ReplayArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let (hash, steps) = if args.inputs {
        decide_again(&args.dir)?
    } else {
        whole_inputs(&args.dir)?;
        rebuild(&args.dir)?
    };
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    summary_agrees(&args.dir, &hex)?;
    if ui.json() {
        ui.value(&serde_json::json!({ "agrees": true, "state_hash": hex, "steps": steps }))?;
    } else {
        ui.note(format_args!("{steps} steps agree"));
        ui.line(hex)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn open<T: serde::de::DeserializeOwned>(
    folder: &Path,
    name: &str,
    kind: JournalKind,
) -> Result<JournalReader<BufReader<File>, T>, CliError> {
    let path = folder.join(name);
    let file = File::open(&path).map_err(|e| CliError::file(&path, "read it", &e))?;
    JournalReader::new(BufReader::new(file), kind).map_err(|e| broken(&path, &e))
}

/// A journal that is not what was written is a comparison that does not agree.
fn broken(path: &Path, error: &JournalError) -> CliError {
    match error {
        JournalError::Io(e) => CliError::file(path, "read it", e),
        other => CliError::Disagrees(format!("{}: {other}", path.display())),
    }
}

fn begin(frames: &mut Frames, path: &Path) -> Result<State, CliError> {
    match frames.next() {
        Some(Ok(FactFrame::Genesis(g))) => Ok(g.into()),
        Some(Err(e)) => Err(broken(path, &e)),
        _ => Err(CliError::Disagrees(format!("{}: frame 0 is not what a state starts from", path.display()))),
    }
}

/// Facts alone rebuild the state; that the inputs beside them are those that were written is checked all the same.
fn whole_inputs(folder: &Path) -> Result<(), CliError> {
    let inputs: JournalReader<_, Input> = open(folder, INPUTS, JournalKind::Inputs)?;
    for input in inputs {
        input.map_err(|e| broken(&folder.join(INPUTS), &e))?;
    }
    Ok(())
}

/// The hash that the summary promises to scripts is the one that was found.
fn summary_agrees(folder: &Path, found: &str) -> Result<(), CliError> {
    let path = folder.join(SUMMARY);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        // a journal needs no summary beside it
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(CliError::file(&path, "read it", &e)),
    };
    let summary: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let recorded = summary.as_ref().and_then(|s| s.get("state_hash")).and_then(serde_json::Value::as_str);
    if recorded == Some(found) {
        return Ok(());
    }
    Err(CliError::Disagrees(format!(
        "{}: state_hash is {}, the record leads to {found}",
        path.display(),
        recorded.unwrap_or("absent")
    )))
}

fn rebuild(folder: &Path) -> Result<([u8; 32], u64), CliError> {
    let path = folder.join(FACTS);
    let mut frames: Frames = open(folder, FACTS, JournalKind::Facts)?;
    let mut state = begin(&mut frames, &path)?;
    let mut steps = 0_u64;
    loop {
        let place = frames.frames();
        match frames.next() {
            Some(Ok(FactFrame::Step(facts))) => {
                steps += 1;
                for fact in &facts {
                    state.evolve(fact).map_err(|e| {
                        CliError::Disagrees(format!("{}: frame {place}: {e}", path.display()))
                    })?;
                }
            }
            Some(Ok(FactFrame::End { state_hash })) => {
                return end(&mut frames, &path, &state, state_hash).map(|h| (h, steps));
            }
            Some(Ok(FactFrame::Genesis(_))) | None => {
                return Err(CliError::Disagrees(format!(
                    "{}: frame {place} does not belong there",
                    path.display()
                )));
            }
            Some(Err(e)) => return Err(broken(&path, &e)),
        }
    }
}

fn end(frames: &mut Frames, path: &Path, state: &State, recorded: [u8; 32]) -> Result<[u8; 32], CliError> {
    match frames.next() {
        None => {}
        Some(Err(e)) => return Err(broken(path, &e)),
        Some(Ok(_)) => return Err(CliError::Disagrees(format!("{}: frames after the last", path.display()))),
    }
    let found = state.hash();
    if found == recorded {
        return Ok(found);
    }
    Err(CliError::Disagrees(format!(
        "{}: the facts lead to another state than the one recorded",
        path.display()
    )))
}

/// Compares each step with the next frame of the record.
struct Compare<'a> {
    frames: Frames,
    path: &'a Path,
    steps: u64,
    input: u64,
    difference: Option<CliError>,
}

impl Observer for Compare<'_> {
    fn step(&mut self, cause: &StepCause, facts: &[Fact], _: &State) {
        if self.difference.is_some() {
            return;
        }
        let place = self.frames.frames();
        let path = self.path.display();
        self.difference = match self.frames.next() {
            Some(Ok(FactFrame::Step(recorded))) if recorded == facts => {
                self.steps += 1;
                return;
            }
            Some(Ok(FactFrame::Step(recorded))) => {
                let at = recorded.iter().zip(facts).take_while(|(a, b)| a == b).count();
                Some(CliError::Disagrees(format!(
                    "{path}: frame {place}, fact {at} (input {}, {cause:?}): recorded {:?}, decided {:?}",
                    self.input,
                    recorded.get(at),
                    facts.get(at)
                )))
            }
            Some(Ok(_)) | None => Some(CliError::Disagrees(format!(
                "{path}: frame {place}: the record ends, but input {} led to another step",
                self.input
            ))),
            Some(Err(e)) => Some(broken(self.path, &e)),
        };
    }
}

fn decide_again(folder: &Path) -> Result<([u8; 32], u64), CliError> {
    let path = folder.join(FACTS);
    let stack_file = folder.join(STACK);
    let built = StackConfig::load(&stack_file)
        .and_then(|c| c.build())
        .map_err(|e| CliError::BadInput(e.to_string()))?;
    let mut frames: Frames = open(folder, FACTS, JournalKind::Facts)?;
    let start = begin(&mut frames, &path)?;
    let mut engine = Engine::new(built.stack);
    if start.hash() != engine.state().hash() {
        return Err(CliError::Disagrees(format!(
            "{}: the stack of {} starts from another state",
            path.display(),
            stack_file.display()
        )));
    }
    let inputs_path = folder.join(INPUTS);
    let mut inputs: JournalReader<_, Input> = open(folder, INPUTS, JournalKind::Inputs)?;
    let mut compare = Compare { frames, path: &path, steps: 0, input: 0, difference: None };
    while let Some(input) = inputs.next() {
        compare.input = inputs.frames();
        let input = input.map_err(|e| broken(&inputs_path, &e))?;
        let outcome = engine.submit(&input, &mut compare).map_err(|e| CliError::Internal(e.to_string()))?;
        drop(outcome);
        if let Some(difference) = compare.difference.take() {
            return Err(difference);
        }
    }
    match compare.frames.next() {
        Some(Ok(FactFrame::End { state_hash })) => {
            end(&mut compare.frames, &path, engine.state(), state_hash).map(|h| (h, compare.steps))
        }
        Some(Err(e)) => Err(broken(&path, &e)),
        _ => Err(CliError::Disagrees(format!("{}: the record goes on after the last input", path.display()))),
    }
}
