"""What a task family produces: one question with its right answer, and how to check another answer against it."""

from dataclasses import dataclass, field


@dataclass
class Exchange:
    """messages: OpenAI-style, the last one is the assistant's right answer.

    check: {'kind': 'text' | 'number' | 'json' | 'call' | 'contains', 'value': ...}, read by eval/evaluate.mjs.
    tools: OpenAI-style definitions offered with the question; bare: the thought section is switched off.
    """

    family: str
    messages: list
    check: dict
    tools: list = field(default_factory=list)
    bare: bool = False


def ask(family: str, question: str, answer: str, check: dict | None = None, thought: str = "") -> Exchange:
    """The common case: one user message, one answer, which must be met word for word unless `check` says less."""
    reply = {"role": "assistant", "content": answer}
    if thought:
        reply["reasoning_content"] = thought
    messages = [{"role": "user", "content": question}, reply]
    return Exchange(family, messages, check or {"kind": "text", "value": answer})
