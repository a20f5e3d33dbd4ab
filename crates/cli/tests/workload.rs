//! The files of the common workload: the command names the accounts that a computation of its own finds, in exact integers
//! and without a line of the library.

mod common;
use common::{root, run};
use std::collections::BTreeMap;
use std::io::Write;

/// Account -> (what it has, what is asked of it), both in 1e-16 USD.
type Sheet = BTreeMap<u32, (i128, i128)>;

fn price_micro(of: i128) -> i128 {
    (5 + 37 * of) * 1_000_000
}

fn perpetual(sheet: &mut Sheet, account: u32, row: &[i128]) {
    let [collateral, market, size, entry] = *row else { panic!("a row of five columns") };
    let (has, asked) = sheet.entry(account).or_insert((collateral * 1_000_000 * 10_000, 0));
    *has += size * (price_micro(market) - entry) * 10_000;
    *asked += size.abs() * price_micro(market) * (300 + 25 * market);
}

fn lending(sheet: &mut Sheet, account: u32, row: &[i128]) {
    let [asset, deposit, debt] = *row else { panic!("a row of four columns") };
    let (has, _) = sheet.entry(account).or_insert((0, debt * 1_000_000 * 10_500));
    *has += deposit * price_micro(asset) * (8_500 - 100 * asset);
}

fn check(name: &str, stack: &str, add: fn(&mut Sheet, u32, &[i128])) {
    let path = root().join("../shared/workload").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        // past the harness, which would swallow it
        let _ = writeln!(std::io::stderr(), "{name}: skipped, ../shared/workload is not there");
        return;
    };
    let mut sheet = Sheet::new();
    for line in text.lines().skip(1) {
        let row: Vec<i128> = line.split(',').map(|x| x.trim().parse().expect("a number")).collect();
        add(&mut sheet, u32::try_from(row[0]).expect("an account"), &row[1..]);
    }
    let below: Vec<u32> = sheet.iter().filter(|(_, (has, asked))| has < asked).map(|(id, _)| *id).collect();
    assert!(!below.is_empty() && below.len() < sheet.len(), "{name}");

    let path = path.display().to_string();
    let (code, out, err) = run(&["margin", "assess", "--stack", stack, "--accounts", &path, "--json"], "");
    assert_eq!((code, err.as_str()), (0, ""), "{name}");
    let answer: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(answer["accounts"], sheet.len(), "{name}");
    assert_eq!(answer["liquidatable"], below.len(), "{name}");
    assert_eq!(answer["liquidatable_ids"], serde_json::json!(below), "{name}");
}

#[test]
fn perpetuals() {
    for name in ["perp-m1.csv", "perp-m4.csv", "perp-m8.csv"] {
        check(name, "examples/workload/perp.toml", perpetual);
    }
}

#[test]
fn loans() {
    for name in ["lending-m1.csv", "lending-m4.csv", "lending-m8.csv"] {
        check(name, "examples/workload/lending.toml", lending);
    }
}

/// Two rows of each kind, so that the command is tested where the files are not there.
#[test]
fn a_few_rows() {
    let folder = std::env::temp_dir().join(format!("cofferdam-rows-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let assess = |stack: &str, text: &str| {
        let file = folder.join("rows.csv").display().to_string();
        std::fs::write(&file, text).expect("a file");
        let (code, out, err) = run(&["margin", "assess", "--stack", stack, "--accounts", &file], "");
        assert_eq!((code, err.as_str()), (0, ""));
        serde_json::from_str::<serde_json::Value>(&out).expect("JSON")["liquidatable_ids"].clone()
    };
    // 1 unit at 42, maintenance 3.25 %: 1.365 asked; bought at 42
    let header = "account,collateral_micro_usd,market,size_micro,entry_micro_usd\n";
    let rows = "7,1365000,1,1000000,42000000\n8,1364999,M1-PERP,1000000,42000000\n";
    assert_eq!(assess("examples/workload/perp.toml", &format!("{header}{rows}")), serde_json::json!([8]));
    // 1 unit at 42, weight 84 %: 35.28 against 33.6 x 1.05
    let header = "account,asset,deposit_micro,debt_micro_usd\n";
    let rows = "1,1,1000000,33600000\n2,A1,1000000,33600001\n";
    assert_eq!(assess("examples/workload/lending.toml", &format!("{header}{rows}")), serde_json::json!([2]));
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}
