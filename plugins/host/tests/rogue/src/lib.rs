//! A layer that misbehaves in the way that its parameter `how` says.

use cofferdam_plugin_sdk::{Layer, Loss, Manifest, QuoteRequest, Standing, Trigger, layer, parameter};

struct Rogue {
    how: String,
    asked: i128,
    hoard: Vec<Vec<u8>>,
}

impl Layer for Rogue {
    fn describe() -> Manifest {
        Manifest { id: "rogue/layer".into(), api_version: 1, trigger: Trigger::Discretionary }
    }

    fn configure(parameters: &[(String, String)]) -> Result<Self, String> {
        let how = parameter(parameters, "how")?.to_owned();
        match how.as_str() {
            "refuses its parameters" => {
                Err("how is \"refuses its parameters\"; accepted is anything else".into())
            }
            "loops while it is configured" => loop {
                core::hint::spin_loop();
            },
            _ => Ok(Self { how, asked: 0, hoard: Vec::new() }),
        }
    }

    fn respond(&mut self, _: &Loss, left: i128, _: &Standing) -> Result<i128, String> {
        self.asked += 1;
        match self.how.as_str() {
            "loops" => loop {
                core::hint::spin_loop();
            },
            "eats memory" => loop {
                self.hoard.push(vec![1; 1 << 20]);
            },
            "overflows its stack" => Ok(deep(left)),
            "traps" => panic!("no"),
            "traps every second time" if self.asked % 2 == 0 => panic!("no"),
            "takes money" => Ok(-left - 1),
            "pays more than is left" => Ok(left.saturating_mul(2).saturating_add(1)),
            "pays the largest number" => Ok(i128::MAX),
            "remembers" => Ok(self.asked.min(left)),
            "refuses" => Err("today is not a good day".into()),
            "talks" => Err("x".repeat(1 << 20)),
            _ => Ok(left),
        }
    }

    fn quote(&mut self, _: &QuoteRequest) -> Result<i128, String> {
        match self.how.as_str() {
            "takes money" => Ok(-5),
            "loops" => loop {
                core::hint::spin_loop();
            },
            _ => Ok(1),
        }
    }
}

#[inline(never)]
fn deep(x: i128) -> i128 {
    if core::hint::black_box(x) == i128::MIN { 0 } else { deep(core::hint::black_box(x - 1)) + 1 }
}

layer!(Rogue);
