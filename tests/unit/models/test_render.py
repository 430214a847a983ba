"""Rendering: exact spans, one BOS, a prompt that does not depend on the response."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from chat_tokenizers import (
    ENDS,
    TEMPLATES,
    byte_tokenizer,
    spaced_tokenizer,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.data.examples import Example, Message
from sonde.models.render import NotRendered, RenderSettings, render, render_all, template_used

families = pytest.mark.parametrize("family", TEMPLATES)
texts = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() and "<" not in text)


def chat(*contents: str, response: str | None = None, first: str = "user") -> Example:
    """Make a conversation whose roles alternate."""
    roles = ["user", "assistant"] * len(contents)
    if first == "system":
        roles.insert(0, "system")
    messages = tuple(Message(*pair) for pair in zip(roles, contents, strict=False))
    return Example("x", messages, response, row="talk.jsonl, line 3")


def read(tokenizer, rendered, span) -> str:
    return tokenizer.decode(rendered.ids[slice(*span)], clean_up_tokenization_spaces=False)


def own_ids(tokenizer, example: Example) -> list[int]:
    """What the library's own tokenised rendering of the prompt is."""
    messages = [{"role": turn.role, "content": turn.content} for turn in example.prompt]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]


@families
@pytest.mark.parametrize("merges", [0, 80])
def test_prompt_tokens_are_those_of_the_library(family, merges):
    tokenizer = byte_tokenizer(family, merges=merges)
    example = chat("  The ship reached the harbour. ", "Fine, thank you.", "And the crew? 🙂")
    assert list(render(tokenizer, example).ids) == own_ids(tokenizer, example)


@families
def test_prompt_tokens_are_the_librarys_where_texts_get_a_space(family):
    tokenizer = spaced_tokenizer(family)
    example = chat("The ship reached home", "Fine", "And the crew")
    rendered = render(tokenizer, replace(example, response="went home"))
    assert list(rendered.ids[: rendered.spans.prompt[1]]) == own_ids(tokenizer, example)
    assert read(tokenizer, rendered, rendered.spans.response).strip() == "went home"


@families
@given(contents=st.lists(texts, min_size=1, max_size=3), response=texts)
def test_spans_hold_exactly_what_was_said(family, contents, response):
    tokenizer = byte_tokenizer(family)  # one token a byte, so a span's text is exact
    contents = contents if len(contents) % 2 else contents[:-1]  # the user speaks last
    rendered = render(tokenizer, chat(*contents, response=response))
    said = [*contents, response]
    if family in ("gemma", "llama3"):
        said = [text.strip() for text in said]
    spans = rendered.spans
    assert [read(tokenizer, rendered, turn) for turn in spans.turns] == said
    assert read(tokenizer, rendered, spans.user) == said[-2]
    assert read(tokenizer, rendered, spans.response) == said[-1]
    assert read(tokenizer, rendered, (0, spans.n_tokens)) == rendered.text


@families
@given(text=texts, response=texts)
def test_the_prompt_does_not_depend_on_the_response(family, text, response):
    tokenizer = byte_tokenizer(family, merges=80)
    alone = render(tokenizer, Example("x", text))
    answered = render(tokenizer, Example("x", text, response))
    assert answered.spans.prompt == alone.spans.prompt == (0, len(alone.ids))
    assert list(answered.ids[: len(alone.ids)]) == list(alone.ids)


@given(text=texts, response=texts)
def test_offsets_and_spans_agree_character_by_character(text, response):
    rendered = render(byte_tokenizer("chatml", merges=80), Example("x", text, response))
    start, end = rendered.text.index("user\n") + 5, rendered.text.index("<|im_end|>\n<|im_start|>a")
    assert rendered.text[start:end] == text
    touching = [
        token
        for token, (first, stop) in enumerate(rendered.offsets.tolist())
        if first < end and stop > start
    ]
    assert range(*rendered.spans.user) == range(touching[0], touching[-1] + 1)


def test_a_chatml_example_worked_by_hand():
    tokenizer = byte_tokenizer("chatml")
    rendered = render(tokenizer, Example("x", "Hi", "Yo"))
    default = 1 + len("system\nYou are a helpful assistant") + 1 + 1  # and <|im_end|>, newline
    user = default + 1 + len("user\n")
    prompt = user + len("Hi") + 2 + 1 + len("assistant\n")
    assert rendered.spans.user == (user, user + 2)
    assert rendered.spans.prompt == (0, prompt)
    assert rendered.spans.response == (prompt, prompt + 2)
    assert rendered.spans.eot == (user + 2, prompt + 2)
    assert rendered.spans.n_tokens == prompt + 4
    last = parse_position("prompt[-1]").tokens(rendered.spans)
    assert tokenizer.decode(rendered.ids[list(last)]) == "\n"
    assert rendered.ids.dtype == np.int32
    assert rendered.offsets.shape == (len(rendered.ids), 2)


@families
def test_tokens_that_end_turns_are_found_by_where_they_stand(family):
    tokenizer = byte_tokenizer(family)
    # The words of the user name every end token there is, and none of those ends a turn.
    example = chat("Say <|im_end|><end_of_turn>", "No", "Why", response="So")
    rendered = render(tokenizer, example)
    user, assistant = ENDS[family]
    expected = [name for name in (user, assistant, user, assistant) if name]
    ends = tokenizer.convert_ids_to_tokens(rendered.ids[list(rendered.spans.eot)].tolist())
    assert ends == expected
    stops = [turn[1] for turn in rendered.spans.turns]
    assert set(rendered.spans.eot) <= set(stops)


def test_a_token_that_asks_for_the_answer_ends_no_turn():
    glm = (
        "{% for message in messages %}{{ '<|im_start|>' + message['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<s>' }}{% endif %}"
    )
    rendered = render(byte_tokenizer(glm), Example("x", "Hi"))
    assert rendered.text == "<|im_start|>Hi<s>"
    assert rendered.spans.eot == ()


def test_words_after_the_last_turn_that_depend_on_it_are_refused():
    source = TEMPLATES["llama3"] + "{% if 'Hi' in messages[-1]['content'] %}!{% endif %}"
    assert render(byte_tokenizer(source), Example("x", "Ho")).text.endswith("\n\n")
    with pytest.raises(SondeError, match="changes the messages"):
        render(byte_tokenizer(source), Example("x", "Hi"))


def test_a_default_system_message_is_no_turn():
    rendered = render(byte_tokenizer("chatml"), Example("x", "Hi"))
    assert "helpful" in rendered.text
    assert len(rendered.spans.turns) == 1
    assert len(rendered.spans.eot) == 1
    given_one = render(byte_tokenizer("chatml"), chat("Be brief.", "Hi", first="system"))
    assert "helpful" not in given_one.text
    assert read(byte_tokenizer("chatml"), given_one, given_one.spans.turns[0]) == "Be brief."


def test_a_system_message_that_the_template_moves_is_still_found():
    tokenizer = byte_tokenizer("mistral")
    rendered = render(tokenizer, chat("Be brief.", "Hi", "Hello", "Why?", first="system"))
    said = [read(tokenizer, rendered, turn) for turn in rendered.spans.turns]
    assert said == ["Be brief.", "Hi", "Hello", "Why?"]
    assert rendered.spans.turns[0] > rendered.spans.turns[1]


def test_a_refused_system_message_is_a_clear_error():
    with pytest.raises(SondeError, match=r"talk\.jsonl, line 3.*System role not supported"):
        render(byte_tokenizer("gemma"), chat("Be brief.", "Hi", first="system"))


@families
def test_there_is_never_a_second_bos(family):
    tokenizer = byte_tokenizer(family)
    bos = tokenizer.bos_token_id
    for example in (Example("x", "Hi"), Example("x", "Hi", "Yo"), chat("a", "b", "c")):
        expected = 0 if family == "chatml" else 1
        assert list(render(tokenizer, example).ids).count(bos) == expected


@pytest.mark.parametrize(("adds_bos", "count"), [(True, 1), (False, 0)])
def test_plain_text_gets_a_bos_only_where_the_tokenizer_adds_one(adds_bos, count):
    tokenizer = byte_tokenizer("chatml", adds_bos=adds_bos)
    rendered = render(tokenizer, Example("x", "Hi", " yo"), RenderSettings(template="none"))
    assert list(rendered.ids).count(tokenizer.bos_token_id) == count
    assert rendered.text == "Hi yo"
    assert rendered.spans.prompt == (0, 2 + count)
    assert rendered.spans.user == (count, 2 + count)
    assert rendered.spans.response == (2 + count, 5 + count)
    assert rendered.spans.turns == (rendered.spans.user, rendered.spans.response)


def test_plain_text_that_holds_its_bos_gets_no_other():
    tokenizer = byte_tokenizer("gemma")
    chat_text = render(tokenizer, Example("x", "Hi")).text
    again = render(tokenizer, Example("x", chat_text), RenderSettings(template="none"))
    assert list(again.ids) == list(render(tokenizer, Example("x", "Hi")).ids)


def test_auto_leaves_a_text_marked_plain_as_it_is():
    tokenizer = byte_tokenizer("chatml")
    examples = [Example("a", "Hi", plain=True), Example("b", "Hi")]
    plain, templated = render_all(tokenizer, examples)
    assert plain.text == "Hi"
    assert "<|im_start|>user\nHi" in templated.text
    assert render(byte_tokenizer(), examples[1]).text == "Hi"  # no template to use


def test_the_template_that_auto_came_to_is_known():
    tokenizer = byte_tokenizer("chatml")
    told, plain = Example("a", "Hi"), Example("b", "Hi", plain=True)
    turns = replace(chat("Hi"), plain=True)  # turns always need the template
    assert template_used(tokenizer, [told, turns], "auto") == "chat"
    assert template_used(tokenizer, [plain], "auto") == "none"
    assert template_used(tokenizer, [told, plain], "auto") == "chat and none"
    assert template_used(tokenizer, [plain], "chat") == "chat"
    base = SimpleNamespace(chat_template=None)  # a base model's tokenizer has none
    assert template_used(base, [told], "auto") == "none"


def test_a_last_assistant_turn_is_the_response():
    tokenizer = byte_tokenizer("chatml")
    given_as_turn = render(tokenizer, chat("Hi", "Yo"))
    given_apart = render(tokenizer, Example("x", "Hi", "Yo"))
    assert given_as_turn.spans == given_apart.spans
    assert given_as_turn.text == given_apart.text
    both = render(tokenizer, chat("Hi", "Yo", response="More"))
    assert read(tokenizer, both, both.spans.response) == "More"
    assert len(both.spans.turns) == 3


def test_a_continuation_gets_no_space_of_its_own():
    tokenizer = spaced_tokenizer()
    whole = tokenizer("the ship went home")["input_ids"]
    rendered = render(tokenizer, Example("x", "the ship", " went home"))
    assert list(rendered.ids) == whole
    assert rendered.text[rendered.offsets[rendered.spans.response[0]][0] :] == " went home"
    glued = render(tokenizer, Example("x", "the sh", "ip went home"))
    assert tokenizer.decode(glued.ids[1:]) == "the ship went home"


def test_a_template_that_fills_in_before_the_answer_leaves_the_prompt_alone():
    qwen = TEMPLATES["chatml"].replace(
        "message['role'] + '\n' + message['content']",
        "message['role'] + '\n' + ('<think>\n\n</think>\n\n' if message['role'] == 'assistant'"
        " else '') + message['content']",
    )
    tokenizer = byte_tokenizer(qwen)
    rendered = render(tokenizer, Example("x", "Hi", "Yo"))
    assert rendered.text.endswith("assistant\n<think>\n\n</think>\n\nYo<|im_end|>\n")
    assert read(tokenizer, rendered, rendered.spans.response) == "Yo"
    assert rendered.spans.prompt == render(tokenizer, Example("x", "Hi")).spans.prompt
    assert rendered.spans.prompt[1] < rendered.spans.response[0]


def test_a_template_that_answers_differently_than_it_asks_is_refused():
    r1 = TEMPLATES["chatml"].replace(
        "'<|im_start|>assistant\n'", "'<|im_start|>assistant\n<think>'"
    )
    assert render(byte_tokenizer(r1), Example("x", "Hi")).text.endswith("<think>")
    with pytest.raises(SondeError, match="writes an answer differently from how it asks"):
        render(byte_tokenizer(r1), Example("x", "Hi", "Yo", row="a.csv, row 2"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("| upper", "0 times"),
        ("| replace('\n', ' ')", "changes the messages"),
        ("+ message['content']", "2 times"),
        ("[:0]", "0 times"),
        ("+ ('!' if 'Two' in message['content'] else '')", "changes the messages"),
    ],
)
def test_a_template_that_changes_what_was_said_is_refused(change, problem):
    source = TEMPLATES["gemma"].replace(
        "message['content'] | trim", f"(message['content'] {change})"
    )
    with pytest.raises(SondeError, match=rf"a\.csv, row 2.*{problem}"):
        render(byte_tokenizer(source), Example("x", "Two\nlines", row="a.csv, row 2"))


def test_variables_reach_the_template_and_llama_gets_a_fixed_date():
    source = (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d') %}{% endif %}"
        "{{ date_string + mood|default('') }}: {{ messages[0]['content'] }}"
    )
    tokenizer = byte_tokenizer(source)
    assert render(tokenizer, Example("x", "Hi")).text == "26 Jul 2024: Hi"
    settings = RenderSettings(variables={"date_string": "1 May", "mood": "!"})
    assert render(tokenizer, Example("x", "Hi"), settings).text == "1 May!: Hi"


@pytest.mark.parametrize("text", ["", "  \n"])
@pytest.mark.parametrize("template", ["chat", "none"])
def test_an_empty_text_names_its_row(text, template):
    settings = RenderSettings(template=template)
    tokenizer = byte_tokenizer("chatml")
    with pytest.raises(SondeError, match=r"a\.csv, row 7: the text is empty"):
        render(tokenizer, Example("x", text, row="a.csv, row 7"), settings)
    with pytest.raises(SondeError, match=r"a\.csv, row 7: the response is empty"):
        render(tokenizer, Example("x", "Hi", text, row="a.csv, row 7"), settings)
    with pytest.raises(SondeError, match=r"message 1 \(assistant\) is empty"):
        render(tokenizer, chat("Hi", text, "Yo"))


def test_messages_without_a_template_and_a_template_that_is_missing_are_errors():
    with pytest.raises(SondeError, match="template: none was chosen"):
        render(byte_tokenizer("chatml"), chat("Hi"), RenderSettings(template="none"))
    with pytest.raises(SondeError, match="tokenizer has no chat template"):
        render(byte_tokenizer(), chat("Hi"))
    with pytest.raises(SondeError, match="tokenizer has no chat template"):
        render(byte_tokenizer(), Example("x", "Hi"), RenderSettings(template="chat"))


def test_a_slow_tokenizer_is_refused():
    from transformers import ByT5Tokenizer

    with pytest.raises(SondeError, match=r"ByT5Tokenizer cannot say.*tokenizer\.json"):
        render(ByT5Tokenizer(), Example("x", "Hi"))


class TestTooLong:
    plain = RenderSettings(template="none")

    def test_error_and_skip_name_the_row(self):
        tokenizer = byte_tokenizer("chatml")
        long = Example("x", "abcdefgh", row="a.csv, row 9")
        with pytest.raises(SondeError, match=r"a\.csv, row 9: 9 tokens .* context of 4"):
            render(tokenizer, long, self.plain, 4)
        settings = RenderSettings(template="none", too_long="skip")
        found = render_all(tokenizer, [long, Example("y", "abc")], settings, 4)
        assert isinstance(found[0], NotRendered)
        assert (found[0].example, found[0].reason) == ("x", "too long")
        assert "a.csv, row 9" in found[0].detail
        assert len(found[1].ids) == 4
        with pytest.raises(SondeError, match="row 9"):
            render(tokenizer, long, settings, 4)

    @pytest.mark.parametrize(("policy", "left"), [("left", "fgh"), ("right", "abc")])
    def test_plain_text_keeps_its_bos(self, policy, left):
        tokenizer = byte_tokenizer()
        settings = RenderSettings(template="none", too_long=f"truncate_{policy}")
        rendered = render(tokenizer, Example("x", "abcdefgh"), settings, 4)
        assert tokenizer.decode(rendered.ids) == f"<s>{left}"
        assert rendered.truncated == 5
        assert rendered.spans.prompt == (0, 4)
        assert rendered.spans.user == (1, 4)
        assert [rendered.text[a:b] for a, b in rendered.offsets[1:]] == list(left)

    @pytest.mark.parametrize(("policy", "left"), [("left", "gh"), ("right", "ab")])
    def test_a_chat_still_asks_for_an_answer(self, policy, left):
        tokenizer = byte_tokenizer("gemma")
        whole = render(tokenizer, Example("x", "abcdefgh"))
        settings = RenderSettings(too_long=f"truncate_{policy}")
        cut = render(tokenizer, Example("x", "abcdefgh"), settings, len(whole.ids) - 6)
        assert tokenizer.decode(cut.ids) == whole.text.replace("abcdefgh", left)
        assert read(tokenizer, cut, cut.spans.user) == left
        (end,) = cut.spans.eot
        assert tokenizer.decode(cut.ids[end]) == "<end_of_turn>"

    @given(
        words=texts,
        response=texts,
        drop=st.integers(1, 40),
        policy=st.sampled_from(["truncate_left", "truncate_right"]),
    )
    def test_spans_follow_their_tokens(self, words, response, drop, policy):
        tokenizer = byte_tokenizer("llama3")
        whole = render(tokenizer, Example("x", words, response))
        spare = sum(stop - start - 1 for start, stop in whole.spans.turns)
        settings = RenderSettings(too_long=policy)
        context = len(whole.ids) - drop
        assume(context > 0)  # 0 is any number of tokens
        example = Example("x", words, response)
        if drop > spare:
            with pytest.raises(SondeError, match="Without the messages' words"):
                render(tokenizer, example, settings, context)
            return
        cut = render(tokenizer, example, settings, context)
        assert len(cut.ids) == len(cut.offsets) == cut.spans.n_tokens == context
        assert cut.truncated == drop
        for kept, full in zip(cut.spans.turns, whole.spans.turns, strict=True):
            ids, old = list(cut.ids[slice(*kept)]), list(whole.ids[slice(*full)])
            assert len(ids) > 0
            assert ids == (old[-len(ids) :] if policy == "truncate_left" else old[: len(ids)])
        assert cut.spans.response == cut.spans.turns[-1]
        assert [cut.ids[end] for end in cut.spans.eot] == [whole.ids[e] for e in whole.spans.eot]

    def test_what_fits_is_left_alone(self):
        tokenizer = byte_tokenizer()
        settings = RenderSettings(too_long="truncate_left")
        rendered = render(tokenizer, Example("x", "abc"), settings, 4)
        assert rendered.truncated == 0
        assert len(rendered.ids) == 4


def test_a_batch_equals_its_examples_alone():
    tokenizer = byte_tokenizer("llama3", merges=80)
    examples = [
        Example("a", "The ship", "Fine"),
        chat("x", "y", "z"),
        Example("b", "storm", plain=True),
        Example("c", "harbour"),
    ]
    for one, example in zip(render_all(tokenizer, examples), examples, strict=True):
        alone = render(tokenizer, example)
        assert (one.text, one.spans) == (alone.text, alone.spans)
        assert list(one.ids) == list(alone.ids)
        assert one.offsets.tolist() == alone.offsets.tolist()


def test_the_embedded_tokenizer_renders_as_the_library_does(embedded_folder_or_skip):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded_folder_or_skip)
    example = chat("Say hello 🙂 in 3 words.", "Hi.", "  And again?")
    rendered = render(tokenizer, replace(example, response="Hello there, friend!"))
    assert list(rendered.ids[: rendered.spans.prompt[1]]) == own_ids(tokenizer, example)
    assert read(tokenizer, rendered, rendered.spans.response) == "Hello there, friend!"
    assert rendered.ids[list(rendered.spans.eot)].tolist() == [tokenizer.eos_token_id] * 4


@pytest.fixture
def embedded_folder_or_skip():
    from sonde.core.folders import cache_folder

    found = sorted(cache_folder().glob("**/*smollm2-135m-instruct*/**/tokenizer.json"))
    if not found:
        pytest.skip(f"the embedded model is not in the cache at {cache_folder()}")
    return found[-1].parent
