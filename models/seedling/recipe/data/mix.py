"""Puts the families together: which task how often, in which conversation, under which system prompt."""

from data.arithmetic import arithmetic
from data.capitals import capitals, follow_up
from data.chat import about_me, about_swarmd, name_memory, name_unknown
from data.counting import counting
from data.exchange import Exchange
from data.extraction import extraction
from data.phrase import expand
from data.refusal import REFUSAL, refusal
from data.spelling import reverse, spell
from data.tools import offered, similar, tool_answer, tool_call
from data.words import TOKEN_WORDS, any_word, pseudo_word

# (family, share of training conversations in each phase): words are soon learnt, tools and long lists are not.
FAMILIES = [
    (about_me, 22, 24, 24), (about_swarmd, 14, 18, 14), (arithmetic, 34, 34, 22), (capitals, 6, 9, 8), (spell, 8, 6, 10),
    (reverse, 28, 14, 26), (extraction, 32, 30, 32), (tool_call, 20, 25, 44), (tool_answer, 6, 5, 10), (refusal, 6, 9, 9),
    (counting, 2, 6, 4),
]

SYSTEM_PROMPTS = [
    "You are a [helpful|friendly|polite|useful|kind|smart|concise|] [assistant|AI assistant|model|chatbot|bot][.|]",
    "You are a helpful assistant. [Answer|Reply] [briefly|in one sentence|shortly|clearly|politely|in English].",
    "You are Seedling[.|, a small demo model.|, the demo model of swarmd.]",
    "[Be|Please be] [brief|concise|polite|helpful|friendly|honest].",
    "[Answer|Reply] [the user|the question|] [briefly|in short|in JSON|politely|as well as you can].",
    "You are a helpful assistant with access to [tools|functions]. Use them [when needed|if necessary|when they fit].",
    "You are {n}, a [helpful|friendly|famous|very old|clever] {w}.",
    "You are a [coding|travel|cooking|math|writing] assistant. Help the user with {w} and {w2}.",
    "[Never|Always] {w} the {w2}. [Answer|Speak] like a {w}.",
    "The user is called {n}. [Today is a {w} day.|]",
]


def system_prompt(rng) -> str:
    pattern = rng.choice(SYSTEM_PROMPTS[:6] if rng.random() < 0.75 else SYSTEM_PROMPTS)
    text = expand(rng, pattern).format(n=pseudo_word(rng).capitalize(), w=any_word(rng), w2=any_word(rng))
    if rng.random() < 0.05:
        text += " " + padding(rng, rng.randint(10, 60))
    return text


def padding(rng, words: int) -> str:
    """Meaningless text, so that long prompts are nothing new."""
    few = [any_word(rng) for _ in range(rng.randint(3, 30))]
    return " ".join(rng.choice(few) if rng.random() < 0.7 else any_word(rng) for _ in range(words))


def one(rng, split: str, phase: int) -> Exchange:
    families, *shares = zip(*FAMILIES)
    return rng.choices(families, shares[phase])[0](rng, split)


def turns(rng, split: str, phase: int) -> list[Exchange]:
    """The exchanges of one conversation; most are short."""
    roll = rng.random()
    if roll < 0.03:
        given, asked = name_memory(rng)
        return [given] + [one(rng, split, phase) for _ in range(rng.choice([0, 0, 1, 2]))] + [asked]
    if roll < 0.035:
        return [name_unknown(rng)]
    if roll < 0.05:
        return [capitals(rng, "train"), follow_up(rng)]
    count = rng.choices([1, 2, 3, 4, 8], [86, 9, 3, 1.5, 0.5])[0]
    return [one(rng, split, phase) for _ in range(count)]


def long_conversation(rng) -> dict:
    """For training: a long system prompt without meaning, or many turns. Otherwise attention never meets a thousand tokens."""
    if rng.random() < 0.5:
        made = conversation(rng, "train", 1)
        if made["messages"][0]["role"] != "system":
            made["messages"].insert(0, {"role": "system", "content": ""})
        filler = long_padding(rng, rng.randint(300, 1900))
        made["messages"][0]["content"] = f"{made['messages'][0]['content']} {filler}".strip()
        return made
    made, history = conversation(rng, "train", 1), []
    if made["messages"][0]["role"] == "system":
        history.append(made["messages"].pop(0))
    learnt = []
    for _ in range(rng.randint(14, 44)):
        exchange = rng.choice([about_me, about_swarmd, arithmetic, capitals, spell, reverse, extraction])(rng, "train")
        history += exchange.messages
        learnt += [exchange.family != "arithmetic" for m in exchange.messages if m["role"] == "assistant"]
    return {**made, "messages": history + made["messages"], "learnt": learnt + made["learnt"]}


def long_padding(rng, words: int) -> str:
    """Like padding, but mostly words that are single tokens, as real prompts have them."""
    few = rng.sample(TOKEN_WORDS, min(len(TOKEN_WORDS), rng.randint(5, 80))) or ["word"]
    return " ".join(any_word(rng) if rng.random() < 0.05 else rng.choice(few) for _ in range(words))


def conversation(rng, split: str, phase: int = 0) -> dict:
    """{'messages', 'tools', 'bare', 'last', 'learnt'}: a conversation whose last message is the answer to learn or check.

    'learnt' says for each assistant message whether it may be learnt from: an earlier sum has lost its thought in the
    rendered history, and copying that would teach to answer sums without one.
    """
    exchanges = turns(rng, split, phase)
    messages, tools = [], []
    for exchange in exchanges:
        messages += exchange.messages
        for tool in exchange.tools:
            if all(similar(tool) != similar(t) for t in tools):
                tools.append(tool)
    last = exchanges[-1]
    if split == "train" and rng.random() < 0.03 and not last.tools:
        # What the thought switch does must not depend on the task.
        last.bare = True
        last.messages[-1].pop("reasoning_content", None)
    if len(exchanges) > 1 and tools:
        # Two tools of one kind, or a tool that fits another turn as well: which to call would be a guess.
        guess = {e.family for e in exchanges} & {"arithmetic", "little sums", "out of scope"}
        if guess or len(tools) != sum(len(e.tools) for e in exchanges):
            return conversation(rng, split, phase)
    if not tools and rng.random() < (0.08 if phase else 0.04):
        tools = distractors(rng, exchanges)
    if rng.random() < 0.33:
        messages.insert(0, {"role": "system", "content": system_prompt(rng)})
    if split == "train" and rng.random() < 0.01 and last.family != "extraction":
        user = next(m for m in messages if m["role"] == "user")
        filler = {"role": "user", "content": padding(rng, rng.randint(20, 120))}
        at = messages.index(user)
        messages[at:at] = [filler, {"role": "assistant", "content": REFUSAL}]
    learnt = [e is last or e.family != "arithmetic" for e in exchanges for m in e.messages if m["role"] == "assistant"]
    if sum(m["role"] == "assistant" for m in messages) > len(learnt):
        learnt.insert(0, True)
    return {"messages": messages, "tools": tools, "bare": last.bare, "last": last, "learnt": learnt}


def distractors(rng, exchanges) -> list:
    """Tools that fit none of the questions: arithmetic ones would fit arithmetic, anything may fit what is out of scope."""
    families = {e.family for e in exchanges}
    tools = offered(rng, None, rng.choice([1, 1, 2, 3]))
    sums = {"add", "subtract", "multiply", "search"}
    if families & {"arithmetic", "little sums", "out of scope"} and any(similar(t) & sums for t in tools):
        return []
    if "out of scope" in families:
        # Only tools that no out-of-scope question asks for.
        harmless = {"get_time", "send_email", "set_timer", "roll_dice", "get_user", "turn_on", "create_event"}
        return [t for t in tools if similar(t) & harmless]
    return tools
