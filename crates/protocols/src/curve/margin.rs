//! Health of a loan in bands: what they come to, sold little by little, less a discount, against the debt.

use super::math::{ONE, add, mul, ratio, sub};
use super::{In, Pair, atoms, distance, wads, worth};
use cofferdam_core::{AssetId, GroupView, Health, Level, Line, MathError, Quanta, Rounding, World};
use cofferdam_liquidation_strategy::LiquidationError;
use cofferdam_margin_engine::{Coordinate, MarginError, MarginModel, SafeRange};

/// A box of debt indexes reaches so far above the present one: a thousandth.
const GROWTH: i128 = 1_000;

/// The model. Borrowing asks the loan's discount, maintenance the smaller one of a liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandHealth {
    money: AssetId,
    collateral: AssetId,
    loan_discount: u128,
    liquidation_discount: u128,
}

impl BandHealth {
    /// For a market; discounts are wads.
    ///
    /// # Errors
    ///
    /// What the venue does not accept: a liquidation discount of nothing, or not below the loan's.
    pub fn new(
        (money, collateral): (AssetId, AssetId),
        loan_discount: u128,
        liquidation_discount: u128,
    ) -> Result<Self, LiquidationError> {
        let wad = |x: u128| i128::try_from(x).unwrap_or(i128::MAX);
        let refuse =
            |field, value: i128, accepted| Err(LiquidationError::Parameter { field, value, accepted });
        if loan_discount >= ONE {
            return refuse("loan_discount", wad(loan_discount), "below one (Curve: loan discount >= 100%)");
        }
        if liquidation_discount == 0 || liquidation_discount >= loan_discount {
            let accepted =
                "above 0 and below the loan's discount (Curve: loan discount <= liquidation discount)";
            return refuse("liquidation_discount", wad(liquidation_discount), accepted);
        }
        Ok(Self { money, collateral, loan_discount, liquidation_discount })
    }

    fn pair<'w>(&self, world: &'w dyn World) -> Result<Pair<'w>, MarginError> {
        Pair::of(world, self.money, self.collateral).map_err(MarginError::NoPrice)
    }

    /// What the account's bands come to, and their collateral's worth above them, in wads of money; nothing where it has none, or
    /// less than they hold.
    fn worth(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        pair: &Pair<'_>,
    ) -> Result<(u128, u128), MarginError> {
        let Some(bands) = world.bands(group.id) else { return Ok((0, 0)) };
        for (view, total) in [(pair.money, bands.sold_total()), (pair.collateral, bands.held_total())] {
            let have = wads(view, group.balance(view.id).positive_part())?;
            if total.is_none_or(|total| total > have) {
                return Ok((0, 0));
            }
        }
        let (grid, oracle) = (pair.spaced(&bands.grid)?, pair.oracle()?);
        Ok((worth(&grid, &bands, oracle, In::Money)?, distance(&grid, &bands, oracle)?))
    }

    /// What bands that come to `worth` support, less a discount, down.
    fn supports(pair: &Pair<'_>, worth: u128, discount: u128, above: u128) -> Result<Quanta, MathError> {
        let left = add(ratio(worth, sub(ONE, discount)?, ONE)?, above)?;
        let atoms = atoms(pair.money, left, false)?;
        pair.money.scale.value(atoms, pair.money.price.mid, Rounding::Down)
    }
}

impl MarginModel for BandHealth {
    fn assess(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Health, MarginError> {
        let mut health = Health::default();
        for b in group.balances {
            let view = world.asset(b.asset).ok_or(MarginError::UnknownAsset(b.asset))?;
            if !view.price.is_usable() {
                if group.debts.is_empty() {
                    continue;
                }
                return Err(MarginError::NoPrice(cofferdam_core::Instrument::Asset(b.asset)));
            }
            let value = view.scale.value(b.amount, view.price.mid, Rounding::Down)?;
            health.equity = health.equity.try_add(value)?;
        }
        let mut demand = Quanta::ZERO;
        for d in group.debts {
            let view = world.asset(d.asset).ok_or(MarginError::UnknownAsset(d.asset))?;
            demand = demand.try_add(view.scale.value(d.owed, view.price.mid, Rounding::Up)?)?;
        }
        health.equity = health.equity.try_sub(demand)?;
        // what may leave is what lies beside the bands, or what the placement after it can do without
        let levels = [
            (Level::Maintenance, self.liquidation_discount),
            (Level::Initial, self.loan_discount),
            (Level::Withdraw, self.liquidation_discount),
        ];
        if group.debts.is_empty() {
            for (level, _) in levels {
                health.set(level, Line { support: health.equity, demand });
            }
            return Ok(health);
        }
        let pair = self.pair(world)?;
        let (worth, above) = self.worth(group, world, &pair)?;
        for (level, discount) in levels {
            // a new loan has to stand by its bands alone
            let above = if level == Level::Initial { 0 } else { above };
            health.set(level, Line { support: Self::supports(&pair, worth, discount, above)?, demand });
        }
        Ok(health)
    }

    /// A loan none of which has been sold is safe while the oracle's price is above its first band: then its bands come to as much
    /// as when they were placed, and grow with its debt. One that is being sold has no box: it is looked at every time.
    fn safe_ranges(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Vec<SafeRange>, MarginError> {
        if group.debts.is_empty() {
            return Ok(Vec::new());
        }
        let price = Coordinate::Price(self.collateral);
        let exposed = |coordinate| SafeRange { coordinate, low: 1, high: 0 };
        let all = || vec![exposed(price), exposed(Coordinate::DebtIndex(self.money))];
        let Some(bands) = world.bands(group.id) else { return Ok(all()) };
        let pair = self.pair(world)?;
        let index = i128::try_from(pair.money.debt_index.get()).map_err(|_| MathError::Overflow)?;
        let growth = index.checked_div(GROWTH).ok_or(MathError::Overflow)?;
        // what is above the bands may go; what rounding may take while the index grows is far less than a millionth
        let demand = self.assess(group, world)?.line(level).unwrap_or_default().demand;
        let discount = if level == Level::Initial { self.loan_discount } else { self.liquidation_discount };
        let (worth, _) = self.worth(group, world, &pair)?;
        let support = Self::supports(&pair, worth, discount, 0)?;
        let thin = Line { support, demand }.slack() < (demand.get() >> 20).saturating_add(1);
        let first = pair.spaced(&bands.grid)?.upper(bands.first)?;
        if thin || bands.sold_total() != Some(0) || pair.oracle()? <= first {
            return Ok(all());
        }
        // the first band's price when the index has grown so far, in ticks, up: p x (1 + 1/1000) and one tick
        let grown = ratio(first, 1_001, 1_000)?;
        let places = 18_i32
            .saturating_add(pair.collateral.scale.price_exponent.into())
            .saturating_sub(pair.money.scale.price_exponent.into());
        let ten = 10_u128.checked_pow(places.unsigned_abs()).ok_or(MathError::Overflow)?;
        let money = u128::try_from(pair.money.price.mid.get()).map_err(|_| MathError::Negative)?;
        let ticks = if places >= 0 { ratio(grown, money, ten)? } else { mul(mul(grown, money)?, ten)? };
        let low = i128::try_from(ticks).ok().and_then(|t| t.checked_add(1)).ok_or(MathError::Overflow)?;
        let high = index.checked_add(growth).ok_or(MathError::Overflow)?;
        Ok(vec![
            SafeRange { coordinate: price, low, high: i128::MAX },
            SafeRange { coordinate: Coordinate::DebtIndex(self.money), low: index, high },
        ])
    }
}
