//! From specs to the composed stack.

use super::context::Ground;
use super::document::{LayerRow, StackConfig};
use super::{ConfigError, Context, ModuleInfo, Names, Subject, names};
use crate::{
    AccrualRule, AccrualSubject, AssetTerms, ComposeError, EventRule, LayerTerms, MarketTerms, Parts,
    PoolKind, PoolTerms, PriceRule, RiskStack,
};
use cofferdam_core::{
    Amount, AssetId, AssetScale, Decimal, Instrument, LayerId, MarketId, MarketScale, Millis, PoolId, Ppb,
    PriceRole, Quanta, ScaleError,
};
use cofferdam_insurance_layer::{InsuranceError, Programme};
use toml::Value;

/// What a file builds.
#[derive(Debug)]
pub struct Built {
    /// The name of the stack.
    pub name: String,
    /// The composed modules.
    pub stack: RiskStack,
    /// What the file calls them.
    pub names: Names,
    /// What layers hold or promise at the start; the shell turns each into inputs.
    pub commitments: Vec<InitialCommitment>,
}

/// What a layer holds or promises at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialCommitment {
    /// Which layer.
    pub layer: LayerId,
    /// In which asset: the numeraire.
    pub asset: AssetId,
    /// Money to be escrowed, in atoms; zero for a promise.
    pub escrow: Amount,
    /// At most this much in all, in quanta of the numeraire.
    pub capacity: Quanta,
    /// Last instant at which it may be drawn on; [`Millis::MAX`] where the file says nothing.
    pub expires: Millis,
    /// Whether it is escrowed; else promised.
    pub escrowed: bool,
}

/// A law that something in a file breaks by design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenLaw {
    /// Where it stands.
    pub path: String,
    /// Its kind, or what else it is.
    pub kind: String,
    /// Which law: 19 is INV-19.
    pub invariant: u16,
    /// How.
    pub how: String,
}

impl StackConfig {
    /// Validates everything once and builds the stack.
    pub fn build(&self) -> Result<Built, ConfigError> {
        let mut ground = Ground { file: self.file.clone(), ..Ground::default() };
        self.head(&mut ground)?;
        self.assets(&mut ground)?;
        self.markets(&mut ground)?;
        let pools = self.pools(&mut ground)?;
        let layers: Vec<&str> = self.layers.iter().map(|(row, _)| row.name.as_str()).collect();
        ground.names.layers = self.unique("insurance.layers", &layers)?;
        let breakers: Vec<&str> = self.breakers.iter().map(|(name, _)| name.as_str()).collect();
        ground.names.breakers = self.unique("breakers", &breakers)?;

        let ctx = Context::new(&ground, "");
        let (layers, waterfall, commitments) = self.insurance(&ctx)?;
        let parts = Parts {
            assets: ground.assets.clone(),
            markets: ground.markets.clone(),
            pools,
            prices: self.prices(&ctx)?,
            permits: self.permits.build(&ctx.at("permits"))?,
            accruals: self.accruals(&ctx)?,
            margin: self.margin.build(&ctx.at("margin"))?,
            liquidation: self.liquidation.build(&ctx.at("liquidation"))?,
            placement: self.placement.as_ref().map(|p| p.build(&ctx.at("placement"))).transpose()?,
            guards: (self.guards.iter().enumerate())
                .map(|(i, g)| g.build(&ctx.at(&format!("guards[{i}]"))))
                .collect::<Result<_, _>>()?,
            layers,
            waterfall: Box::new(waterfall),
            allocation: self.allocation.build(&ctx.at("allocation"))?,
            breakers: (self.breakers.iter().enumerate())
                .map(|(i, (_, b))| b.build(&ctx.at(&format!("breakers[{i}]"))))
                .collect::<Result<_, _>>()?,
            breaker_names: ground.names.breakers.clone(),
            event: self.event(&ctx.at("event"))?,
        };
        let stack = RiskStack::new(parts).map_err(|e| self.composition(&e))?;
        Ok(Built { name: self.stack.name.clone(), stack, names: ground.names, commitments })
    }

    /// The laws that modules of this file break by design, in the order of the file's keys.
    #[must_use]
    pub fn broken_laws(&self) -> Vec<BrokenLaw> {
        let mut found = Vec::new();
        broken(&self.document, "", &mut found);
        for (path, table) in self.permits.tables() {
            for (cells, invariant, how) in [
                (table.closed_ways_out(), 35, "closes a way out although there is a usable price"),
                (table.looser_when_worse(), 34, "permits in a worse state what it forbids in a better one"),
            ] {
                found.extend(cells.into_iter().map(|(action, state)| BrokenLaw {
                    path: path.clone(),
                    kind: format!("{action:?} in {state:?}"),
                    invariant,
                    how: how.into(),
                }));
            }
        }
        found
    }

    fn refuse(&self, path: &str, value: impl std::fmt::Display, accepted: impl Into<String>) -> ConfigError {
        ConfigError::new(self.file.as_str(), path, value, accepted)
    }

    fn composition(&self, error: &ComposeError) -> ConfigError {
        match error {
            ComposeError::TooMany { field, count } => {
                self.refuse(field, format!("{count} modules"), "at most 31")
            }
            ComposeError::Twice { field, .. } | ComposeError::Unknown { field, .. } => {
                self.refuse(field, error, "what the stack knows, once")
            }
            other => self.refuse("the stack", other, "parts that fit together"),
        }
    }

    fn unique(&self, path: &str, given: &[&str]) -> Result<Vec<String>, ConfigError> {
        let mut seen: Vec<String> = Vec::with_capacity(given.len());
        for (i, name) in given.iter().enumerate() {
            let place = format!("{path}[{i}].name");
            if let Some(accepted) = names::fault(name) {
                return Err(self.refuse(&place, format!("{name:?}"), accepted));
            }
            if seen.iter().any(|s| s == name) {
                return Err(self.refuse(&place, format!("\"{name}\" again"), "each name once"));
            }
            seen.push((*name).to_owned());
        }
        Ok(seen)
    }

    fn head(&self, ground: &mut Ground) -> Result<(), ConfigError> {
        if let Some(accepted) = names::fault(&self.stack.name) {
            return Err(self.refuse("stack.name", format!("{:?}", self.stack.name), accepted));
        }
        let quantum = self.stack.quantum.0;
        let exponent = i8::try_from(quantum.exponent()).ok().filter(|_| quantum.mantissa() == 1);
        ground.quantum_exponent = exponent.filter(|e| (-18..=0).contains(e)).ok_or_else(|| {
            self.refuse(
                "stack.quantum",
                format!("\"{quantum}\""),
                "a power of ten from 1e-18 to 1, such as \"0.000001\"",
            )
        })?;
        Ok(())
    }

    fn assets(&self, ground: &mut Ground) -> Result<(), ConfigError> {
        let given: Vec<&str> = self.assets.iter().map(|a| a.name.as_str()).collect();
        ground.names.assets = self.unique("assets", &given)?;
        let numeraires = self.assets.iter().filter(|a| a.numeraire).count();
        if numeraires != 1 {
            let value = format!("{numeraires} assets with numeraire = true");
            return Err(self.refuse("assets", value, "exactly one"));
        }
        for ((i, a), id) in self.assets.iter().enumerate().zip(0_u32..) {
            let place = |field: &str| format!("assets[{i}].{field}");
            let step = match (a.numeraire, a.price_tick) {
                (true, None) => Decimal::from_units(1, 0),
                (true, Some(x)) => {
                    return Err(self.refuse(&place("price_tick"), x.0, "none: the numeraire is worth one"));
                }
                (false, Some(x)) => x.0,
                (false, None) => {
                    return Err(self.refuse(
                        &place("price_tick"),
                        "missing",
                        "the step of the asset's price",
                    ));
                }
            };
            let exponent = i8::try_from(step.exponent()).ok().filter(|_| step.mantissa() == 1);
            let exponent = exponent.ok_or_else(|| {
                self.refuse(
                    &place("price_tick"),
                    format!("\"{step}\""),
                    "a power of ten such as \"0.000001\"",
                )
            })?;
            let scale = AssetScale::new(a.decimals, exponent, ground.quantum_exponent)
                .map_err(|e| self.refuse(&place("decimals"), a.decimals, e.to_string()))?;
            if a.numeraire && i32::from(ground.quantum_exponent) > i32::from(a.decimals).saturating_neg() {
                let atom = Decimal::from_units(1, i32::from(a.decimals).saturating_neg());
                let value = format!("\"{}\"", self.stack.quantum.0);
                let accepted = format!("at most one atom of the numeraire, \"{atom}\"");
                return Err(self.refuse("stack.quantum", value, accepted));
            }
            let (name, numeraire) = (a.name.clone(), a.numeraire);
            ground.assets.push(AssetTerms { id: AssetId(id), name, scale, numeraire });
        }
        Ok(())
    }

    fn markets(&self, ground: &mut Ground) -> Result<(), ConfigError> {
        let given: Vec<&str> = self.markets.iter().map(|m| m.name.as_str()).collect();
        ground.names.markets = self.unique("markets", &given)?;
        for ((i, m), id) in self.markets.iter().enumerate().zip(0_u32..) {
            let ctx = Context::new(ground, format!("markets[{i}]"));
            let settlement = ctx.asset("settlement", &m.settlement)?;
            let lot_exponent = ctx.power_of_ten("lot", &m.lot)?;
            let tick_exponent = ctx.power_of_ten("tick", &m.tick)?;
            let multiplier = m.multiplier.map_or(Decimal::from_units(1, 0), |x| x.0);
            let quantum = self.stack.quantum.0;
            let scale =
                MarketScale::new(&m.lot.0, &m.tick.0, &multiplier, &quantum).map_err(|e| match e {
                    ScaleError::NotWhole { quantum } => ctx.refuse(
                        "lot",
                        format!("lot {} x tick {} x multiplier {multiplier} is not whole", m.lot.0, m.tick.0),
                        format!("a whole number of quanta; a quantum of \"{quantum}\" would do"),
                    ),
                    other => ctx.refuse("multiplier", format!("\"{multiplier}\""), other.to_string()),
                })?;
            let (id, name) = (MarketId(id), m.name.clone());
            ground.markets.push(MarketTerms { id, name, scale, settlement, lot_exponent, tick_exponent });
        }
        Ok(())
    }

    fn pools(&self, ground: &mut Ground) -> Result<Vec<PoolTerms>, ConfigError> {
        let given: Vec<&str> = self.pools.iter().map(|(name, _)| name.as_str()).collect();
        ground.names.pools = self.unique("pools", &given)?;
        let mut pools = Vec::with_capacity(self.pools.len());
        for ((i, (name, spec)), id) in self.pools.iter().enumerate().zip(0_u32..) {
            let ctx = Context::new(ground, format!("pools[{i}]"));
            let kind = spec.build(&ctx)?;
            let taken = pools.iter().any(|p: &PoolTerms| match (&p.kind, &kind) {
                (PoolKind::Lending { asset: a, .. }, PoolKind::Lending { asset: b, .. }) => a == b,
                (PoolKind::Trading { market: a, .. }, PoolKind::Trading { market: b, .. }) => a == b,
                _ => false,
            });
            if taken {
                let value = format!("a second pool of the same sort, \"{name}\"");
                return Err(ctx.refuse(
                    "",
                    value,
                    "one lending pool per asset and one trading pool per market",
                ));
            }
            ground.pool_assets.push(match &kind {
                PoolKind::Lending { asset, .. } => Some(*asset),
                PoolKind::Trading { .. } | PoolKind::Offset { .. } => None,
            });
            pools.push(PoolTerms { id: PoolId(id), name: name.clone(), kind });
        }
        Ok(pools)
    }

    fn prices(&self, ctx: &Context<'_>) -> Result<Vec<PriceRule>, ConfigError> {
        let mut rules: Vec<PriceRule> = Vec::with_capacity(self.prices.len());
        for (i, (row, spec)) in self.prices.iter().enumerate() {
            let place = ctx.at(&format!("prices[{i}]"));
            let (instrument, subject) = match (&row.market, &row.asset) {
                (Some(name), None) => {
                    let id = place.market("market", name)?;
                    (Instrument::Market(id), Subject::Market(id))
                }
                (None, Some(name)) => {
                    let id = place.asset("asset", name)?;
                    (Instrument::Asset(id), Subject::Asset(id))
                }
                _ => return Err(place.refuse("", "not one instrument", "either market or asset")),
            };
            self.price_role(&place, instrument, row.role, &rules)?;
            let policy = spec.build(&place.at("policy").about(subject))?;
            rules.push(PriceRule { instrument, role: row.role, policy });
        }
        for (i, rule) in rules.iter().enumerate().filter(|(_, r)| r.role == PriceRole::Index) {
            let marked = |r: &PriceRule| r.instrument == rule.instrument && r.role == PriceRole::Mark;
            if let Instrument::Market(id) = rule.instrument
                && !rules.iter().any(marked)
            {
                let name = ctx.names().market_name(id).unwrap_or_default();
                return Err(ctx.at(&format!("prices[{i}]")).refuse(
                    "role",
                    format!("\"index\", and no mark of \"{name}\""),
                    "a mark as well: margin and liquidation read the mark (its policy may be cofferdam/from-index@1)",
                ));
            }
        }
        Ok(rules)
    }

    // A market's mark may read its index, which therefore comes first; an asset has one price.
    fn price_role(
        &self,
        place: &Context<'_>,
        instrument: Instrument,
        role: PriceRole,
        before: &[PriceRule],
    ) -> Result<(), ConfigError> {
        let mut same = before.iter().filter(|r| r.instrument == instrument);
        match instrument {
            Instrument::Asset(id)
                if self.assets.iter().zip(0_u32..).any(|(a, n)| a.numeraire && n == id.0) =>
            {
                Err(place.refuse("asset", "the numeraire", "another asset: the numeraire is worth one"))
            }
            Instrument::Asset(_) if same.next().is_some() => {
                Err(place.refuse("asset", "a second price", "one price per asset"))
            }
            Instrument::Market(_) if !matches!(role, PriceRole::Index | PriceRole::Mark) => {
                Err(place.refuse("role", format!("{role:?} of a market"), "index, mark"))
            }
            Instrument::Market(_) => match same.next().map(|r| r.role) {
                None => Ok(()),
                Some(PriceRole::Index) if role == PriceRole::Mark && same.next().is_none() => Ok(()),
                Some(_) => Err(place.refuse(
                    "role",
                    format!("{role:?} again, or after the mark"),
                    "an index and then a mark, each once",
                )),
            },
            Instrument::Asset(_) => Ok(()),
        }
    }

    fn accruals(&self, ctx: &Context<'_>) -> Result<Vec<AccrualRule>, ConfigError> {
        let mut rules: Vec<AccrualRule> = Vec::with_capacity(self.accruals.len());
        for (i, (row, spec)) in self.accruals.iter().enumerate() {
            let place = ctx.at(&format!("accruals[{i}]"));
            let (subject, about) = match (&row.market, &row.pool) {
                (Some(name), None) => {
                    let id = place.market("market", name)?;
                    (AccrualSubject::Market(id), Subject::Market(id))
                }
                (None, Some(name)) => {
                    let id = place.pool("pool", name)?;
                    (AccrualSubject::Pool(id), Subject::Pool(id))
                }
                _ => return Err(place.refuse("", "not one subject", "either market or pool")),
            };
            if rules.iter().any(|r| r.subject == subject) {
                return Err(place.refuse("", "a second rule for the same subject", "one rule each"));
            }
            let rule = spec.build(&place.at("rule").about(about))?;
            rules.push(AccrualRule { subject, rule });
        }
        Ok(rules)
    }

    fn insurance(&self, ctx: &Context<'_>) -> Result<Insurance, ConfigError> {
        let (mut layers, mut entries, mut commitments) = (Vec::new(), Vec::new(), Vec::new());
        let mut sum = Ppb::ZERO;
        for ((i, (row, spec)), id) in self.layers.iter().enumerate().zip(0_u32..) {
            let (id, place) = (LayerId(id), ctx.at(&format!("insurance.layers[{i}]")));
            let contribution = row.contribution.map_or(Ppb::ZERO, |r| r.0);
            // each is at most one when it is added
            sum = Ppb(sum.0.saturating_add(contribution.0));
            if contribution < Ppb::ZERO || sum > Ppb::ONE {
                let value = format!("\"{contribution}\", {sum} with those before it");
                return Err(place.refuse("contribution", value, "0 or more, at most 1 over all layers"));
            }
            let entry = spec.build(&place.at("terms"), id)?;
            entries.push(if row.beside_previous { entry.beside_previous() } else { entry });
            commitments.extend(self.commitment(&place, id, row)?);
            layers.push(LayerTerms { id, name: row.name.clone(), contribution });
        }
        let programme = Programme::new(entries).map_err(|e| self.programme(ctx, e))?;
        Ok((layers, programme, commitments))
    }

    // `layers[1].attachment`, in quanta, is the place of a fault between layers
    fn programme(&self, ctx: &Context<'_>, error: InsuranceError) -> ConfigError {
        let InsuranceError::Parameter { field, value, accepted } = error else {
            return ctx.refuse("insurance.layers", error, "smaller numbers");
        };
        let path = match field.split_once("].") {
            Some((row, "beside_previous")) => format!("insurance.{row}].beside_previous"),
            Some((row, last)) => format!("insurance.{row}].terms.{last}"),
            None => format!("insurance.{field}"),
        };
        let written = path.split('.').try_fold(&self.document, |v, part| {
            let (key, index) = part.split_once('[').map_or((part, None), |(k, i)| (k, Some(i)));
            let v = v.get(key)?;
            index.map_or(Some(v), |i| v.get(i.trim_end_matches(']').parse::<usize>().ok()?))
        });
        let value = written.map_or(value, ToString::to_string);
        let exponent = self.stack.quantum.0.exponent();
        // the end of the layer before is said in quanta: say it in the numeraire
        let accepted = accepted
            .strip_prefix("at least ")
            .and_then(|rest| rest.split_once(','))
            .and_then(|(end, rest)| {
                let end = Decimal::from_units(end.parse().ok()?, exponent);
                Some(format!("at least \"{end}\",{rest}"))
            })
            .unwrap_or(accepted);
        ctx.refuse(&path, value, accepted)
    }

    fn commitment(
        &self,
        place: &Context<'_>,
        layer: LayerId,
        row: &LayerRow,
    ) -> Result<Option<InitialCommitment>, ConfigError> {
        let numeraire = self.assets.iter().zip(0_u32..).find(|(a, _)| a.numeraire).map(|(_, n)| AssetId(n));
        let asset = numeraire.unwrap_or_default();
        let (field, x, escrowed) = match (&row.escrow, &row.capacity) {
            (None, None) if row.expires_ms.is_some() => {
                return Err(place.refuse("expires_ms", "a time", "a time beside escrow or capacity"));
            }
            (None, None) => return Ok(None),
            (Some(x), None) => ("escrow", x, true),
            (None, Some(x)) => ("capacity", x, false),
            (Some(_), Some(_)) => {
                return Err(place.refuse("capacity", "beside escrow", "either escrow or capacity"));
            }
        };
        let capacity = place.quanta(field, x)?;
        let escrow = if escrowed { place.amount(field, asset, x)? } else { Amount::ZERO };
        if capacity <= Quanta::ZERO {
            return Err(place.refuse(field, format!("\"{}\"", x.0), "above zero"));
        }
        let expires = row.expires_ms.map_or(Millis::MAX, Millis);
        // escrow is what the ledger holds, and contributions add to it: the money itself is the bound
        let capacity = if escrowed { Quanta::new(Quanta::LIMIT) } else { capacity };
        Ok(Some(InitialCommitment { layer, asset, escrow, capacity, expires, escrowed }))
    }

    fn event(&self, ctx: &Context<'_>) -> Result<EventRule, ConfigError> {
        let e = &self.event;
        let opens_at = ctx.quanta("opens_at", &e.opens_at)?;
        if opens_at <= Quanta::ZERO {
            return Err(ctx.refuse("opens_at", format!("\"{}\"", e.opens_at.0), "above zero"));
        }
        for (field, span) in [("window_ms", e.window_ms), ("quiet_ms", e.quiet_ms)] {
            if span == 0 {
                return Err(ctx.refuse(field, 0, "at least 1 ms"));
            }
        }
        Ok(EventRule { opens_at, window: Millis(e.window_ms), quiet: Millis(e.quiet_ms) })
    }
}

type Insurance = (Vec<LayerTerms>, Programme, Vec<InitialCommitment>);

// Every table with a kind, wherever it stands.
fn broken(value: &Value, path: &str, found: &mut Vec<BrokenLaw>) {
    match value {
        Value::Table(table) => {
            if let Some(kind) = table.get("kind").and_then(Value::as_str) {
                let infos = inventory::iter::<ModuleInfo>.into_iter().filter(|m| m.kind == kind);
                found.extend(infos.flat_map(|m| m.breaks).map(|law| BrokenLaw {
                    path: path.into(),
                    kind: kind.into(),
                    invariant: law.invariant,
                    how: law.how.into(),
                }));
            }
            table.iter().for_each(|(key, v)| broken(v, &super::read::join(path, key), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| broken(v, &format!("{path}[{i}]"), found));
        }
        _ => {}
    }
}
