//! Which key comes next.
//!
//! Owns the names of keys (16 bytes each) and the orders in which a load
//! visits them. Does not own values. A [`Picker`] belongs to one thread; what
//! threads share of an order is one atomic cursor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use thermocline_base::Random;

/// Bytes of a key's name, for numbers below 10¹².
pub const KEY_BYTES: usize = 16;

/// Appends the name of key `id`.
pub fn write_key(id: u64, out: &mut Vec<u8>) {
    let mut name = *b"key:000000000000";
    let mut rest = id;
    for digit in name.iter_mut().skip(4).rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&name);
}

/// The order of the keys of one load.
#[derive(Clone, Debug)]
pub enum Order {
    /// Each of the first `keys` keys as likely as any other.
    Uniform {
        /// How many there are.
        keys: u64,
    },
    /// A few of the first `keys` keys most of the time: [`Zipf`], scattered
    /// over the key space so that popular keys are not neighbours.
    Zipf {
        /// How many there are.
        keys: u64,
    },
    /// `first`, `first + step`, … below `end`, once each.
    Sequential {
        /// The first.
        first: u64,
        /// The distance from one to the next, at least 1.
        step: u64,
        /// The first that is too high.
        end: u64,
    },
    /// These, once in this order.
    Listed(Arc<[u32]>),
}

impl Order {
    /// All of the first `keys` keys, once each.
    #[must_use]
    pub const fn all(keys: u64) -> Self {
        Self::Sequential {
            first: 0,
            step: 1,
            end: keys,
        }
    }

    /// How many requests the order holds; `None` if it never ends.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Uniform { .. } | Self::Zipf { .. } => None,
            Self::Sequential { first, step, end } => {
                Some(end.saturating_sub(*first).div_ceil((*step).max(1)))
            }
            Self::Listed(ids) => Some(ids.len() as u64),
        }
    }
}

/// One thread's view of an order; clones share the cursor.
#[derive(Clone)]
pub struct Picker {
    order: Order,
    zipf: Option<Zipf>,
    cursor: Arc<AtomicU64>,
}

impl Picker {
    /// The beginning of `order`.
    #[must_use]
    pub fn new(order: Order) -> Self {
        let zipf = match order {
            Order::Zipf { keys } => Some(Zipf::new(keys)),
            _ => None,
        };
        Self {
            order,
            zipf,
            cursor: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The next key; `None` at the end.
    pub fn next(&self, random: &mut Random) -> Option<u64> {
        match &self.order {
            Order::Uniform { keys } => Some(random.below(*keys)),
            Order::Zipf { keys } => {
                let rank = self.zipf.as_ref()?.rank(random);
                Some(scattered(rank, *keys))
            }
            Order::Sequential { first, step, end } => {
                let id = first + self.turn() * step;
                (id < *end).then_some(id)
            }
            Order::Listed(ids) => {
                let index = usize::try_from(self.turn()).ok()?;
                ids.get(index).map(|&id| u64::from(id))
            }
        }
    }

    fn turn(&self) -> u64 {
        // ORDERING: only the number itself is shared.
        self.cursor.fetch_add(1, Ordering::Relaxed)
    }
}

/// A permutation of `0..keys` for any count that is no multiple of the prime.
fn scattered(rank: u64, keys: u64) -> u64 {
    const PRIME: u128 = 11_400_714_819_323_198_549;
    let product = u128::from(rank) * PRIME;
    (product % u128::from(keys.max(1))) as u64
}

/// Ranks by a Zipf law of exponent 0.99: J. Gray et al., "Quickly Generating
/// Billion-Record Synthetic Databases", SIGMOD 1994, as YCSB uses it.
#[derive(Clone, Debug)]
pub struct Zipf {
    keys: f64,
    zeta: f64,
    eta: f64,
}

impl Zipf {
    /// YCSB's constant.
    const THETA: f64 = 0.99;
    /// Terms summed one by one; the rest of the sum is an integral.
    const EXACT: u64 = 100_000;

    /// Ranks below `keys`.
    #[must_use]
    pub fn new(keys: u64) -> Self {
        let zeta = Self::zeta(keys);
        let count = keys.max(1) as f64;
        let eta = (1.0 - (2.0 / count).powf(1.0 - Self::THETA)) / (1.0 - Self::zeta(2) / zeta);
        Self {
            keys: count,
            zeta,
            eta,
        }
    }

    fn zeta(keys: u64) -> f64 {
        let exact = keys.min(Self::EXACT);
        let sum: f64 = (1..=exact)
            .map(|rank| (rank as f64).powf(-Self::THETA))
            .sum();
        let power = 1.0 - Self::THETA;
        let tail = |at: u64| (at as f64 + 0.5).powf(power) / power;
        if keys > exact {
            sum + tail(keys) - tail(exact)
        } else {
            sum
        }
    }

    /// A rank, 0 the most likely.
    pub fn rank(&self, random: &mut Random) -> u64 {
        let uniform = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let scaled = uniform * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(Self::THETA) {
            return 1.min(self.keys as u64 - 1);
        }
        let base = self.eta * uniform - self.eta + 1.0;
        let rank = self.keys * base.powf(1.0 / (1.0 - Self::THETA));
        (rank as u64).min(self.keys as u64 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn taken(order: Order) -> Vec<u64> {
        let picker = Picker::new(order);
        let mut random = Random::new(1);
        std::iter::from_fn(|| picker.next(&mut random)).collect()
    }

    #[test]
    fn names_are_sixteen_bytes() {
        let mut out = Vec::new();
        write_key(1_234_567, &mut out);
        assert_eq!(out, b"key:000001234567");
        assert_eq!(out.len(), KEY_BYTES);
    }

    #[test]
    fn finite_orders_visit_each_key_once() {
        let step = Order::Sequential {
            first: 3,
            step: 4,
            end: 15,
        };
        assert_eq!(step.length(), Some(3));
        assert_eq!(taken(step), [3, 7, 11]);
        assert_eq!(taken(Order::all(4)), [0, 1, 2, 3]);
        assert_eq!(taken(Order::Listed(Arc::from([9, 9, 2]))), [9, 9, 2]);
    }

    #[test]
    fn scattering_is_a_permutation() {
        for keys in [1, 2, 10, 1000, 65_536] {
            let seen: HashSet<u64> = (0..keys).map(|rank| scattered(rank, keys)).collect();
            assert_eq!(seen.len() as u64, keys);
            assert!(seen.iter().all(|&id| id < keys));
        }
    }

    #[test]
    fn zipf_has_the_head_of_its_law() {
        let keys = 1_000_000;
        let zipf = Zipf::new(keys);
        let mut random = Random::new(3);
        let mut hits = [0_u32; 10];
        let draws = 200_000;
        for _ in 0..draws {
            let rank = zipf.rank(&mut random);
            assert!(rank < keys);
            if let Some(hit) = hits.get_mut(rank as usize) {
                *hit += 1;
            }
        }
        // P(rank 0) = 1/ζ(10⁶) = 6.6 %, P(rank 1) = that over 2^0.99.
        let share = |rank: usize| f64::from(hits[rank]) / f64::from(draws);
        assert!((0.060..0.072).contains(&share(0)), "{}", share(0));
        assert!((0.029..0.037).contains(&share(1)), "{}", share(1));
    }

    #[test]
    fn the_long_sum_agrees_with_the_exact_one() {
        let keys = 300_000_u64;
        let exact: f64 = (1..=keys).map(|rank| (rank as f64).powf(-0.99)).sum();
        assert!((Zipf::zeta(keys) - exact).abs() < 1e-6 * exact);
    }
}
