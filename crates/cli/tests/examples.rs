//! Every question in `docs/cli` is answered as recorded, and every schema there is the one that the command prints.

mod common;
use common::{root, run};

fn check(command: &[&str], example: &str) {
    let file = format!("docs/cli/{example}.json");
    let (code, out, err) = run(&[command, &[&file]].concat(), "");
    assert_eq!((code, err.as_str()), (0, ""), "{example}");
    insta::assert_snapshot!(example, out);
    // the same question on standard input, with the stack named by the flag, has the same answer
    let text = std::fs::read_to_string(root().join(&file)).expect("an example");
    let piped = run(&[command, &["--stack", "docs/cli/stack.toml", "-"]].concat(), &text);
    assert!(piped.0 == 0 && (piped.1 == out || text.contains("\"replace\"")), "{example}: {}", piped.2);
}

#[test]
fn questions() {
    check(&["oracle", "resolve"], "oracle-resolve");
    check(&["margin", "assess"], "margin-assess");
    check(&["liquidation", "plan"], "liquidation-plan");
    check(&["liquidation", "plan"], "liquidation-plan-keeper");
    check(&["insurance", "waterfall"], "insurance-waterfall");
    check(&["adl", "allocate"], "adl-allocate");
    check(&["adl", "allocate"], "adl-allocate-close-out");
}

/// Winners from a table are winners from a question, and every policy answers.
#[test]
fn winners_as_csv() {
    let table = "docs/cli/adl-allocate.csv";
    let args = ["adl", "allocate", "--stack", "docs/cli/stack.toml", "--deficit", "1000", "--payers", table];
    let (code, out, err) = run(&args, "");
    assert_eq!((code, err.as_str()), (0, ""));
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let (_, json, _) = run(&["adl", "allocate", "docs/cli/adl-allocate.json"], "");
    let (mut of_json, of_csv) = (value(&json), value(&out));
    // the question in JSON also knows the largest loss
    assert!(of_json["metrics"].as_object_mut().expect("metrics").remove("pmr").is_some());
    assert_eq!(of_csv, of_json);
    let (code, out, err) = run(&[&args[..], &["--policy", "all"]].concat(), "");
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("adl-allocate-all", out);
    let (code, out, _) =
        run(&["adl", "allocate", "docs/cli/adl-allocate-close-out.json", "--policy", "all"], "");
    assert_eq!(code, 0);
    insta::assert_snapshot!("adl-allocate-close-out-all", out);
    // more than all have gained: the rest stays
    let more = args.map(|a| if a == "1000" { "5000" } else { a });
    let (code, out, _) = run(&more, "");
    assert_eq!((code, &value(&out)["residual"]), (0, &"3766.666667".into()));
    // one policy says what its row says
    let (code, out, _) = run(&[&args[..], &["--policy", "queue"]].concat(), "");
    assert_eq!((code, &value(&out)["measures"][0]["haircut"]["payer"]), (0, &value("5")));
}

#[test]
fn the_study_of_october() {
    let (code, text, err) = run(&["adl", "study", "examples/adl-october-2025", "--no-users"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("adl-study", text);
}

#[test]
fn the_stack_of_the_examples() {
    let (code, text, err) = run(&["check", "docs/cli/stack.toml"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("check", text);
    let (code, json, _) = run(&["check", "docs/cli/stack.toml", "--json"], "");
    assert_eq!(code, 0);
    insta::assert_snapshot!("check-json", json);
}

/// The first argument of a whole stack inside a question is the same stack.
#[test]
fn a_stack_inside_the_question() {
    let stack = std::fs::read_to_string(root().join("docs/cli/stack.toml")).expect("the stack");
    let stack: serde_json::Value = toml::from_str(&stack).expect("TOML");
    let file = root().join("docs/cli/insurance-waterfall.json");
    let text = std::fs::read_to_string(&file).expect("an example");
    let mut question: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    question["stack"] = stack;
    let inside = run(&["insurance", "waterfall"], &question.to_string());
    assert_eq!(inside, run(&["insurance", "waterfall", "docs/cli/insurance-waterfall.json"], ""));
}

#[test]
fn schemas() {
    let (code, names, _) = run(&["schema"], "");
    assert_eq!(code, 0);
    for name in names.lines() {
        let path = format!("docs/cli/{name}.schema.json");
        let kept = std::fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (_, printed, _) = run(&["schema", name], "");
        assert!(kept == printed, "{path} is out of date: cofferdam schema {name} > {path}");
    }
}
