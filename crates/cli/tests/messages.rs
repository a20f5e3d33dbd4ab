//! Exit codes and messages: what a script may rely on. Each line is a command, what it reads, the code and a part of what it
//! says on standard error; a refusal names file, place, value and what would be accepted, in one message.

mod common;
use common::{cofferdam, root, run};
use std::io::Write;
use std::process::Stdio;

fn check(args: &[&str], input: &str, code: i32, says: &str) {
    let (found, out, err) = run(args, input);
    assert_eq!(found, code, "{args:?} {input}: {err}");
    assert!(err.contains(says), "{args:?} {input}\n  said: {err}  not: {says}");
    assert!(!err.contains("panicked") && !err.contains('\u{1b}'), "{err}");
    if code != 0 {
        assert!(out.is_empty(), "{args:?} refuses and answers: {out}");
        // clap adds its usage below
        assert!(err.lines().count() == 1 || err.contains("--help"), "more than one message: {err}");
    }
}

const STACK: &str = "docs/cli/stack.toml";

#[test]
fn arguments() {
    check(&["--version"], "", 0, "");
    check(&["margin", "assess", "--help"], "", 0, "");
    check(&[], "", 2, "Usage");
    check(&["frobnicate"], "", 2, "unrecognized subcommand 'frobnicate'");
    check(&["run"], "", 2, "<PATH>");
    check(&["run", "x", "--seeds", "0"], "", 2, "0 is not in 1..=10000");
    check(&["replay"], "", 2, "<DIR>");
    check(&["modules", "--room", "kitchen"], "", 2, "--room kitchen; accepted: one of price, pool,");
    check(&["schema", "kitchen"], "", 2, "schema kitchen; accepted: oracle-resolve,");
}

#[test]
fn a_new_layer() {
    let folder = std::env::temp_dir().join(format!("cofferdam-new-{}", std::process::id()));
    let out = folder.display().to_string();
    let refuse = |name: &str| {
        check(&["new", "insurance-layer", name, "--out", &out], "", 2, "accepted: org/name such as");
        assert!(!folder.exists());
    };
    for name in
        ["cover", "/cover", "acme/", "Acme/cover", "acme/co ver", "acme/../up", "cofferdam/fund", "acme/a--b"]
    {
        refuse(name);
    }
    let with = |checkout: &str| {
        ["new", "insurance-layer", "zeta/crash-cover", "--out", &out, "--cofferdam", checkout]
            .map(str::to_owned)
    };
    let call = |checkout: &str, code, says| {
        let args = with(checkout);
        check(&args.iter().map(String::as_str).collect::<Vec<_>>(), "", code, says);
    };
    call("docs", 2, "--cofferdam docs: no checkout of Cofferdam; accepted: ");
    call(".", 0, "");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("a file");
    assert!(read("src/lib.rs").contains("\"zeta/crash-cover@1\" api 1"));
    assert!(read("tests/terms.rs").contains("use zeta_crash_cover::ReinstatedExcess;"));
    let manifest = read("Cargo.toml");
    let path = root().join("crates/insurance-layer").display().to_string();
    assert!(manifest.contains("name = \"zeta-crash-cover\"") && manifest.contains(&path), "{manifest}");
    let readme = read("README.md");
    assert!(readme.starts_with("# zeta-crash-cover\n") && !readme.contains(".ci"), "{readme}");
    call(".", 2, "it exists; accepted: a folder that does not (--out)");
    std::fs::remove_dir_all(&folder).expect("the folder");
}

#[test]
fn stack_files() {
    check(&["check", STACK], "", 0, "");
    check(&["check", "examples/workload/perp.toml"], "", 0, "");
    check(&["check", "examples/workload/lending.toml", "--json"], "", 0, "");
    check(&["check", "nowhere.toml"], "", 2, "nowhere.toml: the file: No such file");
    check(&["check", "docs/cli"], "", 2, "docs/cli: the file: Is a directory");
    check(&["check", "docs/cli/margin-assess.json"], "", 2, "line 1, column 1");
}

#[test]
fn wrong_stacks() {
    let text = std::fs::read_to_string(root().join(STACK)).expect("the stack");
    let folder = std::env::temp_dir().join(format!("cofferdam-stacks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let refuse = |from: &str, to: &str, says: &str| {
        assert!(text.contains(from), "{from}");
        let file = folder.join("stack.toml").display().to_string();
        std::fs::write(&file, text.replacen(from, to, 1)).expect("a file");
        check(&["check", &file], "", 2, &format!("{file}: {says}"));
    };
    refuse("cofferdam/tiers@1", "cofferdam/teirs@1", "liquidation.kind: ");
    refuse("maintenance = \"0.05\"", "maintenance = \"0.5\"", "margin.markets[0].requirement.");
    refuse(
        "attachment = \"200000\"",
        "attachment = \"100000\"",
        "insurance.layers[2].terms.attachment: \"100000\"",
    );
    refuse("rate = \"0.005\"", "rate = \"0.0050000000001\"", "liquidation.tiers[1].strategy.penalty.rate: ");
    refuse("quantum = \"0.000001\"", "quantum = 0.000001", "stack.quantum: ");
    refuse("decimals = 6\n", "decimals = 6\ndecimals = 6\n", "line ");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn documents() {
    let ask = |input: &str, says: &str| check(&["insurance", "waterfall", "--stack", STACK], input, 2, says);
    ask("", "standard input: not JSON: EOF while parsing a value at line 1");
    ask("{\"loss\": NaN}", "standard input: not JSON: expected value at line 1 column 10");
    ask("{\"loss\": 1, \"loss\": 2}", "the key \"loss\" stands twice; accepted: once");
    ask("{\"loss\": {}}", "standard input: loss: {}; missing field `amount`");
    ask("[]", "standard input: []; ");
    ask(&"[".repeat(100_000), "recursion limit exceeded");
    check(&["insurance", "waterfall", "nowhere.json"], "", 2, "nowhere.json: cannot be read: No such file");
    check(&["insurance", "waterfall", "docs/cli"], "", 2, "docs/cli: cannot be read: Is a directory");
    let loss = r#"{"loss": {"amount": "1"}, "standings": []}"#;
    check(
        &["insurance", "waterfall"],
        loss,
        2,
        "standard input: stack: absent; accepted: the path of a stack file",
    );
    check(&["insurance", "waterfall", "--stack", "nowhere.toml"], loss, 2, "nowhere.toml: the file: ");
    check(&["insurance", "waterfall", "--stack", STACK], loss, 0, "");
}

#[test]
fn scenarios() {
    let source = root().join("examples/eth-january-2021");
    let text = std::fs::read_to_string(source.join("scenario.toml")).expect("the scenario");
    let folder = std::env::temp_dir().join(format!("cofferdam-scenarios-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let refuse = |from: &str, to: &str, says: &str| {
        assert!(text.contains(from), "{from}");
        let file = folder.join("scenario.toml").display().to_string();
        let data = format!("data = \"{}/data/", source.display());
        std::fs::write(&file, text.replacen(from, to, 1).replacen("data = \"data/", &data, 1))
            .expect("a file");
        check(&["run", &folder.display().to_string()], "", 2, &format!("{file}: {says}"));
    };
    refuse("seeds =", "market = \"A\"\nseeds =", "line 12, column 1: duplicate key; accepted is TOML");
    refuse("seeds =", "sedes = 1\nseeds =", "line 12, column 1: unknown field `sedes`, expected one of");
    refuse("\"ladder\"", "\"stairs\"", "line 250, column 10: unknown variant `stairs`");
    refuse("tipped_at = 1.25", "tipped_at = nan", "map.tipped_at is NaN; accepted is a finite number above");
    refuse("depth = 0.5", "depth = 0.0", "variants[1].depth is 0; accepted is a finite number above zero");
    refuse("cut_ms = 1610755200000", "cut_ms = 16", "blind.cut_ms is 16; accepted is a time within");
    refuse("from_ms = 1610323200000", "from_ms = 16", "levels.from_ms is 16; accepted is a time within");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn studies() {
    let users = "examples/eth-january-2021/scenario.toml";
    check(
        &["adl", "study", "examples/adl-october-2025", "--users", "nowhere"],
        "",
        2,
        "nowhere: No such file",
    );
    check(&["adl", "study", "examples/adl-october-2025", "--users", users], "", 2, "scenario.toml: ");
    check(&["adl", "study", "nowhere"], "", 2, "nowhere: No such file or directory");
    check(&["adl", "study", "examples/eth-january-2021/scenario.toml"], "", 2, "scenario.toml: line ");
    check(
        &["adl", "study", "examples/adl-october-2025", "--out", "README.md"],
        "",
        2,
        "README.md: cannot make it",
    );
}

#[test]
fn losses() {
    let ask = |loss: &str, standings: &str, says: &str| {
        let input = format!(r#"{{"loss": {loss}, "standings": {standings}}}"#);
        check(&["insurance", "waterfall", "--stack", STACK], &input, 2, says);
    };
    let one = r#"{"amount": "1"}"#;
    ask(
        r#"{"amount": 1}"#,
        "[]",
        "loss.amount: 1; invalid type: integer `1`, expected a decimal number in a string",
    );
    ask(r#"{"amount": "1e3"}"#, "[]", "loss.amount: \"1e3\"; not a decimal number");
    ask(r#"{"amount": "-1"}"#, "[]", "loss.amount: \"-1\"; accepted: 0 or more");
    ask(
        r#"{"amount": "0.0000001"}"#,
        "[]",
        "loss.amount: \"0.0000001\"; accepted: a whole number of quanta of 0.000001",
    );
    ask(r#"{"amount": "1", "asset": "BTC"}"#, "[]", "loss.asset: \"BTC\"; accepted: one of USDC, ETH");
    ask(r#"{"amount": "1", "cause": "bad_luck"}"#, "[]", "unknown variant `bad_luck`");
    ask(
        one,
        r#"[{"layer": "none", "capacity": "1"}]"#,
        "standings[0].layer: \"none\"; accepted: one of fund, ",
    );
    ask(
        one,
        r#"[{"layer": "fund", "capacity": "1"}, {"layer": "fund", "capacity": "2"}]"#,
        "standings[1].layer: \"fund\"; accepted: each layer once",
    );
    ask(
        one,
        r#"[{"layer": "fund", "capacity": "1", "colour": 1}]"#,
        "standings[0].colour: 1; unknown field `colour`",
    );
}

#[test]
fn accounts() {
    let ask = |prices: &str, group: &str, says: &str| {
        let input = format!(r#"{{"prices": {prices}, "groups": [{group}]}}"#);
        check(&["margin", "assess", "--stack", STACK], &input, 2, says);
    };
    let eth = r#"{"markets": {"ETH-PERP": "1200"}}"#;
    let position =
        |fields: &str| format!(r#"{{"id": 1, "positions": [{{"market": "ETH-PERP", {fields}}}]}}"#);
    ask(
        "{}",
        r#"{"id": 1, "balances": [{"asset": "ETH", "amount": "1"}]}"#,
        "groups[0]: no price of asset ETH",
    );
    ask("{}", &position(r#""size": "1", "cost": "1""#), "groups[0]: no price of market ETH-PERP");
    ask(eth, &position(r#""size": "1""#), "groups[0].positions[0]: {");
    ask(
        eth,
        &position(r#""size": "0.0001", "cost": "1""#),
        "size: \"0.0001\"; accepted: a whole number of lots of 0.001",
    );
    ask(
        eth,
        &position(r#""size": "1", "cost": "99999999999999999999999999999999999""#),
        "accepted: a smaller number",
    );
    ask(eth, r#"{"id": -1}"#, "groups[0].id: -1; ");
    ask(eth, r#"{"id": 1}, {"id": 1}"#, "groups[1].id: 1; accepted: each id once");
    ask(
        eth,
        r#"{"id": 1, "debts": [{"asset": "USDC", "amount": "-1"}]}"#,
        "groups[0].debts[0].amount: \"-1\"; accepted: 0 or more",
    );
    ask(
        r#"{"markets": {"ETH-PERP": "0"}}"#,
        "",
        "prices.markets.ETH-PERP: \"0\"; accepted: a price above zero",
    );
    ask(r#"{"markets": {"ETH-PERP": "1200.001"}}"#, "", "accepted: a whole number of ticks of 0.01");
    ask(r#"{"markets": {"ETH": "1"}}"#, "", "prices.markets.ETH: \"1\"; accepted: one of ETH-PERP");
    ask(r#"{"assets": {"USDC": "1"}}"#, "", "accepted: no price for the numeraire: it is 1, always");
    ask(
        r#"{"assets": {"ETH": {"low": "2", "mid": "1", "high": "3"}}}"#,
        "",
        "; accepted: low <= mid <= high",
    );
}

#[test]
fn accounts_in_csv() {
    let folder = std::env::temp_dir().join(format!("cofferdam-csv-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let ask = |stack: &str, text: &str, says: &str| {
        let file = folder.join("rows.csv").display().to_string();
        std::fs::write(&file, text).expect("a file");
        check(
            &["margin", "assess", "--stack", stack, "--accounts", &file],
            "",
            2,
            &format!("{file}: {says}"),
        );
    };
    let perpetual = |rows: &str, says: &str| {
        let text = format!("account,collateral_micro_usd,market,size_micro,entry_micro_usd\n{rows}");
        ask("examples/workload/perp.toml", &text, says);
    };
    perpetual("1,2,3\n", "line 2: 3 fields; accepted: 5");
    perpetual("1,NaN,3,4,5\n", "line 2, collateral_micro_usd: \"NaN\"; accepted: a whole number");
    perpetual("-1,2,3,4,5\n", "line 2, account: \"-1\"; accepted: a number from 0");
    perpetual("1,2,99,4,5\n", "line 2, market: \"99\"; accepted: one of M0-PERP, ");
    perpetual("1,2,3,4,5\n1,3,4,4,5\n", "line 3, collateral_micro_usd: \"3\"; accepted: 2, as in");
    perpetual("1,2,3,4,5\n1,2,3,4,5\n", "line 3, market: \"3\"; accepted: each once per account");
    ask(
        "examples/workload/perp.toml",
        "account,size\n",
        "line 1: \"account,size\"; accepted: account,collateral",
    );
    ask("examples/workload/perp.toml", "", "line 1: \"\"; accepted: account,collateral");
    let lending = "account,asset,deposit_micro,debt_micro_usd\n1,2,-3,4\n";
    ask("examples/workload/lending.toml", lending, "line 2, deposit_micro: \"-3\"; accepted: 0 or more");
    // a stack whose quantum cannot hold the product
    let text = "account,collateral_micro_usd,market,size_micro,entry_micro_usd\n1,2,ETH-PERP,1000,5\n";
    std::fs::write(folder.join("prices.json"), r#"{"markets": {"ETH-PERP": "1200"}}"#).expect("a file");
    let (rows, prices) = (folder.join("rows.csv").display().to_string(), folder.join("prices.json"));
    std::fs::write(&rows, text).expect("a file");
    let prices = prices.display().to_string();
    let args = ["margin", "assess", "--stack", STACK, "--accounts", &rows, "--prices", &prices];
    check(
        &args,
        "",
        2,
        "line 2, entry_micro_usd: \"5\"; accepted: a whole number of the stack's quantum, 0.000001",
    );
    check(&["margin", "assess", "--accounts", &rows], "", 2, "no stack; accepted: --stack FILE");
    check(
        &["margin", "assess", "--stack", STACK, "--accounts", &rows],
        "",
        2,
        "docs/cli/prices.json: cannot be read",
    );
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn other_rooms() {
    let oracle = |steps: &str, says: &str| {
        let input =
            format!(r#"{{"instrument": {{"market": "ETH-PERP"}}, "role": "mark", "steps": {steps}}}"#);
        check(&["oracle", "resolve", "--stack", STACK], &input, 2, says);
    };
    oracle(
        r#"[{"time_ms": 2, "quotes": []}, {"time_ms": 1, "quotes": []}]"#,
        "steps[1].time_ms: 1; accepted: 2 or later",
    );
    oracle(
        r#"[{"time_ms": 2, "quotes": [{"source": 1, "price": "1.001", "published_ms": 1}]}]"#,
        "steps[0].quotes[0].price: \"1.001\"; accepted: a whole number of ticks of 0.01",
    );
    let slow = r#"{"instrument": {"market": "ETH-PERP"}, "role": "slow", "steps": []}"#;
    check(&["oracle", "resolve", "--stack", STACK], slow, 2, "role: \"slow\"; accepted: one of index, mark");
    let adl = r#"{"need": {"close_out": {"of": 1, "size": "1", "price": "1"}}}"#;
    check(
        &["adl", "allocate", "--stack", STACK],
        adl,
        2,
        "need.close_out: no market; accepted: a market beside need",
    );
    let replaced =
        r#"{"replace": {"allocation": {"kind": "nobody/pays@1"}}, "need": {"deficit": {"amount": "1"}}}"#;
    check(&["adl", "allocate", "--stack", STACK], replaced, 2, "allocation.kind: ");
    let plan = r#"{"prices": {}, "group": {"id": 1}, "bid": {"keeper": 7, "give_amount": "1"}}"#;
    check(&["liquidation", "plan", "--stack", STACK], plan, 2, "bid.give: absent; accepted: what is given");
}

#[test]
fn winners() {
    let folder = std::env::temp_dir().join(format!("cofferdam-winners-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("winners.csv").display().to_string();
    let table = |text: &str, code: i32, says: &str| {
        std::fs::write(&file, text).expect("a file");
        check(&["adl", "allocate", "--stack", STACK, "--deficit", "1", "--payers", &file], "", code, says);
    };
    let header = "group,size,gain,equity,notional,cost";
    let refuse = |row: &str, says: &str| {
        table(&format!("{header}\n1,-1,5,9,9,-14\n{row}\n"), 2, &format!("{file}: line 3: {says}"))
    };
    table(&format!("{header}\n"), 0, ""); // nobody: all of it stays
    table("", 0, "");
    table(&format!("{header},room\n1,-1,5,9,9,-14,\n"), 0, ""); // an empty field is an absent one
    table(&format!("{header}\n1,-1,5,-9,9,-14\n"), 0, ""); // equity below zero
    refuse("1,-1,5,9,9,-14", "group: 1; accepted: each group once");
    refuse("x,-1,5,9,9,-14", "group: \"x\"; invalid type");
    refuse("-2,-1,5,9,9,-14", "group: \"-2\"; invalid type");
    refuse("2,-1,5,,9,-14", "{\"cost\":\"-14\"");
    refuse("2,-1,5,NaN,9,-14", "equity: \"NaN\"; ");
    refuse("2,-1,0.0000001,9,9,-14", "gain: \"0.0000001\"; accepted: a whole number of atoms of 0.000001");
    refuse(
        "2,-1,5,170141183460469231731687303715884105727,9,-14",
        "equity: \"170141183460469231731687303715884105727\"; accepted: a smaller number",
    );
    refuse("2,-1", "");
    table(&format!("{header},colour\n1,-1,5,9,9,-14,red\n"), 2, "colour: \"red\"; unknown field `colour`");
    table(&format!("{header},cost\n1,-1,5,9,9,-14,-14\n"), 2, "the column \"cost\" stands twice");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    let csv = "docs/cli/adl-allocate.csv";
    check(&["adl", "allocate", "--deficit", "1", "--payers", csv], "", 2, "the command line: stack: ");
    let ask = |args: &[&str], says: &str| {
        check(&[&["adl", "allocate", "--stack", STACK, "--payers", csv][..], args].concat(), "", 2, says);
    };
    ask(&["--deficit", "much"], "the command line: need.deficit.amount: \"much\"; ");
    ask(&["--deficit", "-1"], "need.amount");
    ask(&["--deficit", "1", "--market", "BTC"], "market: \"BTC\"; accepted: one of ETH-PERP");
    ask(
        &["--deficit", "1", "--policy", "lottery"],
        "--policy \"lottery\"; accepted for such a need: one of \"all\", \"queue\", ",
    );
    ask(&["--deficit", "1", "--policy", "level-leverage"], "--policy \"level-leverage\"; ");
    ask(&["--deficit", "1", "-"], "cannot be used with");
}

/// Whoever reads may stop reading: no panic, no message, and nothing that a script would take for a failure.
#[test]
fn a_closed_pipe() {
    let mut child = cofferdam(&["adl", "allocate", "--stack", STACK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let question = br#"{"need": {"deficit": {"amount": "1"}}}"#;
    child.stdin.take().expect("standard input").write_all(question).expect("the question is read");
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn colour() {
    let coloured = |variable: &str| {
        let output = cofferdam(&["check", STACK]).env(variable, "1").output().expect("the command runs");
        output.stdout.contains(&0x1b)
    };
    assert!(coloured("CLICOLOR_FORCE"));
    assert!(!coloured("NO_COLOR") && !coloured("SOME_OTHER"), "not on a terminal");
}
