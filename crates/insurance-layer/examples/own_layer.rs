//! A layer of one's own: parametric cover that pays a fixed sum once an event's losses pass a trigger. It takes the public
//! conformance checks, stands in a programme between a fund and a tower, and an event of three losses runs through.

use cofferdam_core::{AssetId, DrawId, EventId, LayerId, Millis, Quanta};
use cofferdam_insurance_layer::conformance::{check_layer, check_waterfall};
use cofferdam_insurance_layer::{
    Commitment, CommitmentBook, Entry, Escrow, ExcessOfLoss, InsuranceError, InsuranceLayer, Loss, LossCause,
    LossWaterfall, Programme, Standing,
};

/// Pays `sum` when the losses of an event first pass `trigger`; nothing before and nothing after.
#[derive(Debug)]
struct Parametric {
    trigger: Quanta,
    sum: Quanta,
}

impl InsuranceLayer for Parametric {
    fn respond(&self, loss: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        let after = loss.event_before.try_add(loss.amount)?;
        let passes = loss.event_before <= self.trigger && after > self.trigger;
        Ok(if passes { self.sum.min(left) } else { Quanta::ZERO })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parametric = || Parametric { trigger: Quanta::new(500), sum: Quanta::new(200) };
    check_layer(&parametric())?;
    let programme = Programme::new(vec![
        Entry::fund(LayerId(1)),
        Entry::custom(LayerId(2), Box::new(parametric())),
        Entry::excess_of_loss(LayerId(3), ExcessOfLoss::new(Quanta::new(400), Quanta::new(600))?),
    ])?;
    check_waterfall(&programme, &[LayerId(1), LayerId(2), LayerId(3)])?;
    for gap in programme.gaps() {
        println!("no excess layer between {} and {}", gap.from, gap.to);
    }

    let mut book = CommitmentBook::default();
    for (layer, capacity, escrow) in
        [(1, 300, Escrow::Held), (2, 200, Escrow::Promised), (3, 600, Escrow::Promised)]
    {
        let (layer, capacity) = (LayerId(layer), Quanta::new(capacity));
        book.commit(Commitment { layer, capacity, expires: Millis(1_000), escrow })?;
    }
    let (event, mut before, mut id) = (Some(EventId(1)), Quanta::ZERO, 0);
    for (time, amount) in [(10, 250), (20, 400), (2_000, 400)] {
        let (now, amount) = (Millis(time), Quanta::new(amount));
        let loss = Loss {
            event,
            of: None,
            market: None,
            asset: AssetId(0),
            cause: LossCause::Bankruptcy,
            amount,
            event_before: before,
            total_before: before,
        };
        let split = programme.allocate(&loss, &book.standings(event, now)?)?;
        println!("a loss of {amount} after {before}:");
        for draw in &split.draws {
            id += 1;
            book.draw(DrawId(id), draw, event, now)?;
            println!("  layer {} pays {}", draw.layer, draw.amount);
        }
        println!("  nobody pays {}", split.residual);
        before = before.try_add(amount)?;
    }
    Ok(())
}
