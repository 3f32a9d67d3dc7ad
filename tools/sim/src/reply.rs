//! Replies of version 2 of the protocol, taken apart.
//!
//! Owns the walk through the bytes of one reply. Does not know commands. Pure.

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// A simple string.
    Simple(String),
    /// An error with its text.
    Error(String),
    /// A number.
    Integer(i64),
    /// A string; `None` is the null of either kind.
    Bulk(Option<Vec<u8>>),
    /// Several.
    Array(Vec<Self>),
}

impl Reply {
    /// The reply that `bytes` are; `None` if they are none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (reply, rest) = parse(bytes)?;
        rest.is_empty().then_some(reply)
    }

    /// The strings of a flat array.
    #[must_use]
    pub fn strings(&self) -> Option<Vec<Vec<u8>>> {
        let Self::Array(items) = self else {
            return None;
        };
        let string = |item: &Self| match item {
            Self::Bulk(Some(bytes)) => Some(bytes.clone()),
            _ => None,
        };
        items.iter().map(string).collect()
    }
}

fn parse(bytes: &[u8]) -> Option<(Reply, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = (bytes.get(1..end)?, bytes.get(end + 2..)?);
    let line = std::str::from_utf8(line).ok()?;
    match bytes.first()? {
        b'+' => Some((Reply::Simple(line.to_owned()), rest)),
        b'-' => Some((Reply::Error(line.to_owned()), rest)),
        b':' => Some((Reply::Integer(line.parse().ok()?), rest)),
        b'$' | b'*' if line == "-1" => Some((Reply::Bulk(None), rest)),
        b'$' => {
            let (string, rest) = rest.split_at_checked(line.parse().ok()?)?;
            Some((
                Reply::Bulk(Some(string.to_vec())),
                rest.strip_prefix(b"\r\n")?,
            ))
        }
        b'*' => {
            let count: usize = line.parse().ok()?;
            let mut items = Vec::new();
            let mut rest = rest;
            for _ in 0..count {
                let (item, left) = parse(rest)?;
                items.push(item);
                rest = left;
            }
            Some((Reply::Array(items), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_replies_are_taken_apart() {
        let bytes = b"*4\r\n:-2\r\n$2\r\nab\r\n*1\r\n$-1\r\n-ERR no\r\n";
        let expected = Reply::Array(vec![
            Reply::Integer(-2),
            Reply::Bulk(Some(b"ab".to_vec())),
            Reply::Array(vec![Reply::Bulk(None)]),
            Reply::Error("ERR no".to_owned()),
        ]);
        assert_eq!(Reply::parse(bytes), Some(expected));
        assert_eq!(Reply::parse(b"$3\r\nab\r\n"), None);
    }
}
