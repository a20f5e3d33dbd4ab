//! The fairest closes across several markets: a small integer program, and its relaxation in closed form.

use good_lp::{Expression, ProblemVariables, ResolutionError, Solution, SolverModel, microlp, variable};

/// Contracts of one holder in one market that may be closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closable {
    /// Whose: an index into [`MinMax::equity`].
    pub holder: usize,
    /// What closing one contract takes from the holder, above zero.
    pub per_contract: f64,
    /// How many there are.
    pub most: u32,
}

/// Close whole contracts k so that together they bring what is needed, and the largest share that anyone gives up of its equity is as small
/// as it can be:
///
/// min M, such that sum k d >= B, 0 <= k <= most, sum over the contracts of i of k d <= M e_i.
///
/// Source: T. Chitra et al., Autodeleveraging as Online Learning, arXiv:2602.15182, the program that fairness is measured against. In one market
/// `LeastShare` of `cofferdam-liquidation-strategy` answers it exactly, for any number of holders; this is for several, and for research: a
/// solver's time grows fast with holders, and the tests here have six at most.
///
/// ```
/// use cofferdam_market_sim::adl::{Closable, MinMax};
/// let program = MinMax {
///     needed: 50.0,
///     equity: vec![100.0, 400.0],
///     closable: vec![
///         Closable { holder: 0, per_contract: 7.0, most: 10 },
///         Closable { holder: 1, per_contract: 9.0, most: 10 },
///     ],
/// };
/// assert!((program.relaxed().unwrap() - 0.1).abs() < 1e-12); // a tenth of either, if contracts could be split
/// let best = program.whole()?;
/// assert_eq!(best.contracts, [1, 5]); // 7 of 100 and 45 of 400
/// assert!((best.share - 0.1125).abs() < 1e-9);
/// # Ok::<(), cofferdam_market_sim::adl::MinMaxError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MinMax {
    /// B: what the closes have to bring together.
    pub needed: f64,
    /// e: of each holder, above zero for who has contracts.
    pub equity: Vec<f64>,
    /// What may be closed.
    pub closable: Vec<Closable>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MinMaxError {
    /// All contracts together bring less than is needed.
    #[error("all contracts bring {all}; accepted: at least the {needed} that are needed")]
    TooLittle {
        /// What they bring.
        all: f64,
        /// What is needed.
        needed: f64,
    },
    /// A number that makes no program.
    #[error("{field}: {value}; accepted: {accepted}")]
    Parameter {
        /// Which.
        field: &'static str,
        /// What it is.
        value: f64,
        /// What would do.
        accepted: &'static str,
    },
    /// The solver gave up.
    #[error("no solution: {0}")]
    Solver(String),
}

/// What to close.
#[derive(Clone, Debug, PartialEq)]
pub struct Closes {
    /// Contracts, in the order of [`MinMax::closable`].
    pub contracts: Vec<u32>,
    /// The largest share of an equity that they take.
    pub share: f64,
}

impl MinMax {
    fn check(&self) -> Result<(), MinMaxError> {
        let refuse = |field, value, accepted| Err(MinMaxError::Parameter { field, value, accepted });
        if !(self.needed.is_finite() && self.needed >= 0.0) {
            return refuse("needed", self.needed, "0 or more");
        }
        let mut all = 0.0;
        for c in &self.closable {
            let Some(equity) = self.equity.get(c.holder) else {
                return refuse("holder", c.holder as f64, "an index into equity");
            };
            if !(equity.is_finite() && *equity > 0.0) {
                return refuse("equity", *equity, "above 0 for who has contracts");
            }
            if !(c.per_contract.is_finite() && c.per_contract > 0.0) {
                return refuse("per_contract", c.per_contract, "above 0");
            }
            all += c.per_contract * f64::from(c.most);
        }
        if all < self.needed {
            return Err(MinMaxError::TooLittle { all, needed: self.needed });
        }
        Ok(())
    }

    /// The largest share if contracts could be split: water-filling over x / e. No whole answer is smaller.
    ///
    /// # Errors
    ///
    /// [`MinMaxError`].
    pub fn relaxed(&self) -> Result<f64, MinMaxError> {
        self.check()?;
        let mut most = vec![0.0; self.equity.len()];
        for c in &self.closable {
            if let Some(m) = most.get_mut(c.holder) {
                *m += c.per_contract * f64::from(c.most);
            }
        }
        let mut holders: Vec<(f64, f64)> =
            most.into_iter().zip(&self.equity).filter(|(m, _)| *m > 0.0).map(|(m, e)| (m, *e)).collect();
        // whose contracts are used up at the smallest share comes first
        holders.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        let mut equity: f64 = holders.iter().map(|h| h.1).sum();
        let mut left = self.needed;
        for (most, own) in &holders {
            if left / equity <= most / own {
                return Ok(left / equity);
            }
            left -= most;
            equity -= own;
        }
        Ok(holders.last().map_or(0.0, |h| h.0 / h.1)) // all is needed, up to rounding
    }

    /// The best whole contracts, by branch and bound.
    ///
    /// # Errors
    ///
    /// [`MinMaxError`].
    pub fn whole(&self) -> Result<Closes, MinMaxError> {
        self.check()?;
        let mut variables = ProblemVariables::new();
        let share = variables.add(variable().min(0.0));
        let add = |c: &Closable| variables.add(variable().integer().min(0.0).max(c.most));
        let contracts: Vec<_> = self.closable.iter().map(add).collect();
        let mut brought = Expression::default();
        let mut taken = vec![Expression::default(); self.equity.len()];
        for (c, k) in self.closable.iter().zip(&contracts) {
            brought += c.per_contract * *k;
            if let Some(t) = taken.get_mut(c.holder) {
                *t += c.per_contract * *k;
            }
        }
        let mut model = variables.minimise(share).using(microlp).with(brought.geq(self.needed));
        for (x, e) in taken.into_iter().zip(&self.equity).filter(|(_, e)| **e > 0.0) {
            model = model.with(x.leq(*e * share));
        }
        let solved = model.solve().map_err(|e: ResolutionError| MinMaxError::Solver(e.to_string()))?;
        let contracts: Vec<u32> = contracts.iter().map(|k| solved.value(*k).round() as u32).collect();
        let mut taken = vec![0.0; self.equity.len()];
        for (c, k) in self.closable.iter().zip(&contracts) {
            if let Some(t) = taken.get_mut(c.holder) {
                *t += c.per_contract * f64::from(*k);
            }
        }
        let shares = taken.iter().zip(&self.equity).filter(|(t, _)| **t > 0.0).map(|(t, e)| t / e);
        Ok(Closes { share: shares.fold(0.0, f64::max), contracts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot, Ticks};
    use cofferdam_liquidation_strategy::{Cause, LeastShare, LossAllocation, Measure, Need, Payer};
    use proptest::prelude::*;

    fn program(holders: &[(u16, u8, u8)], of_all: f64) -> MinMax {
        let equity: Vec<f64> = holders.iter().map(|h| f64::from(h.0) + 1.0).collect();
        let closable: Vec<Closable> = (0..)
            .zip(holders)
            .map(|(i, h)| Closable {
                holder: i,
                per_contract: f64::from(h.1 % 9) + 1.0,
                most: u32::from(h.2 % 12),
            })
            .collect();
        let all: f64 = closable.iter().map(|c| c.per_contract * f64::from(c.most)).sum();
        MinMax { needed: (all * of_all).floor(), equity, closable }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Between the relaxation and the relaxation with one contract more of everybody.
        #[test]
        fn whole_contracts_cost_at_most_one_each(holders in prop::collection::vec((0_u16..500, 0_u8..9, 0_u8..12), 1..7), of_all in 0.0..1.0_f64) {
            let program = program(&holders, of_all);
            let (relaxed, whole) = (program.relaxed().unwrap(), program.whole().unwrap());
            let brought: f64 =
                program.closable.iter().zip(&whole.contracts).map(|(c, k)| c.per_contract * f64::from(*k)).sum();
            prop_assert!(brought >= program.needed - 1e-6, "{brought} of {}", program.needed);
            prop_assert!(program.closable.iter().zip(&whole.contracts).all(|(c, k)| *k <= c.most));
            let one = program.closable.iter().map(|c| c.per_contract / program.equity[c.holder]).fold(0.0, f64::max);
            prop_assert!(whole.share >= relaxed - 1e-7, "{} below {relaxed}", whole.share);
            prop_assert!(whole.share <= relaxed + one + 1e-7, "{} above {relaxed} + {one}", whole.share);
        }

        /// In one market the policy of a stack, in exact integers and without a solver, is as good as the solver.
        #[test]
        fn in_one_market_the_policy_is_the_program(holders in prop::collection::vec((0_u16..500, 0_u8..1, 1_u8..12), 1..7), of_all in 0.01..1.0_f64) {
            let program = program(&holders, of_all);
            let payer = |(i, c): (u32, &Closable)| Payer {
                group: GroupId(i), lots: Lots::new(-i64::from(c.most)), gain: Amount::new(1),
                equity: Amount::new(program.equity[c.holder] as i128), notional: Quanta::new(1), cost: Quanta::new(-1),
                room: Amount::new(1), maintenance: Amount::ZERO,
            };
            let payers: Vec<Payer> = (0..).zip(&program.closable).map(payer).collect();
            let cause = Cause::CloseOut { of: GroupId(9_999), lots: Lots::new(program.needed as i64), price: Ticks::new(1) };
            let need = Need { cause, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::ZERO };
            let settled = MapMemory::default()
                .with(Slot(1), |m| LeastShare.allocate(At::default(), &need, &payers.as_slice(), m))
                .unwrap();
            let share = |m: &Measure| match m {
                Measure::Close { payer, lots, .. } => lots.get().unsigned_abs() as f64 / program.equity[payer.0 as usize],
                _ => 0.0,
            };
            let found = settled.measures.iter().map(share).fold(0.0, f64::max);
            let best = program.whole().unwrap().share;
            prop_assert!((found - best).abs() < 1e-7, "{found} is not {best}: {program:?}");
        }
    }

    #[test]
    fn what_makes_no_program_is_refused() {
        let good = || MinMax {
            needed: 5.0,
            equity: vec![10.0],
            closable: vec![Closable { holder: 0, per_contract: 1.0, most: 9 }],
        };
        let refuse = |program: MinMax, says: &str| {
            let (a, b) = (program.relaxed().unwrap_err(), program.whole().unwrap_err());
            assert!(a.to_string().contains(says) && b.to_string().contains(says), "{a}, {b}");
        };
        refuse(MinMax { needed: 9.5, ..good() }, "all contracts bring 9; accepted: at least the 9.5");
        refuse(MinMax { needed: f64::NAN, ..good() }, "needed: NaN; accepted: 0 or more");
        refuse(MinMax { equity: vec![0.0], ..good() }, "equity: 0; accepted: above 0");
        refuse(MinMax { equity: vec![], ..good() }, "holder: 0; accepted: an index into equity");
        let free = Closable { holder: 0, per_contract: 0.0, most: 9 };
        refuse(MinMax { closable: vec![free], ..good() }, "per_contract: 0; accepted: above 0");
        assert_eq!(MinMax { needed: 0.0, ..good() }.whole().unwrap().share, 0.0);
    }
}
