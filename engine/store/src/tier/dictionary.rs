//! Compression of values: zstd level 1 with a dictionary trained on samples.
//!
//! Owns training, and the choice between raw and compressed. Does not own
//! where dictionaries are kept (the manifest) or when one is trained.
//! A [`Compressor`] and a [`Decompressor`] hold a context each: one per thread.
//!
//! INVARIANT: decompression never yields, nor allocates for, more than the
//! bytes a record declares, and the declaration itself is limited.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::FormatError;
use super::record::{RAW_MAX_BYTES, StoredValue};
use std::borrow::Cow;
use std::io::{self, Read};
use zstd::bulk;
use zstd::dict::DecoderDictionary;
use zstd::zstd_safe::CParameter;

/// The level: measured on small JSON, higher ones cost more than they save.
const LEVEL: i32 = 1;
/// The largest dictionary, in bytes.
pub const DICTIONARY_MAX_BYTES: usize = 32 * 1024;
/// The most samples' bytes that training looks at.
pub const TRAINING_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Values shorter than this are kept raw, in bytes: a frame's own header and
/// the record's two extra fields eat what could be saved.
pub const COMPRESS_MIN_BYTES: usize = 24;
/// Up to this many declared bytes the output is allocated at once; above, it
/// grows with what the frame really yields.
pub const EAGER_MAX_BYTES: u64 = 64 * 1024;

/// A trained dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dictionary {
    /// Its number in the manifest, from 1; never reused in a data directory.
    pub id: u32,
    /// What zstd trained, at most [`DICTIONARY_MAX_BYTES`].
    pub bytes: Vec<u8>,
}

impl Dictionary {
    /// Trains dictionary `id` on `samples`, of which the first
    /// [`TRAINING_MAX_BYTES`] count. A hundred times the dictionary's size is
    /// a good amount. The same samples give the same dictionary.
    ///
    /// # Errors
    /// [`FormatError::Dictionary`] if zstd finds the samples too few or too
    /// alike; the tier then goes on without.
    pub fn train(id: u32, samples: &[&[u8]]) -> Result<Self, FormatError> {
        let mut data = Vec::new();
        let mut sizes = Vec::new();
        for sample in samples {
            if data.len().saturating_add(sample.len()) > TRAINING_MAX_BYTES {
                break;
            }
            data.extend_from_slice(sample);
            sizes.push(sample.len());
        }
        let bytes = zstd::dict::from_continuous(&data, &sizes, DICTIONARY_MAX_BYTES)
            .map_err(|source| FormatError::Dictionary { source })?;
        Ok(Self { id, bytes })
    }
}

/// Compresses values, with one dictionary or none.
pub struct Compressor {
    dictionary: u32,
    context: bulk::Compressor<'static>,
    frame: Vec<u8>,
}

impl Compressor {
    /// A compressor with `dictionary`, or with none.
    ///
    /// # Errors
    /// [`FormatError::Dictionary`] if zstd cannot load it.
    pub fn new(dictionary: Option<&Dictionary>) -> Result<Self, FormatError> {
        let refuse = |source| FormatError::Dictionary { source };
        let bytes = dictionary.map_or(&[][..], |dictionary| &dictionary.bytes);
        let mut context = bulk::Compressor::with_dictionary(LEVEL, bytes).map_err(refuse)?;
        // The record holds both, and has a CRC of its own.
        for parameter in [
            CParameter::ContentSizeFlag(false),
            CParameter::DictIdFlag(false),
            CParameter::ChecksumFlag(false),
        ] {
            context.set_parameter(parameter).map_err(refuse)?;
        }
        Ok(Self {
            dictionary: dictionary.map_or(0, |dictionary| dictionary.id),
            context,
            frame: Vec::new(),
        })
    }

    /// `value` as it should stand on disk: compressed where that saves at
    /// least an eighth, else raw. Never fails: what zstd refuses is kept raw.
    pub fn compress<'a>(&'a mut self, value: &'a [u8]) -> StoredValue<'a> {
        let raw_bytes = value.len() as u64;
        if value.len() < COMPRESS_MIN_BYTES || raw_bytes > RAW_MAX_BYTES {
            return StoredValue::Raw(value);
        }
        // Room for what is worth keeping, and no more: zstd gives up early.
        let worthwhile_bytes = value.len().saturating_sub(value.len().div_ceil(8));
        self.frame.clear();
        self.frame.reserve_exact(worthwhile_bytes);
        let written = self.context.compress_to_buffer(value, &mut self.frame);
        match written {
            Ok(frame_bytes) if frame_bytes <= worthwhile_bytes => StoredValue::Compressed {
                dictionary: self.dictionary,
                raw_bytes,
                frame: &self.frame,
            },
            _ => StoredValue::Raw(value),
        }
    }
}

/// A dictionary ready for use.
struct Loaded {
    id: u32,
    context: bulk::Decompressor<'static>,
    prepared: DecoderDictionary<'static>,
}

/// Decompresses values with any of the data directory's dictionaries.
#[derive(Default)]
pub struct Decompressor {
    loaded: Vec<Loaded>,
}

impl Decompressor {
    /// A decompressor for `dictionaries` and for values without one.
    ///
    /// # Errors
    /// [`FormatError::Dictionary`] if zstd cannot load one of them.
    pub fn new(dictionaries: &[Dictionary]) -> Result<Self, FormatError> {
        let mut decompressor = Self::default();
        decompressor.add(0, &[])?;
        for dictionary in dictionaries {
            decompressor.add(dictionary.id, &dictionary.bytes)?;
        }
        Ok(decompressor)
    }

    /// Learns one more dictionary, whose `id` must be new; `bytes` may be
    /// empty.
    ///
    /// # Errors
    /// [`FormatError::Dictionary`] if zstd cannot load it.
    pub fn add(&mut self, id: u32, bytes: &[u8]) -> Result<(), FormatError> {
        let refuse = |source| FormatError::Dictionary { source };
        self.loaded.push(Loaded {
            id,
            context: bulk::Decompressor::with_dictionary(bytes).map_err(refuse)?,
            prepared: DecoderDictionary::try_copy(bytes).map_err(refuse)?,
        });
        Ok(())
    }

    /// The value that `stored` stands for, exactly as long as it declares.
    ///
    /// # Errors
    /// [`FormatError::UnknownDictionary`], [`FormatError::TooLarge`] if it
    /// declares over [`RAW_MAX_BYTES`], [`FormatError::Value`] if the frame is
    /// damaged or yields another length.
    pub fn decompress<'a>(
        &mut self,
        stored: StoredValue<'a>,
    ) -> Result<Cow<'a, [u8]>, FormatError> {
        let (dictionary, raw_bytes, frame) = match stored {
            StoredValue::Raw(value) => return Ok(Cow::Borrowed(value)),
            StoredValue::Compressed {
                dictionary,
                raw_bytes,
                frame,
            } => (dictionary, raw_bytes, frame),
        };
        if raw_bytes > RAW_MAX_BYTES {
            return Err(FormatError::TooLarge {
                what: "a compressed value",
                bytes: raw_bytes,
                limit_bytes: RAW_MAX_BYTES,
            });
        }
        let loaded = self.loaded(dictionary)?;
        let value = if raw_bytes <= EAGER_MAX_BYTES {
            loaded.context.decompress(frame, raw_bytes as usize)
        } else {
            grow(&loaded.prepared, frame, raw_bytes)
        };
        match value {
            Ok(value) if value.len() as u64 == raw_bytes => Ok(Cow::Owned(value)),
            Ok(value) => Err(FormatError::Value {
                expected_bytes: raw_bytes,
                found: format!("{} bytes", value.len()),
            }),
            Err(error) => Err(FormatError::Value {
                expected_bytes: raw_bytes,
                found: error.to_string(),
            }),
        }
    }

    /// As [`Decompressor::decompress`] of at most [`EAGER_MAX_BYTES`], into memory that is
    /// used again: `out` grows to the longest value.
    ///
    /// # Errors
    /// As [`Decompressor::decompress`]; [`FormatError::TooLarge`] from
    /// [`EAGER_MAX_BYTES`] on.
    pub fn decompress_into<'a>(
        &mut self,
        stored: StoredValue<'a>,
        out: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], FormatError> {
        let (dictionary, raw_bytes, frame) = match stored {
            StoredValue::Raw(value) => return Ok(value),
            StoredValue::Compressed {
                dictionary,
                raw_bytes,
                frame,
            } => (dictionary, raw_bytes, frame),
        };
        if raw_bytes > EAGER_MAX_BYTES {
            return Err(FormatError::TooLarge {
                what: "a compressed value",
                bytes: raw_bytes,
                limit_bytes: EAGER_MAX_BYTES,
            });
        }
        let loaded = self.loaded(dictionary)?;
        let bytes = raw_bytes as usize;
        if out.len() < bytes {
            out.resize(bytes, 0);
        }
        let room = out.get_mut(..bytes).unwrap_or_default();
        let found = match loaded.context.decompress_to_buffer(frame, room) {
            Ok(found) if found == bytes => return Ok(out.get(..bytes).unwrap_or_default()),
            Ok(found) => format!("{found} bytes"),
            Err(error) => error.to_string(),
        };
        Err(FormatError::Value {
            expected_bytes: raw_bytes,
            found,
        })
    }

    fn loaded(&mut self, dictionary: u32) -> Result<&mut Loaded, FormatError> {
        (self.loaded.iter_mut())
            .find(|loaded| loaded.id == dictionary)
            .ok_or(FormatError::UnknownDictionary { id: dictionary })
    }
}

/// Decompresses at most one byte more than `raw_bytes`, allocating as it goes.
fn grow(
    dictionary: &DecoderDictionary<'static>,
    frame: &[u8],
    raw_bytes: u64,
) -> io::Result<Vec<u8>> {
    let mut value = Vec::new();
    zstd::stream::read::Decoder::with_prepared_dictionary(frame, dictionary)?
        .single_frame()
        .take(raw_bytes.saturating_add(1))
        .read_to_end(&mut value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::arithmetic_side_effects
    )]
    use super::*;
    use proptest::prelude::*;
    use thermocline_base::Random;

    fn json(number: u64) -> Vec<u8> {
        let mut random = Random::new(number);
        format!(
            r#"{{"id":{number},"name":"user-{}","email":"u{}@example.org","active":{},"balance":{}}}"#,
            random.below(100_000),
            random.below(100_000),
            random.chance(2),
            random.below(1_000_000),
        )
        .into_bytes()
    }

    fn trained() -> Dictionary {
        let samples: Vec<_> = (0..4000).map(json).collect();
        let samples: Vec<_> = samples.iter().map(Vec::as_slice).collect();
        Dictionary::train(5, &samples).unwrap()
    }

    #[test]
    fn a_dictionary_makes_small_documents_small() {
        let dictionary = trained();
        assert!(dictionary.bytes.len() <= DICTIONARY_MAX_BYTES);
        let mut with = Compressor::new(Some(&dictionary)).unwrap();
        let mut without = Compressor::new(None).unwrap();
        let mut decompressor = Decompressor::new(&[dictionary]).unwrap();
        let (mut raw, mut small, mut plain) = (0, 0, 0);
        for number in 10_000..10_200 {
            let value = json(number);
            let stored = with.compress(&value);
            assert!(matches!(
                stored,
                StoredValue::Compressed { dictionary: 5, .. }
            ));
            small += stored.stored().len();
            assert_eq!(decompressor.decompress(stored).unwrap(), value);
            raw += value.len();
            plain += without.compress(&value).stored().len();
        }
        assert!(small * 2 < raw, "{small} of {raw} bytes");
        assert!(small * 2 < plain, "{small} against {plain} bytes");
    }

    #[test]
    fn what_saves_less_than_an_eighth_stays_raw() {
        let mut compressor = Compressor::new(None).unwrap();
        let mut random = Random::new(1);
        let noise: Vec<_> = (0..2000).map(|_| random.next_u64() as u8).collect();
        assert_eq!(compressor.compress(&noise), StoredValue::Raw(&noise));
        assert_eq!(
            compressor.compress(b"aaaaaaaa"),
            StoredValue::Raw(b"aaaaaaaa")
        );
        // A tenth of zeros saves about a tenth: not enough; a fifth does.
        for (zeros, kept_raw) in [(200, true), (400, false)] {
            let mut value = noise.clone();
            value[..zeros].fill(0);
            assert_eq!(
                matches!(compressor.compress(&value), StoredValue::Raw(_)),
                kept_raw
            );
        }
    }

    #[test]
    fn training_on_nothing_is_refused() {
        assert!(matches!(
            Dictionary::train(1, &[]),
            Err(FormatError::Dictionary { .. })
        ));
    }

    #[test]
    fn a_frame_yields_exactly_what_it_declares() {
        let mut decompressor = Decompressor::new(&[]).unwrap();
        for real in [1_000_usize, 300_000] {
            let value = vec![7; real];
            let mut compressor = Compressor::new(None).unwrap();
            let StoredValue::Compressed { frame, .. } = compressor.compress(&value) else {
                panic!("zeros compress");
            };
            let declare = |raw_bytes| StoredValue::Compressed {
                dictionary: 0,
                raw_bytes,
                frame,
            };
            let real = real as u64;
            assert_eq!(decompressor.decompress(declare(real)).unwrap(), value);
            // What an earlier value left in the room does not show.
            let mut room = vec![9; 5_000];
            for declared in [real, 0, real - 1, real + 1] {
                let into = decompressor.decompress_into(declare(declared), &mut room);
                match into {
                    Ok(found) => assert!(declared == real && found == value),
                    Err(FormatError::TooLarge { .. }) => assert!(declared > EAGER_MAX_BYTES),
                    Err(FormatError::Value { .. }) => assert_ne!(declared, real),
                    Err(other) => panic!("{other}"),
                }
            }
            assert!(room.len() as u64 <= EAGER_MAX_BYTES);
            for wrong in [0, real - 1, real + 1, RAW_MAX_BYTES] {
                assert!(matches!(
                    decompressor.decompress(declare(wrong)),
                    Err(FormatError::Value { .. })
                ));
            }
            assert!(matches!(
                decompressor.decompress(declare(RAW_MAX_BYTES + 1)),
                Err(FormatError::TooLarge { .. })
            ));
        }
        assert!(matches!(
            decompressor.decompress(StoredValue::Compressed {
                dictionary: 9,
                raw_bytes: 1,
                frame: b""
            }),
            Err(FormatError::UnknownDictionary { id: 9 })
        ));
    }

    proptest! {
        #[test]
        fn values_round_trip(value in proptest::collection::vec(0..4_u8, 0..3000)) {
            let mut compressor = Compressor::new(None).unwrap();
            let mut decompressor = Decompressor::new(&[]).unwrap();
            prop_assert_eq!(decompressor.decompress(compressor.compress(&value)).unwrap(), value.clone());
        }

        #[test]
        fn arbitrary_frames_never_panic(
            frame in proptest::collection::vec(any::<u8>(), 0..200), raw_bytes in 0..200_000_u64,
        ) {
            let mut decompressor = Decompressor::new(&[]).unwrap();
            let stored = StoredValue::Compressed { dictionary: 0, raw_bytes, frame: &frame };
            if let Ok(value) = decompressor.decompress(stored) {
                prop_assert_eq!(value.len() as u64, raw_bytes);
            }
            let mut room = Vec::new();
            if let Ok(value) = decompressor.decompress_into(stored, &mut room) {
                prop_assert_eq!(value.len() as u64, raw_bytes);
            }
        }
    }
}
