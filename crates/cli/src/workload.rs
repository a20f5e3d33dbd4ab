//! Accounts of the common workload: CSV in micro-units, one row per position or deposit.
//!
//! ```text
//! account,collateral_micro_usd,market,size_micro,entry_micro_usd    cross margin in the numeraire
//! account,asset,deposit_micro,debt_micro_usd                        deposits, and one debt in the numeraire
//! ```
//!
//! Money is in 1e-6 of the numeraire, sizes in 1e-6 units. A column that belongs to the account (collateral, debt) says the
//! same in each of its rows. Markets and assets are named as in the stack file, or by their number in it.

use crate::composed::{Composed, one_of};
use crate::document::read_text;
use crate::error::CliError;
use cofferdam_core::{AssetId, Decimal, FundingIndex, Item, MarketId, Quanta};
use cofferdam_margin_engine::Account;
use cofferdam_stack::{AssetTerms, MarketTerms};
use std::collections::BTreeMap;
use std::path::Path;

const PERPETUAL: [&str; 5] = ["account", "collateral_micro_usd", "market", "size_micro", "entry_micro_usd"];
const LENDING: [&str; 4] = ["account", "asset", "deposit_micro", "debt_micro_usd"];

/// The accounts of a file.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    pub(crate) groups: BTreeMap<u32, Account>,
    // the column that belongs to the account, as first seen
    shared: BTreeMap<u32, i128>,
}

impl Workload {
    /// Reads a file; which of the two kinds it is, its header says.
    pub(crate) fn read(composed: &Composed, path: &Path) -> Result<Self, CliError> {
        let text = read_text(path)?;
        let name = path.display().to_string();
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
        let columns: &[&'static str] = match () {
            () if header == PERPETUAL => &PERPETUAL,
            () if header == LENDING => &LENDING,
            () => {
                let (perpetual, lending) = (PERPETUAL.join(","), LENDING.join(","));
                return Err(CliError::BadInput(format!(
                    "{name}: line 1: {:?}; accepted: {perpetual} or {lending}",
                    header.join(",")
                )));
            }
        };
        let mut workload = Self::default();
        for (line, text) in (2_usize..).zip(lines).filter(|(_, t)| !t.trim().is_empty()) {
            let fields: Vec<&str> = text.split(',').map(str::trim).collect();
            let row = Row { name: &name, line, columns, fields: &fields };
            if fields.len() != columns.len() {
                let (found, wanted) = (fields.len(), columns.len());
                return Err(row.refuse_line(format_args!("{found} fields; accepted: {wanted}")));
            }
            match columns.len() {
                5 => workload.position(composed, &row)?,
                _ => workload.deposit(composed, &row)?,
            }
        }
        Ok(workload)
    }

    fn position(&mut self, composed: &Composed, row: &Row<'_>) -> Result<(), CliError> {
        let account = row.account()?;
        let usd = numeraire(composed, row)?;
        let market = row.market(composed, 2)?;
        let (size, entry) = (row.integer(3)?, row.integer(4)?);
        let lots = row.whole(3, Decimal::from_units(size, -6), market.lot_exponent, "lot")?;
        let cost = size.checked_mul(entry).ok_or_else(|| row.refuse(4, "a smaller number"))?;
        let exponent = composed.quantum_exponent();
        let cost = row.whole(4, Decimal::from_units(cost, -12), exponent, "quantum")?;
        if self.first_row(account, 1, row)? {
            let cash = row.atoms(usd, 1)?;
            self.hold(account, Item::Asset(usd.id), cash, Quanta::ZERO, row)?;
        }
        self.once(account, row, 2, |a| a.positions().iter().any(|p| p.market == market.id))?;
        self.hold(account, Item::Position(market.id), lots, Quanta::new(cost), row)
    }

    fn deposit(&mut self, composed: &Composed, row: &Row<'_>) -> Result<(), CliError> {
        let account = row.account()?;
        let usd = numeraire(composed, row)?;
        let asset = row.asset(composed, 1)?;
        let amount = row.atoms(asset, 2)?;
        if amount < 0 {
            return Err(row.refuse(2, "0 or more"));
        }
        if self.first_row(account, 3, row)? {
            let debt = row.atoms(usd, 3)?;
            self.hold(account, Item::Debt(usd.id), debt, Quanta::ZERO, row)?;
        }
        self.once(account, row, 1, |a| a.balances().iter().any(|b| b.asset == asset.id))?;
        self.hold(account, Item::Asset(asset.id), amount, Quanta::ZERO, row)
    }

    // whether this is the account's first row; a later one must say the same in the column that belongs to the account
    fn first_row(&mut self, account: u32, column: usize, row: &Row<'_>) -> Result<bool, CliError> {
        let value = row.integer(column)?;
        match self.shared.insert(account, value) {
            None => Ok(true),
            Some(before) if before == value => Ok(false),
            Some(before) => Err(row.refuse(column, format_args!("{before}, as in the account's first row"))),
        }
    }

    fn once(
        &self,
        account: u32,
        row: &Row<'_>,
        column: usize,
        holds: impl Fn(&Account) -> bool,
    ) -> Result<(), CliError> {
        if self.groups.get(&account).is_some_and(holds) {
            return Err(row.refuse(column, "each once per account"));
        }
        Ok(())
    }

    fn hold(
        &mut self,
        account: u32,
        item: Item,
        units: i128,
        cost: Quanta,
        row: &Row<'_>,
    ) -> Result<(), CliError> {
        let held = self.groups.entry(account).or_default();
        held.apply(item, units, cost, FundingIndex::ZERO).map_err(|e| row.refuse_line(e))
    }
}

fn numeraire<'a>(composed: &'a Composed, row: &Row<'_>) -> Result<&'a AssetTerms, CliError> {
    let found = composed.parts().assets.iter().find(|a| a.numeraire);
    found.ok_or_else(|| row.refuse_line("the stack has no numeraire; accepted: a stack with one"))
}

/// A row and where it stands.
struct Row<'a> {
    name: &'a str,
    line: usize,
    columns: &'a [&'static str],
    fields: &'a [&'a str],
}

impl Row<'_> {
    fn text(&self, column: usize) -> &str {
        self.fields.get(column).copied().unwrap_or_default()
    }

    fn refuse(&self, column: usize, accepted: impl std::fmt::Display) -> CliError {
        let (name, line, text) = (self.name, self.line, self.text(column));
        let title = self.columns.get(column).copied().unwrap_or_default();
        CliError::BadInput(format!("{name}: line {line}, {title}: {text:?}; accepted: {accepted}"))
    }

    fn refuse_line(&self, what: impl std::fmt::Display) -> CliError {
        CliError::BadInput(format!("{}: line {}: {what}", self.name, self.line))
    }

    fn account(&self) -> Result<u32, CliError> {
        self.text(0).parse().map_err(|_| self.refuse(0, "a number from 0 to 4294967295"))
    }

    fn integer(&self, column: usize) -> Result<i128, CliError> {
        self.text(column).parse().map_err(|_| self.refuse(column, "a whole number"))
    }

    fn whole(&self, column: usize, x: Decimal, exponent: i32, unit: &str) -> Result<i128, CliError> {
        x.to_units(exponent).map_err(|_| {
            let step = Decimal::from_units(1, exponent);
            self.refuse(column, format_args!("a whole number of the stack's {unit}, {step}"))
        })
    }

    fn atoms(&self, asset: &AssetTerms, column: usize) -> Result<i128, CliError> {
        let exponent = i32::from(asset.scale.decimals).saturating_neg();
        self.whole(column, Decimal::from_units(self.integer(column)?, -6), exponent, "atom")
    }

    fn market<'c>(&self, composed: &'c Composed, column: usize) -> Result<&'c MarketTerms, CliError> {
        let (text, markets) = (self.text(column), &composed.parts().markets);
        let number = text.parse().ok().map(MarketId);
        let found =
            markets.iter().find(|m| m.name == text).or_else(|| markets.iter().find(|m| Some(m.id) == number));
        let names: Vec<&String> = markets.iter().map(|m| &m.name).collect();
        found.ok_or_else(|| self.refuse(column, one_of(&names)))
    }

    fn asset<'c>(&self, composed: &'c Composed, column: usize) -> Result<&'c AssetTerms, CliError> {
        let (text, assets) = (self.text(column), &composed.parts().assets);
        let number = text.parse().ok().map(AssetId);
        let found =
            assets.iter().find(|a| a.name == text).or_else(|| assets.iter().find(|a| Some(a.id) == number));
        let names: Vec<&String> = assets.iter().map(|a| &a.name).collect();
        found.ok_or_else(|| self.refuse(column, one_of(&names)))
    }
}
