//! A server on this machine and a client that asks it: the public suite, what is refused by name, a stranger's answers, and a stack whose
//! insurer is stopped, does not answer, and comes back.

use axum::{Router, body::Body as Reply, http::StatusCode, routing::any};
use cofferdam_core::{AssetId, DrawId, Holder, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_http::{BODY_MAX, RemoteProvider, openapi, routes, wire};
use cofferdam_insurance_layer::{
    Correlation, Draw, EscrowedFund, InsuranceProvider, Manifest, Supports, Trigger,
};
use cofferdam_runtime::{
    InsuranceDesk, Line,
    guard::{Guard, Retry, Timeout},
};
use cofferdam_testkit::{
    Scene, conservation,
    insurance::{Capabilities, conformance},
    stack::{Answer, StackConfig},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A server that can be stopped and started again at the same place.
struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(routes: Router, address: Option<SocketAddr>) -> Self {
        let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap(); // the place is free again at once
        socket.bind(address).unwrap();
        let listener: TcpListener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, task }
    }

    fn client(&self) -> RemoteProvider {
        RemoteProvider::new(&format!("http://{}", self.address)).unwrap()
    }

    async fn stop(self) -> SocketAddr {
        self.task.abort();
        let _ = self.task.await;
        self.address
    }
}

fn fund(holds: i128) -> Arc<EscrowedFund> {
    Arc::new(EscrowedFund::new("acme/reserve", AssetId(0), Quanta::new(holds), Ppb(50_000_000)).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fund_behind_http_passes_the_public_suite() {
    for holds in [100, 1_001, Quanta::LIMIT] {
        // the fund behind each address
        let funds: Mutex<BTreeMap<String, Arc<EscrowedFund>>> = Mutex::default();
        let behind = |client: &RemoteProvider| funds.lock().unwrap()[client.base()].clone();
        let capabilities = Capabilities {
            holds: Quanta::new(holds),
            paid_out: Some(&|c| Quanta::new(holds).try_sub(behind(c).held().unwrap()).unwrap()),
            clock: Some(&|c, now| behind(c).release_expired(now).unwrap()),
        };
        let runtime = tokio::runtime::Handle::current();
        let fresh = || {
            let fund = fund(holds);
            let served = routes(fund.clone());
            let server = tokio::task::block_in_place(|| runtime.block_on(Server::start(served, None)));
            funds.lock().unwrap().insert(server.client().base().to_owned(), fund);
            server.client()
        };
        conformance(fresh, &capabilities).await.passes();
    }
}

#[test]
fn a_manifest_comes_back_as_it_was() {
    for (trigger, supports) in [
        (Trigger::Indemnity, Supports::NOTHING),
        (Trigger::Parametric, Supports { partial_payment: true, renewal: true, ..Supports::NOTHING }),
        (Trigger::Discretionary, Supports { reinstatement: true, cancel: true, ..Supports::NOTHING }),
    ] {
        let capital = Correlation::Capital("acme/pool".into());
        let correlated = vec![Correlation::Asset(AssetId(3)), Correlation::OwnToken, capital];
        let id = "acme/reserve".to_owned();
        let manifest = Manifest { id, api_version: 1, asset: AssetId(7), trigger, supports, correlated };
        let text = serde_json::to_string(&wire::Manifest::from(&manifest)).unwrap();
        assert_eq!(
            Manifest::from(serde_json::from_str::<wire::Manifest>(&text).unwrap()),
            manifest,
            "{text}"
        );
    }
}

/// What the server says to a request that is not as it should be.
#[tokio::test]
async fn bad_input_is_refused_by_field() {
    let server = Server::start(routes(fund(1_000)), None).await;
    let quote =
        r#"{"at":0,"exposure":"10","term":1000,"attachment":"0","limit":"10","share_ppb":1000000000}"#;
    let http = reqwest::Client::new();
    let long = format!("\"{}\"", "1".repeat(BODY_MAX));
    for (method, path, body, status, message) in [
        ("POST", "/v1/quotes", quote.to_owned(), 200, ""),
        (
            "POST",
            "/v1/quotes",
            quote.replace("\"limit\":\"10\"", "\"limit\":\"NaN\""),
            400,
            "limit is \"NaN\"; accepted is a whole number of quanta",
        ),
        (
            "POST",
            "/v1/quotes",
            quote.replace("\"limit\":\"10\"", "\"limit\":\"1e9\""),
            400,
            "limit is \"1e9\"",
        ),
        (
            "POST",
            "/v1/quotes",
            quote.replace("\"limit\":\"10\"", &format!("\"limit\":\"{}\"", i128::MAX)),
            400,
            "limit is \"1701",
        ),
        (
            "POST",
            "/v1/quotes",
            quote.replace("\"limit\":\"10\"", "\"limit\":\"2000\""),
            422,
            "a line of 2000: accepted is at most 1000",
        ),
        (
            "POST",
            "/v1/quotes",
            quote.replace("\"term\":1000", "\"term\":9007199254740992"),
            400,
            "term is \"9007199254740992\"; accepted is milliseconds below 2^53",
        ),
        ("POST", "/v1/quotes", quote.replace("\"at\":0,", ""), 400, "missing field `at`"),
        ("POST", "/v1/quotes", "{".to_owned(), 400, "EOF while parsing"),
        ("POST", "/v1/quotes", long, 413, "length limit"),
        ("PUT", "/v1/draws/x", r#"{"layer":1,"amount":"5"}"#.to_owned(), 400, "id is \"x\""),
        (
            "PUT",
            "/v1/draws/1",
            r#"{"layer":1,"amount":"0"}"#.to_owned(),
            422,
            "a draw of 0: accepted is above zero",
        ),
        (
            "PUT",
            "/v1/commitments/1",
            r#"{"quote":"9","layer":1,"capacity":"5","at":0,"expires":1}"#.to_owned(),
            422,
            "offer 9",
        ),
        ("GET", "/v1/layers/one/capacity?at=0", String::new(), 400, "layer is \"one\"; accepted is"),
        ("GET", "/v1/layers/1/capacity", String::new(), 400, "at: "),
    ] {
        let url = format!("http://{}{path}", server.address);
        let sent = http.request(method.parse().unwrap(), url).body(body.clone()).send().await.unwrap();
        let (got, said) = (sent.status().as_u16(), sent.text().await.unwrap().replace("\\\"", "\""));
        assert!(got == status && said.contains(message), "{method} {path} {body:.200}: {got} {said}");
    }
}

/// What the client makes of a server that is no insurer: never money, and never more memory than it has to.
#[tokio::test]
async fn a_strangers_answer_is_no_payment() {
    for (status, answer, retryable, message) in [
        (200, "no json".to_owned(), true, "an answer that cannot be read"),
        (200, r#"{"status":"maybe"}"#.to_owned(), true, "an answer that cannot be read"),
        (200, r#"{"status":"partly"}"#.to_owned(), true, "an answer that cannot be read"),
        (200, r#"{"status":"partly","paid":"NaN"}"#.to_owned(), true, "paid is \"NaN\""),
        (200, r#"{"status":"partly","paid":1e400}"#.to_owned(), true, "an answer that cannot be read"),
        (200, format!("\"{}\"", "x".repeat(BODY_MAX)), true, "an answer above 65536 bytes"),
        (302, String::new(), false, "status 302"),
        (404, "not here".to_owned(), false, "status 404 Not Found"),
        (429, "slow down".to_owned(), true, "status 429"),
        (500, String::new(), true, "status 500"),
        (503, r#"{"message":"closed for good","retryable":false}"#.to_owned(), false, "closed for good"),
    ] {
        let reply = answer.clone();
        let anything = any(move || async move {
            let code = StatusCode::from_u16(status).unwrap();
            axum::http::Response::builder()
                .status(code)
                .header("location", "/v1/elsewhere")
                .body(Reply::from(reply))
                .unwrap()
        });
        let server = Server::start(Router::new().fallback_service(anything), None).await;
        let draw = Draw { layer: LayerId(1), amount: Quanta::new(5) };
        let said = server.client().settle(DrawId(1), &draw).await.unwrap_err();
        assert_eq!(said.retryable, retryable, "{status} {answer:.80}: {said}");
        assert!(said.message.contains(message), "{status} {answer:.80}: {said}");
    }
}

#[test]
fn the_published_document_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let now = format!("{}\n", openapi().to_pretty_json().unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), now, "write it again with UPDATE_OPENAPI=1");
}

const STACK: &str = include_str!("../../runtime/tests/promised.toml");
const INSURED: LayerId = LayerId(0);

/// A stack, its desk, and the minutes between.
struct Protocol {
    scene: Scene,
    desk: InsuranceDesk,
    next_loser: u32,
}

impl Protocol {
    /// What became of the draw of a loss of 1,500, of which 1,000 are insured: paid, owed, or carried by the fund behind it.
    async fn lose(&mut self) {
        let loser = self.next_loser;
        self.next_loser += 1;
        let _ = self.scene.quote("ETH-PERP", "1000");
        let _ = self.scene.deposit(loser, "USDT", "1000");
        assert_eq!(self.scene.trade(loser, 1, "ETH-PERP", "10", "1000"), Answer::Done);
        let _ = self.scene.quote("ETH-PERP", "750");
        assert_eq!(self.scene.fill(loser, 1, "750"), Answer::Done, "an insurer stalls nothing");
        self.attend().await;
    }

    async fn attend(&mut self) {
        let state = self.scene.bench().state();
        let asked = self.desk.attend(state.head().at.time, state).await;
        for report in asked.reports {
            assert_eq!(self.scene.send(report).answer, Answer::Done);
            conservation::check(self.scene.bench().state()).unwrap();
        }
    }

    async fn minutes(&mut self, n: u64) {
        let _ = self.scene.wait(n * 60_000);
        self.attend().await;
    }

    /// Draws that are owed, what the fund behind has left, and what nobody paid.
    fn now(&self) -> (usize, String, String) {
        let owed = self.scene.bench().state().draws().count();
        (owed, self.scene.held(Holder::Layer(LayerId(1)), "USDT"), self.scene.deficit("USDT"))
    }
}

#[tokio::test]
async fn a_stack_goes_on_while_its_insurer_is_stopped_stuck_and_started_again() {
    let books = fund(10_000_000_000); // its books outlive its process
    let stuck = Arc::new(AtomicBool::new(false));
    let serve = || {
        let stuck = stuck.clone();
        routes(books.clone()).layer(axum::middleware::from_fn(
            move |request, next: axum::middleware::Next| {
                let stuck = stuck.clone();
                async move {
                    if stuck.load(Ordering::SeqCst) {
                        std::future::pending::<()>().await; // it took the call, and never answers
                    }
                    next.run(request).await
                }
            },
        ))
    };
    let server = Server::start(serve(), None).await;
    let insurer = server
        .client()
        .with(Timeout(Duration::from_millis(200)))
        .with(Retry { attempts: 2, pause: Duration::from_millis(1) });
    let mut desk = InsuranceDesk::default();
    let hour = Millis(3_600_000);
    desk.place(Line::new(INSURED, Quanta::new(1_000_000_000), hour), Arc::new(insurer)).unwrap();
    let mut scene = Scene::new(&StackConfig::from_toml(STACK, "promised.toml").unwrap());
    let _ = scene.quote("ETH-PERP", "1000");
    let _ = scene.deposit(1, "USDT", "1000000");
    let mut p = Protocol { scene, desk, next_loser: 2 };
    let so_far = |owed, fund: &str| (owed, fund.to_owned(), "0".to_owned());

    // it is there: 1,000 of the loss are insured, 500 are the fund's
    p.attend().await;
    p.lose().await;
    assert_eq!((p.now(), books.held()), (so_far(0, "4500"), Ok(Quanta::new(9_000_000_000))));
    // its next term, and it is stopped: what it promised is a receivable, and nothing waits for it
    p.minutes(61).await;
    let address = server.stop().await;
    p.lose().await;
    assert_eq!(p.now(), so_far(1, "4000"));
    p.minutes(2).await;
    assert_eq!(p.now(), so_far(1, "4000"));
    // started again, but stuck
    stuck.store(true, Ordering::SeqCst);
    let server = Server::start(serve(), Some(address)).await;
    p.minutes(2).await;
    assert_eq!(p.now(), so_far(1, "4000"));
    // it answers again, and pays once
    stuck.store(false, Ordering::SeqCst);
    p.minutes(2).await;
    assert_eq!((p.now(), books.held()), (so_far(0, "4000"), Ok(Quanta::new(8_000_000_000))));
    // stopped for good: after its term nothing is drawn on it, and the fund pays all
    let _ = server.stop().await;
    p.minutes(120).await;
    p.lose().await;
    assert_eq!(p.now(), so_far(0, "2500"));
}
