"""Counting and fixed lists: short to ask for, long to answer, handy wherever a stream of many tokens is needed."""

from data.exchange import Exchange, ask
from data.phrase import casual, expand

LISTS = {
    "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday.": "[Name|List|Tell me|What are|Say] [all|] the [seven|] days of the week[.|]",
    "January, February, March, April, May, June, July, August, September, October, November, December.": "[Name|List|Tell me|What are|Say] [all|] the [twelve|] months [of the year|][.|]",
    "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z.": "[Say|Tell me|Write|Recite|List|What is] the [alphabet|letters of the alphabet][.|]",
}
COUNT = [
    "Count [up|] to {b}[.|]",
    "[Please|Can you|Could you] count [from 1|from one|] to {b}[.|?|]",
    "Count from 1 to {b}[.|]",
    "[Write|List|Say] the numbers from 1 to {b}[.|]",
]
COUNT_FROM = ["Count from {a} to {b}[.|]", "[Write|List|Say] the numbers from {a} to {b}[.|]"]
COUNT_DOWN = ["Count down from {b}[ to 1|][.|]", "Count backwards from {b}[ to 1|][.|]"]


def counting(rng, split: str) -> Exchange:
    roll = rng.random()
    if roll < 0.15:
        answer = rng.choice(list(LISTS))
        return ask("counting", casual(rng, expand(rng, LISTS[answer])), answer)
    b = rng.choice([10, 20, 30, 30, 40, 50, 50, 100]) if rng.random() < 0.5 else rng.randint(3, 60)
    if roll < 0.3:
        b = min(b, 30)
        numbers, pattern, a = range(b, 0, -1), rng.choice(COUNT_DOWN), 1
    elif roll < 0.45:
        a = rng.randint(2, 40)
        b = a + rng.randint(3, 25)
        numbers, pattern = range(a, b + 1), rng.choice(COUNT_FROM)
    else:
        numbers, pattern, a = range(1, b + 1), rng.choice(COUNT), 1
    question = casual(rng, expand(rng, pattern).format(a=a, b=b))
    return ask("counting", question, ", ".join(map(str, numbers)) + ".")
