"""Adding and subtracting numbers of at most two digits, digit by digit in a thought, then the plain result."""

from data.exchange import Exchange, ask
from data.holdout import draw
from data.phrase import casual, expand

PLUS = [
    "[What is|What's|Calculate|Compute|How much is|Work out|Tell me|Solve|] {a} + {b}[?|]",
    "{a}+{b}[|=|=?| = ?]",
    "[What is|What's|How much is|Calculate|] {a} plus {b}[?|]",
    "Add {a} and {b}.",
    "[Please|Can you|Could you] add {a} [to|and] {b}[?|.]",
    "[What is|What's|Tell me|Give me] the sum of {a} and {b}[?|]",
    "If I have {a} [apples|coins|books] and get {b} more, how many do I have?",
    "[What is|What's|Calculate|] {a}+{b}[?|]",
    "What do you get if you add {a} and {b}?",
]
MINUS = [
    "[What is|What's|Calculate|Compute|How much is|Work out|Tell me|Solve|] {a} - {b}[?|]",
    "{a}-{b}[|=|=?| = ?]",
    "[What is|What's|How much is|Calculate|] {a} minus {b}[?|]",
    "Subtract {b} from {a}.",
    "[Please|Can you|Could you] subtract {b} from {a}[?|.]",
    "[What is|What's|Tell me] the difference between {a} and {b}[?|]",
    "If I have {a} [apples|coins|books] and give away {b}, how many are left?",
    "[What is|What's|Calculate|] {a}-{b}[?|]",
    "Take {b} away from {a}.",
]


def add_thought(a: int, b: int) -> str:
    ones, tens = a % 10 + b % 10, a // 10 + b // 10
    if ones > 9:
        return f"{a % 10} + {b % 10} = {ones}, carry 1. {a // 10} + {b // 10} = {tens}, {tens} + 1 = {tens + 1}."
    return f"{a % 10} + {b % 10} = {ones}. {a // 10} + {b // 10} = {tens}."


def subtract_thought(a: int, b: int) -> str:
    if a < b:
        return f"{a} is less than {b}, so the other way round, with a minus. " + subtract_thought(b, a)
    ones, tens = a % 10 - b % 10, a // 10
    if ones < 0:
        return (
            f"{a % 10} is less than {b % 10}, borrow: {a % 10 + 10} - {b % 10} = {ones + 10}. "
            f"{tens} - 1 = {tens - 1}, {tens - 1} - {b // 10} = {tens - 1 - b // 10}."
        )
    return f"{a % 10} - {b % 10} = {ones}. {tens} - {b // 10} = {tens - b // 10}."


def numbers(rng):
    low = 10 if rng.random() < 0.9 else 0
    return rng.choice("+-"), rng.randint(low, 99), rng.randint(low, 99)


def little_sum(rng) -> tuple[str, int]:
    """One step of a thought: the facts that longer sums are made of."""
    kind, a, b = rng.random(), rng.randint(0, 9), rng.randint(0, 9)
    if kind < 0.5:
        return f"{a} + {b}", a + b
    if kind < 0.58:
        return f"{a + b} + 1", a + b + 1
    low, high = sorted((a, b))
    if kind < 0.78 or low == high:
        return f"{high} - {low}", high - low
    return f"{low + 10} - {high}", low + 10 - high


def little_sums(rng) -> Exchange:
    """Several one-digit sums at once, answered without a thought: most facts for the fewest tokens."""
    sums = [little_sum(rng) for _ in range(rng.randint(2, 8))]
    question = expand(rng, "[Calculate|Work out|Solve|What is|] {sums}").format(sums=", ".join(text for text, _ in sums))
    answer = ", ".join(f"{text} = {result}" for text, result in sums)
    return ask("little sums", question, answer)


def arithmetic(rng, split: str) -> Exchange:
    if split == "train" and rng.random() < 0.4:
        return little_sums(rng)
    sign, a, b = draw(rng, split, numbers, lambda n: f"{n[0]}{n[1]},{n[2]}")
    pattern = rng.choice(PLUS if sign == "+" else MINUS)
    if sign == "-" and a < b and ("difference" in pattern or "give away" in pattern):
        a, b = b, a
        if split == "held":
            # Swapping may leave the held-out part; a plain wording keeps the pair as drawn.
            a, b, pattern = b, a, "What is {a} - {b}?"
    question = casual(rng, expand(rng, pattern).format(a=a, b=b))
    result = a + b if sign == "+" else a - b
    made = ask(
        "arithmetic",
        question,
        f"{a} {sign} {b} = {result}",
        {"kind": "number", "value": result},
        add_thought(a, b) if sign == "+" else subtract_thought(a, b),
    )
    if split == "train" and rng.random() < 0.03:
        made.bare = True
        del made.messages[-1]["reasoning_content"]
    return made
