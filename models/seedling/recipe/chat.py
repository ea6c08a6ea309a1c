"""Renders conversations with the very template that goes into the GGUF, the way chat programs do."""

import json
from pathlib import Path

from jinja2 import Environment

TEMPLATE_FILE = Path(__file__).with_name("chat_template.jinja")

# Not Jinja's own tojson: that one escapes for HTML and sorts keys, which no chat program does.
environment = Environment(trim_blocks=True, lstrip_blocks=True)
environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
template = environment.from_string(TEMPLATE_FILE.read_text())

GENERATION_PROMPT = "<|im_start|>assistant\n"


def render(messages: list, tools: list | None = None, **arguments) -> str:
    return template.render(messages=messages, tools=tools or None, **arguments)


def render_conversation(conversation: dict) -> str:
    """The whole text of a training conversation, answer included."""
    messages, tools = conversation["messages"], conversation["tools"]
    if not conversation["bare"]:
        return render(messages, tools)
    prompt = render(messages[:-1], tools, add_generation_prompt=True, enable_thinking=False)
    return prompt + messages[-1]["content"] + "<|im_end|>\n"
