//! The errors a client sees, byte for byte as Valkey 9.1.2 writes them.
//!
//! Owns every error text of the commands and the cleaning of client bytes quoted in them;
//! it does not own the reply encoding (`-`, CR LF). Invariants: a text begins with its code
//! in capitals and holds no CR or LF; quoted client bytes are cut at 128 bytes. Pure data,
//! made and read on any thread.

mod bits;
pub(crate) mod streams;

use std::borrow::Cow;

pub use bits::BitsError;
pub use streams::StreamError;

/// Bytes of a client's argument, or of all of them together, an error text repeats.
const QUOTE_LIMIT_BYTES: usize = 128;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", String::from_utf8_lossy(&self.text()))]
pub enum CommandError {
    /// The key holds another type than the command works on.
    WrongType,
    /// An option is unknown, repeated, incomplete or in conflict with another.
    Syntax,
    /// An argument or a value is not a 64-bit signed integer.
    NotInteger,
    /// An argument is not an unsigned 64-bit cursor.
    InvalidCursor,
    /// An argument or a value is not a floating point number.
    NotFloat,
    /// A hash field's value is not a 64-bit signed integer.
    HashValueNotInteger,
    /// A hash field's value is not a floating point number.
    HashValueNotFloat,
    /// A sum leaves the 64-bit signed integers.
    Overflow,
    /// A decrement's negation leaves the 64-bit signed integers.
    DecrementOverflow,
    /// A sum is no finite number.
    NotFinite,
    /// HINCRBYFLOAT by an infinity.
    IncrementNotFinite,
    /// The command of that full name got a wrong number of arguments.
    WrongArity(&'static str),
    /// No such command; holds the whole text. Made by [`CommandError::unknown_command`].
    UnknownCommand(Box<[u8]>),
    /// No such subcommand; holds the text. Made by [`CommandError::unknown_subcommand`].
    UnknownSubcommand(Box<[u8]>),
    /// No such option of EXPIRE and its kin; holds the cleaned option.
    UnsupportedOption(Box<[u8]>),
    /// No such type of value; holds the cleaned name.
    UnknownType(Box<[u8]>),
    /// No such parameter of CONFIG SET; holds the cleaned name.
    UnknownParameter(Box<[u8]>),
    /// An expire time is not positive or too far away, in the command of that name.
    InvalidExpireTime(&'static str),
    /// EXPIRE's NX together with XX, GT or LT.
    ExpireNxConflict,
    /// EXPIRE's GT together with LT.
    ExpireGtLtConflict,
    /// An integer outside of the inclusive bounds.
    OutOfBounds {
        /// Least value.
        least: i64,
        /// Greatest value.
        greatest: i64,
    },
    /// A value outside of its range, bounds not told.
    OutOfRange,
    /// A count that is below zero or no integer.
    NotPositive,
    /// A negative offset into a string.
    OffsetOutOfRange,
    /// An index outside of a list.
    IndexOutOfRange,
    /// FCALL's number of keys is none.
    BadKeyCount,
    /// A number of keys that is not positive.
    InvalidKeyCount,
    /// A number of keys that is not positive, for SINTERCARD, LMPOP and their kin.
    KeyCountNotPositive,
    /// A number of keys above that of the arguments.
    TooFewKeys,
    /// A number of keys that is not positive, in the ZUNION and its kin of that name.
    NoInputKeys(&'static str),
    /// A COUNT of LMPOP or ZMPOP that is not positive.
    CountNotPositive,
    /// An end of an interval of scores is none.
    ScoreBoundNotFloat,
    /// An end of an interval of members is none.
    InvalidMemberBound,
    /// ZRANGE by rank with a LIMIT.
    LimitByRank,
    /// ZRANGE by member with scores.
    ScoresByMember,
    /// A weight of ZUNION is no number.
    WeightNotFloat,
    /// ZADD's NX together with XX.
    AddNxConflict,
    /// ZADD with more than one of GT, LT and NX.
    AddGtLtConflict,
    /// ZADD's INCR with several members.
    IncrementOnePair,
    /// A sum of scores is not a number.
    ScoreNotNumber,
    /// No unit of length.
    UnsupportedUnit,
    /// A radius that is no number.
    RadiusNotNumeric,
    /// A radius below zero.
    NegativeRadius,
    /// The width of a box is no number.
    WidthNotNumeric,
    /// The height of a box is no number.
    HeightNotNumeric,
    /// A box with a side below zero.
    NegativeSide,
    /// A polygon's number of corners is none.
    InvalidCornerCount,
    /// A polygon of fewer than three corners.
    TooFewCorners,
    /// A COUNT of GEOSEARCH that is not positive.
    CountNotAboveZero,
    /// ANY of GEOSEARCH without COUNT.
    AnyWithoutCount,
    /// A result that is stored, in that command, with distances, hashes or positions.
    StoreWithDetails(&'static str),
    /// A text about an argument of the geo commands that holds the argument.
    Geo(Box<[u8]>),
    /// A LIMIT that is negative or no integer.
    NegativeLimit,
    /// A number of hash fields that is not positive or not the number given.
    InvalidFieldCount,
    /// A string would grow beyond `proto-max-bulk-len`.
    StringTooLong,
    /// A key the command needs is not there.
    NoSuchKey,
    /// RESTORE found the key present.
    BusyKey,
    /// COPY or MOVE onto the source itself.
    SameObject,
    /// No database of that number.
    DatabaseOutOfRange,
    /// SWAPDB's first number is none.
    InvalidFirstDatabase,
    /// SWAPDB's second number is none.
    InvalidSecondDatabase,
    /// RESTORE's expire time is negative.
    NegativeTtl,
    /// RESTORE's idle time is negative.
    NegativeIdleTime,
    /// RESTORE's frequency does not fit a byte.
    InvalidFrequency,
    /// RESTORE's payload is of another version or damaged.
    BadDumpPayload,
    /// RESTORE's payload is whole but holds no value of a known form.
    BadDataFormat,
    /// NOVALUES outside of HSCAN.
    NoValuesOutsideHash,
    /// NOSCORES outside of ZSCAN.
    NoScoresOutsideSortedSet,
    /// LCS with both LEN and IDX.
    LcsLengthAndIndexes,
    /// LCS of something that is no string.
    LcsNotStrings,
    /// LCS of strings whose table would exceed `proto-max-bulk-len`.
    LcsTooLarge,
    /// OBJECT FREQ without an LFU policy.
    FrequencyNotTracked,
    /// OBJECT IDLETIME under an LFU policy.
    IdleTimeNotTracked,
    /// A command on a whole database inside a transaction that would have to read from the
    /// disk after the transaction changed something; not a text of Valkey.
    ReadWithinTransaction,
    /// A timeout that is no integer.
    TimeoutNotInteger,
    /// A timeout in seconds that is no number.
    TimeoutNotFloat,
    /// A timeout too far in the future.
    TimeoutOutOfRange,
    /// A negative timeout.
    TimeoutNegative,
    /// COMMAND GETKEYS of no command.
    InvalidCommand,
    /// COMMAND GETKEYS of a command without keys.
    NoKeyArguments,
    /// COMMAND GETKEYS with a wrong number of arguments.
    InvalidArgumentCount,
    /// COMMAND GETKEYS with arguments from which the keys cannot be told.
    InvalidArguments,
    /// Memory is short and the command may take more.
    OutOfMemory,
    /// What the key holds may take no more memory.
    ValueTooLarge,
    /// Snapshots fail and writes are refused for it.
    SnapshotFailing,
    /// The log cannot be written; holds the cause of it.
    LogFailing(Box<str>),
    /// What would make room cannot be written; holds the cause of it.
    DiskFailing(Box<str>),
    /// The data set is being read.
    Loading,
    /// Writes are refused on a replica.
    ReadOnlyReplica,
    /// The client has to authenticate.
    NotAuthenticated,
    /// HELLO without AUTH from a client that has to authenticate.
    HelloNotAuthenticated,
    /// Unknown user, wrong password or a disabled user.
    WrongPassword,
    /// AUTH with one argument where no password is set.
    NoPasswordConfigured,
    /// HELLO with another version than 2 and 3.
    UnsupportedProtocol,
    /// HELLO with something that is no version.
    ProtocolNotInteger,
    /// An unknown or incomplete option of HELLO; holds the cleaned option.
    HelloSyntax(Box<[u8]>),
    /// EXEC of a transaction that queued an error.
    ExecAborted,
    /// EXEC outside of a transaction.
    ExecWithoutMulti,
    /// DISCARD outside of a transaction.
    DiscardWithoutMulti,
    /// The command of that name inside a transaction.
    NotInTransaction(&'static str),
    /// LPOS with RANK 0.
    RankZero,
    /// LPOS with a negative COUNT.
    CountNegative,
    /// LPOS with a negative MAXLEN.
    MaxlenNegative,
    /// SORT without ALPHA on something that is no number.
    ScoreNotFloat,
    /// CLIENT UNBLOCK with ERROR ended the wait.
    Unblocked,
    /// The command of that name on a RESP2 connection with subscriptions.
    NotWhileSubscribed(&'static str),
    /// A command on keys on a connection that monitors.
    KeysWhileMonitoring,
    /// A client name with spaces, control or non-ASCII characters.
    InvalidClientName,
    /// Of the commands on bits and HyperLogLogs.
    Bits(BitsError),
    /// Of the commands on streams.
    Stream(StreamError),
    /// No client fits a CLIENT KILL.
    NoSuchClient,
}

impl CommandError {
    /// The error for a command name that is not in the table; `arguments` follow the name.
    #[must_use]
    pub fn unknown_command<A: AsRef<[u8]>>(name: &[u8], arguments: &[A]) -> Self {
        let mut quoted = Vec::new();
        for argument in arguments {
            // Valkey counts the quotes of earlier arguments too, not of the one it adds.
            let left = QUOTE_LIMIT_BYTES.saturating_sub(quoted.len());
            if left == 0 {
                break;
            }
            quoted.push(b'\'');
            quoted.extend(clean(argument.as_ref(), left));
            quoted.extend(b"' ");
        }
        let name = clean(name, QUOTE_LIMIT_BYTES).collect::<Vec<_>>();
        let text = [
            b"ERR unknown command '".as_slice(),
            &name,
            b"', with args beginning with: ",
            &quoted,
        ];
        Self::UnknownCommand(text.concat().into())
    }

    /// The error for a subcommand that its container does not have.
    #[must_use]
    pub fn unknown_subcommand(container: &[u8], subcommand: &[u8]) -> Self {
        let subcommand: Vec<u8> = clean(subcommand, QUOTE_LIMIT_BYTES).collect();
        let container: Vec<u8> = clean(container, QUOTE_LIMIT_BYTES).collect();
        let text = [
            b"ERR unknown subcommand '".as_slice(),
            &subcommand,
            b"'. Try ",
            &container.to_ascii_uppercase(),
            b" HELP.",
        ];
        Self::UnknownSubcommand(text.concat().into())
    }

    /// The error for an option EXPIRE and its kin do not have.
    #[must_use]
    pub fn unsupported_option(option: &[u8]) -> Self {
        Self::UnsupportedOption(clean(option, usize::MAX).collect())
    }

    /// The error for a parameter CONFIG SET does not know.
    #[must_use]
    pub fn unknown_parameter(name: &[u8]) -> Self {
        Self::UnknownParameter(clean(name, usize::MAX).collect())
    }

    /// The error for a type name SCAN does not know.
    #[must_use]
    pub fn unknown_type(name: &[u8]) -> Self {
        Self::UnknownType(clean(name, usize::MAX).collect())
    }

    /// The error for an option HELLO does not have, or one whose arguments are missing.
    #[must_use]
    pub fn hello_syntax(option: &[u8]) -> Self {
        Self::HelloSyntax(clean(option, usize::MAX).collect())
    }

    /// The error for a position that has no place in the projection.
    #[must_use]
    pub fn invalid_position(longitude: f64, latitude: f64) -> Self {
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        Self::Geo(text.into_bytes().into())
    }

    /// The error for a search around a member that is not there.
    #[must_use]
    pub fn no_such_member(member: &[u8]) -> Self {
        let member: Vec<u8> = clean(member, usize::MAX).collect();
        Self::Geo(
            [b"ERR member ".as_slice(), &member, b" does not exist"]
                .concat()
                .into(),
        )
    }

    /// The error for a GEOSEARCH that does not say where.
    #[must_use]
    pub fn search_from_nowhere(name: &[u8]) -> Self {
        let name: Vec<u8> = clean(name, usize::MAX).collect();
        let text = b"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
        Self::Geo([text.as_slice(), &name].concat().into())
    }

    /// The error for a GEOSEARCH that does not say in which shape.
    #[must_use]
    pub fn search_without_shape(name: &[u8]) -> Self {
        let name: Vec<u8> = clean(name, usize::MAX).collect();
        let text = b"ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for ";
        Self::Geo([text.as_slice(), &name].concat().into())
    }

    /// The whole text, code first, without the leading `-` and the line end.
    #[must_use]
    pub fn text(&self) -> Cow<'_, [u8]> {
        let text = match self {
            Self::WrongArity(name) => {
                format!("ERR wrong number of arguments for '{name}' command")
            }
            Self::InvalidExpireTime(name) => {
                format!("ERR invalid expire time in '{name}' command")
            }
            Self::StoreWithDetails(name) => {
                format!(
                    "ERR {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                )
            }
            Self::NoInputKeys(name) => {
                format!("ERR at least 1 input key is needed for '{name}' command")
            }
            Self::NotInTransaction(name) => {
                format!("ERR Command '{name}' not allowed inside a transaction")
            }
            Self::NotWhileSubscribed(name) => format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT \
                 / RESET are allowed in this context"
            ),
            Self::OutOfBounds { least, greatest } => {
                format!("ERR value is out of range, value must between {least} and {greatest}")
            }
            Self::Bits(error) => return error.text(),
            Self::Stream(error) => return error.text(),
            Self::LogFailing(cause) => {
                let cause = cause.replace(['\r', '\n'], " ");
                format!("MISCONF Errors writing to the AOF file: {cause}")
            }
            Self::DiskFailing(cause) => {
                let cause = cause.replace(['\r', '\n'], " ");
                format!("MISCONF Errors writing to the disk: {cause}")
            }
            Self::UnknownCommand(text) | Self::UnknownSubcommand(text) | Self::Geo(text) => {
                return Cow::Borrowed(text);
            }
            Self::UnsupportedOption(option) => {
                return [b"ERR Unsupported option ".as_slice(), option]
                    .concat()
                    .into();
            }
            Self::UnknownParameter(name) => {
                let text = b"ERR Unknown option or number of arguments for CONFIG SET - '";
                return Cow::Owned([text.as_slice(), name, b"'"].concat());
            }
            Self::UnknownType(name) => {
                return [b"ERR unknown type name '".as_slice(), name, b"'"]
                    .concat()
                    .into();
            }
            Self::HelloSyntax(option) => {
                let text = [
                    b"ERR Syntax error in HELLO option '".as_slice(),
                    option,
                    b"'",
                ];
                return text.concat().into();
            }
            fixed => return Cow::Borrowed(fixed.fixed_text().as_bytes()),
        };
        Cow::Owned(text.into_bytes())
    }

    /// The texts that hold nothing of the request.
    fn fixed_text(&self) -> &'static str {
        match self {
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::InvalidCursor => "ERR invalid cursor",
            Self::NotFloat => "ERR value is not a valid float",
            Self::HashValueNotInteger => "ERR hash value is not an integer",
            Self::HashValueNotFloat => "ERR hash value is not a float",
            Self::Overflow => "ERR increment or decrement would overflow",
            Self::DecrementOverflow => "ERR decrement would overflow",
            Self::NotFinite => "ERR increment would produce NaN or Infinity",
            Self::IncrementNotFinite => "ERR value is NaN or Infinity",
            Self::ExpireNxConflict => {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            Self::ExpireGtLtConflict => "ERR GT and LT options at the same time are not compatible",
            Self::OutOfRange => "ERR value is out of range",
            Self::NotPositive => "ERR value is out of range, must be positive",
            Self::OffsetOutOfRange => "ERR offset is out of range",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::BadKeyCount => "ERR Bad number of keys provided",
            Self::InvalidKeyCount => "ERR invalid numkeys value or out of range",
            Self::KeyCountNotPositive => "ERR numkeys should be greater than 0",
            Self::TooFewKeys => "ERR Number of keys can't be greater than number of args",
            Self::NegativeLimit => "ERR LIMIT can't be negative",
            Self::UnsupportedUnit => "ERR unsupported unit provided. please use M, KM, FT, MI",
            Self::RadiusNotNumeric => "ERR need numeric radius",
            Self::NegativeRadius => "ERR radius cannot be negative",
            Self::WidthNotNumeric => "ERR need numeric width",
            Self::HeightNotNumeric => "ERR need numeric height",
            Self::NegativeSide => "ERR height or width cannot be negative",
            Self::InvalidCornerCount => "ERR invalid number of vertices",
            Self::TooFewCorners => "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
            Self::CountNotAboveZero => "ERR COUNT must be > 0",
            Self::AnyWithoutCount => "ERR the ANY argument requires COUNT argument",
            Self::CountNotPositive => "ERR count should be greater than 0",
            Self::ScoreBoundNotFloat => "ERR min or max is not a float",
            Self::InvalidMemberBound => "ERR min or max not valid string range item",
            Self::LimitByRank => {
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE \
                 or BYLEX"
            }
            Self::ScoresByMember => {
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
            }
            Self::WeightNotFloat => "ERR weight value is not a float",
            Self::AddNxConflict => "ERR XX and NX options at the same time are not compatible",
            Self::AddGtLtConflict => {
                "ERR GT, LT, and/or NX options at the same time are not compatible"
            }
            Self::IncrementOnePair => "ERR INCR option supports a single increment-element pair",
            Self::ScoreNotNumber => "ERR resulting score is not a number (NaN)",
            Self::InvalidFieldCount => {
                "ERR numfields should be greater than 0 and match the provided number of fields"
            }
            Self::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::NoSuchKey => "ERR no such key",
            Self::BusyKey => "BUSYKEY Target key name already exists.",
            Self::SameObject => "ERR source and destination objects are the same",
            Self::DatabaseOutOfRange => "ERR DB index is out of range",
            Self::InvalidFirstDatabase => "ERR invalid first DB index",
            Self::InvalidSecondDatabase => "ERR invalid second DB index",
            Self::NegativeTtl => "ERR Invalid TTL value, must be >= 0",
            Self::NegativeIdleTime => "ERR Invalid IDLETIME value, must be >= 0",
            Self::InvalidFrequency => "ERR Invalid FREQ value, must be >= 0 and <= 255",
            Self::BadDumpPayload => "ERR DUMP payload version or checksum are wrong",
            Self::BadDataFormat => "ERR Bad data format",
            Self::NoValuesOutsideHash => "ERR NOVALUES option can only be used in HSCAN",
            Self::NoScoresOutsideSortedSet => "ERR NOSCORES option can only be used in ZSCAN",
            Self::LcsLengthAndIndexes => {
                "ERR If you want both the length and indexes, please just use IDX."
            }
            Self::LcsNotStrings => "ERR The specified keys must contain string values",
            Self::LcsTooLarge => {
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
            Self::FrequencyNotTracked => {
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
                 Please note that when switching between policies at runtime LRU and LFU data \
                 will take some time to adjust."
            }
            Self::IdleTimeNotTracked => {
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note \
                 that when switching between policies at runtime LRU and LFU data will take some \
                 time to adjust."
            }
            Self::ReadWithinTransaction => {
                "TRYAGAIN The keys met by this command have to be read from disk first"
            }
            Self::TimeoutNotInteger => "ERR timeout is not an integer or out of range",
            Self::TimeoutNotFloat => "ERR timeout is not a float or out of range",
            Self::TimeoutOutOfRange => "ERR timeout is out of range",
            Self::TimeoutNegative => "ERR timeout is negative",
            Self::InvalidCommand => "ERR Invalid command specified",
            Self::NoKeyArguments => "ERR The command has no key arguments",
            Self::InvalidArgumentCount => "ERR Invalid number of arguments specified for command",
            Self::InvalidArguments => "ERR Invalid arguments specified for command",
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::ValueTooLarge => {
                "OOM command not allowed: the value of the key would take more than a quarter of \
                 'maxmemory'."
            }
            Self::SnapshotFailing => {
                "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable \
                 to persist to disk. Commands that may modify the data set are disabled, because \
                 this instance is configured to report errors during writes if RDB snapshotting \
                 fails (stop-writes-on-bgsave-error option). Please check the Valkey logs for \
                 details about the RDB error."
            }
            Self::Loading => "LOADING Valkey is loading the dataset in memory",
            Self::ReadOnlyReplica => "READONLY You can't write against a read only replica.",
            Self::NotAuthenticated => "NOAUTH Authentication required.",
            Self::HelloNotAuthenticated => {
                "NOAUTH HELLO must be called with the client already authenticated, otherwise \
                 the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the \
                 client and select the RESP protocol version at the same time"
            }
            Self::WrongPassword => "WRONGPASS invalid username-password pair or user is disabled.",
            Self::NoPasswordConfigured => {
                "ERR AUTH <password> called without any password configured for the default \
                 user. Are you sure your configuration is correct?"
            }
            Self::UnsupportedProtocol => "NOPROTO unsupported protocol version",
            Self::ProtocolNotInteger => "ERR Protocol version is not an integer or out of range",
            Self::ExecAborted => "EXECABORT Transaction discarded because of previous errors.",
            Self::ExecWithoutMulti => "ERR EXEC without MULTI",
            Self::KeysWhileMonitoring => "ERR Replica can't interact with the keyspace",
            Self::DiscardWithoutMulti => "ERR DISCARD without MULTI",
            Self::RankZero => {
                "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                 ... or use negative to start from the end of the list"
            }
            Self::CountNegative => "ERR COUNT can't be negative",
            Self::MaxlenNegative => "ERR MAXLEN can't be negative",
            Self::ScoreNotFloat => "ERR One or more scores can't be converted into double",
            Self::Unblocked => "UNBLOCKED client unblocked via CLIENT UNBLOCK",
            Self::InvalidClientName => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
            Self::NoSuchClient => "ERR No such client",
            // Those with something of the request never come here.
            Self::Syntax
            | Self::WrongArity(_)
            | Self::UnknownCommand(_)
            | Self::UnknownSubcommand(_)
            | Self::UnsupportedOption(_)
            | Self::UnknownParameter(_)
            | Self::UnknownType(_)
            | Self::InvalidExpireTime(_)
            | Self::OutOfBounds { .. }
            | Self::LogFailing(_)
            | Self::DiskFailing(_)
            | Self::Bits(_)
            | Self::Stream(_)
            | Self::HelloSyntax(_)
            | Self::NotWhileSubscribed(_)
            | Self::NoInputKeys(_)
            | Self::StoreWithDetails(_)
            | Self::Geo(_)
            | Self::NotInTransaction(_) => "ERR syntax error",
        }
    }
}

/// Client bytes as an error text may repeat them: up to a NUL, as C would print them, and
/// with line ends made spaces so that they cannot forge a reply.
fn clean(bytes: &[u8], limit_bytes: usize) -> impl Iterator<Item = u8> {
    let printed = bytes
        .iter()
        .take(limit_bytes)
        .take_while(|byte| **byte != 0);
    printed.map(|byte| {
        if matches!(byte, b'\r' | b'\n') {
            b' '
        } else {
            *byte
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(name: &str, arguments: &[String]) -> String {
        CommandError::unknown_command(name.as_bytes(), arguments).to_string()
    }

    #[test]
    fn long_names_and_arguments_are_cut_as_valkey_cuts_them() {
        let text = unknown(&"a".repeat(200), &["b".repeat(200)]);
        let (a, b) = ("a".repeat(128), "b".repeat(128));
        assert_eq!(
            text,
            format!("ERR unknown command '{a}', with args beginning with: '{b}' ")
        );
        let many: Vec<String> = (0..40).map(|index| format!("b{index}").repeat(5)).collect();
        let expected: String = many[..10]
            .iter()
            .map(|argument| format!("'{argument}' "))
            .collect();
        let text = unknown("x", &many);
        assert_eq!(
            text,
            format!("ERR unknown command 'x', with args beginning with: {expected}")
        );
    }

    #[test]
    fn line_ends_of_the_client_cannot_forge_a_reply() {
        let text = unknown("x\r\ny", &["q\r\nz".into()]);
        assert_eq!(
            text,
            "ERR unknown command 'x  y', with args beginning with: 'q  z' "
        );
        let text = CommandError::unsupported_option(b"a\r\n+OK").to_string();
        assert_eq!(text, "ERR Unsupported option a  +OK");
        let text = CommandError::LogFailing("a\nb".into()).to_string();
        assert_eq!(text, "MISCONF Errors writing to the AOF file: a b");
    }

    #[test]
    fn continued_texts_have_single_spaces() {
        for error in [
            CommandError::FrequencyNotTracked,
            CommandError::IdleTimeNotTracked,
            CommandError::SnapshotFailing,
            CommandError::HelloNotAuthenticated,
            CommandError::NoPasswordConfigured,
        ] {
            assert!(!error.to_string().contains("  "));
        }
        assert_eq!(CommandError::Syntax.to_string(), "ERR syntax error");
    }
}
