"""Minimal pairs in French: the sentence with a mistake of grammar should be less probable than the one without."""

from __future__ import annotations

import random

from zoo.judge.probes.item import Pair, Probe, distinct

MASCULINE = (
    "jardin",
    "chapeau",
    "bateau",
    "couteau",
    "chemin",
    "village",
    "fromage",
    "cheval",
    "manteau",
    "gâteau",
)
FEMININE = (
    "maison", "table", "voiture", "fenêtre", "chaise", "montagne", "rivière", "fourchette", "chemise", "cuisine",
)  # fmt: skip
ADJECTIVES = (
    ("petit", "petite"), ("grand", "grande"), ("vert", "verte"), ("blanc", "blanche"), ("beau", "belle"),
    ("vieux", "vieille"), ("nouveau", "nouvelle"), ("gris", "grise"),
)  # fmt: skip
PEOPLE = ("enfant", "voisin", "garçon", "client", "marin", "médecin", "chanteur", "danseur")
VERBS = (
    ("mange", "mangent"), ("chante", "chantent"), ("parle", "parlent"), ("dort", "dorment"), ("finit", "finissent"),
    ("vient", "viennent"), ("travaille", "travaillent"), ("attend", "attendent"),
)  # fmt: skip
WHEN = ("chaque matin", "dans la cuisine", "avec nous", "en ville", "le dimanche", "sans bruit")
MOVED = ("arrivé", "parti", "venu", "resté", "entré", "né", "allé")
WHO = ("Paul", "Hugo", "Le voisin", "Le garçon", "Le médecin", "Marc")
PERSONS = (
    ("Je", "suis", "est"), ("Je", "suis", "es"), ("Tu", "es", "est"), ("Nous", "sommes", "êtes"),
    ("Vous", "êtes", "sommes"), ("Ils", "sont", "est"), ("Nous", "sommes", "sont"), ("Elle", "est", "sont"),
)  # fmt: skip
PLACES = ("à la maison", "dans le jardin", "en ville", "à Québec", "à Lyon", "sur le pont", "devant la gare")

_Drawn = tuple[str, str, str]


def make(items: int, seed: int) -> Probe:
    """Pairs of six kinds, drawn evenly at random."""
    drawn = distinct("pairs_fr", items, seed, lambda dice: dice.choice(KINDS)(dice))
    return Probe(
        "pairs_fr",
        "Minimal pairs, French",
        "The grammatical sentence of the two is the more probable one.",
        language="fr",
        pairs=tuple(
            Pair(f"pairs_fr-{number}", good, bad, kind) for number, (kind, good, bad) in enumerate(drawn, 1)
        ),
    )


def _noun(dice: random.Random) -> tuple[str, bool]:
    """A noun, and whether it is feminine."""
    feminine = dice.random() < 0.5
    return dice.choice(FEMININE if feminine else MASCULINE), feminine


def _article(dice: random.Random) -> _Drawn:
    noun, feminine = _noun(dice)
    right, wrong = ("une", "un") if feminine else ("un", "une")
    frame = f"{dice.choice(('Il y a', 'Nous avons vu', 'Elle cherche', 'Voici'))} {{}} {noun} {dice.choice(PLACES)}."
    return "article", frame.format(right), frame.format(wrong)


def _adjective(dice: random.Random) -> _Drawn:
    noun, feminine = _noun(dice)
    masculine_form, feminine_form = dice.choice(ADJECTIVES)
    right, wrong = (feminine_form, masculine_form) if feminine else (masculine_form, feminine_form)
    article, how = "La" if feminine else "Le", dice.choice(("très", "trop", "assez"))
    frame = f"{article} {noun} de {dice.choice(WHO[:2])} est {how} {{}}."
    return "adjective", frame.format(right), frame.format(wrong)


def _number(dice: random.Random) -> _Drawn:
    one, many = dice.choice(VERBS)
    who, when = dice.choice(PEOPLE), dice.choice(WHEN)
    if dice.random() < 0.5:
        frame = f"Les {who}s de la ville {{}} {when}."
        return "number", frame.format(many), frame.format(one)
    frame = f"Ce {who} {{}} {when}." if who != "enfant" else f"Cet enfant {{}} {when}."
    return "number", frame.format(one), frame.format(many)


def _auxiliary(dice: random.Random) -> _Drawn:
    frame = f"{dice.choice(WHO)} {{}} {dice.choice(MOVED)} {dice.choice(PLACES)}."
    return "auxiliary", frame.format("est"), frame.format("a")


def _person(dice: random.Random) -> _Drawn:
    who, right, wrong = dice.choice(PERSONS)
    place = dice.choice(PLACES)
    return "person", f"{who} {right} {place}.", f"{who} {wrong} {place}."


def _plural(dice: random.Random) -> _Drawn:
    noun = dice.choice([noun for noun in (*MASCULINE, *FEMININE) if not noun.endswith(("eau", "al"))])
    whose, where = (
        dice.choice(("ces", "mes", "leurs", "vos")),
        dice.choice(("de France", "de la région", "d'ici")),
    )
    frame = f"Elle aime {whose} {{}} {where}."
    return "plural", frame.format(f"{noun}s"), frame.format(noun)


KINDS = (_article, _adjective, _number, _auxiliary, _person, _plural)
