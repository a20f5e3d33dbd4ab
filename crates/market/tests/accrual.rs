//! The accrual contract on the built-in rules, and on rules that are broken on purpose.

use cofferdam_core::{
    Amount, AssetId, At, FundingIndex, Index, Lots, MapMemory, MarketId, MarketScale, MarketView, Memory,
    Millis, Ppb, PriceState, PriceView, Scaled, Slot, Ticks,
};
use cofferdam_market::conformance::check_accrual;
use cofferdam_market::{
    Accrual, IndexMove, InterestCurve, KinkedRate, KinkedRateParams, LendingInterest, LendingView,
    MarketError, PremiumFunding, PremiumFundingParams, Subject,
};
use proptest::prelude::*;

fn market(mark: i64, index: i64, funding: i128) -> Subject {
    let price = |p| PriceView::exact(Ticks::new(p), Millis::ZERO);
    Subject::Market(MarketView {
        id: MarketId(1),
        scale: MarketScale::from_factor(10).unwrap(),
        settlement: AssetId(0),
        mark: price(mark),
        previous_mark: Ticks::new(mark),
        index: price(index),
        open_interest: Lots::ZERO,
        funding: FundingIndex::new(funding),
        volatility: Ppb::ZERO,
    })
}

fn lending(cash: i128, debt: u128) -> Subject {
    Subject::Lending(LendingView {
        asset: AssetId(2),
        cash: Amount::new(cash),
        debt: Scaled::new(debt),
        index: Index::START,
    })
}

fn funding() -> PremiumFunding {
    PremiumFunding::new(PremiumFundingParams {
        interval: Millis(3_600_000),
        interest: Ppb(12_500),
        clamp: Ppb(500_000),
        cap: Ppb(40_000_000),
        worst_state: PriceState::Volatile,
    })
    .unwrap()
}

fn interest() -> LendingInterest {
    LendingInterest::new(Box::new(
        KinkedRate::new(KinkedRateParams {
            base: Ppb(10_000_000),
            slope_below: Ppb(40_000_000),
            slope_above: Ppb(600_000_000),
            kink: Ppb(800_000_000),
        })
        .unwrap(),
    ))
}

/// Rules with one fault each.
#[derive(Debug)]
enum Broken {
    Forgetful,
    Falling,
    Blind,
}

impl Accrual for Broken {
    fn accrue(
        &self,
        at: At,
        subject: &Subject,
        memory: &mut Memory<'_>,
    ) -> Result<Vec<IndexMove>, MarketError> {
        match (self, subject) {
            (Self::Forgetful, Subject::Market(m)) => {
                let to = m.funding.try_add(FundingIndex::ONE)?;
                Ok(vec![IndexMove::Funding { market: m.id, to }])
            }
            (Self::Falling, Subject::Lending(l)) => {
                let to = l.index.try_sub(Index::ONE)?;
                Ok(vec![IndexMove::Debt { asset: l.asset, to }])
            }
            (Self::Blind, Subject::Market(m)) => {
                let price = PriceView::exact(m.mark.mid, m.mark.as_of);
                let seen = MarketView { mark: price, index: price, ..*m };
                funding().accrue(at, &Subject::Market(seen), memory)
            }
            _ => Err(MarketError::NotForSubject),
        }
    }
}

#[test]
fn each_check_can_fail() {
    let check = |broken: Broken, subject: Subject, law: &str| {
        let found = check_accrual(&broken, &subject, Millis(1)).unwrap_err();
        assert!(found.law.contains(law), "{broken:?}: {found}");
    };
    check(Broken::Forgetful, market(100, 100, 0), "twice");
    check(Broken::Falling, lending(1, 1), "never falls");
    check(Broken::Blind, market(100_000, 100_000, 0), "unusable");
}

/// A curve of a stranger that answers below zero: refused, so that the index cannot fall.
#[derive(Debug)]
struct Negative;

impl InterestCurve for Negative {
    fn rate(&self, _: Ppb) -> Result<Ppb, MarketError> {
        Ok(Ppb(-1))
    }
}

#[test]
fn a_negative_rate_is_refused() {
    let (rule, mut memory) = (LendingInterest::new(Box::new(Negative)), MapMemory::default());
    let mut accrue = |ms| {
        let at = At { time: Millis(ms), ..At::default() };
        memory.with(Slot(0), |m| rule.accrue(at, &lending(1, 1), m))
    };
    assert_eq!(accrue(0), Ok(vec![]));
    assert!(matches!(accrue(1), Err(MarketError::Math(_))));
}

proptest! {
    #[test]
    fn funding_conforms(mark in 1_i64..1 << 40, index in 1_i64..1 << 40, from in -(1_i128 << 100)..1 << 100, start in 0_u64..1 << 45) {
        prop_assert_eq!(check_accrual(&funding(), &market(mark, index, from), Millis(start)), Ok(()));
    }

    #[test]
    fn interest_conforms(cash in -(1_i128 << 70)..1 << 100, debt in 0_u128..1 << 100, start in 0_u64..1 << 45) {
        prop_assert_eq!(check_accrual(&interest(), &lending(cash, debt), Millis(start)), Ok(()));
    }

    /// Whatever bytes lie in memory: an answer or a typed error, never a panic (INV-43).
    #[test]
    fn any_memory_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..60), mark in any::<i64>(), index in any::<i64>(), time in any::<u64>()) {
        let at = At { time: Millis(time), ..At::default() };
        for (subject, scope) in [
            (market(mark, index, 0), cofferdam_core::Scope::Market(MarketId(1))),
            (lending(i128::from(mark), 7), cofferdam_core::Scope::Asset(AssetId(2))),
        ] {
            let mut memory = MapMemory::default();
            memory.put(Slot(0), scope, bytes.clone());
            let _ = memory.with(Slot(0), |m| funding().accrue(at, &subject, m).map(|_| ()));
            let _ = memory.with(Slot(0), |m| interest().accrue(at, &subject, m).map(|_| ()));
        }
    }
}
