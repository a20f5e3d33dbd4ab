//! What a bonus does: from which loan-to-value on a liquidation makes things worse, how far a price may fall at once without a loss,
//! and what a keeper gains by liquidating twice.
//!
//! `cargo run -p cofferdam-liquidation-strategy --example frontiers`

use cofferdam_core::{Ppb, Quanta, Rounding};
use cofferdam_liquidation_strategy::{
    LiquidationError, largest_unhealthy_repayment, loss_frontier, toxic_frontier,
};

fn main() -> Result<(), LiquidationError> {
    // 1,000.000 of collateral at a threshold of 80 % against 805.000: just below
    let (collateral, debt, threshold) = (Quanta::new(1_000_000), Quanta::new(805_000), Ppb(800_000_000));
    let support = threshold.of(collateral, Rounding::Down)?;
    println!("bonus   toxic from   first of two, then half of the rest   free fall from 750.000 of debt");
    for percent in [1, 5, 8, 10, 15, 20] {
        let bonus = Ppb(percent * 10_000_000);
        let first = largest_unhealthy_repayment(support, debt, threshold, bonus)?;
        let fall = loss_frontier(collateral, Quanta::new(750_000), threshold, bonus)?;
        println!(
            "{percent:>4} %   {:>7} ppm   {:>36}   {:>27} ppm",
            toxic_frontier(bonus)?.0 / 1_000,
            first,
            fall.0 / 1_000
        );
    }
    Ok(())
}
