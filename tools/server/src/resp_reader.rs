//! Reads replies that this server wrote itself, in RESP2.
//!
//! Owns the few forms that internal calls meet. Not for bytes from outside, but it does not
//! trust them either: what does not fit is `None`, and nesting is bounded. Pure functions.

/// Deepest nesting of arrays.
const DEPTH: u32 = 8;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A status, error or integer: its line with the first byte.
    Line(Vec<u8>),
    /// A string.
    Bulk(Vec<u8>),
    /// The absent string or array.
    Null,
    /// An array.
    Array(Vec<Item>),
}

/// The reply at `offset` of `bytes` and where the next begins.
pub(crate) fn read_item(bytes: &[u8], offset: usize) -> Option<(Item, usize)> {
    read(bytes, offset, DEPTH)
}

fn read(bytes: &[u8], offset: usize, depth: u32) -> Option<(Item, usize)> {
    let rest = bytes.get(offset..)?;
    let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = rest.get(..length)?;
    let mut next = offset.checked_add(length)?.checked_add(2)?;
    let number = || -> Option<i64> { std::str::from_utf8(line.get(1..)?).ok()?.parse().ok() };
    match line.first()? {
        b'$' => {
            let Ok(length) = usize::try_from(number()?) else {
                return Some((Item::Null, next));
            };
            let end = next.checked_add(length)?;
            let bulk = bytes.get(next..end)?.to_vec();
            Some((Item::Bulk(bulk), end.checked_add(2)?))
        }
        b'*' => {
            let Ok(count) = usize::try_from(number()?) else {
                return Some((Item::Null, next));
            };
            let depth = depth.checked_sub(1)?;
            let mut items = Vec::new();
            for _ in 0..count {
                let (item, after) = read(bytes, next, depth)?;
                items.push(item);
                next = after;
            }
            Some((Item::Array(items), next))
        }
        _ => Some((Item::Line(line.to_vec()), next)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_internal_replies_are_read() {
        let text = b"*3\r\n$1\r\n0\r\n*1\r\n$2\r\n\r\n\r\n:5\r\n+OK\r\n";
        let (item, next) = read_item(text, 0).unwrap();
        let expected = Item::Array(vec![
            Item::Bulk(b"0".to_vec()),
            Item::Array(vec![Item::Bulk(b"\r\n".to_vec())]),
            Item::Line(b":5".to_vec()),
        ]);
        assert_eq!(item, expected);
        assert_eq!(
            read_item(text, next).unwrap().0,
            Item::Line(b"+OK".to_vec())
        );
        assert_eq!(read_item(b"$-1\r\n", 0).unwrap().0, Item::Null);
    }

    #[test]
    fn what_does_not_fit_is_none() {
        for text in [
            "",
            "$5\r\nab\r\n",
            "*2\r\n:1\r\n",
            "$x\r\n",
            "*999999999999\r\n",
        ] {
            assert_eq!(read_item(text.as_bytes(), 0), None, "{text}");
        }
        let deep = "*1\r\n".repeat(100);
        assert_eq!(read_item(deep.as_bytes(), 0), None);
    }
}
