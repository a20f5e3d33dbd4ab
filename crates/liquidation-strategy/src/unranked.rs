//! Nobody first by merit: lots that nobody took are closed against whoever holds the other side, from a place in their list that the
//! recorded moment decides (dYdX v4, x/clob deleveraging: a pseudo-random start, then around).

use crate::allocation::{close_out, collect, deficit};
use crate::terms::accept;
use crate::{Cause, LiquidationError, LossAllocation, Need, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{At, Memory};

/// Holders of the other side, by group, from a start that is a hash of time, block, market and account, and round again. Each
/// closes all it holds until nothing is left; after `most` holders it ends, and the rest is the residual.
///
/// It closes and takes no cash: a deficit stays whole, for the next policy of an [`crate::InOrder`].
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot, Ticks};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::ZERO, equity: Amount::new(100),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::ZERO,
///     maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1), payer(2), payer(3)];
/// let cause = Cause::CloseOut { of: GroupId(9), lots: Lots::new(25), price: Ticks::new(100) };
/// let need = Need { cause, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::ZERO };
/// let mut memory = MapMemory::default();
/// let policy = UnrankedAllocation::new(500)?;
/// let s = memory.with(Slot(1), |m| policy.allocate(At::default(), &need, &payers.as_slice(), m))?;
/// assert_eq!((s.measures.len(), s.residual), (3, 0));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnrankedAllocation {
    most: usize,
}

impl UnrankedAllocation {
    /// Looks at `most` holders at most; at least one.
    pub fn new(most: u32) -> Result<Self, LiquidationError> {
        accept(most > 0, "most", 0, "at least one holder")?;
        Ok(Self { most: usize::try_from(most).unwrap_or(usize::MAX) })
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads its input.
pub(crate) const fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A place in a list of `count` that a recorded moment decides and nobody else; zero in an empty list.
///
/// ```
/// use cofferdam_core::{At, Millis};
/// use cofferdam_liquidation_strategy::place_of;
/// let at = At { time: Millis(1_000), block: 7, ..At::default() };
/// assert_eq!(place_of(at, 3, 10), place_of(at, 3, 10));
/// assert!(place_of(at, 3, 10) < 10);
/// ```
#[must_use]
pub fn place_of(at: At, salt: u64, count: usize) -> usize {
    let seed = mixed(mixed(mixed(at.time.0) ^ at.block) ^ salt);
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    usize::try_from(seed.checked_rem(count).unwrap_or(0)).unwrap_or(0)
}

impl LossAllocation for UnrankedAllocation {
    fn allocate(
        &self,
        at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let Cause::CloseOut { of, .. } = need.cause else {
            return Ok(Settlement { measures: Vec::new(), residual: deficit(need)?.get() });
        };
        let out = close_out(need)?;
        let mut left = out.size;
        let mut holders = collect(payers, |p| out.takes(p));
        let market = need.market.map_or(0, |m| u64::from(m.0));
        let start = place_of(at, (u64::from(of.0) << 32) | market, holders.len());
        holders.rotate_left(start); // start is below the count, or zero
        let mut measures = Vec::new();
        for p in holders.iter().take(self.most) {
            let size = left.min(p.lots.get().unsigned_abs().into());
            if size == 0 {
                break;
            }
            left = left.saturating_sub(size); // size <= left
            measures.push(out.measure(p, size)?);
        }
        out.settled(measures, left)
    }
}
