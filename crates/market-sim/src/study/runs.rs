//! All runs of a study, spread over threads; results come in the order of the scenario, whatever finished first.

use super::config::{StudyError, VariantConfig};
use super::prepare::{Composed, Prepared, SeedBook};
use crate::data::Minutes;
use crate::implied::{self, Blind, End, Opening, PerSide, Side};
use crate::perp::{Conditions, Recorder, Reference, Run, run};
use cofferdam_core::Amount;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Told what is going on; for progress bars.
pub trait Progress: Sync {
    /// A step of the study began, with so many jobs.
    fn begin(&self, what: &str, jobs: usize);
    /// One of its jobs is done.
    fn done(&self);
}

impl Progress for () {
    fn begin(&self, _: &str, _: usize) {}
    fn done(&self) {}
}

/// One run, reduced to what summaries and reports use.
#[derive(Clone, Debug)]
pub struct VariantRuns {
    /// What differs.
    pub config: VariantConfig,
    /// One per seed.
    pub runs: Vec<Run>,
    /// The seed of each.
    pub seeds: Vec<u64>,
    /// Forced notional in quanta of the twin whose forced flow moves no price, for the first seed.
    pub twin_forced: Option<i128>,
}

/// Reacting liquidity against the same at other times.
#[derive(Clone, Debug)]
pub struct LinkedCase {
    /// Depth, as a multiple.
    pub depth: f64,
    /// One comparison per seed, in the order of the scenario.
    pub seeds: Vec<LinkedSeed>,
}

/// The comparison on one account book.
#[derive(Clone, Debug)]
pub struct LinkedSeed {
    /// Which book.
    pub seed: u64,
    /// The run in which liquidity reacts.
    pub linked: Run,
    /// Shift in rows, and the run with the series of depth shifted by it.
    pub independent: Vec<(usize, Run)>,
}

/// A cell of the map of depth against exit strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TippingCell {
    /// Depth, as a multiple.
    pub depth: f64,
    /// Strength of the exit.
    pub exit: f64,
    /// Forced notional in quanta.
    pub forced: i128,
}

/// Blind validation: the expectation, and one population run through the engine.
#[derive(Clone, Debug)]
pub struct Blinded {
    /// By expectation.
    pub expected: Blind,
    /// Correlation per minute of one drawn population, run through the engine.
    pub engine_minute_r: PerSide<f64>,
    /// The same per clock hour.
    pub engine_hour_r: PerSide<f64>,
    /// Simulated over observed.
    pub engine_total_ratio: PerSide<f64>,
    /// Predicted lots per row after the cut.
    pub predicted: PerSide<Vec<f64>>,
}

/// All results of a study.
#[derive(Debug)]
pub struct StudyOutcome {
    /// The book of the first seed.
    pub book: SeedBook,
    /// The replay of each seed; the first is the one recorded.
    pub replay: VariantRuns,
    /// Broken on purpose, first seed.
    pub mutations: Vec<VariantRuns>,
    /// Counterfactuals.
    pub variants: Vec<VariantRuns>,
    /// Blind validation.
    pub blind: Blinded,
    /// Liquidity that reacts.
    pub linked: Vec<LinkedCase>,
    /// Depth against exit strength, depths outside; first seed.
    pub map: Vec<Vec<TippingCell>>,
    /// Forced notional of the replay's twin without its own impact.
    pub replay_twin: i128,
}

/// A study about to run.
#[derive(Debug)]
pub struct Study {
    /// What it starts from.
    pub prepared: Prepared,
    /// Threads.
    pub jobs: usize,
}

/// What a single run needs.
struct Job<'a> {
    config: &'a VariantConfig,
    book: &'a SeedBook,
    reference: Option<&'a Reference>,
    shares: Option<&'a [f64]>,
    twin: bool,
}

impl Study {
    /// Runs everything. The replay of the first seed goes through `recorder`.
    ///
    /// # Errors
    ///
    /// Faults of files, or a defect of the engine.
    pub fn run(
        &self,
        recorder: &mut dyn Recorder,
        progress: &dyn Progress,
    ) -> Result<StudyOutcome, StudyError> {
        let p = &self.prepared;
        let windows = p.windows()?;
        progress.begin("drawing the account books", p.scenario.seeds.len());
        let mut books = self.parallel(&p.scenario.seeds, progress, |seed| p.book(&windows, *seed))?;
        drop(windows);

        let replay_config = VariantConfig::replay(
            "replay",
            "What really happened: no impact, no delay, no breaker, full close",
        );
        progress.begin("replaying the month", books.len());
        let first = self.one(
            &Job { config: &replay_config, book: &books[0], reference: None, shares: None, twin: false },
            Some(recorder),
        )?;
        progress.done();
        let mut replays = vec![first];
        replays.extend(self.parallel(&books[1..], progress, |book| {
            self.one(&Job { config: &replay_config, book, reference: None, shares: None, twin: false }, None)
        })?);
        let flows: Vec<Reference> = replays.iter().map(|r| r.flow.clone()).collect();

        progress.begin("breaking it on purpose", p.scenario.mutations.len());
        let mutations = self.parallel(&p.scenario.mutations, progress, |config| {
            let run =
                self.one(&Job { config, book: &books[0], reference: None, shares: None, twin: false }, None)?;
            let seeds = vec![books[0].seed];
            Ok(VariantRuns { config: config.clone(), runs: vec![run], seeds, twin_forced: None })
        })?;
        progress.begin("predicting what was not seen", 1);
        let blind = self.blind()?;
        progress.done();

        let variants = self.variants(&books, &flows, progress)?;
        let linked = self.linked(&books, &flows, progress)?;
        let map = self.map(&books[0], &flows[0], progress)?;
        let twin_config = VariantConfig::replay("twin", "");
        let replay_twin = self
            .one(
                &Job {
                    config: &twin_config,
                    book: &books[0],
                    reference: Some(&flows[0]),
                    shares: None,
                    twin: true,
                },
                None,
            )?
            .forced_total();
        Ok(StudyOutcome {
            book: books.swap_remove(0),
            replay: VariantRuns {
                config: replay_config,
                runs: replays,
                seeds: p.scenario.seeds.clone(),
                twin_forced: Some(replay_twin),
            },
            mutations,
            variants,
            blind,
            linked,
            map,
            replay_twin,
        })
    }

    fn variants(
        &self,
        books: &[SeedBook],
        flows: &[Reference],
        progress: &dyn Progress,
    ) -> Result<Vec<VariantRuns>, StudyError> {
        let configs = &self.prepared.scenario.variants;
        // per variant: one run per seed, then the twin of the first seed
        let per = books.len() + 1;
        let jobs: Vec<usize> = (0..configs.len() * per).collect();
        progress.begin("asking what if", jobs.len());
        let runs = self.parallel(&jobs, progress, |job| {
            let (config, k) = (&configs[job / per], job % per);
            let (seed, twin) = if k == books.len() { (0, true) } else { (k, false) };
            self.one(
                &Job { config, book: &books[seed], reference: Some(&flows[seed]), shares: None, twin },
                None,
            )
        })?;
        let mut runs = runs.into_iter();
        Ok(configs
            .iter()
            .map(|config| {
                let of_seeds: Vec<Run> = runs.by_ref().take(books.len()).collect();
                let twin_forced = runs.next().map(|r| r.forced_total());
                let seeds = books.iter().map(|b| b.seed).collect();
                VariantRuns { config: config.clone(), runs: of_seeds, seeds, twin_forced }
            })
            .collect())
    }

    fn linked(
        &self,
        books: &[SeedBook],
        flows: &[Reference],
        progress: &dyn Progress,
    ) -> Result<Vec<LinkedCase>, StudyError> {
        let config = &self.prepared.scenario.linked;
        let n = self.prepared.minutes.len();
        let cases: Vec<(f64, usize)> =
            config.depths.iter().flat_map(|depth| (0..books.len()).map(move |seed| (*depth, seed))).collect();
        progress.begin("moving liquidity in time", cases.len() * (config.shifts + 1));
        let run = |&(depth, seed): &(f64, usize), shares: Option<&[f64]>| {
            let reacting = VariantConfig { depth, exit: config.exit, ..VariantConfig::replay("linked", "") };
            let (book, reference) = (&books[seed], Some(&flows[seed]));
            self.one(&Job { config: &reacting, book, reference, shares, twin: false }, None)
        };
        let linked = self.parallel(&cases, progress, |case| run(case, None))?;
        let shifts: Vec<usize> = (1..=config.shifts).map(|k| k * n / (config.shifts + 1)).collect();
        let jobs: Vec<(usize, usize)> =
            (0..cases.len()).flat_map(|i| shifts.iter().map(move |shift| (i, *shift))).collect();
        let shifted = self.parallel(&jobs, progress, |&(i, shift)| {
            let mut shares = linked[i].depth_share.clone();
            shares.rotate_right(shift);
            Ok((shift, run(&cases[i], Some(&shares))?))
        })?;
        let mut shifted = shifted.into_iter();
        let mut of_seeds = books.iter().cycle().zip(linked).map(|(book, linked)| LinkedSeed {
            seed: book.seed,
            linked,
            independent: shifted.by_ref().take(shifts.len()).collect(),
        });
        let depths = config.depths.iter();
        Ok(depths
            .map(|&depth| LinkedCase { depth, seeds: of_seeds.by_ref().take(books.len()).collect() })
            .collect())
    }

    fn map(
        &self,
        book: &SeedBook,
        flow: &Reference,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<TippingCell>>, StudyError> {
        let config = &self.prepared.scenario.map;
        let cells: Vec<(f64, f64)> =
            config.depths.iter().flat_map(|d| config.exits.iter().map(move |e| (*d, *e))).collect();
        progress.begin("looking for the tipping line", cells.len());
        let found = self.parallel(&cells, progress, |&(depth, exit)| {
            let variant = VariantConfig { depth, exit, ..VariantConfig::replay("cell", "") };
            let run = self.one(
                &Job { config: &variant, book, reference: Some(flow), shares: None, twin: false },
                None,
            )?;
            Ok(TippingCell { depth, exit, forced: run.forced_total() })
        })?;
        Ok(found.chunks(config.exits.len().max(1)).map(<[TippingCell]>::to_vec).collect())
    }

    fn one(&self, job: &Job<'_>, recorder: Option<&mut dyn Recorder>) -> Result<Run, StudyError> {
        let p = &self.prepared;
        let Composed { stack, venue, covers, insurers } = p.composed(job.config)?;
        let impact = job.config.impact.impact();
        let whole = |units: i64| Amount::new(i128::from(units) * 1_000_000);
        let conditions = Conditions {
            depth_usd: p.scenario.market_model.depth_usd,
            depth_multiple: job.config.depth,
            half_life_ms: p.scenario.market_model.half_life_ms,
            impact: impact.as_ref(),
            exit: job.config.exits(&p.scenario.market_model),
            shares: job.shares,
            reference: job.reference,
            without_own_impact: job.twin,
            feed: job.config.feed.rule(),
            makers: p.scenario.background.makers,
            maker_cash: whole(p.scenario.background.maker_cash),
            vault_cash: whole(p.scenario.background.vault_cash),
            covers: &covers,
            insurers: &insurers,
        };
        let openings = job.book.scaled(job.config);
        Ok(run(&p.minutes, &openings, stack, venue, &conditions, recorder, &|_| ())?)
    }

    /// Fits before the cut, predicts after it; then draws a population at the fitted rate, without looking at what was
    /// liquidated, and runs it through the engine.
    fn blind(&self) -> Result<Blinded, StudyError> {
        let p = &self.prepared;
        let cut = p.minutes.first_at(p.scenario.blind.cut_ms);
        let expected = implied::blind_validation(&p.minutes, &p.expectation, cut).map_err(|e| p.fault(e))?;
        let start = cut.saturating_sub(p.scenario.blind.warm_up_rows);
        let rates = PerSide::from_fn(|side| expected.sides.get(side).rate_lots);
        let span = start..p.minutes.len();
        let prior = p.scenario.prior.prior();
        let forward =
            implied::draw_forward(&p.minutes, &p.schedule, &prior, rates, p.scenario.seeds[0], span)
                .map_err(|e| p.fault(e))?;
        let tail = tail_of(&p.minutes, start);
        let openings: Vec<Opening> = forward.openings.iter().map(|o| shifted(o, start)).collect();
        let book = SeedBook {
            seed: p.scenario.seeds[0],
            implied: implied::ImpliedBook::default(),
            survivors: implied::Survivors::default(),
            openings,
        };
        let config = VariantConfig::replay("blind", "");
        let Composed { stack, venue, covers, .. } = p.composed(&config)?;
        let whole = |units: i64| Amount::new(i128::from(units) * 1_000_000);
        let impact = config.impact.impact();
        let conditions = Conditions {
            depth_usd: p.scenario.market_model.depth_usd,
            depth_multiple: 1.0,
            half_life_ms: p.scenario.market_model.half_life_ms,
            impact: impact.as_ref(),
            exit: None,
            shares: None,
            reference: None,
            without_own_impact: false,
            feed: config.feed.rule(),
            makers: p.scenario.background.makers,
            maker_cash: whole(p.scenario.background.maker_cash),
            vault_cash: whole(p.scenario.background.vault_cash),
            covers: &covers,
            insurers: &[],
        };
        let simulated = run(&tail, &book.openings, stack, venue, &conditions, None, &|_| ())?;
        let skip = cut - start;
        let lots = |side: Side| -> (Vec<f64>, Vec<f64>) {
            let i = usize::from(side == Side::Short);
            let observed = if side == Side::Long { &tail.long } else { &tail.short };
            let floats = |v: &[i64]| v[skip..].iter().map(|x| *x as f64).collect::<Vec<f64>>();
            (floats(&simulated.forced_lots[i]), floats(observed))
        };
        let predicted = PerSide::from_fn(|side| {
            let rate = rates.get(side);
            p.expectation.per_lot.get(side)[cut..].iter().map(|x| x * rate).collect()
        });
        Ok(Blinded {
            expected,
            engine_minute_r: PerSide::from_fn(|side| {
                let (s, o) = lots(side);
                implied::correlation(&s, &o)
            }),
            engine_hour_r: PerSide::from_fn(|side| {
                let (s, o) = lots(side);
                let hours = |x: &[f64]| implied::by_hour(&tail.time_ms[skip..], x);
                implied::correlation(&hours(&s), &hours(&o))
            }),
            engine_total_ratio: PerSide::from_fn(|side| {
                let (s, o) = lots(side);
                s.iter().sum::<f64>() / o.iter().sum::<f64>().max(1.0)
            }),
            predicted,
        })
    }

    /// Does work on every item on this study's threads; results come in the order of the items.
    ///
    /// # Errors
    ///
    /// The first failure, in the order of the items.
    pub fn parallel<I: Sync, T: Send>(
        &self,
        items: &[I],
        progress: &dyn Progress,
        work: impl Fn(&I) -> Result<T, StudyError> + Sync,
    ) -> Result<Vec<T>, StudyError> {
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<Result<T, StudyError>>>> =
            Mutex::new(items.iter().map(|_| None).collect());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, items.len().max(1)) {
                scope.spawn(|| {
                    while let Some((i, item)) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| items.get(i).map(|x| (i, x)))
                    {
                        let result = work(item);
                        progress.done();
                        if let Ok(mut all) = results.lock() {
                            all[i] = Some(result);
                        }
                    }
                });
            }
        });
        let all = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.into_iter().flatten().collect()
    }
}

/// The rows from `start` on.
fn tail_of(minutes: &Minutes, start: usize) -> Minutes {
    Minutes {
        time_ms: minutes.time_ms[start..].to_vec(),
        mid: minutes.mid[start..].to_vec(),
        bid: minutes.bid[start..].to_vec(),
        ask: minutes.ask[start..].to_vec(),
        long: minutes.long[start..].to_vec(),
        short: minutes.short[start..].to_vec(),
        gaps: Vec::new(),
        notes: minutes.notes,
    }
}

fn shifted(o: &Opening, start: usize) -> Opening {
    let end = match o.end {
        End::Liquidated { minute } => End::Liquidated { minute: minute - start },
        End::Closed { minute } => End::Closed { minute: minute - start },
        End::Held => End::Held,
    };
    Opening { opened: o.opened - start, end, ..*o }
}
