//! Drawing: a few shapes and texts as SVG, with colours that follow the reader's light or dark mode.
//!
//! Colours are classes, so that one style sheet serves a file of its own and a page. Whatever text comes from outside
//! is escaped here and nowhere else.

use std::fmt::{Display, Write};

/// Colours and sizes, for an SVG file and for a page.
pub const STYLE: &str = "\
:root{--paper:#ffffff;--ink:#1f2328;--faint:#656d76;--line:#d1d9e0;--mark:#2f6fb0;--soft:#b9d3ec;--high:#c0392b;--medium:#c98a00;--benign:#2e8b57}\
@media (prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--faint:#8d96a0;--line:#3a424b;--mark:#6cb0f0;--soft:#28496b;--high:#f0776a;--medium:#e3b341;--benign:#57c785}}\
svg{background:var(--paper)}\
svg text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:var(--ink)}\
svg text.title{font-size:15px;font-weight:600}\
svg text.faint{fill:var(--faint);font-size:11px}\
svg text.paper{fill:var(--paper)}\
.line{stroke:var(--line);fill:none}\
.dash{stroke:var(--faint);stroke-dasharray:4 4;fill:none}\
.ink{stroke:var(--ink);stroke-width:1.5;fill:none}\
.mark{fill:var(--mark)}.soft{fill:var(--soft)}\
.high{fill:var(--high)}.medium{fill:var(--medium)}.benign{fill:var(--benign)}";

/// A text in which nothing can be taken for markup, and no character that XML forbids.
pub fn escaped(text: impl Display) -> String {
    let mut safe = String::new();
    for character in text.to_string().chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            control if control.is_control() => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => safe.push(' '),
            plain => safe.push(plain),
        }
    }
    safe
}

/// Where a text begins, ends or has its middle.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing of a fixed size, in pixels from its upper left corner.
#[derive(Clone, Debug)]
pub struct Drawing {
    pub width: f64,
    pub height: f64,
    body: String,
}

impl Drawing {
    pub fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
        }
    }

    /// A filled box; `opacity` is 0 to 1.
    pub fn area(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), opacity: f64) {
        let ((x, y), (width, height)) = (corner, size);
        let opacity = match opacity {
            1.0.. => String::new(),
            less => format!(" fill-opacity=\"{less:.3}\""),
        };
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"{opacity}/>",
            width.max(0.0),
            height.max(0.0)
        );
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub fn dot(&mut self, class: &str, centre: (f64, f64), radius: f64) {
        let _ = write!(
            self.body,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"/>",
            centre.0, centre.1
        );
    }

    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            at.0,
            at.1,
            escaped(text)
        );
    }

    /// A text read from below to above.
    pub fn upright(&mut self, class: &str, at: (f64, f64), text: impl Display) {
        let _ = write!(
            self.body,
            "<text class=\"{class}\" text-anchor=\"middle\" transform=\"translate({:.1} {:.1}) rotate(-90)\">{}</text>",
            at.0,
            at.1,
            escaped(text)
        );
    }

    /// Another drawing at a place of this one.
    pub fn place(&mut self, at: (f64, f64), other: &Self) {
        let _ = write!(
            self.body,
            "<g transform=\"translate({:.1} {:.1})\">{}</g>",
            at.0, at.1, other.body
        );
    }

    /// The drawing as an element of a page that has the [`STYLE`]; `described` is what is read out.
    pub fn element(&self, described: &str) -> String {
        let Self {
            width,
            height,
            body,
        } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
            escaped(described)
        )
    }

    /// The drawing as a file.
    pub fn file(&self, described: &str) -> String {
        let element = self.element(described);
        let (start, rest) = element.split_once('>').expect("an element");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{start}><style>{STYLE}</style>{rest}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_markup() {
        assert_eq!(
            escaped("<a href=\"x\">&'\u{7}"),
            "&lt;a href=&quot;x&quot;&gt;&amp;&#39; "
        );
        let mut drawing = Drawing::new(10.0, 10.0);
        drawing.text("", (1.0, 1.0), Anchor::Start, "</text><script>");
        let file = drawing.file("a \"name\"");
        assert!(!file.contains("<script") && file.contains("&lt;script"));
        assert!(file.contains("aria-label=\"a &quot;name&quot;\""));
    }
}
