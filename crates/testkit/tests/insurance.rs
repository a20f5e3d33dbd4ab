//! Every built-in provider and layer conforms, and every rogue is caught by the check that is meant for it and by no other.

use cofferdam_core::{AssetId, MarketId, Ppb, Quanta};
use cofferdam_insurance_layer::{
    AggregateStopLoss, EscrowedFund, ExcessOfLoss, Fund, InsuranceError, InsuranceLayer, Loss, MarketFund,
    QuotaBasis, QuotaShare, Standing,
};
use cofferdam_testkit::insurance::{Capabilities, Check, Rogue, RogueFund, block_on, conformance, layer};
use std::sync::atomic::{AtomicI64, Ordering};

#[test]
fn the_built_in_provider_conforms() {
    for held in [100, 1_001, 1 << 100, Quanta::LIMIT] {
        let holds = Quanta::new(held);
        let capabilities = Capabilities {
            holds,
            paid_out: Some(&|p: &EscrowedFund| holds.try_sub(p.held().unwrap()).unwrap()),
            clock: Some(&|p: &EscrowedFund, now| p.release_expired(now).unwrap()),
        };
        let fresh = || EscrowedFund::new("acme/reserve", AssetId(0), holds, Ppb(50_000_000)).unwrap();
        block_on(conformance(fresh, &capabilities)).passes();
    }
}

#[test]
fn what_the_suite_cannot_see_is_said() {
    let capabilities = Capabilities { holds: Quanta::new(100), paid_out: None, clock: None };
    let fresh = || EscrowedFund::new("acme/reserve", AssetId(0), Quanta::new(100), Ppb(1)).unwrap();
    let report = block_on(conformance(fresh, &capabilities));
    assert_eq!(report.findings, []);
    assert_eq!(report.skipped, [Check::PaysOnce, Check::Expiry, Check::RetryPaysOnce, Check::TellsAhead]);
}

#[test]
fn every_rogue_is_caught_by_its_own_check_alone() {
    for rogue in Rogue::ALL {
        let fresh = || RogueFund::new(*rogue).unwrap();
        let report = block_on(conformance(fresh, &RogueFund::capabilities()));
        let found: Vec<Check> = report.findings.iter().map(|f| f.check).collect();
        assert_eq!(found, [rogue.caught_by()], "{rogue:?}: {:?}", report.findings);
    }
}

#[test]
fn every_check_has_a_rogue() {
    for check in Check::ALL {
        let of_layers = matches!(check, Check::LayerContract | Check::Order);
        assert!(of_layers || Rogue::ALL.iter().any(|r| r.caught_by() == *check), "{check:?}");
    }
    let numbers: Vec<String> = (1..=Check::ALL.len()).map(|n| format!("INS-{n:02}")).collect();
    assert!(Check::ALL.iter().map(|c| c.number()).eq(numbers));
}

#[test]
fn every_built_in_layer_conforms() {
    let share = |basis| move || QuotaShare::new(Ppb(333_333_333), basis).unwrap();
    layer(|| Fund).passes();
    layer(|| MarketFund { market: MarketId(1) }).passes();
    layer(share(QuotaBasis::Left)).passes();
    layer(share(QuotaBasis::Loss)).passes();
    layer(|| ExcessOfLoss::new(Quanta::new(100), Quanta::new(1_000)).unwrap()).passes();
    layer(|| AggregateStopLoss::new(Quanta::new(100), Quanta::new(1 << 50)).unwrap()).passes();
}

#[derive(Debug)]
enum Liar {
    Greedy,
    Debtor,
    Fails,
    Moody(AtomicI64),
}

impl InsuranceLayer for Liar {
    fn respond(&self, _: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        match self {
            Self::Greedy => Ok(left.try_add(Quanta::new(1))?),
            Self::Debtor => Ok(Quanta::new(-1)),
            Self::Fails => Err(InsuranceError::NegativeLoss(left)),
            Self::Moody(asked) => Ok(left.min(Quanta::new(asked.fetch_add(1, Ordering::Relaxed).into()))),
        }
    }
}

/// Terms that lie are caught; where they only lie about amounts, the programme around them keeps its sum and its order all the same.
#[test]
fn lies_of_layers_are_caught() {
    let check = |liar: fn() -> Liar, expected: &[Check]| {
        let mut found: Vec<Check> = layer(liar).findings.iter().map(|f| f.check).collect();
        found.dedup();
        assert_eq!(found, expected, "{:?}", liar());
    };
    check(|| Liar::Greedy, &[Check::LayerContract]);
    check(|| Liar::Debtor, &[Check::LayerContract]);
    check(|| Liar::Fails, &[Check::LayerContract]);
    check(|| Liar::Moody(AtomicI64::new(0)), &[Check::LayerContract, Check::Order]);
}
