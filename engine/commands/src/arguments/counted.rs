//! Keys behind their number, as SINTERCARD and its kin have them.
//!
//! Owns the errors about that number. Does not own which of the arguments are the
//! keys: the command table does. Pure, any thread.

use super::parse_integer;
use crate::error::CommandError;

/// What follows the keys; `arguments` begin with their number.
///
/// # Errors
/// [`CommandError::KeyCountNotPositive`], [`CommandError::TooFewKeys`].
pub fn parse_counted_keys<'c, 'k>(
    arguments: &'c [&'k [u8]],
) -> Result<&'c [&'k [u8]], CommandError> {
    let (count, rest) = arguments.split_first().ok_or(CommandError::Syntax)?;
    let count = parse_integer(count).map_err(|_| CommandError::KeyCountNotPositive)?;
    if count < 1 {
        return Err(CommandError::KeyCountNotPositive);
    }
    let keys = usize::try_from(count).ok();
    keys.and_then(|keys| rest.get(keys..))
        .ok_or(CommandError::TooFewKeys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_checked_before_the_keys() {
        use CommandError::{KeyCountNotPositive, TooFewKeys};
        let parse = |line: &'static str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            parse_counted_keys(&words).map(<[&[u8]]>::len)
        };
        for (line, expected) in [
            ("2 a b", Ok(0)),
            ("1 a limit 5", Ok(2)),
            ("3 a b", Err(TooFewKeys)),
            ("9223372036854775807 a", Err(TooFewKeys)),
            ("0 a", Err(KeyCountNotPositive)),
            ("-1 a", Err(KeyCountNotPositive)),
            ("x a", Err(KeyCountNotPositive)),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
