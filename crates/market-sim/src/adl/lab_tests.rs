//! The comparison on one book: a small one by hand, drawn ones by their properties, and the users of the night where their table is.

use super::metrics::tail_index;
use super::*;
use std::path::{Path, PathBuf};

const HALF: Multiple = Multiple { median: 2.0, log_sd: 0.5 };
const TERMS: Terms = Terms { winners: 800, gains: 1e6, tail_index: 0.8, equity: HALF, notional: HALF };

fn holder(gain: f64, equity: f64, notional: f64) -> Holder {
    Holder { gain, equity, notional }
}

fn lab(seeds: u32, unreached: &[u32]) -> Lab {
    let text = format!(
        "winners = 400\ngains = 1e8\ntail_index = 0.8\nequity = {{ median = 4.0, log_sd = 0.9 }}\n\
         notional = {{ median = 2.0, log_sd = 1.0 }}\nunreached = {unreached:?}\nseeds = {seeds}\nnext_move = 0.2"
    );
    toml::from_str(&text).unwrap()
}

/// One outcome of a comparison, to the cent.
fn check(c: &Comparison, form: Form, policy: &str, payers: u64, haircut: f64, gini: f64, next: f64) {
    let o = c.outcomes.iter().find(|o| o.form == form && o.policy == policy).unwrap();
    let m = &o.metrics;
    let found = [m.taken, m.largest_haircut, m.gini.unwrap(), o.next_deficit];
    for (found, wanted) in found.into_iter().zip([30.0, haircut, gini, next]) {
        assert!((found - wanted).abs() < 5e-3, "{policy}: {found} instead of {wanted} in {o:?}");
    }
    assert_eq!((m.payers, m.overshoot < 1e-9, m.undershoot < 1e-6), (payers, true, true), "{o:?}");
}

/// Gains 60, 30, 10 at leverage 1, 5, 0.5; 30 are needed. The queue by gain / cost x leverage: 60 / 160, 150 / 130 and 5 / 110.
#[test]
fn three_winners_by_hand() {
    let holders = vec![holder(60.0, 100.0, 100.0), holder(30.0, 20.0, 100.0), holder(10.0, 200.0, 100.0)];
    let book = Book { reached: 3, holders, left_out: 0 };
    let c = compare(&book, &Loss { needed: 30.0, largest: 30.0, next_move: 0.2 }).unwrap();
    assert_eq!((c.winners, c.gains), (3, 100.0));
    // the second has 20 to give (equity), the first the other 10: sd 20 each; E[(e + 20 z)_-] at e = 20, 80: 20 (phi(1) - Phi(-1)) = 1.666
    let at = |e: f64| next_deficit(e, 100.0, 0.2);
    assert!((c.next_deficit - 1.666).abs() < 5e-3, "{}", c.next_deficit);
    check(&c, Form::Deficit, "queue", 2, 2.0 / 3.0, 4.0 / 9.0, at(0.0) + at(90.0));
    check(&c, Form::Deficit, "pro-rata", 3, 0.3, 1.0 / 3.0, at(11.0));
    // a close-out of all costs each a third; nobody has a position left
    check(&c, Form::CloseOut, "level-leverage", 3, 1.0, 0.0, 0.0);
    let unlike = |form, name: &str| c.outcomes.iter().all(|o| o.form != form || o.policy != name);
    assert!(
        unlike(Form::Deficit, "level-leverage") && unlike(Form::CloseOut, "severity, fixed 0.5, of pro-rata")
    );
}

#[test]
fn a_book_beyond_the_widths_is_an_error() {
    let book = Book { reached: 1, holders: vec![holder(1.0, f64::INFINITY, 1.0)], left_out: 0 };
    assert!(compare(&book, &Loss { needed: 1.0, largest: 1.0, next_move: 0.2 }).is_err());
    let book = Book { reached: 1, holders: vec![holder(1.0, 1.0, 1e20)], left_out: 0 };
    assert!(compare(&book, &Loss { needed: 1.0, largest: 1.0, next_move: 0.2 }).is_err());
}

/// Unreached winners have the tail of the reached, and each stands behind one of them: its notional per gain, less leverage.
#[test]
fn unreached_winners_stand_behind() {
    let book = Book::draw(&TERMS, 3);
    let more = book.with_unreached(5, 3);
    assert_eq!((more.holders.len(), more.reached), (4_800, 800));
    assert_eq!(more.holders[..800], book.holders[..]);
    for u in &more.holders[800..] {
        let behind = book.holders.iter().any(|h| {
            (h.notional / h.gain / (u.notional / u.gain) - 1.0).abs() < 1e-9 && h.leverage() >= u.leverage()
        });
        assert!(behind, "{u:?}");
    }
    let alpha = book.tail_index().unwrap();
    let gains: Vec<f64> = more.holders[800..].iter().map(|h| h.gain).collect();
    let found = tail_index(&gains, 100).unwrap();
    assert!((found - alpha).abs() < 0.2, "{found} beside {alpha}");
    assert_eq!(book.with_unreached(0, 3), book);
    assert_ne!(book.with_unreached(5, 4), more);
}

#[test]
fn the_same_seeds_give_the_same_comparison() {
    let run = || lab(3, &[0, 2]).run(1e6, 5e5, None).unwrap();
    let once = run();
    assert_eq!(once, run());
    let [drawn] = once.as_slice() else { panic!("one book") };
    let runs: Vec<(u32, usize)> = drawn.cases.iter().map(|c| (c.times, c.runs.len())).collect();
    assert_eq!((drawn.source, drawn.reached, runs), (Source::Drawn, 400, vec![(0, 3), (2, 3)]));
    // every need is covered or said to be open
    for o in drawn.cases.iter().flat_map(|c| &c.runs).flat_map(|r| &r.outcomes) {
        let m = &o.metrics;
        assert!((m.taken + m.undershoot - 1e6).abs() < 1.0 && m.overshoot < 1.0, "{o:?}");
    }
}

/// What was found at 0, 1 and 10 times decides, and nothing else.
#[test]
fn fates() {
    let check = |held: [usize; 3], fate| {
        let held = [0, 1, 10].into_iter().zip(held).map(|(times, held)| (times, held, 4)).collect();
        assert_eq!(Conclusion { claim: "", held }.fate(), fate);
    };
    check([4, 4, 4], Fate::Survives);
    check([4, 4, 3], Fate::Falls);
    check([4, 0, 4], Fate::Falls);
    check([3, 4, 4], Fate::Appears);
    check([3, 4, 3], Fate::Depends);
    check([0, 0, 0], Fate::Never);
}

/// A conclusion is asked of numbers: with other numbers its answer is another.
#[test]
fn conclusions_follow_the_numbers() {
    let mut found = lab(2, &[0, 1]).run(1e6, 5e5, None).unwrap();
    let claim = "Deficit: the queue concentrates more (Gini) than pro-rata";
    let fate = |e: &Experiment| e.conclusions().into_iter().find(|c| c.claim == claim).unwrap().fate();
    assert_eq!(fate(&found[0]), Fate::Survives);
    for case in &mut found[0].cases {
        for o in case.runs.iter_mut().flat_map(|r| &mut r.outcomes).filter(|o| o.policy == "queue") {
            o.metrics.gini = Some(0.0);
        }
    }
    assert_eq!(fate(&found[0]), Fate::Never);
}

#[test]
fn tables_of_users_that_do_not_fit() {
    let file = std::env::temp_dir().join(format!("cofferdam-users-{}.csv", std::process::id()));
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Book::read(&file).map_err(|e| e.to_string()).err().unwrap_or_default()
    };
    let head = "user,adl_notional,closed_pnl,account_value_realtime";
    for (text, part) in [
        (String::new(), "no row of data"),
        (format!("{head}\na,1,2\n"), "line: 2"),
        (format!("{head}\na,1,NaN,3\n"), "row 1: closed_pnl is NaN; accepted: a finite number"),
        (format!("{head}\na,1,-2,3\n"), "nobody gained; accepted: a user with closed_pnl"),
        ("user,closed_pnl\na,1\n".to_owned(), "missing field `adl_notional`"),
    ] {
        assert!(refused(&text).contains(part), "{part}: {}", refused(&text));
    }
    std::fs::write(&file, format!("{head}\na,10,4,-9\nb,10,-1,5\n")).unwrap();
    let book = Book::read(&file).unwrap();
    assert_eq!((book.holders, book.reached, book.left_out), (vec![holder(4.0, -5.0, 10.0)], 1, 1));
    std::fs::remove_file(&file).unwrap();
}

/// The table of users may not be shipped: `None`, and said, where it is absent.
fn users() -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/adl_oct10_conejo/adl_by_user_REALTIME.csv");
    if !file.is_file() {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "users of the night: skipped, {} is not there", file.display());
        return None;
    }
    Some(file)
}

/// Figures of its provenance: 19,337 users, 2,103,111,430.86 USD of notional; Hill's index 0.70 to 0.85 of gains, 0.75 to 0.87 of notional,
/// from the largest 100 to 1000.
#[test]
fn users_of_the_night() {
    let Some(file) = users() else { return };
    let book = Book::read(&file).unwrap();
    assert_eq!((book.holders.len() + book.left_out, book.holders.len()), (19_337, 19_230));
    let gains: Vec<f64> = book.holders.iter().map(|h| h.gain).collect();
    let notional: Vec<f64> = book.holders.iter().map(|h| h.notional).collect();
    for k in [100, 200, 500, 1_000] {
        let (g, n) = (tail_index(&gains, k).unwrap(), tail_index(&notional, k).unwrap());
        assert!((0.695..0.855).contains(&g) && (0.745..0.875).contains(&n), "{k}: {g} and {n}");
    }
    // those who did not gain had 0.02 % of the notional
    assert!((notional.iter().sum::<f64>() / 2_103_111_430.86 - 1.0).abs() < 1e-3);
    let found = lab(1, &[0, 1]).run(15_079_669.61, 10_925_707.16, Some(&file)).unwrap();
    let [_, users] = found.as_slice() else { panic!("two books") };
    assert_eq!((users.source, users.reached, users.left_out), (Source::Users, 19_230, 107));
    let fate = |part: &str| users.conclusions().into_iter().find(|c| c.claim.contains(part)).unwrap().fate();
    assert_eq!(
        fate("the queue and pro-rata take the same"),
        Fate::Falls,
        "only of those who were closed whole"
    );
    assert_eq!(fate("Deficit: risk-aware (linear) leaves a smaller next deficit"), Fate::Never);
}
