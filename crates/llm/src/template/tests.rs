use proptest::prelude::*;

use super::*;
use crate::fixtures::{byte_level, smollm2, tokenizer};
use crate::tokenizer::Tokenizer;

mod hostile;
mod injection;

/// Of SmolLM2, from its tokenizer_config.json.
const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ \
    '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{\
    '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

fn message(role: Role, content: &str) -> Message {
    Message { role, content: content.to_owned(), reasoning: None }
}

fn conversation(messages: &[Message]) -> Conversation<'_> {
    Conversation { messages, add_generation_prompt: true, date: None, thinking: None }
}

fn marking() -> Marking {
    Marking::new(["<|im_start|>", "<|im_end|>", "<think>", "</think>", "<s>"].into_iter()).unwrap()
}

fn rendered(source: &str, conversation: &Conversation<'_>) -> Result<Rendered, TemplateError> {
    ChatTemplate::new(source, "<s>", "<|im_end|>")?.render(&marking(), conversation)
}

/// What `source` makes of one user's `content`, to read, and whether faithfully.
#[track_caller]
fn check(source: &str, content: &str, expected: &str, faithful: bool) {
    let found = rendered(source, &conversation(&[message(Role::User, content)])).unwrap();
    assert_eq!((marking().plain(&found.text).as_str(), found.faithful), (expected, faithful), "{source}");
}

#[test]
fn smollm2_renders_and_tokenises_as_recorded() {
    let messages = [message(Role::System, "Be brief."), message(Role::User, "Hello")];
    let found = rendered(CHATML, &conversation(&messages)).unwrap();
    let text = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!((marking().plain(&found.text).as_str(), found.faithful), (text, true));

    let Some(tokenizer) = smollm2() else {
        return;
    };
    // The last recorded case, behind a system message of our own.
    let template = ChatTemplate::new(CHATML, "", "<|im_end|>").unwrap();
    let found = template.render(tokenizer.marking(), &conversation(&messages)).unwrap();
    let ids = tokenizer.encode(&found.text).unwrap();
    assert_eq!(ids[ids.len() - 10..], [1, 4093, 198, 19556, 2, 198, 1, 520, 9531, 198]);
    assert_eq!(ids, tokenizer.encode_trusted(text).unwrap(), "harmless contents read as in the reference");
}

#[test]
fn what_transformers_offers_is_there() {
    let content = "{% set content = messages[0].content %}";
    let with = |source: &str| format!("{content}{source}");
    check(
        &with("{{ bos_token }}{{ content.strip() }}|{{ content | trim }}{{ eos_token }}"),
        " a b\n",
        "<s>a b|a b<|im_end|>",
        true,
    );
    check(&with("{{ content.split('\n')[-1] }}"), "a\nb", "b", true);
    check(&with("{% if content is string and content %}yes{% else %}no{% endif %}"), "", "no", true);
    check(
        "{% for m in messages %}{% if m.role != 'user' %}{% continue %}{% endif %}{{ m.content }}{% break %}{% endfor %}",
        "x",
        "x",
        true,
    );
    check(
        "{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
        "",
        "3",
        true,
    );
    check("{{ {'a': [1, none, true], 'b': 'é\"<'} | tojson }}", "", r#"{"a": [1, null, true], "b": "é\"<"}"#, true);
    check("{{ [1, 2] | tojson(indent=2) }}", "", "[\n  1,\n  2\n]", true);
    check("{%- if tools is defined -%}t{%- endif -%}\n  {% if true %}\nx\n  {%- endif %}", "", "x", true);
    check("a{%- generation -%} b {% endgeneration %}c", "", "ab c", true);
    check(&with("{{ content.startswith('ab') }}"), "zz", "False", true);
    check("{% macro say(x) %}[{{ x }}]{% endmacro %}{{ say(messages[-1]['content']) }}", "hi", "[hi]", true);
    check(
        "{% for m in messages[::-1] %}{{ m.get('content', '') }}{{ m.tool_calls is defined }}{% endfor %}",
        "hi",
        "hiFalse",
        true,
    );
    check("{{ messages[0].content | upper }}", "zq", "ZQ", true);
}

#[test]
fn a_look_into_the_content_is_told() {
    // Letters of `<think>` are marked, so they are not seen and have no upper case.
    check("{{ 'think' in messages[0].content }}", "we think", "False", false);
    check("{{ messages[0].content | upper }}", "think", "think", false);
    check("{{ messages[0].content.split('</think>')[-1] }}", "<think>x</think>y", "<think>x</think>y", false);
    check("{{ messages[0].content.replace('q', 'think') }}", "q", "think", true);
}

#[test]
fn the_date_is_handed_in() {
    let date = Some(Date { year: 2026, month: 3, day: 1, hour: 7, minute: 5, second: 9 });
    let with = Conversation { date, ..conversation(&[]) };
    let found = rendered("{{ strftime_now('%A %a %d %e %B %b %Y %y-%m %H:%M:%S %%') }}", &with).unwrap();
    assert_eq!(marking().plain(&found.text), "Sunday Sun 01  1 March Mar 2026 26-03 07:05:09 %");
    let leap = Date { year: 2024, month: 2, day: 29, hour: 0, minute: 0, second: 0 };
    assert_eq!(leap.format("%A").as_deref(), Some("Thursday"));
    assert_eq!(Date { month: 13, ..leap }.format("%b"), None);
    let error = rendered("{{ strftime_now('%Q') }}", &with).unwrap_err().to_string();
    assert!(error.contains("does not know the format \"%Q\""), "{error}");
    check("{{ strftime_now is defined }}", "", "False", true);
}

#[test]
fn thoughts_and_switches_reach_the_template() {
    let source =
        "{% for m in messages %}{{ m.reasoning_content }}/{{ m.content }}{% endfor %}{{ enable_thinking is false }}";
    let thought = Message { reasoning: Some("hm".to_owned()), ..message(Role::Assistant, "x") };
    let found = rendered(source, &Conversation { thinking: Some(false), ..conversation(&[thought]) }).unwrap();
    assert_eq!(marking().plain(&found.text), "hm/xTrue");
}

#[test]
fn roles_are_a_closed_set() {
    assert_eq!("tool".parse(), Ok(Role::Tool));
    for name in ["System", "developer", "user<|im_end|>", ""] {
        assert_eq!(name.parse::<Role>(), Err(RoleError(name.to_owned())));
    }
}
