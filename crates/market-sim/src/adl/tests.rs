//! Every published figure against its own tables, and every finding against the file it comes from.

use super::metrics::{Round, Winner};
use super::*;
use std::path::{Path, PathBuf};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/adl-october-2025")
}

fn night() -> Night {
    Night::load(&example().join("data")).unwrap()
}

/// To the cent.
fn check(key: &str, expected: f64) {
    let found = FIGURES.iter().find(|f| f.key == key).unwrap().recompute(&night());
    assert!((found - expected).abs() < 0.005, "{key}: {found} instead of {expected}");
}

#[test]
fn figures_to_the_cent() {
    check("queue-overshoot", 653_552_663.51);
    check("queue-residual", 16_690_263.85);
    check("deficit", 100_063_386.69);
    check("needed", 15_079_669.61);
    check("production-taken", 60_108_335.33);
    check("overshoot-0", 45_028_665.72);
    check("overshoot-500", 51_673_606.61);
    check("overshoot-1000", 51_012_123.23);
    check("overshoot-2000", 47_446_692.11);
    check("overshoot-5000", 49_273_475.02);
    check("contracts-undershoot", 3_020_120.65);
    check("contracts-undershoot-first", 371_323.64);
    check("program-overshoot", 92_186.99);
    check("clusters", 1_125.0);
    check("coins", 162.0);
    check("clusters-with-deficit", 170.0);
    check("cluster-deficit", 23_191_104.48);
    check("feasible", 6_500_840.64);
    check("path-length", 7.0595);
    check("severity-bound", 129_699_802.43);
    check("production-tracking", 53_782_490.53);
    check("production-fairness", 11_077_031.68);
    check("production-objective", 64_859_522.21);
    check("production-share", 50.01);
    check("contracts-share", 2.62);
    check("vector-share", 3.40);
    check("pro-rata-objective", 2_732_437.29);
}

/// 728 gaps sum to what each wave of the other file needs, to 1e-7.
#[test]
fn two_tables_agree_on_what_was_needed() {
    let night = night();
    assert_eq!((night.gaps.len(), night.waves.len(), night.shocks.len()), (728, 16, 1_125));
    for w in &night.waves {
        let gaps: f64 = night.gaps.iter().filter(|g| g.wave == w.number).map(|g| g.needed).sum();
        assert!(
            (gaps - w.needed).abs() < 1e-7 * w.needed.max(1.0),
            "wave {}: {gaps} and {}",
            w.number,
            w.needed
        );
    }
}

#[test]
fn one_account_is_counted_nine_times() {
    let once = night().counted_once().unwrap();
    assert_eq!(once.waves, 9);
    for (found, expected, within) in [
        (once.repeated, 10_925_707.16, 0.005),
        (once.deficit, 12_657_729.41, 0.005),
        (once.bound.path, 3.7200, 0.000_05),
        (once.bound.regret, 31_922_594.42, 0.005),
        (night().objective(Published::Production).total() / once.bound.regret, 2.0318, 0.000_05),
    ] {
        assert!((found - expected).abs() < within, "{found} instead of {expected}");
    }
    // where nothing repeats there is nothing to count once
    let mut other = night();
    other.waves.truncate(1);
    assert_eq!(other.counted_once(), None);
}

#[test]
fn the_overshoot_is_a_net_figure() {
    let positive = night().positive_overshoot(0);
    assert!((positive - 49_405_578.12).abs() < 0.005, "{positive}");
    let under: f64 = night().later[&0].iter().map(|l| (l.needed - l.taken).max(0.0)).sum();
    assert!((under - 4_376_912.41).abs() < 0.005, "{under}");
}

/// Which published figures their own tables do not give, as printed.
#[test]
fn text_and_tables_that_disagree() {
    let study = load(&example()).unwrap();
    let off: Vec<&str> = study.compared.iter().filter(|c| !c.agrees()).map(|c| c.what.as_str()).collect();
    assert_eq!(
        off,
        [
            "Undershoot of whole contracts, all waves",
            "Overshoot of the integer program, all waves",
            "Clusters of coin and time",
            "Coins in them",
            "Clusters with a deficit",
            "Of it the queue could cover",
            "And could not",
        ]
    );
}

#[test]
fn findings_carry_their_numbers() {
    let said: Vec<String> =
        night().findings().into_iter().map(|f| format!("{}: {}", f.claim, f.found)).collect();
    for part in [
        "9 of 16 waves contain one account's 10,925,707.16 USD again",
        "Counted once the deficit is 12,657,729.41 USD",
        "31,922,594.42 USD instead of 129,699,802.43 USD",
        "203 % of it",
        "49,405,578.12 USD over the waves that took too much; 4,376,912.41 USD was needed",
        "3,020,120.65 USD, twice as much",
        "The table says 92,186.99 USD",
        "1,677,764.43 USD against 2,732,437.29 USD",
    ] {
        assert!(said.iter().any(|s| s.contains(part)), "{part}: {said:#?}");
    }
}

/// Chitra's example of five accounts, of which three gained (arXiv:2512.01112, in ../shared/vectors/chitra_p5_and_adl.json).
#[test]
fn the_worked_example_has_its_measures() {
    let round = |taken: [f64; 3]| {
        let winner = |(gain, equity): (f64, f64), taken| Winner { gain, equity, taken };
        let all = [(8.0, 10.0), (4.0, 5.0), (0.5, 1.0)];
        let winners = all.into_iter().zip(taken).map(|(w, x)| winner(w, x)).collect();
        Round { deficit: 15.0, largest_loss: 12.0, needed: 7.5, winners }.metrics()
    };
    let queue = round([3.5, 4.0, 0.0]);
    assert_eq!((queue.largest_haircut, queue.largest_kept, queue.overshoot), (1.0, 4.5, 0.0));
    assert_eq!((queue.ptsr, queue.pmr), (Some(0.6), Some(0.75)));
    assert_eq!(queue.inversions, Some(1.0 / 3.0), "the second ends below the third");
    let pro_rata = round([4.8, 2.4, 0.3]);
    assert!((pro_rata.largest_haircut - 0.6).abs() < 1e-12);
    assert_eq!((pro_rata.inversions, pro_rata.rank_stability), (Some(0.0), Some(1.0)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = std::env::temp_dir().join(format!("cofferdam-adl-{}", std::process::id()));
    let copy = |change: &dyn Fn(&str, String) -> String| {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("data")).unwrap();
        for from in ["study.toml".into()].into_iter().chain(
            std::fs::read_dir(example().join("data"))
                .unwrap()
                .map(|f| PathBuf::from("data").join(f.unwrap().file_name())),
        ) {
            let text = std::fs::read_to_string(example().join(&from)).unwrap();
            let name = from.display().to_string();
            std::fs::write(folder.join(&from), change(&name, text)).unwrap();
        }
        load(&folder).err().map(|e| e.to_string()).unwrap_or_default()
    };
    let replace = |file: &'static str, from: &'static str, to: &'static str| {
        copy(&move |name, text| if name.ends_with(file) { text.replacen(from, to, 1) } else { text })
    };
    for (error, parts) in [
        (
            replace("study.toml", "\"deficit\"", "\"deficits\""),
            ["study.toml: figure[2].key: \"deficits\"", "accepted: queue-overshoot"],
        ),
        (
            replace("study.toml", "unreached = [0, ", "unreached = [2, "),
            ["study.toml: book.unreached: [2, 1, 3, 10]", "accepted: multiples from 0 up"],
        ),
        (replace("study.toml", "seeds = 5", "seeds = 0"), ["book.seeds: 0", "accepted: 1 to 1000"]),
        (replace("study.toml", "tail_index = 0", "tail_index = -0"), ["book.tail_index: -0.775", "above 0"]),
        (
            replace("study.toml", "next_move = 0.2", "next_move = nan"),
            ["book.next_move: NaN", "a finite number"],
        ),
        (replace("study.toml", "unit = ", "unti = "), ["unknown field `unti`", "accepted: title"]),
        (replace("queue.csv", "12608.775737", "12,"), ["per_shock_metrics_queue.csv", "line: 2"]),
        (replace("queue.csv", "12608.775737", "NaN"), ["row 1: budget_queue_usd is NaN", "a finite number"]),
        (
            replace("contract.csv", "\n1,", "\n3,"),
            ["wave 3 is not in policy_per_wave_metrics.csv", "the same waves"],
        ),
        (replace("waves.csv", "max_loss_usd", "max_loss"), ["missing field `max_loss_usd`", "accepted"]),
    ] {
        assert!(parts.iter().all(|p| error.contains(p)), "{parts:?}: {error}");
    }
    assert_eq!(copy(&|_, text| text), "");
    let none = copy(&|name, text| {
        if name.ends_with("waves.csv") { text.lines().next().unwrap().into() } else { text }
    });
    assert!(none.contains("no row of data"), "{none}");
    std::fs::remove_dir_all(&folder).unwrap();
}
