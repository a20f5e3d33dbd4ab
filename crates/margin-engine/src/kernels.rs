//! The inner loop of the sweep: wrapping arithmetic whose bounds are proven here, and nothing else.
//!
//! No division and no 128-bit product: a requirement is bounded from below with one 64-bit multiplication per piece, by
//! numbers whose error is known. The model's exact demand lies in [demand, demand + fuzz) and its exact support in
//! (support - fuzz, support]; so the comparison below is certain outside a window of fuzz, and says "unsure" inside it.
//!
//! Bounds. The caller guarantees, per market with shift s <= 18: |lots| x unit < 2^(62 + s) for both units, every rate is below
//! two, deductions are in [0, 2^62] units of 2^s quanta, roundings < 2^16. An account has at most 2^15 positions. Then
//!
//! - value = lots x unit: < 2^80, the exact product of two i64; the sum < 2^95.
//! - funding: |moved| < 2^62 is checked and |lots| <= 2^63, so (lots x moved + 2^32 - 1) >> 32 <= 2^93; the sum < 2^108.
//! - n = notional >> s: < 2^62, and notional / 2^s - n < 1.
//! - share = (n x rate63) >> 63, rate63 = floor(rate x 2^63) < 2^64: product < 2^126, share < 2^63. It falls short of rate x
//!   notional / 2^s by less than 2 (n) + 1/2 (rate63) + 1 (shift), and share - deduction by less than 1 more (deductions are
//!   rounded up): by less than 5 units of 2^s. Both terms are in [0, 2^63), so the difference fits i64.
//! - The largest is >= 0 because the first piece has no deduction; demand << s < 2^81, the sum < 2^96.
//! - fuzz = 5 x 2^s + roundings < 2^21 per position; the sum < 2^36.
//!
//! The narrow form has 1 <= unit and |lots| x unit < 2^57 in every market, no shift and at most 16 positions. Then
//!
//! - value < 2^57 is exact in i64, the sum < 2^61; share < 2^58, deduction <= rate x notional + 1; the sum is within 2^62.
//! - n is the notional itself, and a step begins at the first whole notional at which its piece is the largest: so the piece
//!   that is taken is exactly the largest, one multiplication, with the error of one piece.
//! - funding: |lots| < 2^57 and |moved| < 2^63 is checked; the sum < 2^124. It is rounded up once instead of once per position,
//!   which makes it too small by less than one quantum per position: that is in the account's fuzz.
//! - profit, cash and slack are checked, once per account.

/// One quantum in the units of [`compare`]: 1e-9 quanta, so that weights in ppb need no division.
pub(crate) const QUANTUM: i128 = 1_000_000_000;
/// Bits of |lots| x unit before it is shifted.
pub(crate) const NARROW_BITS: u32 = 62;
/// Bits of |lots| x unit for the narrow form.
pub(crate) const SMALL_BITS: u32 = 57;
/// Most positions for the narrow form.
pub(crate) const SMALL_COUNT: usize = 16;
/// Most bits shifted off.
pub(crate) const SHIFT_MAX: u32 = 18;
/// Bound on an account's cost, profit and demand in quanta.
pub(crate) const PROFIT_LIMIT: i128 = 1 << 96;
/// Bound on a deduction in units of 2^shift quanta.
pub(crate) const DEDUCTION_LIMIT: i128 = 1 << 62;
/// Bound on a funding move.
const MOVED_LIMIT: i128 = 1 << 62;
/// Most pieces of one requirement besides the first.
pub(crate) const PIECES: usize = 12;

/// What a sweep needs of one market.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Whether the bounds hold; an account in a market where they do not goes the general way.
    pub(crate) fit: bool,
    pub(crate) shift: u32,
    /// How many pieces there are besides the first.
    pub(crate) more: usize,
    /// low x k, what a long lot is worth.
    pub(crate) long_unit: i64,
    /// high x k, what a short lot costs.
    pub(crate) short_unit: i64,
    pub(crate) funding: i128,
    /// Quanta by which a requirement may exceed its bound.
    pub(crate) fuzz: i64,
    /// Rate of the first piece.
    pub(crate) rate63: u64,
    /// Rate and deduction of the others.
    pub(crate) pieces: [(u64, i64); PIECES],
}

impl Terms {
    pub(crate) const UNFIT: Self = Self {
        fit: false,
        shift: 0,
        more: 0,
        long_unit: 0,
        short_unit: 0,
        funding: 0,
        fuzz: 0,
        rate63: 0,
        pieces: [(0, 0); PIECES],
    };
}

/// Sums over the positions of one account, in quanta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Value less funding. Exact.
    pub(crate) value: i128,
    /// Lower bound of the requirement.
    pub(crate) demand: i128,
    /// What the requirement may be above it.
    pub(crate) fuzz: i64,
}

/// Adds one position; `false` when the general way must be taken.
#[inline(always)]
pub(crate) fn position(t: &Terms, lots: i64, snapshot: i128, totals: &mut Totals) -> bool {
    // no branch on the side: in a book it is a coin toss
    let unit = t.long_unit ^ ((t.long_unit ^ t.short_unit) & (lots >> 63));
    let value = i128::from(lots).wrapping_mul(i128::from(unit));
    let twice_n = low_half(value.unsigned_abs() >> (t.shift & 31)) << 1;
    let mut demand = share(twice_n, t.rate63);
    for (rate63, deduction) in t.pieces.iter().take(t.more) {
        demand = demand.max(share(twice_n, *rate63).wrapping_sub(*deduction));
    }
    let moved = t.funding.wrapping_sub(snapshot);
    let mut funding = 0;
    if moved != 0 {
        if !(moved < MOVED_LIMIT && moved > -MOVED_LIMIT) {
            return false;
        }
        funding = ceil_shift(i128::from(lots).wrapping_mul(moved));
    }
    totals.value = totals.value.wrapping_add(value).wrapping_sub(funding);
    totals.demand = totals.demand.wrapping_add(i128::from(demand) << (t.shift & 31));
    totals.fuzz = totals.fuzz.wrapping_add(t.fuzz);
    t.fit
}

/// The piece that is the largest from some notional on, up to where the next one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Twice that notional.
    pub(crate) twice_from: u64,
    pub(crate) rate63: u64,
    pub(crate) deduction: i64,
}

/// What the narrow form needs of one market, beside each other; steps that a market lacks are beyond every notional.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<const MORE: usize> {
    funding: i128,
    long_unit: i64,
    /// long_unit ^ short_unit.
    flip: i64,
    first: Step,
    steps: [Step; MORE],
    /// Not zero where the bounds do not hold.
    unfit: i64,
}

impl<const MORE: usize> Row<MORE> {
    /// The steps ascend from zero. `None` when there are none, or more than there is room for.
    pub(crate) fn new(t: &Terms, steps: &[Step]) -> Option<Self> {
        let (first, rest) = steps.split_first()?;
        let mut steps = [Step { twice_from: u64::MAX, ..*first }; MORE];
        steps.get_mut(..rest.len())?.copy_from_slice(rest);
        let (long_unit, flip) = (t.long_unit, t.long_unit ^ t.short_unit);
        Some(Self { funding: t.funding, long_unit, flip, first: *first, steps, unfit: i64::from(!t.fit) })
    }
}

/// Sums of the narrow form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrow {
    value: i64,
    demand: i64,
    /// In 2^-32 quanta.
    funding: i128,
    /// Not zero when the general way must be taken.
    unfit: i64,
}

impl Narrow {
    /// [`position`] in 64 bits, without a branch unless funding has moved.
    #[inline(always)]
    pub(crate) fn add<const MORE: usize>(&mut self, row: &Row<MORE>, lots: i64, snapshot: i128) {
        let value = lots.wrapping_mul(row.long_unit ^ (row.flip & (lots >> 63)));
        let twice_n = value.unsigned_abs() << 1;
        let (mut rate63, mut deduction) = (row.first.rate63, row.first.deduction);
        for step in &row.steps {
            let reached = twice_n >= step.twice_from;
            rate63 = if reached { step.rate63 } else { rate63 };
            deduction = if reached { step.deduction } else { deduction };
        }
        let demand = share(twice_n, rate63).wrapping_sub(deduction);
        self.value = self.value.wrapping_add(value);
        self.demand = self.demand.wrapping_add(demand);
        self.unfit |= row.unfit;
        if row.funding != snapshot {
            let moved = row.funding.wrapping_sub(snapshot);
            let low = low_signed(moved);
            // zero where the high half only repeats the sign
            self.unfit |= low_signed(moved >> 64) ^ (low >> 63);
            self.funding = self.funding.wrapping_add(i128::from(lots).wrapping_mul(i128::from(low)));
        }
    }

    /// Profit in quanta, from the account's cost; `None` where 64 bits are too few or a market does not fit.
    #[inline(always)]
    pub(crate) fn profit(&self, cost: i128) -> Option<i64> {
        let owed = i64::try_from(ceil_shift(self.funding)).ok()?;
        let profit = self.value.checked_sub(i64::try_from(cost).ok()?)?.checked_sub(owed)?;
        (self.unfit == 0).then_some(profit)
    }

    /// Lower bound of the requirement in quanta.
    #[inline(always)]
    pub(crate) fn demand(&self) -> i64 {
        self.demand
    }
}

/// [`compare`] in whole quanta; `None` where 64 bits are too few.
#[inline(always)]
pub(crate) fn compare_whole(support: i64, demand: i64, fuzz: i64) -> Option<Verdict> {
    let slack = support.checked_sub(demand)?;
    Some(match slack {
        s if s < 0 => Verdict::Below,
        s if s >= fuzz => Verdict::NotBelow,
        _ => Verdict::Unsure,
    })
}

/// (n x rate63) >> 63, below 2^63, from 2 n: the high half of one product.
#[inline(always)]
fn share(twice_n: u64, rate63: u64) -> i64 {
    0_i64.wrapping_add_unsigned(low_half(u128::from(twice_n).wrapping_mul(u128::from(rate63)) >> 64))
}

/// The low 64 bits; the high ones are zero within the bounds.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn low_half(x: u128) -> u64 {
    x as u64
}

/// The low 64 bits as a signed number.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn low_signed(x: i128) -> i64 {
    x as i64
}

/// ceil(x / 2^32) for |x| <= 2^126.
#[inline(always)]
pub(crate) fn ceil_shift(x: i128) -> i128 {
    x.wrapping_add((1 << 32) - 1) >> 32
}

/// The fuzz of an account in the narrow form: at most 16 positions of fuzz < 2^21 each.
#[inline(always)]
pub(crate) fn narrow_fuzz(each: i64, count: usize) -> i64 {
    each.wrapping_mul(0_i64.wrapping_add_unsigned(count as u64)).wrapping_add(1)
}

/// What is known of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Below,
    NotBelow,
    Unsure,
}

/// Compares support against demand in 1e-9 quanta: support may be too high and demand too low, together by less than `fuzz`
/// quanta. Both are below 2^126 in magnitude and `fuzz` below 2^62, so nothing wraps.
#[inline(always)]
pub(crate) fn compare(support: i128, demand: i128, fuzz: i64) -> Verdict {
    if support < demand {
        Verdict::Below
    } else if support.wrapping_sub(i128::from(fuzz).wrapping_mul(QUANTUM)) >= demand {
        Verdict::NotBelow
    } else {
        Verdict::Unsure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceil_shift_is_the_ceiling_around_every_multiple() {
        for n in -3_i128..=3 {
            for d in [-(1_i128 << 31), -2, -1, 0, 1, 2, 1 << 31] {
                let x = n * (1 << 32) + d;
                assert_eq!(ceil_shift(x), -((-x).div_euclid(1 << 32)), "{x}");
            }
        }
    }

    // every pair of sums around whole quanta, in thirds of a quantum
    #[test]
    fn a_certain_verdict_is_the_rounded_one() {
        for support in -20_i128..=20 {
            for a in 0..=12_i128 {
                for b in 0..=12_i128 {
                    let third = QUANTUM / 3;
                    let (s, x, y) = (support * third, a * third, b * third);
                    let exact = s.div_euclid(QUANTUM) < up(x) + up(y);
                    let whole = compare_whole(support as i64, (a + b) as i64, 3).unwrap();
                    match whole {
                        // whole quanta: thirds are the units here
                        Verdict::Below => assert!(support < a + b),
                        Verdict::NotBelow => assert!(support - 3 >= a + b),
                        Verdict::Unsure => assert!((0..3).contains(&(support - a - b))),
                    }
                    match compare(s, x + y, 3) {
                        Verdict::Below => assert!(exact),
                        Verdict::NotBelow => assert!(!exact),
                        Verdict::Unsure => {}
                    }
                }
            }
        }
    }

    fn up(x: i128) -> i128 {
        -((-x).div_euclid(QUANTUM))
    }

    /// The kernel on one position with pieces (rate in ppb, deduction in 1e-9 quanta) against the exact requirement.
    fn check(lots: i64, unit: i64, shift: u32, pieces: &[(i128, i128)]) {
        let mut t = Terms::UNFIT;
        (t.fit, t.shift, t.fuzz) = (true, shift, (5 << shift) + 1);
        (t.long_unit, t.short_unit, t.more) = (unit, unit, pieces.len() - 1);
        let rate63 = |rate: i128| u64::try_from((rate << 63) / QUANTUM).unwrap();
        t.rate63 = rate63(pieces[0].0);
        for (slot, (rate, deduction)) in t.pieces.iter_mut().zip(&pieces[1..]) {
            let units = -((-deduction).div_euclid(QUANTUM << shift));
            *slot = (rate63(*rate), i64::try_from(units).unwrap());
        }
        let mut totals = Totals::default();
        assert!(position(&t, lots, 0, &mut totals));
        let value = i128::from(lots) * i128::from(unit);
        assert_eq!(totals.value, value);
        let exact = pieces.iter().map(|(r, d)| up(value.abs() * r - d)).max().unwrap();
        let range = totals.demand..totals.demand + i128::from(totals.fuzz);
        assert!(range.contains(&exact), "{exact} not in {range:?}: {lots} x {unit} >> {shift}");
        if shift == 0 && value.abs() < 1 << SMALL_BITS {
            let mut sums = Narrow::default();
            sums.add(&Row::<0>::new(&t, &brute(pieces, value.abs())).unwrap(), lots, 0);
            assert_eq!(sums.profit(0).map(i128::from), Some(value));
            let range = i128::from(sums.demand)..i128::from(sums.demand) + i128::from(t.fuzz);
            assert!(range.contains(&exact), "{exact} not in {range:?}: {lots} x {unit}");
        }
    }

    /// The one step that matters at a notional, found by trying every piece.
    fn brute(pieces: &[(i128, i128)], n: i128) -> [Step; 1] {
        let (rate, deduction) = *pieces.iter().max_by_key(|(r, d)| n * r - d).unwrap();
        let deduction = i64::try_from(up(deduction)).unwrap();
        [Step { twice_from: 0, rate63: u64::try_from((rate << 63) / QUANTUM).unwrap(), deduction }]
    }

    #[test]
    fn the_requirement_is_inside_its_bounds() {
        let rates = [0, 1, 7, 333_333_333, 999_999_999, 1_000_000_000, 1_999_999_999];
        for shift in [0, 1, 7, SHIFT_MAX] {
            // all small sizes, then the edges of every width up to the largest that is allowed
            let small = (-70..=70_i64).map(|lots| (lots, 3));
            let wide = (0..NARROW_BITS + shift).map(|bits| {
                let half = bits / 2;
                ((1_i64 << half) - i64::from(bits % 3 == 0), (1_i64 << (bits - half)) - 1)
            });
            for (lots, unit) in small.chain(wide) {
                for first in rates {
                    check(lots, unit, shift, &[(first, 0)]);
                    for deduction in [0, 1, QUANTUM - 1, QUANTUM, 12_345 * QUANTUM + 1] {
                        check(lots, unit, shift, &[(first, 0), (1_999_999_999, deduction), (500_000_000, 3)]);
                        check(
                            -lots,
                            unit,
                            shift,
                            &[(first, 0), (first + 1, deduction)].map(|(r, d)| (r.min(1_999_999_999), d)),
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn funding_is_the_same_in_both_forms() {
        let mut t = Terms::UNFIT;
        t.fit = true;
        for funding in [0, 1, -1, 1 << 32, -(1 << 32) + 1, (1 << 62) - 1, 1 << 63] {
            for lots in [0, 1, -1, 77, -1_000_003, (1 << 57) - 1, 1 - (1 << 57)] {
                t.funding = funding;
                let (mut totals, mut narrow) = (Totals::default(), Narrow::default());
                narrow.add(&Row::<0>::new(&t, &[Step::default()]).unwrap(), lots, 5);
                // each form refuses beyond its own bounds
                if let (true, Some(profit)) = (position(&t, lots, 5, &mut totals), narrow.profit(0)) {
                    assert_eq!(i128::from(profit), totals.value);
                }
            }
        }
    }

    #[test]
    fn funding_of_many_is_short_of_the_sum_of_roundings_by_less_than_their_number() {
        let mut t = Terms::UNFIT;
        t.fit = true;
        for funding in [1, -1, (1 << 32) - 1, 1 << 31, 3 << 30, i128::from(i64::MAX)] {
            for lots in [1, -1, 3, -77, (1 << 57) - 1] {
                t.funding = funding;
                let row = Row::<0>::new(&t, &[Step::default()]).unwrap();
                let (mut totals, mut narrow) = (Totals::default(), Narrow::default());
                for _ in 0..SMALL_COUNT {
                    narrow.add(&row, lots, 0);
                    if funding < MOVED_LIMIT {
                        assert!(position(&t, lots, 0, &mut totals));
                    } else {
                        totals.value -= ceil_shift(i128::from(lots) * funding);
                    }
                }
                let Some(profit) = narrow.profit(0) else { continue };
                let over = i128::from(profit) - totals.value;
                assert!((0..16).contains(&over), "{lots} lots, {funding}: {over}");
            }
        }
    }

    #[test]
    fn what_the_narrow_form_refuses() {
        let mut t = Terms::UNFIT;
        let refuses = |t: &Terms, lots, snapshot, cost| {
            let mut sums = Narrow::default();
            sums.add(&Row::<0>::new(t, &[Step::default()]).unwrap(), lots, snapshot);
            sums.profit(cost).is_none()
        };
        assert!(refuses(&t, 1, 0, 0)); // a market that does not fit
        t.fit = true;
        assert!(!refuses(&t, 1, 0, 0));
        assert!(refuses(&t, 1, (1 << 63) + 1, 0)); // a funding move
        assert!(refuses(&t, 1, -(1 << 63), 0));
        assert!(refuses(&t, 1, 0, 1 << 64)); // cost
        assert_eq!(compare_whole(i64::MAX, -1, 0), None);
        assert!(Row::<0>::new(&t, &[Step::default(); 2]).is_none());
        assert!(Row::<0>::new(&t, &[]).is_none());
    }

    #[test]
    fn the_largest_inputs_stay_in_range() {
        let mut t = Terms::UNFIT;
        (t.fit, t.shift, t.rate63, t.more) = (true, SHIFT_MAX, u64::MAX, 1);
        t.pieces[0] = (u64::MAX, 1 << 62);
        (t.long_unit, t.short_unit, t.funding) = ((1 << 17) - 1, (1 << 17) - 1, (1 << 62) - 1);
        for lots in [i64::MAX, -i64::MAX] {
            let mut totals = Totals::default();
            assert!(position(&t, lots, 0, &mut totals));
            let value = i128::from(lots) * ((1 << 17) - 1);
            let funding = (i128::from(lots) * ((1 << 62) - 1) + (1 << 32) - 1).div_euclid(1 << 32);
            assert_eq!(totals.value, value - funding);
            let exact = value.abs() * 2;
            assert!(totals.demand <= exact && exact - totals.demand < 5 << SHIFT_MAX);
        }
    }
}
