//! `cofferdam insurance waterfall`: a loss over the layers of a programme.

use crate::args::RoomArgs;
use crate::composed::Composed;
use crate::document::{Document, Place};
use crate::error::CliError;
use crate::format::{Number, Sections, StackInput};
use crate::ui::Ui;
use cofferdam_core::{EventId, GroupId, Quanta};
use cofferdam_insurance_layer::{Loss, LossCause, Standing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// The question of `insurance waterfall`: a loss, and where each layer stands. All values are in the numeraire.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "insurance waterfall")]
pub(crate) struct Input {
    /// The stack; `--stack FILE` comes before it.
    #[serde(default)]
    stack: Option<StackInput>,
    /// Sections of the stack file that are replaced for this question: a programme of your own in `insurance`.
    #[serde(default)]
    replace: Sections,
    /// The loss.
    loss: LossInput,
    /// Where each layer stands; a layer that is not named has no capacity.
    standings: Vec<StandingInput>,
}

/// A loss.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LossInput {
    /// How much.
    amount: Number,
    /// The asset it has to be paid in. Default: the numeraire.
    #[serde(default)]
    asset: Option<String>,
    /// The market it arose in, if one.
    #[serde(default)]
    market: Option<String>,
    /// The group whose account left it, if one did.
    #[serde(default)]
    group: Option<u32>,
    /// Why it arose.
    #[serde(default)]
    cause: CauseInput,
    /// The number of the deleveraging event it belongs to, if one.
    #[serde(default)]
    event: Option<u32>,
    /// Losses of the same event before this one. Default: none.
    #[serde(default)]
    event_before: Option<Number>,
    /// All losses before this one. Default: none.
    #[serde(default)]
    total_before: Option<Number>,
}

/// Why a loss arose.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CauseInput {
    /// An account was closed below its bankruptcy price.
    #[default]
    Bankruptcy,
    /// Collateral was exhausted before its debt.
    BadDebt,
    /// A draw on the layer of this name was not paid.
    Default(String),
}

/// Where a layer stands when the loss arrives.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StandingInput {
    /// The layer's name.
    layer: String,
    /// What it can still pay.
    capacity: Number,
    /// What it has paid or owes for this event. Default: nothing.
    #[serde(default)]
    drawn_event: Option<Number>,
    /// What it has paid or owes since it was committed. Default: nothing.
    #[serde(default)]
    drawn_total: Option<Number>,
}

/// The answer of `insurance waterfall`: sum of draws + residual = loss, exactly.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "insurance waterfall: answer")]
pub(crate) struct Output {
    /// The loss.
    loss: Number,
    /// In the order of the programme.
    draws: Vec<DrawOutput>,
    /// What no layer pays.
    residual: Number,
}

/// A draw on one layer.
#[derive(Debug, Serialize, JsonSchema)]
struct DrawOutput {
    layer: String,
    amount: Number,
}

pub(crate) fn run(args: &RoomArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let document = Document::read(&args.input)?;
    let input: Input = document.parse()?;
    let composed =
        Composed::choose(args.stack.chosen()?.as_ref(), &document, input.stack.as_ref(), &input.replace)?;
    ui.value(&waterfall(&composed, &input, &document.top())?)?;
    Ok(ExitCode::SUCCESS)
}

fn waterfall(composed: &Composed, input: &Input, top: &Place<'_>) -> Result<Output, CliError> {
    let loss = loss(composed, &input.loss, &top.field("loss"))?;
    let mut standings: Vec<Standing> = Vec::new();
    for (i, given) in input.standings.iter().enumerate() {
        let at = top.field("standings").item(i);
        let layer = composed.layer(&given.layer, &at.field("layer"))?;
        if standings.iter().any(|s| s.layer == layer) {
            return Err(CliError::refuse(&at.field("layer"), "each layer once"));
        }
        standings.push(Standing {
            layer,
            capacity: positive(composed, Some(given.capacity), &at.field("capacity"))?,
            drawn_event: positive(composed, given.drawn_event, &at.field("drawn_event"))?,
            drawn_total: positive(composed, given.drawn_total, &at.field("drawn_total"))?,
        });
    }
    let split = composed.parts().waterfall.allocate(&loss, &standings).map_err(|e| CliError::at(top, e))?;
    let draw = |d: &cofferdam_insurance_layer::Draw| DrawOutput {
        layer: composed.layer_name(d.layer),
        amount: composed.value(d.amount),
    };
    Ok(Output {
        loss: composed.value(loss.amount),
        draws: split.draws.iter().map(draw).collect(),
        residual: composed.value(split.residual),
    })
}

fn loss(composed: &Composed, given: &LossInput, at: &Place<'_>) -> Result<Loss, CliError> {
    let asset = match &given.asset {
        Some(name) => composed.asset(name, &at.field("asset"))?.id,
        None => composed.numeraire(&at.field("asset"))?.id,
    };
    let market = given.market.as_ref().map(|name| composed.market(name, &at.field("market"))).transpose()?;
    let cause = match &given.cause {
        CauseInput::Bankruptcy => LossCause::Bankruptcy,
        CauseInput::BadDebt => LossCause::BadDebt,
        CauseInput::Default(name) => {
            LossCause::Default { layer: composed.layer(name, &at.field("cause").field("default"))? }
        }
    };
    Ok(Loss {
        event: given.event.map(EventId),
        of: given.group.map(GroupId),
        market: market.map(|m| m.id),
        asset,
        cause,
        amount: positive(composed, Some(given.amount), &at.field("amount"))?,
        event_before: positive(composed, given.event_before, &at.field("event_before"))?,
        total_before: positive(composed, given.total_before, &at.field("total_before"))?,
    })
}

fn positive(composed: &Composed, x: Option<Number>, at: &Place<'_>) -> Result<Quanta, CliError> {
    let Some(x) = x else { return Ok(Quanta::ZERO) };
    let quanta = composed.quanta(x, at)?;
    if quanta.is_negative() { Err(CliError::refuse(at, "0 or more")) } else { Ok(quanta) }
}
