"""Capitals of countries: facts to know by heart, asked in many wordings, and an honest no for invented countries."""

from data.exchange import Exchange, ask
from data.holdout import draw
from data.phrase import casual, expand
from data.words import pseudo_word

CAPITALS = dict(
    pair.split(":")
    for pair in """
Afghanistan:Kabul,Albania:Tirana,Algeria:Algiers,Angola:Luanda,Argentina:Buenos Aires,Armenia:Yerevan,Australia:Canberra,Austria:Vienna,Azerbaijan:Baku,Bahamas:Nassau,Bahrain:Manama,Bangladesh:Dhaka,Belarus:Minsk,Belgium:Brussels,Bhutan:Thimphu,Bosnia:Sarajevo,Botswana:Gaborone,Brazil:Brasilia,Bulgaria:Sofia,Cambodia:Phnom Penh,Cameroon:Yaounde,Canada:Ottawa,Chad:N'Djamena,Chile:Santiago,China:Beijing,Colombia:Bogota,Costa Rica:San Jose,Croatia:Zagreb,Cuba:Havana,Cyprus:Nicosia,Czechia:Prague,Denmark:Copenhagen,Ecuador:Quito,Egypt:Cairo,Estonia:Tallinn,Ethiopia:Addis Ababa,Fiji:Suva,Finland:Helsinki,France:Paris,Georgia:Tbilisi,Germany:Berlin,Ghana:Accra,Greece:Athens,Guatemala:Guatemala City,Haiti:Port-au-Prince,Honduras:Tegucigalpa,Hungary:Budapest,Iceland:Reykjavik,India:New Delhi,Indonesia:Jakarta,Iran:Tehran,Iraq:Baghdad,Ireland:Dublin,Israel:Jerusalem,Italy:Rome,Jamaica:Kingston,Japan:Tokyo,Jordan:Amman,Kazakhstan:Astana,Kenya:Nairobi,Kuwait:Kuwait City,Laos:Vientiane,Latvia:Riga,Lebanon:Beirut,Liberia:Monrovia,Libya:Tripoli,Lithuania:Vilnius,Luxembourg:Luxembourg,Madagascar:Antananarivo,Malaysia:Kuala Lumpur,Mali:Bamako,Malta:Valletta,Mexico:Mexico City,Moldova:Chisinau,Monaco:Monaco,Mongolia:Ulaanbaatar,Montenegro:Podgorica,Morocco:Rabat,Mozambique:Maputo,Myanmar:Naypyidaw,Namibia:Windhoek,Nepal:Kathmandu,Netherlands:Amsterdam,New Zealand:Wellington,Nicaragua:Managua,Nigeria:Abuja,North Macedonia:Skopje,Norway:Oslo,Oman:Muscat,Pakistan:Islamabad,Panama:Panama City,Paraguay:Asuncion,Peru:Lima,Philippines:Manila,Poland:Warsaw,Portugal:Lisbon,Qatar:Doha,Romania:Bucharest,Russia:Moscow,Rwanda:Kigali,Saudi Arabia:Riyadh,Senegal:Dakar,Serbia:Belgrade,Singapore:Singapore,Slovakia:Bratislava,Slovenia:Ljubljana,Somalia:Mogadishu,South Korea:Seoul,Spain:Madrid,Sudan:Khartoum,Sweden:Stockholm,Switzerland:Bern,Syria:Damascus,Taiwan:Taipei,Tanzania:Dodoma,Thailand:Bangkok,Tunisia:Tunis,Turkey:Ankara,Uganda:Kampala,Ukraine:Kyiv,United Arab Emirates:Abu Dhabi,United Kingdom:London,United States:Washington,Uruguay:Montevideo,Uzbekistan:Tashkent,Venezuela:Caracas,Vietnam:Hanoi,Yemen:Sanaa,Zambia:Lusaka,Zimbabwe:Harare
""".strip().split(",")
)
# Asked for more often, because people type these first; aliases answer under their own name.
POPULAR = "France,Germany,Italy,Spain,Japan,China,India,Canada,Brazil,Australia,Egypt,Norway,Sweden,Portugal,Poland,Austria,Switzerland,Greece,Turkey,Mexico,Kenya,Argentina,Ireland,Netherlands,Belgium,Finland,Denmark,Russia,Peru,Chile".split(",")
ALIASES = {"UK": "London", "the UK": "London", "England": "London", "the USA": "Washington", "USA": "Washington", "the US": "Washington", "Holland": "Amsterdam", "Czech Republic": "Prague", "the Czech Republic": "Prague", "Great Britain": "London"}
WITH_ARTICLE = {"Netherlands", "Philippines", "United Kingdom", "United States", "Bahamas", "United Arab Emirates"}

QUESTIONS = [
    "[What is|What's|Tell me|Name|Give me|Do you know] the capital [city|] of {c}[?|]",
    "capital of {c}",
    "[What|Which] city is the capital of {c}?",
    "[What is|What's] {c}'s capital[ city|]?",
    "[The|] capital [city|] of {c}[?|]",
    "{c} capital[?|]",
    "[Can|Could] you [tell me|name] the capital of {c}?",
    "{c}: what is the capital?",
    "I would like to know the capital of {c}.",
]


def named(rng, country: str) -> str:
    return "the " + country if country in WITH_ARTICLE and rng.random() < 0.8 else country


def draw_country(rng) -> tuple[str, str]:
    """(country as the question names it, capital)"""
    roll = rng.random()
    if roll < 0.05:
        alias = rng.choice(list(ALIASES))
        return alias, ALIASES[alias]
    country = rng.choice(POPULAR) if roll < 0.25 else rng.choice(list(CAPITALS))
    return named(rng, country), CAPITALS[country]


def capitals(rng, split: str) -> Exchange:
    def make(rng):
        country, capital = draw_country(rng)
        return country, capital, expand(rng, rng.choice(QUESTIONS))

    # A fact cannot be held out, but a wording for a country can.
    country, capital, pattern = draw(rng, split, make, lambda m: m[2].replace("{c}", m[0]))
    if split == "train" and rng.random() < 0.06:
        invented = pseudo_word(rng).capitalize()
        return ask("capitals", casual(rng, pattern.format(c=invented), True), "I do not know that capital.")
    question = casual(rng, pattern.format(c=country), keep_case=rng.random() < 0.5)
    spoken = country[0].upper() + country[1:] if country.startswith("the ") else country
    return ask("capitals", question, f"The capital of {spoken.replace('The ', 'the ')} is {capital}.", {"kind": "contains", "value": capital})


def follow_up(rng) -> Exchange:
    """'And of Spain?' after a question about another capital; for use inside a conversation."""
    country, capital = draw_country(rng)
    question = expand(rng, f"[And|And of|And what about|What about|And for|How about] {country}[?|]")
    return ask("capitals", question, f"The capital of {country} is {capital}.", {"kind": "contains", "value": capital})
