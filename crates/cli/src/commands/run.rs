//! `cofferdam run`: a scenario, all of it, into a folder: report, summary, inputs, facts. Either the folder is whole or it is
//! not there.

use crate::args::RunArgs;
use crate::composed::Chosen;
use crate::error::CliError;
use crate::fill;
use crate::lending;
use crate::report;
use crate::ui::{Progress as Bar, Ui};
use cofferdam_market_sim::implied::Reach;
use cofferdam_market_sim::perp::Recorder;
use cofferdam_market_sim::study::{
    Labels, Prepared, Progress, Study, StudyError, StudyOutcome, Summary, VariantConfig,
};
use cofferdam_protocols::{Preset, World};
use cofferdam_stack::{
    Fact, FactFrame, Input, JournalKind, JournalWriter, Observer, StackConfig, State, StepCause,
};
use sha2::{Digest, Sha256};
use std::fmt::{Display, Formatter};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

pub(crate) const INPUTS: &str = "inputs";
pub(crate) const FACTS: &str = "facts";
pub(crate) const STACK: &str = "stack.toml";
const LENDING_STACK: &str = "lending-stack.toml";
pub(crate) const SUMMARY: &str = "summary.json";
const REPORT: &str = "report.html";

pub(crate) fn run(args: RunArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let started = Instant::now();
    let mut prepared = Prepared::load(&args.path).map_err(bad_input)?;
    let out = args.out.clone().unwrap_or_else(|| default_out(&prepared.folder));
    let staged = Staged::begin(&out)?;
    narrow(&mut prepared, &args, &staged.folder)?;
    let jobs =
        args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize);
    let study = Study { prepared, jobs };

    let mut recorder = Journals::begin(&study, &staged.folder)?;
    let bars = Bars { ui, bar: Mutex::new(None) };
    let outcome = study.run(&mut recorder, &bars).map_err(bad_input)?;
    bars.finish();
    let speed = recorder.finish(outcome.replay.runs[0].state_hash)?;
    let lent = lending::run(&study, &bars).map_err(bad_input)?;
    bars.finish();

    let reach =
        Reach::new(&study.prepared.minutes, &study.prepared.schedule, study.prepared.scenario.lookback_rows)
            .map_err(|e| CliError::Internal(e.to_string()))?;
    let labels = |config: &VariantConfig| labels(&study, config);
    let mut summary = outcome.summary(&study, &reach, &labels);
    let lending_names = lending_labels(&study);
    summary.lending = lent.as_ref().map(|l| {
        let mut entries = lending::summary(l);
        lending::add_breakers(&mut entries, l, &lending_names.breakers);
        entries
    });
    write_results(&study, &outcome, &summary, &reach, lent.as_deref(), &staged.folder, &args)?;
    staged.commit()?;
    say(ui, &study, &summary, &out, started.elapsed().as_secs_f64(), speed)?;
    Ok(ExitCode::SUCCESS)
}

/// Cuts the scenario down to what the arguments ask for.
fn narrow(prepared: &mut Prepared, args: &RunArgs, folder: &Path) -> Result<(), CliError> {
    let scenario = &mut prepared.scenario;
    if let Some(n) = args.seeds {
        let n = n as usize;
        let mut next = scenario.seeds.iter().max().copied().unwrap_or(0);
        while scenario.seeds.len() < n {
            next += 1;
            scenario.seeds.push(next);
        }
        scenario.seeds.truncate(n);
    }
    if let Some(list) = &args.variants {
        let known: Vec<&str> = scenario.variants.iter().map(|v| v.name.as_str()).collect();
        let wanted: Vec<String> = chosen(list, &known)?.into_iter().map(str::to_owned).collect();
        scenario.variants.retain(|v| wanted.contains(&v.name));
    }
    match args.stack.chosen()? {
        Some(Chosen::File(stack)) => {
            scenario.stack =
                std::path::absolute(&stack).map_err(|e| CliError::file(&stack, "find it", &e))?;
            prepared.composed(&VariantConfig::replay("replay", "")).map_err(bad_input)?;
        }
        Some(Chosen::Protocol(preset)) => install(prepared, preset, folder)?,
        None => {}
    }
    Ok(())
}

/// Puts a built-in venue's stack file among the results and into the place of the scenario's own.
fn install(prepared: &mut Prepared, preset: &Preset, folder: &Path) -> Result<(), CliError> {
    let folder = std::path::absolute(folder).map_err(|e| CliError::file(folder, "find it", &e))?;
    let path = match preset.world {
        World::Perpetual => folder.join(STACK),
        World::Lending => folder.join(LENDING_STACK),
        World::Cleared => {
            return Err(CliError::BadInput(format!(
                "--protocol {}: its margin needs scenario values, which no scenario's data has; accepted: a venue for perpetual \
                 positions or for lending",
                preset.name
            )));
        }
    };
    std::fs::write(&path, preset.stack).map_err(|e| CliError::file(&path, "write it", &e))?;
    match (preset.world, &mut prepared.scenario.lending) {
        (World::Perpetual, _) => prepared.scenario.stack = path,
        (World::Lending, Some(lending)) => lending.stack = path,
        (World::Lending, None) => {
            let name = preset.name;
            return Err(CliError::BadInput(format!(
                "--protocol {name}: a lending venue; accepted: a scenario with a [lending] section, or a venue for positions"
            )));
        }
        (World::Cleared, _) => {} // refused above
    }
    prepared.composed(&VariantConfig::replay("replay", "")).map_err(bad_input)?;
    Ok(())
}

/// The names of a list separated by commas. A name may hold commas itself, so the longest that fits is taken.
fn chosen<'a>(list: &str, known: &[&'a str]) -> Result<Vec<&'a str>, CliError> {
    let mut names = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() {
        let after = |name: &str| {
            let tail = rest.strip_prefix(name)?.trim_start();
            if tail.is_empty() { Some(tail) } else { tail.strip_prefix(',').map(str::trim_start) }
        };
        let fits = known.iter().filter_map(|n| after(n).map(|tail| (*n, tail))).max_by_key(|(n, _)| n.len());
        let Some((name, tail)) = fits else {
            let quoted: Vec<String> = known.iter().map(|n| format!("{n:?}")).collect();
            return Err(CliError::BadInput(format!(
                "--variants: {rest:?} does not begin with the name of a variant; accepted: {}",
                quoted.join(", ")
            )));
        };
        names.push(name);
        rest = tail;
    }
    Ok(names)
}

fn bad_input(error: StudyError) -> CliError {
    match error {
        StudyError::Run(e) => CliError::Internal(e.to_string()),
        other => CliError::BadInput(other.to_string()),
    }
}

/// `out/NAME`, named after the scenario's folder.
fn default_out(folder: &Path) -> PathBuf {
    let name = std::path::absolute(folder).ok().and_then(|p| p.file_name().map(PathBuf::from));
    Path::new("out").join(name.unwrap_or_else(|| "run".into()))
}

/// Held while a run writes: a folder whose lock nobody holds belongs to a run that was killed.
const LOCK: &str = ".running";

/// A folder beside the wanted one, which takes its place when everything is written; dropped before, it is removed. Of a run
/// that was killed it stays, and the next run to the same place removes it.
#[derive(Debug)]
struct Staged {
    folder: PathBuf,
    target: PathBuf,
    _lock: File,
    done: bool,
}

impl Staged {
    fn begin(target: &Path) -> Result<Self, CliError> {
        if target.exists() && !ours(target)? {
            return Err(CliError::BadInput(format!(
                "{}: exists and is not the output of a run; accepted: a new or empty folder, or one that holds {SUMMARY}",
                target.display()
            )));
        }
        let name =
            target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "run".into());
        let folder = target.with_file_name(format!(".{name}.{}", std::process::id()));
        clear_abandoned(&folder, &name);
        std::fs::create_dir_all(&folder).map_err(|e| CliError::file(&folder, "create it", &e))?;
        let lock =
            File::create(folder.join(LOCK)).map_err(|e| CliError::file(&folder, "write into it", &e))?;
        let _ = lock.try_lock(); // where files cannot be locked, nothing is ever taken for abandoned
        Ok(Self { folder, target: target.to_path_buf(), _lock: lock, done: false })
    }

    fn commit(mut self) -> Result<(), CliError> {
        let lock = self.folder.join(LOCK);
        std::fs::remove_file(&lock).map_err(|e| CliError::file(&lock, "remove it", &e))?;
        if self.target.exists() {
            std::fs::remove_dir_all(&self.target)
                .map_err(|e| CliError::file(&self.target, "replace it", &e))?;
        }
        std::fs::rename(&self.folder, &self.target)
            .map_err(|e| CliError::file(&self.target, "move the results there", &e))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_dir_all(&self.folder); // nothing half-written is left behind
        }
    }
}

/// Removes what killed runs to the same place left: `.NAME.PID` whose lock can be taken. Whatever is in doubt stays.
fn clear_abandoned(beside: &Path, name: &str) {
    let parent = beside.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!(".{name}.");
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let pid = file_name.to_str().and_then(|n| n.strip_prefix(&prefix)).unwrap_or_default();
        if pid.is_empty() || !pid.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let lock = File::open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// An empty folder, or an earlier output of ours.
fn ours(folder: &Path) -> Result<bool, CliError> {
    let mut entries =
        std::fs::read_dir(folder).map_err(|e| CliError::file(folder, "read it as a folder", &e))?;
    Ok(entries.next().is_none() || folder.join(SUMMARY).is_file())
}

/// How long the recorded replay took. Never in the results: they are the same bytes each time.
#[derive(Clone, Copy, Debug)]
struct Speed {
    inputs: u64,
    stack_seconds: f64,
    seconds: f64,
}

impl Display for Speed {
    fn fmt(&self, f: &mut Formatter<'_>) -> core::fmt::Result {
        let per_second = self.inputs as f64 / self.stack_seconds.max(1e-9);
        let share = 100.0 * self.stack_seconds / self.seconds.max(1e-9);
        write!(
            f,
            "{per_second:.0} inputs per second in the stack, {share:.0} % of the {:.1} s of the recorded replay",
            self.seconds
        )
    }
}

/// Writes the replay's inputs and facts as they happen, and measures the time spent in the stack.
#[derive(Debug)]
struct Journals {
    inputs: JournalWriter<BufWriter<File>>,
    facts: JournalWriter<BufWriter<File>>,
    fault: Option<io::Error>,
    since: Option<Instant>,
    stack_seconds: f64,
    began: Instant,
    /// From the beginning to the last input: the world around the stack and the writing of journals included.
    seconds: f64,
    count: u64,
}

impl Journals {
    fn begin(study: &Study, folder: &Path) -> Result<Self, CliError> {
        let create = |name: &str, kind| {
            let path = folder.join(name);
            File::create(&path)
                .and_then(|f| JournalWriter::new(BufWriter::new(f), kind))
                .map_err(|e| CliError::file(&path, "write it", &e))
        };
        let stack = study.prepared.folder.join(&study.prepared.scenario.stack);
        let text = std::fs::read(&stack).map_err(|e| CliError::file(&stack, "read it", &e))?;
        std::fs::write(folder.join(STACK), text).map_err(|e| CliError::file(&stack, "copy it", &e))?;
        let built = study.prepared.composed(&VariantConfig::replay("replay", "")).map_err(bad_input)?;
        let mut facts = create(FACTS, JournalKind::Facts)?;
        facts.append(&FactFrame::Genesis(built.stack.initial_state().genesis()))?;
        let inputs = create(INPUTS, JournalKind::Inputs)?;
        let began = Instant::now();
        Ok(Self {
            inputs,
            facts,
            fault: None,
            since: None,
            stack_seconds: 0.0,
            began,
            seconds: 0.0,
            count: 0,
        })
    }

    fn finish(mut self, state_hash: [u8; 32]) -> Result<Speed, CliError> {
        self.facts.append(&FactFrame::End { state_hash })?;
        self.facts.finish()?;
        self.inputs.finish()?;
        Ok(Speed { inputs: self.count, stack_seconds: self.stack_seconds, seconds: self.seconds })
    }
}

impl Observer for Journals {
    fn step(&mut self, _: &StepCause, facts: &[Fact], _: &State) {
        let paused = self.since.take();
        if let Some(since) = paused {
            self.stack_seconds += since.elapsed().as_secs_f64();
        }
        let written = self.facts.append(&FactFrame::Step(facts.to_vec()));
        if let Err(e) = written {
            self.fault.get_or_insert(e);
        }
        if paused.is_some() {
            self.since = Some(Instant::now());
        }
    }
}

impl Recorder for Journals {
    fn input(&mut self, input: &Input) -> io::Result<()> {
        self.count += 1;
        self.inputs.append(input)?;
        self.since = Some(Instant::now());
        Ok(())
    }

    fn fault(&mut self) -> io::Result<()> {
        if let Some(since) = self.since.take() {
            self.stack_seconds += since.elapsed().as_secs_f64();
        }
        self.seconds = self.began.elapsed().as_secs_f64();
        self.fault.take().map_or(Ok(()), Err)
    }
}

/// One bar per step of the study.
struct Bars<'a> {
    ui: &'a Ui,
    bar: Mutex<Option<Bar>>,
}

impl Bars<'_> {
    fn finish(&self) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some(b) = bar.take()
        {
            b.finish();
        }
    }
}

impl Progress for Bars<'_> {
    fn begin(&self, what: &str, jobs: usize) {
        self.finish();
        if let Ok(mut bar) = self.bar.lock() {
            *bar = Some(self.ui.progress(jobs as u64, what));
        }
    }

    fn done(&self) {
        if let Ok(bar) = self.bar.lock()
            && let Some(b) = bar.as_ref()
        {
            b.advance(1);
        }
    }
}

/// What a variant's stack file calls its layers and breakers.
fn labels(study: &Study, config: &VariantConfig) -> Labels {
    let scenario = &study.prepared.scenario;
    labels_of(&study.prepared.folder.join(config.stack.as_ref().unwrap_or(&scenario.stack)))
}

/// The same of the lending stack; none where the scenario has no lending.
fn lending_labels(study: &Study) -> Labels {
    let lending = study.prepared.scenario.lending.as_ref();
    lending.map_or_else(Labels::default, |l| labels_of(&study.prepared.folder.join(&l.stack)))
}

fn labels_of(file: &Path) -> Labels {
    let built = StackConfig::load(file).and_then(|c| c.build());
    built.map_or_else(
        |_| Labels::default(),
        |b| Labels { layers: b.names.layers().to_vec(), breakers: b.names.breakers().to_vec() },
    )
}

fn write_results(
    study: &Study,
    outcome: &StudyOutcome,
    summary: &Summary,
    reach: &Reach,
    lent: Option<&[lending::Lent]>,
    folder: &Path,
    args: &RunArgs,
) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(summary).map_err(|e| CliError::Internal(e.to_string()))?;
    text.push('\n');
    let path = folder.join(SUMMARY);
    std::fs::write(&path, text).map_err(|e| CliError::file(&path, "write it", &e))?;
    let files = [
        (SUMMARY, "the figures of this page, for scripts"),
        (INPUTS, "every input of the replay (first seed)"),
        (FACTS, "every fact that followed; `cofferdam replay` rebuilds the state from them"),
        (STACK, "the stack that decided"),
    ]
    .into_iter()
    .map(|(name, what)| listed(folder, name, what))
    .collect::<Result<Vec<_>, _>>()?;
    let command = format!("cargo run --release -- run {}", args.path.display());
    let names = lending_labels(study);
    let filling = fill::Filling {
        study,
        outcome,
        summary,
        reach,
        labels: &|c| labels(study, c),
        lending: lent.map(|runs| fill::LendingPart {
            runs,
            layers: &names.layers,
            breakers: &names.breakers,
        }),
        files,
        command: &command,
    };
    let data = fill::report_data(&filling).map_err(bad_input)?;
    let path = folder.join(REPORT);
    std::fs::write(&path, report::render(&data)).map_err(|e| CliError::file(&path, "write it", &e))
}

fn listed(folder: &Path, name: &str, what: &str) -> Result<report::FileEntry, CliError> {
    let path = folder.join(name);
    let mut file = File::open(&path).map_err(|e| CliError::file(&path, "read it", &e))?;
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut file, &mut hash).map_err(|e| CliError::file(&path, "read it", &e))?;
    let sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(report::FileEntry { path: name.into(), what: what.into(), bytes: Some(bytes), sha256 })
}

fn say(
    ui: &Ui,
    study: &Study,
    summary: &Summary,
    out: &Path,
    seconds: f64,
    speed: Speed,
) -> Result<(), CliError> {
    if ui.json() {
        return ui.value(summary);
    }
    let r = &summary.replay;
    ui.heading(format_args!("{} ({} minutes)", summary.scenario, study.prepared.minutes.len()))?;
    ui.field(
        "implied",
        format_args!(
            "{:.2} % of long, {:.2} % of short liquidations have an account that explains them",
            100.0 * r.implied_share_long,
            100.0 * r.implied_share_short
        ),
    )?;
    ui.field(
        "replay",
        format_args!(
            "{} ETH long and {} ETH short liquidated; correlation per minute {:.4} and {:.4}",
            r.liquidated_long_eth, r.liquidated_short_eth, r.correlation_long, r.correlation_short
        ),
    )?;
    ui.field(
        "blind",
        format_args!(
            "correlation per minute {:.3} long, {:.3} short on data that the fit had not seen",
            summary.blind.correlation_minute_long, summary.blind.correlation_minute_short
        ),
    )?;
    for v in &summary.variants {
        ui.field(
            &v.name,
            format_args!(
                "{} USD liquidated, {} USD bad debt, {} USD taken from winners",
                v.liquidated_usd, v.bad_debt_usd, v.taken_from_winners_usd
            ),
        )?;
    }
    ui.field("state hash", &summary.state_hash)?;
    ui.field("study hash", &summary.study_hash)?;
    ui.field("speed", format_args!("{speed}; {seconds:.0} s in all"))?;
    ui.field("report", out.join(REPORT).display())
}

#[cfg(test)]
mod tests {
    use super::{LOCK, Staged, chosen};

    #[test]
    fn a_killed_run_leaves_nothing_for_long() {
        let parent = std::env::temp_dir().join(format!("cofferdam-staged-{}", std::process::id()));
        let folder = |name: &str| parent.join(name);
        for name in [".out.1", ".out.2", ".out.x", ".other.1"] {
            std::fs::create_dir_all(folder(name)).unwrap();
            std::fs::write(folder(name).join(LOCK), "").unwrap();
        }
        let running = std::fs::File::open(folder(".out.2").join(LOCK)).unwrap();
        running.try_lock().unwrap();
        let staged = Staged::begin(&folder("out")).unwrap();
        let left = |names: [&str; 4]| names.map(|n| folder(n).exists());
        assert_eq!(left([".out.1", ".out.2", ".out.x", ".other.1"]), [false, true, true, true]);
        let own = staged.folder.clone();
        staged.commit().unwrap();
        assert!(folder("out").is_dir() && !folder("out").join(LOCK).exists() && !own.exists());
        std::fs::remove_dir_all(&parent).unwrap();
    }

    #[test]
    fn names_that_hold_commas() {
        let known = ["late", "late, thin", "thin", "late, thin: tower"];
        let check = |list: &str, wanted: Option<&[&str]>| {
            assert_eq!(chosen(list, &known).ok().as_deref(), wanted, "{list:?}");
        };
        check("", Some(&[]));
        check("late", Some(&["late"]));
        check(" thin , late ", Some(&["thin", "late"]));
        check("late, thin", Some(&["late, thin"]));
        check("late,thin", Some(&["late", "thin"]));
        check("late, thin: tower,late, thin,thin", Some(&["late, thin: tower", "late, thin", "thin"]));
        check("latest", None);
        check("late, fat", None);
    }
}
