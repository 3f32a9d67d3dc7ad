//! The errors of the commands on bits and on HyperLogLogs.
//!
//! Owns their texts, byte for byte as Valkey 9.1.2 writes them (Redis 8.2 where Valkey has no
//! such operation). Pure data.

use std::borrow::Cow;

/// Why a command on bits or on a HyperLogLog was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BitsError {
    /// SETBIT to something that is neither 0 nor 1.
    NotBit,
    /// A bit offset that is no integer, or beyond the longest string.
    InvalidOffset,
    /// BITPOS of something that is neither 0 nor 1.
    NotBitArgument,
    /// BITOP NOT of several keys.
    NotTakesOneKey,
    /// BITOP of that name with one source key, which needs two.
    TwoKeysNeeded(&'static str),
    /// An integer type BITFIELD does not know.
    InvalidFieldType,
    /// An overflow behaviour BITFIELD does not know.
    InvalidOverflow,
    /// BITFIELD_RO that would write.
    ReadOnlyField,
    /// The string is no HyperLogLog.
    NotHyperLogLog,
    /// The string has the header of a HyperLogLog and nothing else of it.
    CorruptHyperLogLog,
    /// PFDEBUG of a key that is not there.
    NoHyperLogLog,
    /// PFDEBUG DECODE of a dense one.
    NotSparse,
    /// PFDEBUG SIMD with something else than ON and OFF.
    NotOnOrOff,
    /// No such operation of PFDEBUG; holds the cleaned name.
    UnknownDebug(Box<[u8]>),
    /// PFSELFTEST found this wrong.
    SelfTest(&'static str),
}

impl BitsError {
    /// The error for an operation PFDEBUG does not have.
    #[must_use]
    pub fn unknown_debug(name: &[u8]) -> Self {
        Self::UnknownDebug(super::clean(name, usize::MAX).collect())
    }

    pub(super) fn text(&self) -> Cow<'_, [u8]> {
        let text = match self {
            Self::NotBit => "ERR bit is not an integer or out of range",
            Self::InvalidOffset => "ERR bit offset is not an integer or out of range",
            Self::NotBitArgument => "ERR The bit argument must be 1 or 0.",
            Self::NotTakesOneKey => "ERR BITOP NOT must be called with a single source key.",
            Self::TwoKeysNeeded(name) => {
                let text =
                    format!("ERR BITOP {name} must be called with at least two source keys.");
                return Cow::Owned(text.into_bytes());
            }
            Self::InvalidFieldType => {
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                 supported but i64 is."
            }
            Self::InvalidOverflow => "ERR Invalid OVERFLOW type specified",
            Self::ReadOnlyField => "ERR BITFIELD_RO only supports the GET subcommand",
            Self::NotHyperLogLog => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            Self::CorruptHyperLogLog => "INVALIDOBJ Corrupted HLL object detected",
            Self::NoHyperLogLog => "ERR The specified key does not exist",
            Self::NotSparse => "ERR HLL encoding is not sparse",
            Self::NotOnOrOff => "ERR Argument must be ON or OFF",
            Self::UnknownDebug(name) => {
                let text = b"ERR Unknown PFDEBUG subcommand '".as_slice();
                return Cow::Owned([text, name, b"'"].concat());
            }
            Self::SelfTest(what) => {
                return Cow::Owned(format!("ERR TESTFAILED {what}").into_bytes());
            }
        };
        Cow::Borrowed(text.as_bytes())
    }
}

impl From<BitsError> for super::CommandError {
    fn from(error: BitsError) -> Self {
        Self::Bits(error)
    }
}

impl From<BitsError> for crate::context::Failure {
    fn from(error: BitsError) -> Self {
        Self::Error(error.into())
    }
}
