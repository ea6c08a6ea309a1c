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
    """The sum restated, then ones and tens; every token follows from a few that stand right before it."""
    ones, tens = a % 10 + b % 10, a // 10 + b // 10
    steps = f"{a} + {b}: {a % 10} + {b % 10} = {ones}. {a // 10} + {b // 10} = {tens}"
    return f"{steps}, {tens} + 1 = {tens + 1}." if ones > 9 else steps + "."


def subtract_thought(a: int, b: int) -> str:
    """Tens are compared first, then ones where the tens are equal, so that it is clear what is taken from what."""
    start, compared = f"{a} - {b}: ", f"{a // 10} {order(a // 10, b // 10)} {b // 10}"
    if a // 10 == b // 10:
        compared += f", {a % 10} {order(a % 10, b % 10)} {b % 10}"
    if a < b:
        return f"{start}{compared}, minus. {b} - {a}: {digits_down(b, a)}"
    return f"{start}{compared}. {digits_down(a, b)}"


def order(a: int, b: int) -> str:
    return "<" if a < b else ">" if a > b else "="


def digits_down(a: int, b: int) -> str:
    """Digit by digit, for a >= b."""
    ones, tens, taken = a % 10 - b % 10, a // 10, b // 10
    if ones < 0:
        left = tens - 1
        return f"1{a % 10} - {b % 10} = {ones + 10}. {tens} - 1 = {left}, {left} - {taken} = {left - taken}."
    return f"{a % 10} - {b % 10} = {ones}. {tens} - {taken} = {tens - taken}."


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
    if split == "train" and rng.random() < 0.3:
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
