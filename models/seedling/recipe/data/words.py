"""Word material: common words, names, places, and invented ones, so that copying is learnt and not memorised."""

COMMON = """apple garden stone river window table music flower summer winter orange yellow purple silver planet rocket
bridge castle dragon forest island jungle kitchen ladder market needle ocean pencil rabbit school ticket umbrella valley
wagon zebra button candle doctor engine father guitar hammer insect jacket kettle lemon mirror office paper queen
ribbon sailor tiger uncle violin water yogurt bottle camera desert energy family ground history idea journey knight letter
monkey nature people quiet radio spoon thunder unique village whisper young zipper bread cloud dream earth flame
grape house juice kite lamp mouse night onion piano quilt robot snake train under voice wheel cat dog sun moon star tree
fish bird book door rain snow fire wind sand leaf gold iron milk salt rice corn bean pear plum fig cow pig hen fox owl bat
ant bee horse sheep goat duck swan eagle hawk crow wolf bear deer mole otter whale shark crab coral pearl shell beach coast
computer network program keyboard monitor printer battery internet website message picture science teacher student
elephant butterfly chocolate strawberry pineapple mountain hospital library birthday sandwich airplane football
hello world lovely simple little purple happy sleepy clever gentle honest polite proud brave calm eager fancy giant
banana cherry tomato potato carrot pepper garlic butter cheese coffee sugar honey pasta pizza salad soup cookie
level noon radar civic kayak begin finish morning evening yesterday tomorrow minute second century""".split()

FIRST_NAMES = """Maria Anna Peter John Mary Lucas Emma Noah Olivia Liam Sofia Mia Leo Hugo Ella Ivan Olga Nina Omar Layla
Yusuf Amina Chen Wei Mei Kenji Yuki Hana Raj Priya Arjun Lena Jonas Felix Clara Marta Pablo Carlos Diego Lucia Elena Marco
Giulia Paolo Pierre Claire Louis Chloe Alice Bob Carol Dave Eve Frank Grace Henry Irene Jack Kate Laura Mark Nora Oscar
Paul Quinn Rosa Sam Tom Uma Vera Will Xavier Yara Zoe Ahmed Fatima Sven Ingrid Lars Astrid Bjorn Freya Katya Dmitri Aisha
Tariq Sanjay Deepa Tomas Eva Jan Petra Miguel Ines Joao Rita Ana Ben David Sarah James Linda Robert Susan Max Julia Karl""".split()
LAST_NAMES = """Smith Jones Brown Garcia Silva Rossi Meyer Weber Schmidt Novak Kowalski Ivanov Petrov Tanaka Sato Kim Park Lee
Wang Zhang Singh Patel Khan Ali Hassan Okafor Mensah Dubois Martin Bernard Lopez Perez Santos Costa Jensen Hansen Larsen
Berg Lind Virtanen Horvat Popescu Papadakis Murphy Kelly Walker Young Hill Green Baker Carter Turner""".split()
CITIES = """Lisbon Paris Berlin Madrid Rome Vienna Prague Oslo Dublin London Athens Warsaw Budapest Helsinki Stockholm
Copenhagen Amsterdam Brussels Zurich Geneva Milan Naples Turin Porto Seville Valencia Barcelona Hamburg Munich Cologne Lyon
Nice Toulouse Bordeaux Tokyo Osaka Kyoto Seoul Beijing Shanghai Delhi Mumbai Chennai Cairo Lagos Nairobi Accra Tunis Boston
Chicago Denver Seattle Dallas Austin Houston Phoenix Toronto Montreal Vancouver Ottawa Lima Quito Bogota Santiago Havana
Sydney Melbourne Perth Auckland Istanbul Ankara Tehran Baghdad Dubai Doha Riga Vilnius Tallinn Krakow Gdansk Graz Salzburg
New York|San Francisco|Los Angeles|Buenos Aires|Mexico City|Rio de Janeiro|Cape Town|Hong Kong|Tel Aviv|Salt Lake City"""
CITIES = [c for part in CITIES.split("\n") for c in (part.split("|") if "|" in part else part.split())]
JOBS = """teacher nurse doctor farmer baker engineer lawyer painter writer singer dancer pilot sailor driver cook chef plumber
carpenter gardener librarian dentist architect journalist photographer programmer accountant electrician mechanic""".split()
COLOURS = "red blue green yellow black white orange purple brown grey pink silver".split()
THINGS = """chair table lamp desk shelf carpet mug plate bottle knife kettle toaster blender bicycle helmet jacket scarf shoes
backpack notebook pencil keyboard monitor mouse speaker headphones camera tripod phone tablet laptop charger candle vase
mirror clock painting puzzle kite ball drum guitar violin tent hammer ladder drill rope bucket""".split()

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ROOMS = "kitchen bedroom bathroom garage hall office".split()
CURRENCIES = "USD EUR GBP JPY CHF SOL dollars euros pounds yen".split()
LANGUAGES = "French German Spanish Italian Polish Dutch Japanese Latin".split()
# Words that are single tokens; tokenizer.py fills this in. They are known as a whole and need practice to be copied
# without the space in front, or spelled from memory.
TOKEN_WORDS: list[str] = []
# The share of any_word that is drawn from them on top; the last phase of training raises it.
EXTRA_TOKEN_WORDS = [0.0]

ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl cr dr fl fr gl gr kl kr pl pr sh sk sl sp st str th tr".split()
VOWELS = "a e i o u a e i o u ai ea ee ou oo ia".split()
CODAS = ["", "", "", "n", "r", "s", "l", "t", "m", "nd", "rk", "st", "ck", "x", "p", "d"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def pseudo_word(rng, low: int = 3, high: int = 10) -> str:
    """An invented, pronounceable word of low..high letters."""
    while True:
        word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(rng.randint(1, 4)))
        if low <= len(word) <= high:
            return word


def letter_soup(rng, low: int = 2, high: int = 9) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(low, high)))


def any_word(rng) -> str:
    """A word of any kind, lower case."""
    if EXTRA_TOKEN_WORDS[0] and rng.random() < EXTRA_TOKEN_WORDS[0]:
        return rng.choice(TOKEN_WORDS)
    roll = rng.random()
    if roll < 0.12 and TOKEN_WORDS:
        return rng.choice(TOKEN_WORDS)
    if roll < 0.45:
        return rng.choice(COMMON)
    return pseudo_word(rng) if roll < 0.92 else letter_soup(rng, 2, 8)


def first_name(rng) -> str:
    return pseudo_word(rng, 3, 8).capitalize() if rng.random() < 0.4 else rng.choice(FIRST_NAMES)


def full_name(rng) -> str:
    last = pseudo_word(rng, 4, 9).capitalize() if rng.random() < 0.4 else rng.choice(LAST_NAMES)
    return f"{first_name(rng)} {last}"


def city(rng) -> str:
    return pseudo_word(rng, 4, 9).capitalize() if rng.random() < 0.4 else rng.choice(CITIES)


def content_words() -> set[str]:
    """Words that must never become single tokens: they are copied, spelled and looked up letter by letter."""
    lists = (COMMON, FIRST_NAMES, LAST_NAMES, JOBS, COLOURS, THINGS, MONTHS, DAYS, ROOMS, CURRENCIES, LANGUAGES)
    words = {w for some in lists for w in some}
    words |= {part for c in CITIES for part in c.split()}
    return {w.lower() for w in words}
