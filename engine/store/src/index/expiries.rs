//! How many keys of a table expire, and when on average.
//!
//! Owns the count and the sum, which follow from what is added and removed. Under the lock of
//! the table.

use thermocline_base::UnixMillis;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiries {
    /// How many keys expire.
    pub count: usize,
    /// The sum of their expiries, in Unix ms.
    sum_ms: i128,
}

impl Expiries {
    /// Counts a key with this expiry, if it has one.
    pub fn add(&mut self, expiry: Option<UnixMillis>) {
        if let Some(expiry) = expiry {
            self.count += 1;
            self.sum_ms += i128::from(expiry.0);
        }
    }

    /// No longer counts a key that was added with this expiry.
    pub fn remove(&mut self, expiry: Option<UnixMillis>) {
        if let Some(expiry) = expiry {
            self.count -= 1;
            self.sum_ms -= i128::from(expiry.0);
        }
    }

    /// Counts those of another table too.
    pub fn add_all(&mut self, other: Self) {
        self.count += other.count;
        self.sum_ms += other.sum_ms;
    }

    /// How much time is left to the keys on average at `now`, in ms; 0 if that has passed or
    /// none expires.
    #[must_use]
    pub fn average_left_ms(self, now: UnixMillis) -> u64 {
        let count = i128::try_from(self.count.max(1)).unwrap_or(i128::MAX);
        let left_ms = (self.sum_ms / count).saturating_sub(i128::from(now.0));
        match self.count {
            0 => 0,
            _ => u64::try_from(left_ms.max(0)).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_follows_what_is_there() {
        let at = |ms| Some(UnixMillis(ms));
        let mut expiries = Expiries::default();
        assert_eq!(expiries.average_left_ms(UnixMillis(0)), 0);
        for expiry in [at(100), at(300), None, at(i64::MAX), at(i64::MAX)] {
            expiries.add(expiry);
        }
        expiries.remove(at(i64::MAX));
        expiries.remove(at(i64::MAX));
        assert_eq!(expiries.count, 2);
        assert_eq!(expiries.average_left_ms(UnixMillis(50)), 150);
        assert_eq!(expiries.average_left_ms(UnixMillis(500)), 0);
        let mut both = Expiries::default();
        both.add(at(800));
        both.add_all(expiries);
        assert_eq!((both.count, both.average_left_ms(UnixMillis(0))), (3, 400));
    }
}
