//! The common workload by the margin rules of the presets that share them. No preset has the workload's sixteen markets or assets: its
//! margin rule stands in the workload's own stack file, with the workload's parameters. Skipped, and said so, where the accounts are not
//! at hand.

use cofferdam_core::{
    AssetId, AssetView, Bands, FundingIndex, GroupId, Index, Item, Level, Lots, MarketId, MarketView, Millis,
    Ppb, PriceView, Quanta, Scenarios, Ticks, World,
};
use cofferdam_margin_engine::{Account, Holdings};
use cofferdam_protocols::preset;
use cofferdam_stack::{Parts, StackConfig};
use std::collections::BTreeMap;
use std::io::Write;

struct Sheet {
    markets: Vec<MarketView>,
    assets: Vec<AssetView>,
}

impl World for Sheet {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.iter().find(|m| m.id == id)
    }
    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.iter().find(|a| a.id == id)
    }
    fn scenarios(&self, _: MarketId) -> Option<&Scenarios> {
        None
    }
    fn bands(&self, _: GroupId) -> Option<Bands> {
        None
    }
}

fn price(i: u32) -> i64 {
    (5 + 37 * i64::from(i)) * 1_000_000
}

fn sheet(parts: &Parts) -> Sheet {
    let exact = |x| PriceView::exact(Ticks::new(x), Millis::ZERO);
    let market = |m: &cofferdam_stack::MarketTerms| MarketView {
        id: m.id,
        scale: m.scale,
        settlement: m.settlement,
        mark: exact(price(m.id.0)),
        previous_mark: Ticks::ZERO,
        index: exact(price(m.id.0)),
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    };
    let asset = |a: &cofferdam_stack::AssetTerms| AssetView {
        id: a.id,
        scale: a.scale,
        price: exact(if a.numeraire { 1 } else { price(a.id.0) }),
        debt_index: Index::START,
    };
    Sheet {
        markets: parts.markets.iter().map(market).collect(),
        assets: parts.assets.iter().map(asset).collect(),
    }
}

/// Accounts, and what each has and is asked for in 1e-16 USD.
type Load = BTreeMap<u32, (Account, i128, i128)>;

fn load(perpetual: bool, name: &str, usd: AssetId) -> Option<Load> {
    let path = format!("{}/../../../shared/workload/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read_to_string(path) else {
        // past the harness, which would swallow it
        let _ = writeln!(std::io::stderr(), "{name}: skipped, ../shared/workload is not there");
        return None;
    };
    let mut all = Load::new();
    for line in text.lines().skip(1) {
        let row: Vec<i128> = line.split(',').map(|x| x.trim().parse().unwrap()).collect();
        let id = u32::try_from(row[0]).unwrap();
        let fresh = !all.contains_key(&id);
        let (account, has, asked) = all.entry(id).or_default();
        let mut hold = |item, units, cost| {
            account.apply(item, units, Quanta::new(cost), FundingIndex::ZERO).unwrap();
        };
        if perpetual {
            let (cash, i, size, entry) = (row[1], u32::try_from(row[2]).unwrap(), row[3], row[4]);
            let now = i128::from(price(i));
            if fresh {
                hold(Item::Asset(usd), cash, 0);
                *has += cash * 1_000_000 * 10_000;
            }
            hold(Item::Position(MarketId(i)), size, size * entry);
            *has += size * (now - entry) * 10_000;
            *asked += size.abs() * now * (300 + 25 * i128::from(i));
        } else {
            let (i, deposit, debt) = (u32::try_from(row[1]).unwrap(), row[2], row[3]);
            if fresh {
                hold(Item::Debt(usd), debt, 0);
                *asked += debt * 1_000_000 * 10_500;
            }
            hold(Item::Asset(AssetId(i)), deposit, 0);
            *has += deposit * i128::from(price(i)) * (8_500 - 100 * i128::from(i));
        }
    }
    Some(all)
}

/// Every account of three files: below maintenance by the stack exactly where it is by exact arithmetic.
fn check(of: &str, text: &str, perpetual: bool) {
    let built =
        StackConfig::from_toml(text, of).and_then(|c| c.build()).unwrap_or_else(|e| panic!("{of}: {e}"));
    let parts = built.stack.parts();
    let (sheet, usd) = (sheet(parts), built.names.asset("USDC").unwrap());
    let mut holdings = Holdings::new();
    for file in ["m1", "m4", "m8"] {
        let name = format!("{}-{file}", if perpetual { "perp" } else { "lending" });
        let Some(all) = load(perpetual, &name, usd) else { return };
        let mut found = 0;
        for (id, (account, has, asked)) in &all {
            account.view(&sheet, &mut holdings).unwrap();
            let health = parts.margin.assess(&holdings.group(GroupId(*id)), &sheet).unwrap();
            assert_eq!(health.below(Level::Maintenance), has < asked, "{of}, {name}, account {id}");
            found += u32::from(has < asked);
        }
        assert!(all.len() == 10_000 && found > 0 && found < 10_000, "{name}: {found} of {}", all.len());
    }
}

fn workload(name: &str) -> String {
    let path = format!("{}/../../examples/workload/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The workload's file with a preset's requirement: `{m}` and `{i}` are the market's maintenance and initial rate.
fn perpetual(of: &str, kind: &str, rest: &str) {
    assert!(preset(of).unwrap().stack.contains(kind), "{of} has no {kind}");
    let flat = |line: &str| {
        let rates: Vec<&str> = line.split('"').skip(3).step_by(2).collect();
        let rest = rest.replace("{m}", rates[0]).replace("{i}", rates[1]);
        format!("requirement = {{ kind = \"{kind}\", {rest} }}")
    };
    let lines = workload("perp");
    let lines = lines.lines().map(|l| if l.starts_with("requirement") { flat(l) } else { l.to_owned() });
    check(of, &lines.collect::<Vec<_>>().join("\n"), true);
}

/// One bracket, as wide as the widths allow or wider than any account; initial rates only stand where the venue's form has them.
#[test]
fn perpetual_presets_count_the_same_accounts() {
    let tier = r#"tiers = [{ lower = "0", maintenance = "{m}", initial = "{i}" }]"#;
    perpetual("bybit", "cofferdam/tiered@1", tier);
    perpetual("hyperliquid", "cofferdam/tiered@1", tier);
    perpetual(
        "okx",
        "cofferdam/stepped@1",
        r#"brackets = [{ upper = "1000000000", maintenance = "{m}", initial = "{i}" }]"#,
    );
    // maintenance is half of initial in every market
    perpetual("dydx-v4", "dydx/liquidity-tier@1", r#"initial = "{i}", maintenance_fraction = "0.5""#);
    // a leverage of seven asks more at first than any maintenance rate here
    perpetual(
        "binance-usdm",
        "binance/brackets@1",
        r#"brackets = [{ cap = "1000000000000", mmr = "{m}", leverage = 7, cum = "0" }]"#,
    );
}

/// The lending presets weigh collateral and debts by one rule, cross margin; two of them per group.
#[test]
fn lending_presets_count_the_same_accounts() {
    let kind = "kind = \"cofferdam/cross-margin@1\"";
    for of in ["morpho-blue", "euler-v2", "maker"] {
        let margin = preset(of).unwrap().stack.split("[margin]").nth(1).unwrap();
        assert!(margin.trim_start().starts_with(kind), "{of}");
    }
    let text = workload("lending");
    check("cross margin", &text, false);
    for of in ["aave-v3", "compound-v3"] {
        assert!(preset(of).unwrap().stack.contains("cofferdam/by-group@1"), "{of}");
    }
    let base = text
        .replace(
            &format!("[margin]\n{kind}"),
            &format!("[margin]\nkind = \"cofferdam/by-group@1\"\nchosen = []\n\n[margin.base]\n{kind}"),
        )
        .replace("[[margin.assets]]", "[[margin.base.assets]]");
    check("by group", &base, false);
}
