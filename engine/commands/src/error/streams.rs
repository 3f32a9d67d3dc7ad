//! The errors of the commands on streams.
//!
//! Owns their texts, byte for byte as Valkey 9.1.2 writes them (Redis 8.2 where Valkey has no
//! such option). Pure data.

use std::borrow::Cow;

/// Why a command on a stream was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// A text with nothing of the request.
    Fixed(&'static str),
    /// A text with something of the request; holds it all.
    Made(Box<[u8]>),
}

/// What is no id.
pub(crate) const INVALID_ID: StreamError =
    StreamError::Fixed("ERR Invalid stream ID specified as stream command argument");
pub(crate) const INVALID_START: StreamError =
    StreamError::Fixed("ERR invalid start ID for the interval");
pub(crate) const INVALID_END: StreamError =
    StreamError::Fixed("ERR invalid end ID for the interval");
pub(crate) const TRIM_CONFLICT: StreamError = StreamError::Fixed(
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);
pub(crate) const NEGATIVE_LENGTH: StreamError =
    StreamError::Fixed("ERR The MAXLEN argument must be >= 0.");
pub(crate) const NEGATIVE_LIMIT: StreamError =
    StreamError::Fixed("ERR The LIMIT argument must be >= 0.");
pub(crate) const LIMIT_WITHOUT_TRIM: StreamError = StreamError::Fixed(
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
pub(crate) const TRIM_MISSING: StreamError =
    StreamError::Fixed("ERR syntax error, XTRIM must be called with a trimming strategy");
pub(crate) const LIMIT_OF_EXACT: StreamError =
    StreamError::Fixed("ERR syntax error, LIMIT cannot be used without the special ~ option");
pub(crate) const ID_ZERO: StreamError =
    StreamError::Fixed("ERR The ID specified in XADD must be greater than 0-0");
pub(crate) const IDS_EXHAUSTED: StreamError = StreamError::Fixed(
    "ERR The stream has exhausted the last possible ID, unable to add more items",
);
pub(crate) const ID_TOO_SMALL: StreamError = StreamError::Fixed(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
pub(crate) const TOO_LARGE: StreamError =
    StreamError::Fixed("ERR Elements are too large to be stored");
pub(crate) const GROUP_OF_READ: StreamError = StreamError::Fixed(
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
);
pub(crate) const NOACK_OF_READ: StreamError = StreamError::Fixed(
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
);
pub(crate) const GROUP_MISSING: StreamError =
    StreamError::Fixed("ERR Missing GROUP option for XREADGROUP");
pub(crate) const LAST_OF_GROUP: StreamError = StreamError::Fixed(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID \
     would just return an empty result set.",
);
pub(crate) const NEWEST_OF_GROUP: StreamError = StreamError::Fixed(
    "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID \
     would just return an empty result set.",
);
pub(crate) const NEW_WITHOUT_GROUP: StreamError = StreamError::Fixed(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
     <consumer> option.",
);
pub(crate) const NEGATIVE_ENTRIES_READ: StreamError =
    StreamError::Fixed("ERR value for ENTRIESREAD must be positive or -1");
pub(crate) const NO_STREAM: StreamError = StreamError::Fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to \
     use the MKSTREAM option to create an empty stream automatically.",
);
pub(crate) const BUSY_GROUP: StreamError =
    StreamError::Fixed("BUSYGROUP Consumer Group name already exists");
pub(crate) const NEGATIVE_ENTRIES_ADDED: StreamError =
    StreamError::Fixed("ERR entries_added must be positive");
pub(crate) const BELOW_GIVEN_DELETED: StreamError = StreamError::Fixed(
    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
pub(crate) const BELOW_DELETED: StreamError = StreamError::Fixed(
    "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
);
pub(crate) const BELOW_LAST: StreamError =
    StreamError::Fixed("ERR The ID specified in XSETID is smaller than the target stream top item");
pub(crate) const BELOW_LENGTH: StreamError = StreamError::Fixed(
    "ERR The entries_added specified in XSETID is smaller than the target stream length",
);
pub(crate) const CLAIM_IDLE_TIME: StreamError =
    StreamError::Fixed("ERR Invalid min-idle-time argument for XCLAIM");
pub(crate) const CLAIM_IDLE: StreamError =
    StreamError::Fixed("ERR Invalid IDLE option argument for XCLAIM");
pub(crate) const CLAIM_TIME: StreamError =
    StreamError::Fixed("ERR Invalid TIME option argument for XCLAIM");
pub(crate) const CLAIM_RETRIES: StreamError =
    StreamError::Fixed("ERR Invalid RETRYCOUNT option argument for XCLAIM");
pub(crate) const AUTOCLAIM_IDLE_TIME: StreamError =
    StreamError::Fixed("ERR Invalid min-idle-time argument for XAUTOCLAIM");
pub(crate) const COUNT_NOT_POSITIVE: StreamError = StreamError::Fixed("ERR COUNT must be > 0");
pub(crate) const IDS_NOT_POSITIVE: StreamError =
    StreamError::Fixed("ERR Number of IDs must be a positive integer");
pub(crate) const IDS_MISCOUNTED: StreamError =
    StreamError::Fixed("ERR The `numids` parameter must match the number of arguments");

impl StreamError {
    fn made(parts: &[&[u8]]) -> Self {
        // The words of the request are at the odd places.
        let cleaned = parts.iter().enumerate().flat_map(|(place, part)| {
            let is_quoted = place % 2 == 1;
            let cleaned: Vec<u8> = if is_quoted {
                super::clean(part, usize::MAX).collect()
            } else {
                part.to_vec()
            };
            cleaned
        });
        Self::Made(cleaned.collect())
    }

    /// XREAD or XREADGROUP with unequal numbers of keys and ids.
    pub(crate) fn unbalanced(command: &str, mark: &str) -> Self {
        let text = format!(
            "ERR Unbalanced '{command}' list of streams: for each stream key an ID or '{mark}' \
             must be specified."
        );
        Self::Made(text.into_bytes().into())
    }

    /// XREADGROUP of a group that is not there.
    pub(crate) fn no_group_to_read(key: &[u8], group: &[u8]) -> Self {
        Self::made(&[
            b"NOGROUP No such key '",
            key,
            b"' or consumer group '",
            group,
            b"' in XREADGROUP with GROUP option",
        ])
    }

    /// A key or a group that is not there.
    pub(crate) fn no_key_or_group(key: &[u8], group: &[u8]) -> Self {
        Self::made(&[
            b"NOGROUP No such key '",
            key,
            b"' or consumer group '",
            group,
            b"'",
        ])
    }

    /// A group that is not there, of a key that is.
    pub(crate) fn no_group(key: &[u8], group: &[u8]) -> Self {
        let parts: [&[u8]; 5] = [
            b"NOGROUP No such consumer group '",
            group,
            b"' for key name '",
            key,
            b"'",
        ];
        Self::made(&parts)
    }

    /// An option XCLAIM does not have.
    pub(crate) fn unknown_claim_option(option: &[u8]) -> Self {
        Self::made(&[b"ERR Unrecognized XCLAIM option '", option, b"'"])
    }

    /// Arguments that fit no form of a subcommand.
    pub(crate) fn subcommand_syntax(container: &str, subcommand: &[u8]) -> Self {
        let cut = &subcommand[..subcommand.len().min(super::QUOTE_LIMIT_BYTES)];
        let tail = format!("'. Try {container} HELP.");
        Self::made(&[
            b"ERR unknown subcommand or wrong number of arguments for '",
            cut,
            tail.as_bytes(),
        ])
    }

    pub(super) fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Fixed(text) => Cow::Borrowed(text.as_bytes()),
            Self::Made(text) => Cow::Borrowed(text),
        }
    }
}

impl From<StreamError> for super::CommandError {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl From<StreamError> for crate::context::Failure {
    fn from(error: StreamError) -> Self {
        Self::Error(error.into())
    }
}
