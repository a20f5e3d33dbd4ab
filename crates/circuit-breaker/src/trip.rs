//! The life of a trip, shared by the breakers that have one: it begins at once, lasts as long as its cause and a cool-down
//! after it, and never longer than its expiry.

use crate::BreakerError;
use cofferdam_core::{MarketId, MemoryError, Millis, Ppb, Reader, Verdict, Writer};

/// How a trip ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How long after its last cause a trip lasts, in milliseconds. At least 1.
    pub cooldown: Millis,
    /// How long a trip lasts at most, whatever goes on, in milliseconds. Not below `cooldown`. After a trip that ran to its
    /// expiry the breaker rests for one cool-down before it can trip again, so that expiring means something.
    pub expires: Millis,
}

impl Recovery {
    pub(crate) fn validated(self) -> Result<Self, BreakerError> {
        not_zero("cooldown", self.cooldown)?;
        if self.expires < self.cooldown {
            return Err(BreakerError::Parameter {
                field: "expires",
                value: i128::from(self.expires.0),
                accepted: "a time not below `cooldown`, in ms",
            });
        }
        Ok(self)
    }
}

// A trip is on while now < until. `end` is its expiry, and stays after it for the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trip {
    until: Millis,
    end: Millis,
}

impl Trip {
    pub(crate) fn is_on(&self, now: Millis) -> bool {
        now < self.until
    }

    pub(crate) fn verdict(&self, now: Millis) -> Verdict {
        if self.is_on(now) { Verdict::until(self.until) } else { Verdict::ALLOW }
    }

    /// The cause was seen now and is over: the trip lasts a cool-down from now. Returns whether it began.
    pub(crate) fn pulse(&mut self, now: Millis, recovery: &Recovery) -> bool {
        let began = self.begin(now, recovery);
        self.until = self.until.max(later(now, recovery.cooldown)).min(self.end);
        began && self.is_on(now)
    }

    /// The cause is there and stays until [`Trip::release`]. Returns whether the trip began.
    pub(crate) fn hold(&mut self, now: Millis, recovery: &Recovery) -> bool {
        let began = self.begin(now, recovery);
        self.until = self.end;
        began && self.is_on(now)
    }

    /// The cause is over: what is left of the trip is at most a cool-down.
    pub(crate) fn release(&mut self, now: Millis, recovery: &Recovery) {
        if self.is_on(now) {
            self.until = self.until.min(later(now, recovery.cooldown));
        }
    }

    fn begin(&mut self, now: Millis, recovery: &Recovery) -> bool {
        let ran_to_its_end = self.until == self.end && self.end != Millis::ZERO;
        let resting = ran_to_its_end && now < later(self.end, recovery.cooldown);
        if self.is_on(now) || resting {
            return false;
        }
        self.end = later(now, recovery.expires);
        self.until = now;
        true
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.u64(self.until.0).u64(self.end.0);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        Ok(Self { until: Millis(from.u64()?), end: Millis(from.u64()?) })
    }
}

/// The instant `span` after `now`. Past the end of time it is the end of time: an observation is a report and may not be
/// refused because a cool-down would end later than any clock can show.
pub(crate) fn later(now: Millis, span: Millis) -> Millis {
    now.try_add(span).unwrap_or(Millis::MAX)
}

pub(crate) fn covers(watched: Option<MarketId>, market: MarketId) -> bool {
    watched.is_none_or(|w| w == market)
}

pub(crate) fn not_zero(field: &'static str, span: Millis) -> Result<(), BreakerError> {
    if span == Millis::ZERO {
        return Err(BreakerError::Parameter { field, value: 0, accepted: "at least 1 ms" });
    }
    Ok(())
}

pub(crate) fn above_zero(field: &'static str, value: i128) -> Result<(), BreakerError> {
    if value <= 0 { Err(BreakerError::Parameter { field, value, accepted: "above zero" }) } else { Ok(()) }
}

/// |price - from| > bound x from, exactly. `from` is above zero, `bound` not below it.
pub(crate) fn farther_than(bound: Ppb, from: i64, price: i64) -> bool {
    let distance = i128::from(price).abs_diff(i128::from(from)); // 65 bits
    let one = i128::from(Ppb::ONE.0).unsigned_abs(); // 30 bits
    let allowed = i128::from(bound.0).unsigned_abs().wrapping_mul(from.unsigned_abs().into()); // 126 bits
    distance.wrapping_mul(one) > allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECOVERY: Recovery = Recovery { cooldown: Millis(10), expires: Millis(25) };

    enum Cause {
        Pulse,
        Hold,
        Release,
    }
    use Cause::{Hold, Pulse, Release};

    // (time, what happens, whether a trip begins, on until)
    fn check(steps: &[(u64, Cause, bool, u64)]) {
        let mut trip = Trip::default();
        for (i, (now, cause, begins, until)) in steps.iter().enumerate() {
            let now = Millis(*now);
            let began = match cause {
                Pulse => trip.pulse(now, &RECOVERY),
                Hold => trip.hold(now, &RECOVERY),
                Release => {
                    trip.release(now, &RECOVERY);
                    false
                }
            };
            assert_eq!((began, trip.until.0), (*begins, *until), "step {i}");
        }
    }

    #[test]
    fn trips() {
        check(&[(100, Pulse, true, 110), (105, Pulse, false, 115), (115, Pulse, true, 125)]);
        // never beyond its expiry, then a rest, then again
        check(&[
            (100, Pulse, true, 110),
            (109, Pulse, false, 119),
            (118, Pulse, false, 125),
            (125, Pulse, false, 125),
        ]);
        check(&[
            (100, Hold, true, 125),
            (126, Hold, false, 125),
            (134, Hold, false, 125),
            (135, Hold, true, 160),
        ]);
        check(&[(100, Hold, true, 125), (105, Release, false, 115), (115, Hold, true, 140)]);
        check(&[(100, Hold, true, 125), (120, Release, false, 125), (130, Release, false, 125)]);
        // a clock that runs backwards shortens nothing and begins nothing
        check(&[(100, Hold, true, 125), (1, Hold, false, 125), (0, Pulse, false, 125)]);
        check(&[(u64::MAX - 1, Pulse, true, u64::MAX), (u64::MAX, Pulse, false, u64::MAX)]);
    }
}
