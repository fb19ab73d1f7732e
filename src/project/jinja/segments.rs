//! Cuts a template into text, prints, tags and comments, and finds the blocks that dbt takes out of a file whole.
//!
//! ```text
//!   {% macro cents(x) %} … {% endmacro %}  ──> Block {kind: Macro, header: "cents(x)", body, line}
//! ```
//!
//! 1. Strings and brackets inside a tag are respected: `{{ {'a': {}} }}` and `{{ '%}' }}` end where Jinja ends them.
//! 2. `raw` and `docs` bodies are never looked into.

/// Why a template cannot be cut, with the line (from one) where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syntax {
    pub message: String,
    pub line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    Text,
    Print,
    Tag,
    Comment,
    /// `{% raw %}` or `{% docs %}` with everything up to its end.
    Verbatim,
}

#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    pub kind: SegmentKind,
    /// The whole of it, delimiters included.
    pub text: &'a str,
    /// Between the delimiters and their trim marks.
    pub inner: &'a str,
    pub start: usize,
    pub end: usize,
    pub line: usize,
    /// `-`, `+` or nothing.
    pub trim_left: &'a str,
    pub trim_right: &'a str,
}

impl<'a> Segment<'a> {
    /// The first word of a tag.
    pub fn keyword(&self) -> &'a str {
        let inner = self.inner.trim_start();
        &inner[..inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len())]
    }

    /// What follows the first word of a tag.
    pub fn rest(&self) -> &'a str {
        &self.inner.trim_start()[self.keyword().len()..]
    }
}

pub fn segments(source: &str) -> Result<Vec<Segment<'_>>, Syntax> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while at < source.len() {
        let rest = &source[at..];
        let open = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
        if open > 0 {
            found.push(plain_segment(source, SegmentKind::Text, at, at + open, line));
            line += newlines(&rest[..open]);
            at += open;
            continue;
        }
        let segment = delimited(source, at, line)?;
        line += newlines(segment.text);
        at = segment.end;
        found.push(segment);
    }
    Ok(found)
}

pub fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn plain_segment(source: &str, kind: SegmentKind, start: usize, end: usize, line: usize) -> Segment<'_> {
    let text = &source[start..end];
    Segment { kind, text, inner: text, start, end, line, trim_left: "", trim_right: "" }
}

fn delimited(source: &str, start: usize, line: usize) -> Result<Segment<'_>, Syntax> {
    let (kind, close) = match &source[start..start + 2] {
        "{{" => (SegmentKind::Print, "}}"),
        "{%" => (SegmentKind::Tag, "%}"),
        _ => (SegmentKind::Comment, "#}"),
    };
    let inner_start = start + 2;
    let inner_end = if kind == SegmentKind::Comment {
        source[inner_start..]
            .find(close)
            .map(|at| inner_start + at)
            .ok_or_else(|| Syntax { message: "Missing end of comment tag".into(), line })?
    } else {
        closing(source, inner_start, close, line)?
    };
    let end = inner_end + close.len();
    let mut inner = &source[inner_start..inner_end];
    let mut trims = ["", ""];
    if let Some(first) = inner.get(..1).filter(|mark| matches!(*mark, "-" | "+")) {
        trims[0] = first;
        inner = &inner[1..];
    }
    if let Some(last) =
        inner.len().checked_sub(1).and_then(|at| inner.get(at..)).filter(|mark| matches!(*mark, "-" | "+"))
    {
        trims[1] = last;
        inner = &inner[..inner.len() - 1];
    }
    let text = &source[start..end];
    let segment = Segment { kind, text, inner, start, end, line, trim_left: trims[0], trim_right: trims[1] };
    if kind == SegmentKind::Tag && matches!(segment.keyword(), "raw" | "docs") {
        let word = if segment.keyword() == "raw" { "endraw" } else { "enddocs" };
        let (_, body_end) = end_tag(source, end, word).ok_or_else(|| Syntax {
            message: format!("Unexpected end of template: the block of line {line} has no `{{% {word} %}}`"),
            line,
        })?;
        return Ok(Segment { kind: SegmentKind::Verbatim, text: &source[start..body_end], end: body_end, ..segment });
    }
    Ok(segment)
}

/// The first `{% word %}` at or after `from`: where it starts and where it ends.
fn end_tag(source: &str, from: usize, word: &str) -> Option<(usize, usize)> {
    let mut at = from;
    while let Some(found) = source[at..].find("{%") {
        let start = at + found;
        let inner = source[start + 2..].trim_start_matches(['-', '+']).trim_start();
        if let Some(after) = inner.strip_prefix(word)
            && let Some(close) = after.find("%}")
            && after[..close].trim().trim_matches(['-', '+']).is_empty()
        {
            return Some((start, source.len() - after.len() + close + 2));
        }
        at = start + 2;
    }
    None
}

/// Where the tag that began before `from` closes.
fn closing(source: &str, from: usize, close: &str, line: usize) -> Result<usize, Syntax> {
    let bytes = source.as_bytes();
    let mut depth = 0usize;
    let mut at = from;
    while at < bytes.len() {
        if depth == 0 && source[at..].starts_with(close) {
            return Ok(at);
        }
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        while at < bytes.len() && !source.is_char_boundary(at) {
            at += 1;
        }
    }
    Err(Syntax { message: format!("unexpected end of template, expected '{close}'"), line })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    Macro,
    Test,
    Docs,
    Snapshot,
    Materialization,
}

impl BlockKind {
    fn of(keyword: &str) -> Option<(BlockKind, &'static str)> {
        Some(match keyword {
            "macro" => (BlockKind::Macro, "endmacro"),
            "test" | "data_test" => (BlockKind::Test, if keyword == "test" { "endtest" } else { "enddata_test" }),
            "docs" => (BlockKind::Docs, "enddocs"),
            "snapshot" => (BlockKind::Snapshot, "endsnapshot"),
            "materialization" => (BlockKind::Materialization, "endmaterialization"),
            _ => return None,
        })
    }
}

/// A block that stands at the top level of a file.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    pub kind: BlockKind,
    /// What follows the keyword: `cents(x, scale=2)`.
    pub header: &'a str,
    pub body: &'a str,
    pub text: &'a str,
    /// Line of the opening tag.
    pub line: usize,
    /// Line on which the body begins.
    pub body_line: usize,
    pub trim_body_start: bool,
    pub trim_body_end: bool,
}

/// All blocks at the top level of a file; the text around them is left to the caller's judgement.
pub fn blocks(source: &str) -> Result<Vec<Block<'_>>, Syntax> {
    let all = segments(source)?;
    let mut found = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let open = &all[at];
        at += 1;
        if open.kind == SegmentKind::Verbatim && open.keyword() == "docs" {
            found.push(docs_block(source, open));
            continue;
        }
        let Some((kind, end_word)) = BlockKind::of(open.keyword()).filter(|_| open.kind == SegmentKind::Tag) else {
            continue;
        };
        let mut depth = 1;
        let close = loop {
            let Some(next) = all.get(at) else {
                let message =
                    format!("Reached EOF without finding a close tag for {} (searched for {end_word})", open.keyword());
                return Err(Syntax { message, line: open.line });
            };
            at += 1;
            if next.kind == SegmentKind::Tag && next.keyword() == open.keyword() {
                depth += 1;
            } else if next.kind == SegmentKind::Tag && next.keyword() == end_word {
                depth -= 1;
                if depth == 0 {
                    break next;
                }
            }
        };
        found.push(Block {
            kind,
            header: open.rest().trim(),
            body: &source[open.end..close.start],
            text: &source[open.start..close.end],
            line: open.line,
            body_line: open.line + newlines(open.text),
            trim_body_start: open.trim_right == "-",
            trim_body_end: close.trim_left == "-",
        });
    }
    Ok(found)
}

fn docs_block<'a>(source: &'a str, segment: &Segment<'a>) -> Block<'a> {
    let open_end = closing(source, segment.start + 2, "%}", segment.line).map_or(segment.end, |at| at + 2);
    let close_start = end_tag(source, open_end, "enddocs").map_or(segment.end, |(start, _)| start);
    Block {
        kind: BlockKind::Docs,
        header: segment.rest().trim(),
        body: &source[open_end..close_start],
        text: segment.text,
        line: segment.line,
        body_line: segment.line + newlines(&source[segment.start..open_end]),
        trim_body_start: true,
        trim_body_end: true,
    }
}
