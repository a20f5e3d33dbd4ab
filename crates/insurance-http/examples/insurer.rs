//! A small insurer: a fund in memory behind HTTP, on this machine alone. `cargo run -p cofferdam-insurance-http --example insurer -- 7000`
//!
//! What it has promised and paid is gone when it ends. An insurer in earnest keeps its books on disk: that draws are paid once depends on it.

use cofferdam_core::{AssetId, Ppb, Quanta};
use cofferdam_insurance_layer::EscrowedFund;
use std::{error::Error, sync::Arc};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).unwrap_or_else(|| "7000".into()).parse()?;
    // a million units of an asset whose quantum is a millionth, for 5 % a year of what is promised
    let fund =
        EscrowedFund::new("acme/reserve", AssetId(0), Quanta::new(1_000_000_000_000), Ppb(50_000_000))?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("insuring at http://{}; the contract is at /openapi.json", listener.local_addr()?);
    axum::serve(listener, cofferdam_insurance_http::routes(Arc::new(fund))).await?;
    Ok(())
}
