//! Charts as an SVG picture that any browser shows.
//!
//! Owns the drawing. Pure. INVARIANT: names are a client's bytes: they are escaped
//! for XML, and no control character is among them.

use super::profile::Chart;
use crate::report::count;
use std::fmt::Write;

const ROW: u32 = 18;
const NAME_WIDTH: u32 = 170;
const BAR_WIDTH: u64 = 420;
const WIDTH: u32 = 800;
const TITLE_HEIGHT: u32 = 34;

/// The picture of some charts, one below the other. A bar is as long as the
/// class's part of all bytes of the chart.
pub(super) fn picture(charts: &[Chart]) -> String {
    let rows: usize = charts.iter().map(|(_, classes)| classes.len()).sum();
    let height = charts.len() as u32 * (TITLE_HEIGHT + ROW) + rows as u32 * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut y = 0;
    for (title, classes) in charts {
        y += TITLE_HEIGHT;
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{}\" font-weight=\"bold\">{}</text>",
            y - 10,
            escaped(title)
        );
        let most = classes.iter().map(|(_, class)| class.bytes).max();
        let most = most.unwrap_or(0).max(1);
        for (name, class) in classes {
            let width = u128::from(class.bytes) * u128::from(BAR_WIDTH) / u128::from(most);
            let text = y + ROW - 5;
            let keys = count(class.keys, "key");
            let bytes = indicatif::HumanBytes(class.bytes);
            let _ = writeln!(
                svg,
                "<text x=\"10\" y=\"{text}\">{}</text>\
                 <rect x=\"{NAME_WIDTH}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"#2a7ab0\"/>\
                 <text x=\"{}\" y=\"{text}\">{bytes}, {keys}</text>",
                escaped(name),
                y + 2,
                ROW - 4,
                u128::from(NAME_WIDTH) + width + 6,
            );
            y += ROW;
        }
        y += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            other if other.is_control() => escaped.push('?'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::profile::Profile;
    use super::*;
    use thermocline_base::UnixMillis;

    #[test]
    fn the_picture_is_closed_and_a_key_cannot_break_out_of_it() {
        let mut profile = Profile::new(UnixMillis(0));
        profile.add(b"<script>&\":x", 10, None);
        let svg = picture(&profile.charts());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("<script>"), "{svg}");
        assert!(svg.contains("&lt;script&gt;&amp;"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
