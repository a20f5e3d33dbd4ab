//! The desk beside a real stack: what insurers answer, and who pays what they do not.

use async_trait::async_trait;
use cofferdam_core::{AssetId, DrawId, Holder, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer::{
    CommitRequest, Cover, Draw, EscrowedFund, InsuranceProvider, Manifest, Payment, ProviderError,
    QuoteRequest, QuoteTerms,
};
use cofferdam_runtime::{Attended, InsuranceDesk, Line, What, at_once};
use cofferdam_testkit::{
    Scene, conservation,
    insurance::{Rogue, RogueFund},
    stack::{Answer, Body, StackConfig},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

const STACK: &str = include_str!("promised.toml");
const INSURER: LayerId = LayerId(0);
const LATER: Millis = Millis(60_000);

/// A sound fund in USDT of six decimals, and what it answers to draws before it is asked.
#[derive(Debug)]
struct Scripted {
    fund: EscrowedFund,
    answers: Mutex<VecDeque<Result<Payment, ProviderError>>>,
    asked: Mutex<Vec<(DrawId, i128)>>,
    /// Commitments of which the answer is lost.
    lost: Mutex<u32>,
}

fn usdt(whole: i128) -> Quanta {
    Quanta::new(whole * 1_000_000)
}

fn failed(message: &str, retryable: bool) -> ProviderError {
    ProviderError { message: message.into(), retryable }
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<Payment, ProviderError>>) -> Arc<Self> {
        Arc::new(Self {
            fund: EscrowedFund::new("acme/cover", AssetId(0), usdt(2_000), Ppb(100_000_000)).unwrap(),
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::default(),
            lost: Mutex::default(),
        })
    }
}

#[async_trait]
impl InsuranceProvider for Scripted {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        self.fund.manifest().await
    }
    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        self.fund.release_expired(request.at)?;
        self.fund.quote(request).await
    }
    async fn commit(&self, request: &CommitRequest) -> Result<Cover, ProviderError> {
        let cover = self.fund.commit(request).await?;
        let mut lost = self.lost.lock().unwrap();
        if *lost > 0 {
            *lost -= 1;
            return Err(failed("the answer was lost", true));
        }
        Ok(cover)
    }
    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError> {
        self.fund.capacity(layer, at).await
    }
    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError> {
        self.asked.lock().unwrap().push((id, draw.amount.get() / 1_000_000));
        let scripted = self.answers.lock().unwrap().pop_front();
        match scripted {
            Some(answer) => answer,
            None => self.fund.settle(id, draw).await,
        }
    }
}

struct Desk {
    desk: InsuranceDesk,
    scene: Scene,
}

impl Desk {
    fn new(line: Line, insurer: Arc<dyn InsuranceProvider>) -> Self {
        let mut desk = InsuranceDesk::default();
        desk.place(line, insurer).unwrap();
        let mut scene = Scene::new(&StackConfig::from_toml(STACK, "promised.toml").unwrap());
        let _ = scene.quote("ETH-PERP", "1000");
        let _ = scene.deposit(1, "USDT", "100000");
        Self { desk, scene }
    }

    fn now(&self) -> Millis {
        self.scene.bench().state().head().at.time
    }

    /// Asks, and reports the answers. Whatever was said, nothing is created or lost by it.
    fn attend(&mut self) -> Attended {
        let state = self.scene.bench().state();
        let attended = at_once(self.desk.attend(state.head().at.time, state)).unwrap_or_default();
        for report in attended.reports.clone() {
            assert_eq!(self.scene.send(report).answer, Answer::Done);
            conservation::check(self.scene.bench().state()).unwrap();
        }
        attended
    }

    /// Group `loser` loses 2,500 on a margin of 1,000: 1,500 are missing.
    fn crash(&mut self, loser: u32) {
        let _ = self.scene.quote("ETH-PERP", "1000");
        let _ = self.scene.deposit(loser, "USDT", "1000");
        assert_eq!(self.scene.trade(loser, 1, "ETH-PERP", "10", "1000"), Answer::Done);
        let _ = self.scene.quote("ETH-PERP", "750");
        assert_eq!(self.scene.fill(loser, 1, "750"), Answer::Done);
        conservation::check(self.scene.bench().state()).unwrap();
    }

    fn open_draws(&self) -> usize {
        self.scene.bench().state().draws().count()
    }

    fn fund(&self) -> String {
        self.scene.held(Holder::Layer(LayerId(1)), "USDT")
    }
}

fn line() -> Line {
    Line::new(INSURER, usdt(1_000), Millis(86_400_000))
}

fn settled(attended: &Attended) -> Option<i128> {
    attended.reports.iter().find_map(|r| match r {
        Body::Settlement { paid, .. } => Some(paid.get() / 1_000_000),
        _ => None,
    })
}

/// Of a draw of 1,000: what is reported at once, and after the insurer was asked again; and what the fund behind it has left of 5,000,
/// of which 500 were never insured.
#[track_caller]
fn check(
    answers: Vec<Result<Payment, ProviderError>>,
    first: Option<i128>,
    second: Option<i128>,
    fund: &str,
) {
    let insurer = Scripted::new(answers.clone());
    let mut desk = Desk::new(line(), insurer.clone());
    desk.attend();
    desk.crash(2);
    assert_eq!(desk.fund(), "4500");
    let seen = [settled(&desk.attend()), {
        assert_eq!(settled(&desk.attend()), None, "nobody is asked twice in a moment");
        let _ = desk.scene.wait(LATER.0);
        settled(&desk.attend())
    }];
    assert_eq!((seen, desk.fund().as_str(), desk.open_draws()), ([first, second], fund, 0), "{answers:?}");
    let asked = insurer.asked.lock().unwrap();
    assert!(asked.iter().all(|a| *a == asked[0] && a.1 == 1_000), "{asked:?}");
}

#[test]
fn an_answer_becomes_a_settlement_and_the_next_layer_pays_the_gap() {
    let until = Millis(1);
    let part = |whole| Ok(Payment::Partly { paid: usdt(whole) });
    check(vec![], Some(1_000), None, "4500");
    check(vec![part(400)], Some(400), None, "3900");
    check(vec![part(-5)], Some(0), None, "3500");
    check(vec![part(5_000)], Some(1_000), None, "4500"); // more than was drawn is nobody's
    check(vec![Ok(Payment::Denied { reason: "no".into() })], Some(0), None, "3500");
    check(vec![Err(failed("gone", false))], Some(0), None, "3500");
    check(vec![Err(failed("timeout", true))], None, Some(1_000), "4500");
    check(vec![Ok(Payment::Pending { until })], None, Some(1_000), "4500");
    check(vec![Ok(Payment::Pending { until }), part(1)], None, Some(1), "3501");
    let reason = || "whose loss was it".to_string();
    check(vec![Ok(Payment::Disputed { reason: reason(), until }), part(10)], None, Some(10), "3510");
}

#[test]
fn who_is_late_for_too_long_is_given_up_and_the_next_layer_pays() {
    let never = Payment::Pending { until: Millis::MAX };
    let insurer = Scripted::new(std::iter::repeat_n(Ok(never), 9));
    let mut desk = Desk::new(Line { patience: Some(Millis(90_000)), ..line() }, insurer.clone());
    desk.attend();
    desk.crash(2);
    assert_eq!((settled(&desk.attend()), desk.fund().as_str()), (None, "4500"));
    let _ = desk.scene.wait(LATER.0);
    assert_eq!((settled(&desk.attend()), desk.open_draws()), (None, 1));
    let _ = desk.scene.wait(LATER.0);
    let attended = desk.attend();
    assert_eq!((settled(&attended), desk.fund().as_str(), desk.open_draws()), (Some(0), "3500", 0));
    assert!(attended.notes.iter().any(|n| matches!(n.what, What::GivenUp { .. })));
    assert_eq!(insurer.asked.lock().unwrap().len(), 2, "asked first, and once more before it is given up");
}

#[test]
fn a_desk_that_begins_anew_goes_on_where_the_last_one_stopped() {
    let insurer = Scripted::new([Err(failed("timeout", true))]);
    let mut desk = Desk::new(line(), insurer.clone());
    desk.attend();
    desk.crash(2);
    assert_eq!(settled(&desk.attend()), None);
    desk.desk = InsuranceDesk::default();
    desk.desk.place(line(), insurer.clone()).unwrap();
    assert_eq!(settled(&desk.attend()), Some(1_000));
    assert_eq!(insurer.fund.held(), Ok(usdt(1_000)), "paid once");
}

/// The capacity of the insured layer as the stack has it, and when it ends, both from zero.
fn standing(desk: &Desk) -> Option<(i128, u64)> {
    let layer = desk.scene.bench().state().layers().find(|l| l.layer == INSURER).copied()?;
    Some((layer.capacity.try_sub(layer.drawn_total).unwrap().get() / 1_000_000, layer.expires.0))
}

#[test]
fn terms_follow_one_another_without_a_gap() {
    let day = 86_400_000;
    let insurer = Scripted::new([]);
    let mut desk = Desk::new(line(), insurer.clone());
    let start = desk.now().0;
    desk.attend();
    assert_eq!(standing(&desk), Some((1_000, start + day)));
    let _ = desk.scene.wait(day / 2);
    assert_eq!(desk.attend().reports, [], "half a term is left");
    let _ = desk.scene.wait(day * 45 / 100);
    desk.attend();
    assert_eq!(standing(&desk), Some((1_000, start + 2 * day)), "from where the first one ends");
    desk.crash(2);
    desk.attend();
    assert_eq!(standing(&desk), Some((0, start + 2 * day)), "1,000 were drawn; the stack counts one term");
    let _ = desk.scene.wait(day / 10);
    desk.attend();
    assert_eq!(
        standing(&desk),
        Some((1_000, start + 2 * day)),
        "from the first term, as the insurer counts too"
    );
    let insured = at_once(insurer.capacity(INSURER, desk.now())).unwrap();
    assert_eq!(insured, Ok(usdt(1_000)));
    desk.crash(3);
    desk.attend();
    let _ = desk.scene.wait(day * 88 / 100);
    assert!(matches!(desk.attend().notes[0].what, What::NoCover(_)), "the insurer's 2,000 are gone");
    assert_eq!(standing(&desk), Some((0, start + 2 * day)));
}

#[test]
fn what_was_drawn_is_not_covered_again_where_there_is_a_limit_in_all() {
    let aggregate = Line { aggregate: Some(usdt(1_200)), ..line() };
    let mut desk = Desk::new(aggregate, Scripted::new([]));
    desk.attend();
    desk.crash(2);
    desk.attend();
    let _ = desk.scene.wait(80_000_000);
    desk.attend();
    assert_eq!(standing(&desk).unwrap().0, 200);
}

#[test]
fn a_commitment_whose_answer_was_lost_is_made_once() {
    let insurer = Scripted::new([]);
    *insurer.lost.lock().unwrap() = 1;
    let mut desk = Desk::new(line(), insurer.clone());
    assert!(matches!(desk.attend().notes[0].what, What::NoCover(ref e) if e.retryable));
    assert_eq!((standing(&desk), insurer.fund.free()), (None, Ok(usdt(1_000))));
    assert_eq!(desk.attend(), Attended::default(), "not before a minute has passed");
    let _ = desk.scene.wait(LATER.0);
    desk.attend();
    assert_eq!((standing(&desk).unwrap().0, insurer.fund.free()), (1_000, Ok(usdt(1_000))));
}

#[test]
fn an_offer_that_costs_too_much_is_not_taken_up() {
    // 10 % a year of 1,000 for a day: 0.2739726... USDT
    for (most, taken) in [(273_972, false), (273_973, true)] {
        let dear = Line { premium_at_most: Some(Quanta::new(most)), ..line() };
        let mut desk = Desk::new(dear, Scripted::new([]));
        let what = desk.attend().notes.remove(0).what;
        let premium = Quanta::new(273_973); // rounded up
        assert_eq!(matches!(what, What::Committed(_)), taken, "{what:?}");
        assert_eq!(what == What::TooDear { premium }, !taken, "{what:?}");
    }
}

#[test]
fn a_line_with_a_fault_is_refused_by_its_field() {
    let insurer: Arc<dyn InsuranceProvider> = Scripted::new([]);
    for (faulty, message) in [
        (Line { limit: Quanta::ZERO, ..line() }, "limit is 0; accepted is above zero"),
        (Line { share: Ppb(0), ..line() }, "share is 0; accepted is above 0, at most 1"),
        (Line { term: Millis(0), ..line() }, "term is 0; accepted is above zero"),
        (
            Line { renew_ahead: line().term, ..line() },
            "renew_ahead is 86400000; accepted is less than the term",
        ),
        (Line { ask_again: Millis(0), ..line() }, "ask_again is 0; accepted is above zero"),
    ] {
        let refused = InsuranceDesk::default().place(faulty, insurer.clone()).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}

/// Every insurer of the gallery behind the insured layer: losses are paid or open to the last atom after every input, the fund behind it
/// pays what the rogue does not, and nothing that one says stops a liquidation (INV-24 to INV-30, INV-44).
#[test]
fn no_rogue_costs_more_than_what_it_promised() {
    for rogue in Rogue::ALL {
        let mut desk = Desk::new(
            Line::new(INSURER, Quanta::new(1_000), Millis(300_000)),
            Arc::new(RogueFund::new(*rogue).unwrap()),
        );
        for loser in 2..5 {
            desk.attend();
            desk.crash(loser);
            for _ in 0..3 {
                desk.attend();
                let _ = desk.scene.wait(LATER.0 * 2);
            }
        }
        let state = desk.scene.bench().state();
        assert_eq!(desk.scene.deficit("USDT"), "0", "{rogue:?}");
        let fund = desk.fund().parse::<f64>().unwrap();
        // three losses of 1,500: at most 0.001 of each was promised, the fund bears the rest
        assert!((499.9..=500.01).contains(&fund), "{rogue:?}: {fund}");
        let open: i128 = state.draws().map(|d| d.amount.get()).sum();
        assert!(open <= 3_000, "{rogue:?}: {open} atoms owed");
    }
}
