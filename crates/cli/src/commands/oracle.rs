//! `cofferdam oracle resolve`: quotes in, a price with a state out, step by step with the policy's memory kept.

use crate::args::RoomArgs;
use crate::composed::Composed;
use crate::document::{Document, Place};
use crate::error::CliError;
use crate::format::{InstrumentName, Number, PriceInput, PriceOutput, Sections, StackInput};
use crate::ui::Ui;
use crate::world::{price_output, price_view};
use cofferdam_core::{
    ActionKind, At, Instrument, MapMemory, Millis, PriceRole, PriceView, Quote, Slot, SourceId, Ticks,
};
use cofferdam_oracle::{Ask, Reference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// The question of `oracle resolve`: quotes of one instrument, in one step or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "oracle resolve")]
pub(crate) struct Input {
    /// The stack; `--stack FILE` comes before it.
    #[serde(default)]
    stack: Option<StackInput>,
    /// Sections of the stack file that are replaced for this question: a policy of your own in `prices`.
    #[serde(default)]
    replace: Sections,
    /// What the price is of.
    instrument: InstrumentName,
    /// What the price is for.
    role: Role,
    /// What was known at each moment, in order of time. Averages and rate-of-change guards remember the steps before.
    steps: Vec<Step>,
}

/// What a price is for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Role {
    /// Spot value outside this venue.
    Index,
    /// What positions are marked at and liquidated by.
    Mark,
    /// A price that moves no faster than a stated rate.
    Slow,
    /// Redemption value of a fund share or a wrapped asset.
    NetAssetValue,
    /// What a forced seller would get.
    Sellable,
}

/// What was known at one moment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The moment, in milliseconds since the Unix epoch; not before the step before.
    time_ms: u64,
    /// The last quote of each source.
    quotes: Vec<QuoteInput>,
    /// The index price, for deviation guards and mark prices. Default: what the stack's own index rule for this
    /// instrument makes of the same quotes, if it has one.
    #[serde(default)]
    index: Option<PriceInput>,
}

/// What a source reported.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QuoteInput {
    /// The number of the source.
    source: u32,
    /// The price; any sign, because sources report nonsense too.
    price: Number,
    /// Half-width of the source's own confidence interval. Default: none.
    #[serde(default)]
    confidence: Option<Number>,
    /// When the source says it was true, in milliseconds since the Unix epoch.
    published_ms: u64,
}

/// The answer of `oracle resolve`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "oracle resolve: answer")]
pub(crate) struct Output {
    instrument: InstrumentName,
    #[schemars(with = "Role")]
    role: PriceRole,
    /// One per step of the question.
    steps: Vec<StepOutput>,
}

/// The price at one moment.
#[derive(Debug, Serialize, JsonSchema)]
struct StepOutput {
    time_ms: u64,
    #[serde(flatten)]
    price: PriceOutput,
    /// What the stack's table permits on a price in this state.
    #[schemars(with = "Vec<String>")]
    permits: Vec<ActionKind>,
}

impl From<Role> for PriceRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Index => Self::Index,
            Role::Mark => Self::Mark,
            Role::Slow => Self::Slow,
            Role::NetAssetValue => Self::NetAssetValue,
            Role::Sellable => Self::Sellable,
        }
    }
}

pub(crate) fn run(args: &RoomArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let document = Document::read(&args.input)?;
    let input: Input = document.parse()?;
    let composed =
        Composed::choose(args.stack.chosen()?.as_ref(), &document, input.stack.as_ref(), &input.replace)?;
    ui.value(&resolve(&composed, &input, &document.top())?)?;
    Ok(ExitCode::SUCCESS)
}

fn resolve(composed: &Composed, input: &Input, top: &Place<'_>) -> Result<Output, CliError> {
    let of = composed.instrument(&input.instrument, &top.field("instrument"))?;
    let mut asked = Resolver::new(composed, of, input.role.into())
        .ok_or_else(|| CliError::refuse(&top.field("role"), roles(composed, of)))?;
    let mut index = match input.role {
        Role::Index => None,
        _ => Resolver::new(composed, of, PriceRole::Index),
    };
    let (mut steps, mut before) = (Vec::new(), 0);
    for (i, step) in input.steps.iter().enumerate() {
        let at = top.field("steps").item(i);
        if step.time_ms < before {
            return Err(CliError::refuse(&at.field("time_ms"), format_args!("{before} or later")));
        }
        before = step.time_ms;
        let when = At { seq: i as u64, time: Millis(step.time_ms), block: 0 };
        let quotes = quotes(composed, of, step, &at)?;
        let own = index.as_mut().map(|r| r.resolve(when, &quotes, None, &at)).transpose()?;
        let given =
            step.index.as_ref().map(|p| price_view(composed, of, p, &at.field("index"))).transpose()?;
        let view = asked.resolve(when, &quotes, given.or(own), &at)?;
        let table = composed.parts().permits.table(of);
        let permits = ActionKind::ALL.into_iter().filter(|a| table.permits(*a, view.state)).collect();
        steps.push(StepOutput { time_ms: step.time_ms, price: price_output(composed, of, &view)?, permits });
    }
    Ok(Output { instrument: input.instrument.clone(), role: input.role.into(), steps })
}

fn roles(composed: &Composed, of: Instrument) -> String {
    let roles: Vec<String> = composed
        .parts()
        .prices
        .iter()
        .filter(|p| p.instrument == of)
        .filter_map(|p| serde_json::to_value(p.role).ok())
        .map(|v| v.as_str().unwrap_or_default().to_owned())
        .collect();
    crate::composed::one_of(&roles)
}

fn quotes(composed: &Composed, of: Instrument, step: &Step, at: &Place<'_>) -> Result<Vec<Quote>, CliError> {
    let exponent = composed.tick_exponent(of)?;
    let ticks = |x: Number, at: &Place<'_>| {
        let units = crate::composed::whole(x.0, exponent, "ticks", at)?;
        let ticks = i64::try_from(units).map(Ticks::new).map_err(|_| crate::composed::too_large(at))?;
        crate::composed::within(ticks.try_add(Ticks::ZERO), at)
    };
    let mut latest = BTreeMap::new();
    for (i, q) in step.quotes.iter().enumerate() {
        let at = at.field("quotes").item(i);
        let confidence = q.confidence.map_or(Ok(Ticks::ZERO), |x| ticks(x, &at.field("confidence")))?;
        let quote = Quote {
            source: SourceId(q.source),
            price: ticks(q.price, &at.field("price"))?,
            confidence,
            published: Millis(q.published_ms),
        };
        if latest.insert(q.source, quote).is_some() {
            return Err(CliError::refuse(&at.field("source"), "each source once per step"));
        }
    }
    Ok(latest.into_values().collect())
}

/// A policy of the stack with a memory of its own.
struct Resolver<'a> {
    rule: &'a cofferdam_stack::PriceRule,
    memory: MapMemory,
    previous: Option<PriceView>,
}

impl<'a> Resolver<'a> {
    fn new(composed: &'a Composed, of: Instrument, role: PriceRole) -> Option<Self> {
        let rule = composed.parts().prices.iter().find(|p| p.instrument == of && p.role == role)?;
        Some(Self { rule, memory: MapMemory::default(), previous: None })
    }

    fn resolve(
        &mut self,
        at: At,
        quotes: &[Quote],
        index: Option<PriceView>,
        place: &Place<'_>,
    ) -> Result<PriceView, CliError> {
        let ask = Ask { instrument: self.rule.instrument, role: self.rule.role, at };
        let reference = Reference { previous: self.previous, index: index.filter(PriceView::is_usable) };
        let policy = &self.rule.policy;
        let view = self
            .memory
            .with(Slot(1), |m| policy.resolve(&ask, quotes, &reference, m))
            .map_err(|e| CliError::at(place, e))?;
        self.previous = Some(view).filter(PriceView::is_usable);
        Ok(view)
    }
}
