//! How much debt of real borrowers could be liquidated after a fall of ETH: the rules of Aave v3.7 on a snapshot of its thousand
//! largest borrowers. The snapshot may not be passed on, so it is not in this repository:
//!
//! ```text
//! cargo run --release -p cofferdam-protocols --example aave_shock -- DIR
//! ```
//!
//! where `DIR` holds `top_1000_borrowed_users.csv` and `top_1000_borrowed_positions.csv` of herculesArmy/aave_v3_risk@e2731083.
//! `docs/protocols/aave-v3.md` says what the snapshot cannot say.

use cofferdam_core::{
    Amount, AssetId, AssetScale, AssetView, BalanceView, DebtView, Decimal, GroupId, Holder, Item, PoolId,
    Ppb, PriceView, Quanta, Rounding, Scaled, Ticks,
};
use cofferdam_liquidation_strategy::{Bid, Step, Taker, conformance::Bench};
use cofferdam_protocols::aave_v3::{LIQUIDATABLE_BELOW, LiquidationCall, LiquidationCallTerms, Reserve};
use std::{collections::BTreeMap, error::Error, fs, path::Path};

const USD: AssetId = AssetId(0);
const ETH: AssetId = AssetId(1);
/// The preset's threshold; each account's collateral is restated so that its health is the snapshot's.
const THRESHOLD_BPS: u32 = 8_600;
const ETH_LIKE: [&str; 7] = ["WETH", "wstETH", "weETH", "cbETH", "rETH", "osETH", "ETHx"];

/// A borrower: debts in cents, health times 10,000.
struct Borrower {
    debt_cents: i128,
    eth_debt_cents: i128,
    health: i128,
}

/// A decimal in units of 10^exponent; digits below are cut.
fn units(text: &str, exponent: i32) -> Result<i128, Box<dyn Error>> {
    let cut = usize::try_from(-exponent)?;
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let text = format!("{whole}.{:0<cut$}", &digits[..digits.len().min(cut)]);
    Ok(text.parse::<Decimal>()?.to_units(exponent)?)
}

fn read(dir: &Path) -> Result<Vec<Borrower>, Box<dyn Error>> {
    let mut eth: BTreeMap<String, i128> = BTreeMap::new();
    for line in fs::read_to_string(dir.join("top_1000_borrowed_positions.csv"))?.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [user, symbol, _, usd, _] = cells[..] else { return Err(format!("not a row: {line}").into()) };
        if ETH_LIKE.contains(&symbol) {
            *eth.entry(user.to_owned()).or_default() += units(usd, -2)?;
        }
    }
    let mut borrowers = Vec::new();
    for line in fs::read_to_string(dir.join("top_1000_borrowed_users.csv"))?.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [user, debt, _, health] = cells[..] else { return Err(format!("not a row: {line}").into()) };
        let debt_cents = units(debt, -2)?;
        let eth_debt_cents = eth.get(user).copied().unwrap_or(0).min(debt_cents);
        borrowers.push(Borrower { debt_cents, eth_debt_cents, health: units(health, -4)? });
    }
    Ok(borrowers)
}

/// The account with ETH alone as collateral, `fall` per cent lower. ETH is counted in dollars of today.
fn account(b: &Borrower, fall: i64) -> Bench {
    let mut bench = Bench::lending(0, 0);
    bench.weight = Ppb(i64::from(THRESHOLD_BPS) * 100_000);
    for view in &mut bench.assets {
        let (decimals, price) =
            if view.id == ETH { (18, 1_000_000 * (100 - fall)) } else { (6, 100_000_000) };
        view.scale = AssetScale { decimals, price_exponent: -8, quantum_exponent: -8 };
        view.price = PriceView::exact(Ticks::new(price), view.price.as_of);
    }
    // health = collateral x threshold / debt
    let held = b.debt_cents * b.health * 10_000_000_000_000_000 / i128::from(THRESHOLD_BPS);
    bench.balances = vec![BalanceView { asset: ETH, amount: Amount::new(held) }];
    let debt = |asset, atoms: i128| {
        let scaled = Scaled::new(atoms.unsigned_abs());
        DebtView { asset, owed: Amount::new(atoms), scaled }
    };
    let (usd, eth) = ((b.debt_cents - b.eth_debt_cents) * 10_000, b.eth_debt_cents * 10_000_000_000_000_000);
    bench.debts = vec![debt(USD, usd), debt(ETH, eth)];
    bench.debts.retain(|d| d.owed.get() > 0);
    bench
}

fn cents(assets: &[AssetView], asset: AssetId, atoms: Amount) -> Result<i128, Box<dyn Error>> {
    let view = assets.iter().find(|a| a.id == asset).ok_or("an asset of the bench")?;
    Ok(view.scale.value(atoms, view.price.mid, Rounding::Down)?.get() / 1_000_000)
}

/// What one call on the largest debt repays of an account and what it leaves as a deficit, in cents.
fn one_call(strategy: &LiquidationCall, bench: &Bench) -> Result<(i128, i128), Box<dyn Error>> {
    let mut debts = Vec::new();
    for d in &bench.debts {
        debts.push((cents(&bench.assets, d.asset, d.owed)?, d));
    }
    let Some((_, largest)) = debts.into_iter().max_by_key(|(worth, _)| *worth) else { return Ok((0, 0)) };
    let bid = Bid {
        by: Taker::Keeper(GroupId(3)),
        give: Some((Item::Debt(largest.asset), largest.owed.get())),
        want: Some(Item::Asset(ETH)),
        ..Bid::ENGINE
    };
    let Ok(plan) = bench.plan(strategy, &bid)? else { return Ok((0, 0)) };
    let (mut repaid, mut lost) = (0, 0);
    for step in &plan.steps {
        match step {
            Step::Move(postings) => {
                for p in postings.iter().filter(|p| matches!(p.holder, Holder::Pool(_)) && p.units > 0) {
                    if let Item::Asset(a) = p.item {
                        repaid += cents(&bench.assets, a, Amount::new(p.units))?;
                    }
                }
            }
            Step::Loss { asset, amount, .. } => lost += cents(&bench.assets, *asset, *amount)?,
            _ => {}
        }
    }
    Ok((repaid, lost))
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "../shared/data/aave_v3_top1000_dec2025".into());
    if !Path::new(&dir).join("top_1000_borrowed_users.csv").exists() {
        println!("no snapshot in {dir}: NOTHING WAS COMPUTED. Give the folder that holds it.");
        return Ok(());
    }
    let borrowers = read(Path::new(&dir))?;
    let reserve = Reserve { asset: ETH, threshold_bps: THRESHOLD_BPS, bonus_bps: 10_500, fee_bps: 1_000 };
    let strategy = LiquidationCall::new(LiquidationCallTerms {
        pools: vec![(USD, PoolId(0)), (ETH, PoolId(1))],
        reserves: vec![reserve],
        categories: Vec::new(),
        close_all_below: Quanta::new(200_000_000_000),
    })?;
    let million = |cents: i128| cents / 100_000_000;
    let total: i128 = borrowers.iter().map(|b| b.debt_cents).sum();
    let eth: i128 = borrowers.iter().map(|b| b.eth_debt_cents).sum();
    println!(
        "{} borrowers owe {} million USD, {} of it in ETH",
        borrowers.len(),
        million(total),
        million(eth)
    );
    println!(
        "{} show a health below 1 before any fall: the snapshot ignores efficiency modes; they are left out below",
        borrowers.iter().filter(|b| b.health < 10_000).count()
    );
    println!("fall | accounts | their debt | repaid by one call each | deficit after it   (million USD)");
    for fall in (0..=60).step_by(5) {
        let (mut accounts, mut debt, mut repaid, mut lost) = (0, 0, 0, 0);
        for b in borrowers.iter().filter(|b| b.health >= 10_000) {
            let bench = account(b, fall);
            if bench.case(|c| strategy.health_factor(c))? >= LIQUIDATABLE_BELOW {
                continue;
            }
            for d in &bench.debts {
                debt += cents(&bench.assets, d.asset, d.owed)?;
            }
            let (paid, loss) = one_call(&strategy, &bench)?;
            (accounts, repaid, lost) = (accounts + 1, repaid + paid, lost + loss);
        }
        println!(
            "{fall:>3}% | {accounts:>8} | {:>10} | {:>23} | {:>7}",
            million(debt),
            million(repaid),
            million(lost)
        );
    }
    Ok(())
}
