//! A small lexer: Rust text without its comments and strings, so that a word in prose is no word in code.

/// `text` with every comment, string and character literal blanked out. Line breaks stay, so line numbers do.
pub(crate) fn code_only(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        match skipped {
            Some(length) => {
                let (blank, after) = rest.split_at(length);
                code.extend(blank.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
                rest = after;
            }
            None => {
                // A whole identifier at a time, so that the `r` of `for"` is no raw string.
                let length = identifier(rest).max(first.len_utf8());
                let (kept, after) = rest.split_at(length);
                code.push_str(kept);
                rest = after;
            }
        }
    }
    code
}

/// The words of `code`: identifiers and keywords.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

fn identifier(text: &str) -> usize {
    // Prefixes of strings are left to `string`.
    if ["r\"", "r#\"", "b\"", "br\"", "br#\"", "c\"", "b'"].iter().any(|prefix| text.starts_with(prefix)) {
        return 0;
    }
    text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len())
}

fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(text.len())
}

fn string(text: &str) -> Option<usize> {
    let prefix = text.find(|letter| !matches!(letter, 'b' | 'c' | 'r'))?;
    let raw = text[..prefix].ends_with('r');
    if prefix > 2 {
        return None;
    }
    if raw {
        let hashes = text[prefix..].find(|letter| letter != '#')?;
        let open = prefix + hashes;
        if !text[open..].starts_with('"') {
            return None;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let end = text[open + 1..].find(&close).map_or(text.len(), |at| open + 1 + at + close.len());
        return Some(end);
    }
    if !text[prefix..].starts_with('"') {
        return None;
    }
    Some(prefix + 1 + until_quote(&text[prefix + 1..], '"'))
}

/// A character literal, but not a lifetime: `'a'` and `'\n'` close, `'a` does not.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'').or_else(|| text.strip_prefix("b'"))?;
    let opening = text.len() - body.len();
    if body.starts_with('\\') {
        return Some(opening + until_quote(body, '\''));
    }
    let letter = body.chars().next()?;
    let closes = body[letter.len_utf8()..].starts_with('\'');
    closes.then_some(opening + letter.len_utf8() + 1)
}

/// The length up to and including the next `quote` that no backslash escapes.
fn until_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
#[track_caller]
fn check(text: &str, expected: &str) {
    let found: Vec<String> = words(&code_only(text)).map(str::to_owned).collect();
    assert_eq!(found.join(" "), expected, "in {text}");
}

#[test]
fn comments_go() {
    check("a // unsafe\nb", "a b");
    check("a /* x /* unsafe */ y */ b", "a b");
    check("/// unsafe\nfn f() {}", "fn f");
}

#[test]
fn strings_go() {
    check(r#"f("unsafe \" still", x)"#, "f x");
    check("f(r#\"unsafe \" still\"#, x)", "f x");
    check("f(b\"unsafe\", r\"\\\", x)", "f x");
}

#[test]
fn characters_go_and_lifetimes_stay() {
    check("let a = '\"'; let b = '\\''; c", "let a let b c");
    check("fn f<'a>(x: &'a str) {}", "fn f a x a str");
    check("matches!(x, b'u' | 'v')", "matches x");
}

#[test]
fn lines_stay_where_they_are() {
    assert_eq!(code_only("a /* 1\n2 */ b\n\"x\ny\" c").lines().count(), 4);
}
