//! PFSELFTEST: whether both encodings agree and the estimate is as near as it should be.
//!
//! Owns the test. Touches no key. Takes some ms on the thread that runs it.

use crate::context::{Context, Failure};
use crate::error::BitsError;
use thermocline_types::hyperloglog::{self, HyperLogLogError, REGISTERS};

/// Elements added.
const ELEMENTS: u64 = 100_000;

pub(super) fn pfselftest(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    let seed = context.random.next_u64();
    let sparse_max_bytes = context.settings.hll_sparse_max_bytes();
    let found = test(seed, sparse_max_bytes).map_err(|_| BitsError::CorruptHyperLogLog)?;
    if let Some(what) = found {
        return Err(BitsError::SelfTest(what).into());
    }
    context.reply.simple("OK");
    Ok(())
}

/// What is wrong, if anything is.
fn test(seed: u64, sparse_max_bytes: usize) -> Result<Option<&'static str>, HyperLogLogError> {
    let (mut dense, mut growing) = (hyperloglog::empty(), hyperloglog::empty());
    hyperloglog::make_dense(&mut dense)?;
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let (index, rank) = hyperloglog::place(&(number ^ seed).to_le_bytes());
        hyperloglog::raise(&mut dense, index, rank, sparse_max_bytes)?;
        hyperloglog::raise(&mut growing, index, rank, sparse_max_bytes)?;
        if number < checkpoint {
            continue;
        }
        let found = hyperloglog::cardinality(&dense)?;
        if hyperloglog::cardinality(&growing)? != found {
            return Ok(Some("dense/sparse disagree"));
        }
        // Six standard errors, and one element where collisions count for more.
        let most = (standard_error * 6.0 * number as f64).ceil().max(1.0);
        if found.abs_diff(number) as f64 > most {
            return Ok(Some("Too big error."));
        }
        checkpoint *= 10;
    }
    Ok(None)
}
