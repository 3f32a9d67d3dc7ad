//! Parsing, adding and printing against values of the reference.

use proptest::prelude::*;

use super::*;

#[test]
fn sums_print_as_the_reference() {
    // Answers of INCRBYFLOAT of Valkey 9.1.2 on x86-64.
    for (value, by, sum) in [
        ("0.1", "0.2", "0.3"),
        ("3.0e3", "200", "3200"),
        ("10.5", "0.1", "10.6"),
        ("1e17", "1", "100000000000000001"),
        ("1e20", "0.5", "100000000000000000000"),
        ("5.0e-5", "0", "0.00005"),
        ("1e-17", "0", "0.00000000000000001"),
        ("0.3", "-0.3", "0"),
        ("-0.1", "0.1", "0"),
        ("0", "-0.0", "0"),
        ("-0", "0", "0"),
        ("1e25", "1", "10000000000000000000000000"),
        ("1.23456789012345678901", "0", "1.23456789012345679"),
        ("9223372036854775807", "1", "9223372036854775808"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("123456789.123456789", "1", "123456790.12345678899873747"),
        ("1.7", "-0.1", "1.6"),
        ("1e10", "-1e-10", "10000000000"),
        ("0.000000000000000005", "0", "0"),
        ("0.0000000000000000051", "0", "0.00000000000000001"),
        ("-1e-20", "0", "0"),
        ("+1", ".5", "1.5"),
        ("5.", "1.1", "6.1"),
        (
            "1e309",
            "0",
            "999999999999999999986349424581256454766307763249906048699722933664407363742116431635427166600418245409398702382304152749971957328402423172341126484032370375772746974788657214625693651444984012739133113268869496442311034817571120406763557498021655642425941543468850939783228659030453659621446207643423114002432",
        ),
        (
            "123456789012345678901234567890.5",
            "-0.25",
            "123456789012345678899921813504",
        ),
    ] {
        let value_parsed = LongDouble::parse(value.as_bytes()).expect(value);
        let by_parsed = LongDouble::parse(by.as_bytes()).expect(by);
        let printed = value_parsed.checked_add(by_parsed).expect("finite");
        assert_eq!(printed.to_string(), sum, "{value} + {by}");
    }
}

#[test]
fn malformed_and_out_of_range_text_is_refused() {
    for text in [
        "",
        " 1",
        "1 ",
        "nan",
        "1e",
        "e1",
        ".",
        "1e5000",
        "1e-5000",
        "1.2.3",
        "--1",
        "1e+-2",
        "1e99999999999999999999",
    ] {
        assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(LongDouble::parse(&[b'1'; 5120]), None);
    assert!(LongDouble::parse(b"0e99999999").is_some());
}

#[test]
fn infinities_parse_but_do_not_add() {
    let infinite = LongDouble::parse(b"-Infinity").expect("parses");
    let one = LongDouble::parse(b"1").expect("parses");
    let large = LongDouble::parse(b"1.1e4932").expect("parses");
    assert!(!infinite.is_finite());
    assert_eq!(infinite.to_string(), "-inf");
    assert_eq!(infinite.checked_add(one), None);
    assert_eq!(large.checked_add(large), None);
}

#[test]
fn hexadecimal_text_is_read_as_strtold_reads_it() {
    for (text, decimal) in [
        ("0x10", "16"),
        ("-0X1.8p3", "-12"),
        ("0x.8", "0.5"),
        ("0xFFFFFFFFFFFFFFFFp-64", "0.999999999999999999946"),
        ("0x0p99999999", "0"),
    ] {
        let parsed = LongDouble::parse(text.as_bytes());
        assert_eq!(parsed, LongDouble::parse(decimal.as_bytes()), "{text}");
    }
    for text in [
        "0x",
        "0xp1",
        "0x1p",
        "0x1p+",
        "0x1.2.3",
        "0xg",
        "0x1p99999",
        "0x1p-99999",
    ] {
        assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
    }
}

proptest! {
    #[test]
    fn whole_numbers_add_exactly(a in -(1_i64 << 62)..1 << 62, b in -(1_i64 << 62)..1 << 62) {
        let parse = |value: i64| LongDouble::parse(value.to_string().as_bytes()).expect("whole");
        let sum = parse(a).checked_add(parse(b)).expect("finite");
        prop_assert_eq!(sum.to_string(), (a + b).to_string());
    }

#[test]
    fn addition_commutes_and_cancels(a: f64, b: f64) {
        prop_assume!(a.is_finite() && b.is_finite());
        let parse = |value: f64| LongDouble::parse(format!("{value:e}").as_bytes());
        if let (Some(x), Some(y), Some(minus)) = (parse(a), parse(b), parse(-a)) {
            prop_assert_eq!(x.checked_add(y), y.checked_add(x));
            let zero = x.checked_add(minus).map(|sum| sum.to_string());
            prop_assert_eq!(zero.as_deref(), Some("0"));
        }
    }
}
