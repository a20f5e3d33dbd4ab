//! A share of what one event costs beyond a deductible. `share_ppb` in billionths, `deductible` in quanta.

use cofferdam_plugin_sdk::{Layer, Loss, Manifest, QuoteRequest, Standing, Trigger, layer, parameter};

const ONE: i128 = 1_000_000_000;

struct SharedExcess {
    deductible: i128,
    share_ppb: i128,
}

impl Layer for SharedExcess {
    fn describe() -> Manifest {
        Manifest { id: "acme/shared-excess".into(), api_version: 1, trigger: Trigger::Indemnity }
    }

    fn configure(parameters: &[(String, String)]) -> Result<Self, String> {
        let number = |name: &str, most: i128| {
            let text = parameter(parameters, name)?;
            let sound = text.parse().ok().filter(|x| (0..=most).contains(x));
            sound.ok_or_else(|| format!("{name} is {text:?}; accepted is a whole number from 0 to {most}"))
        };
        Ok(Self { deductible: number("deductible", 1 << 100)?, share_ppb: number("share_ppb", ONE)? })
    }

    fn respond(&mut self, loss: &Loss, left: i128, _: &Standing) -> Result<i128, String> {
        let beyond = |x: i128| (x - self.deductible).max(0);
        let added = beyond(loss.event_before + loss.amount) - beyond(loss.event_before);
        // rounded down, in two parts, since the product may not fit
        let paid = added / ONE * self.share_ppb + added % ONE * self.share_ppb / ONE;
        Ok(paid.min(left))
    }

    /// 5 % of the line a year, rounded up.
    fn quote(&mut self, request: &QuoteRequest) -> Result<i128, String> {
        const YEAR: i128 = 365 * 86_400_000;
        if request.limit <= 0 || request.limit > 1 << 80 {
            return Err(format!("limit is {}; accepted is above zero, at most 2^80", request.limit));
        }
        let term = i128::from(request.term);
        Ok((request.limit * 5 / 100 * term / YEAR).max(0) + 1)
    }
}

layer!(SharedExcess);
