"""Tokenizers made here, without files, with the chat templates of four families."""

from functools import cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CHATML = (  # SmolLM2's: a default system message
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = (  # the system message stands in the last user message; nothing asks for an answer
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
    "{% set messages = messages[1:] %}{% endif %}{{ bos_token }}"
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{% if loop.last and system is defined %}"
    "{{ '[INST] ' + system + '\n\n' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% endif %}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)
TEMPLATES = {"chatml": CHATML, "gemma": GEMMA, "llama3": LLAMA3, "mistral": MISTRAL}

# The token that ends a turn of the user and one of the assistant.
ENDS = {
    "chatml": ("<|im_end|>", "<|im_end|>"),
    "gemma": ("<end_of_turn>", "<end_of_turn>"),
    "llama3": ("<|eot_id|>", "<|eot_id|>"),
    "mistral": (None, "</s>"),  # [/INST] is no special token here
}
SPECIAL = [
    *("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
]
CORPUS = [
    "The ship reached the harbour before the storm did, and the crew went home.",
    "user assistant model system You are a helpful assistant\n\nFine, thank you.\n",
]


@cache
def byte_tokenizer(
    template: str | None = None, *, merges: int = 0, adds_bos: bool = True
) -> PreTrainedTokenizerFast:
    """Make a byte-level tokenizer: one token a byte, or with up to ``merges`` merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=len(alphabet) + len(SPECIAL) + merges,
            special_tokens=SPECIAL,
            initial_alphabet=alphabet,
            min_frequency=1,
            show_progress=False,
        ),
    )
    return _wrapped(inner, template, adds_bos=adds_bos)


@cache
def spaced_tokenizer(template: str | None = None) -> PreTrainedTokenizerFast:
    """Make a tokenizer that puts a space before every text, as Llama 2's does."""
    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    inner.decoder = decoders.Metaspace(prepend_scheme="first")
    letters = [chr(code) for code in range(32, 127)]
    inner.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=200,
            special_tokens=["<unk>", *SPECIAL],
            initial_alphabet=[*letters, "\n", "▁"],
            show_progress=False,
        ),
    )
    return _wrapped(inner, template, adds_bos=True)


def _wrapped(inner: Tokenizer, template: str | None, *, adds_bos: bool) -> PreTrainedTokenizerFast:
    if adds_bos:
        inner.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", inner.token_to_id("<s>"))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<s>",
        eos_token="</s>",
        chat_template=TEMPLATES.get(template or "", template),
    )
