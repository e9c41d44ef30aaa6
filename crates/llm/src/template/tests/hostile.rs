//! Templates that do not end, write too much, refuse or are none.

use super::*;

#[track_caller]
fn check_error(source: &str, matches: impl FnOnce(&TemplateError) -> bool) {
    let error = rendered(source, &conversation(&[message(Role::User, "hi")])).unwrap_err();
    assert!(matches(&error), "{source}: {error:?}");
}

fn is_endless(error: &TemplateError) -> bool {
    *error == TemplateError::Endless
}

#[test]
fn a_template_that_does_not_end_is_stopped() {
    let loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    check_error(loops, is_endless);
    check_error(
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        is_endless,
    );
    check_error("{{ 'ab' * 100000000 }}", is_endless);
    // Its own error of the engine, but an error.
    check_error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", |error| matches!(error, TemplateError::Failed(_)));
    check_error("{{ range(1000000000) | list }}", |error| !matches!(error, TemplateError::Syntax(_)));
}

#[test]
fn a_template_that_writes_a_hundred_megabytes_is_stopped() {
    let writes = "{% set line = 'x' * 100000 %}{% for i in range(1000) %}{{ line }}{% endfor %}";
    check_error(writes, |error| matches!(error, TemplateError::OutputTooLong | TemplateError::Endless));
}

#[test]
fn what_is_no_template_is_named() {
    check_error("{% for %}", |error| matches!(error, TemplateError::Syntax(_)));
    check_error("{{ unclosed", |error| matches!(error, TemplateError::Syntax(reason) if reason.contains("line 1")));
    check_error("{{ nothing() }}", |error| matches!(error, TemplateError::Failed(_)));
    check_error("{{ messages.foo.bar }}", |error| matches!(error, TemplateError::Failed(_)));
    check_error("{% include 'etc/passwd' %}", |error| matches!(error, TemplateError::Failed(_)));
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    check_error(&deep, |error| matches!(error, TemplateError::Syntax(_)));
    assert_eq!(
        ChatTemplate::new(&" ".repeat(TEMPLATE_BYTES_MAX + 1), "", "").unwrap_err(),
        TemplateError::TemplateTooLong(TEMPLATE_BYTES_MAX + 1)
    );
}

#[test]
fn a_template_that_refuses_is_heard() {
    let source = "{{ raise_exception('No think, ' ~ messages[0].content) }}";
    check_error(source, |error| *error == TemplateError::Refused("No think, hi".to_owned()));
    let content = "think\u{7}".repeat(1000);
    let error = rendered(source, &conversation(&[message(Role::User, &content)])).unwrap_err().to_string();
    assert!(error.len() < 600 && error.contains("think think") && !error.contains('\u{7}'), "{error}");
}

#[test]
fn contents_are_bounded() {
    let content = "x".repeat(CONTENTS_BYTES_MAX + 1);
    let error = rendered(CHATML, &conversation(&[message(Role::User, &content)])).unwrap_err();
    assert_eq!(error, TemplateError::ContentsTooLong(CONTENTS_BYTES_MAX + 1));
    // The largest contents fit through a common template.
    let content = "<|".repeat(CONTENTS_BYTES_MAX / 2 - 1000);
    assert!(rendered(CHATML, &conversation(&[message(Role::User, &content)])).is_ok());
}

/// Found by the proptest below on one of many runs: the percent sign of the opening was taken for the closing's too.
#[test]
fn a_tag_does_not_close_with_its_opening_percent_sign() {
    for source in ["{%}", "{{ 'x' }}{%}{% endif %}", "{%}%}"] {
        if let Ok(template) = ChatTemplate::new(source, "", "") {
            template.render(&marking(), &conversation(&[message(Role::User, "hi")])).ok();
        }
    }
}

proptest! {
    #[test]
    fn damaged_templates_never_panic(cut in 0_usize..400, piece in "[{}%()'|~ a-z]{0,6}") {
        let at = cut.min(CHATML.len());
        if let Ok(template) = ChatTemplate::new(&format!("{}{piece}{}", &CHATML[..at], &CHATML[at..]), "", "") {
            template.render(&marking(), &conversation(&[message(Role::User, "hi")])).ok();
        }
    }
}
