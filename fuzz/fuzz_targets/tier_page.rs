//! Any bytes as the records of a tier page with the right checksum: no panic, and
//! nothing of them is believed that is not whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::DatabaseId;
use thermocline_base::checksum::crc32;
use thermocline_base::limits::PAGE_BYTES;
use thermocline_store::tier::page::{
    CRC_OFFSET, HEADER_BYTES, KIND_OFFSET, MAGIC_OFFSET, PAGE_CAPACITY_BYTES, RECORD_COUNT_OFFSET,
    USED_BYTES_OFFSET,
};
use thermocline_store::tier::{
    Decompressor, Incarnation, PageBuilder, PagePlace, SegmentNumber, find, records,
};

const PLACE: PagePlace = PagePlace {
    segment: SegmentNumber(3),
    incarnation: Incarnation(9),
    page: 5,
};

fuzz_target!(|input: (u8, u8, u32, &[u8])| {
    let (kind, record_count, used_bytes, body) = input;
    let body = &body[..body.len().min(PAGE_CAPACITY_BYTES)];
    let mut page = PageBuilder::new(PLACE).finish();
    page[HEADER_BYTES..HEADER_BYTES + body.len()].copy_from_slice(body);
    let mut put = |at: usize, field: &[u8]| page[at..at + field.len()].copy_from_slice(field);
    put(KIND_OFFSET, &[kind % 3]);
    put(RECORD_COUNT_OFFSET, &u32::from(record_count).to_le_bytes());
    // Mostly what there is.
    let used_bytes = if used_bytes % 8 == 0 {
        used_bytes
    } else {
        body.len() as u32
    };
    put(USED_BYTES_OFFSET, &used_bytes.to_le_bytes());
    let crc = crc32(&page[MAGIC_OFFSET..]);
    page[CRC_OFFSET..CRC_OFFSET + 4].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(page.len(), PAGE_BYTES);

    if let Ok(records) = records(&page, PLACE) {
        let mut decompressor = Decompressor::new(&[]).expect("no dictionary can be wrong");
        for record in records.flatten() {
            let _ = decompressor.decompress(record.value);
            let _ = record.parts().count();
        }
    }
    let _ = find(&page, PLACE, DatabaseId(0), b"k");
});
