"""What of Québec French spelling shows, as data: a row per rule, with sentences that have it and that lack it.

A rule looks at a text only if it has one of the rule's words; without a pattern, a word is enough. Patterns see the
text with plain apostrophes and spaces, and ignore case. A new rule is a row, and its own sentences are its test.

Affrication_Coronal has no rule: the spelling does not show how ``tu`` and ``dis`` are pronounced.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Rule(NamedTuple):
    """tag: one of the schema ``dialect-record-v1``. words: in small letters, without apostrophes."""

    tag: str
    words: frozenset[str]
    pattern: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]


UNSEEN = "Affrication_Coronal"
"""The tag that no program can set from spelling."""

_ENDINGS = "e es er é ée és ées ent ez ons ais ait aient a ai era erai erais erait"

_START = r"(?:^|[.,;:!?«(\n–—] ?)"
"""Where a clause begins."""


def _verbs(stems: str) -> Iterable[str]:
    return (stem + ending for stem in stems.split() for ending in _ENDINGS.split())


def _words(text: str, verbs: str = "") -> frozenset[str]:
    return frozenset([*text.split(), *_verbs(verbs)])


_ENGLISH = _words(
    "the of to is it my your you i what how and all time so good job way no god hell let's go let just in at end day "
    "care don't don come best from scratch step by last but not least are kidding me take easy oh shit forget like "
    "nothing happened proud fucking deal with never mind course right now again for real first thing love nice this "
    "that call a on we he she they was were be been do did have had can could would should here there who why when"
)
_STRONG = _words(
    "the of is my your you what how and all way god hell let just end care don best from scratch step by last least "
    "kidding take shit forget nothing happened proud fucking deal with never mind right now again real first thing "
    "this that this time good like oh course to it at so"
)
_RUN = r"(?<!\w)(?:{0})(?:[ ,]+(?:{0}))+(?!\w)".format("|".join(sorted(_ENGLISH, key=lambda word: (-len(word), word))))

RULES = (
    Rule(
        "Anglicism_Lexical",
        _words(
            "bumper bumpers cute truck trucks muffler job jobs boss joke jokes shop shops show shows band weird "
            "dealer rims cheap party overtime hood windshield badtrip slow smatte toune tounes switch",
            "check book cancell flush plogu rush match tripp feel scrapp download badtrip crash kick watch flash "
            "focuss switch freak dump jamm load slack",
        ),
        "",
        ("J'ai checké la météo.", "Ma job commence tôt.", "Son truck est neuf.", "On a booké une chambre."),
        ("Le match commence à huit heures.", "La lettre date de mai.", "Le spectacle affiche complet."),
    ),
    Rule(
        "Anglicism_Lexical", _words("fun lift lifts break tank tires look"),
        r"\b(?:le|du|un|gros|vrai) fun\b|\b(?:un|des) lifts?\b|\b(?:pren\w*|pris\w*) (?:un|des) (?:\w+ )?breaks?\b"
        r"|\btank (?:d'|à )|\b(?:mes|tes|ses|des|les|quatre) tires\b",
        ("C'est le fun.", "Il m'a donné un lift.", "Elle a pris un break.", "Le tank à gaz est plein."),
        ("Un break est une voiture familiale.", "Le tank est au musée.", "Il mange de la tire."),
    ),
    Rule(
        "CodeSwitch_English", _words("anyway whatever nevermind sorry"), "",
        ("Anyway, on verra.", "Whatever la marque."), ("De toute façon, on verra.",),
    ),
    Rule(
        "CodeSwitch_English", _STRONG, _RUN,
        ("By the way, elle a appelé.", "Il a dit never mind.", "On recommence from scratch."),
        ("Il vit à New York.", "Big Ben sonne midi.", "On a la clé.", "Le but a été refusé."),
    ),
    Rule(
        "Contraction_QF", _words("chus chu tsé"), "",
        ("Chus en retard.", "Tsé, la rouge."), ("Je suis en retard.",),
    ),
    Rule(
        "Contraction_QF", _words("j"), r"\bj'(?=[bcdfgklmnpqrstvz])",
        ("J'sais pas.", "J'te le dis."), ("J'y vais.", "J'habite ici.", "J'aime ça."),
    ),
    Rule(
        "Contraction_QF", _words("t"),
        r"(?<!\btu )(?<!\bne )(?<!\bje )(?<!\bqui )(?<!\bon )(?<!\bil )(?<!\bnous )"
        r"\bt'(?:sais\b|(?:as|es|avais|étais|auras|aurais|seras|serais)\b|[aeiouyhéèêâî]\w*(?:es|ais|ras|ds|ns)\b(?!-tu))",
        ("T'es en retard.", "Quand t'arrives au feu, tourne.", "C'est long si t'attends.", "T'sais bien."),
        ("Tu t'es trompé.", "Comment t'appelles-tu?", "Je t'entends.", "Il t'a parlé.", "Je ne t'avais pas vu."),
    ),
    Rule(
        "Contraction_QF", _words("t"),
        r"(?<!\btu )(?<!\bne )(?<!\bje )(?<!\bqui )(?<!\bon )(?<!\bil )"
        r"\bt'en (?:\w+es|\w+ais|vas|as|mets|prends|veux|peux)\b(?!-tu)",
        ("Qu'est-ce que t'en penses?",), ("T'en souviens-tu?", "Je t'en veux."),
    ),
    Rule(
        "Contraction_QF", _words("y"), r"\by'(?:a|ont|en|est|avait|avaient|était|étaient|aura|aurait|faut|va|vont)\b",
        ("Y'a du monde.", "Y'est parti."), ("Il y a du monde.", "Vas-y."),
    ),
    Rule(
        "Contraction_QF", _words("y"),
        rf"(?:{_START}|\b(?:que|quand|si|pis|où|comme) |\bqu')y (?!a\b|a-|avait|aura|être)"
        r"(?:(?:me|te|se|nous|vous|les?|la|en) |[mtsl]')*\w*(?:t|e|ra|va|d|nt)\b|\w+(?:ent|ont)-y\b",
        ("Y fait froid.", "Il dit qu'y part demain.", "Y vont gagner.", "Annoncent-y de la neige?"),
        ("Y a-t-il du pain?", "Elle y pense.", "Y compris le chat.", "Vas-y, on y pense."),
    ),
    Rule(
        "Contraction_QF", _words("p c m"),
        rf"\bp'tit|\bc'te\b|\bc't'(?!heure)|{_START}m'as \w+(?: \w+)?(?:er|ir|re)\b",
        ("Un p'tit café.", "C'te gars-là.", "M'as te montrer ça."), ("Tu m'as montré ça.", "À c't'heure, on dort."),
    ),
    Rule(
        "Asteur_Form", _words("asteure asteur astheure astheur"), "",
        ("Asteure, ça va.", "Les jeunes d'astheure."), ("À cette heure tardive, tout dort.",),
    ),
    Rule(
        "Asteur_Form", _words("heure"), r"\bà c't'heure",
        ("À c't'heure, la route est pavée.",), ("À quelle heure?",),
    ),
    Rule(
        "A_Matin_Form", _words("matin soir"), r"(?<!matin )(?<!jusqu')\bà (?:matin|soir)\b(?! tombant)",
        ("Il a neigé à matin.", "Le match d'à soir."), ("Du matin à soir.", "À ce soir.", "Le matin à l'aube."),
    ),
    Rule(
        "Register_Joual", _words("icitte frette frettes pantoute boutte litte nuitte drette moé toé"), "",
        ("Viens icitte.", "Ça me tente pas pantoute."), ("Le bout du lit.", "Toi et moi."),
    ),
    Rule(
        "Pronoun_Moe_Toe", _words("moé toé"), "",
        ("C'est à toé.", "Donne-moé ça."), ("C'est à toi.", "Le canoë de Noé."),
    ),
    Rule(
        "Elision_Determiner", _words("su dins s d ent"),
        r"\bsu'|\bdins\b|\bs'(?:a|es|au)\b|\bd'la\b|\bent'les\b",
        ("Il dort su'l divan.", "Mets ça s'a table.", "Il joue dins feuilles.", "J'ai d'la misère."),
        ("Il s'en va.", "S'agit-il d'une erreur?", "Il s'est assis.", "De la crème."),
    ),
    Rule(
        "Elision_Determiner",
        _words("maison place job banque poubelle shop télé radio pharmacie cave messe garderie chambre cour rue"),
        r"\bà (?:maison|place|job|banque|poubelle|shop|télé|radio|pharmacie|cave|messe|garderie)\b"
        r"|\bdans (?:chambre|cour|rue|maison|cave)\b",
        ("On reste à maison.", "Il fait froid dans chambre."), ("Il rentre à la maison.", "À sa place, j'irais."),
    ),
    Rule(
        "Phonological_Tu_S", _words("tu"),
        r"[^\W\d_]*[^\W\d_sx]-tu\b|\b(?:je |j'|tu |vous |chus?\b|t'(?=as|es|avais))\w*-tu\b|\bc'est tu\b",
        ("C'est-tu loin?", "Tu veux-tu du sirop?", "Je peux-tu entrer?", "Le magasin ferme-tu tôt?"),
        ("Viens-tu?", "As-tu faim?", "Comment t'appelles-tu?", "Que veux-tu?"),
    ),
    Rule(
        "Lexeme_Tabarnak",
        _words(
            "tabarnak tabarnac tabarnouche tabarouette câlisse câlice calisse câlissé décâlissé décrissé ostie osti "
            "esti estie viarge simonac cibole torrieu sacrament"
        ),
        "",
        ("Tabarnak, mes clés!", "Il fait chaud en câlisse."), ("L'hostie et le calice.", "Le sacrement du baptême."),
    ),
    Rule(
        "Lexeme_Tabarnak", _words("crisse crissé maudit maudite maudits maudites calvaire"),
        r"\bcrisse (?:que|qu'|de)|\ben (?:crisse|maudit|calvaire)\b"
        rf"|(?:{_START}|\b(?:un|le|la|mon|ma|les|ce|cette) )crisse\b|\bcriss\w+ (?:son|mon|ton|leur) camp|s'est crissé"
        rf"|\bmaudit (?:que|qu')|(?:{_START}|\b(?:la|le|les|ma|mon|mes|une?|ce|cette|ces) )maudite?s? [^\W\d_]+"
        rf"|{_START}calvaire ?[,!]",
        ("Crisse que c'est long.", "C'est loin en crisse.", "Ma maudite auto.", "Calvaire, encore!"),
        ("La neige crisse sous les pas.", "Un poète maudit.", "Le calvaire du village."),
    ),
    Rule(
        "Interjection_Ben", _words("ben"),
        rf"{_START}ben(?= ?[,!.?…]| (?:là|voyons|non|oui|quoi|dis|dites|coudonc|sûr|si|j'|c'|t'|y'|ça|je|tu|on|y|il"
        rf"|elle|ils|faut|regarde|écoute|moi|moé|alors)\b| [jcty]'| \w+ pas\b)"
        rf"|{_START}(?:ah|eh|oh|bon|oui) ben\b",
        ("Ben voyons!", "Ben, je sais pas.", "Eh ben, quelle surprise.", "Ben j'ai hâte."),
        ("Ben Jonson écrivait.", "Big Ben sonne.", "Il marche ben lentement.", "Ou ben c'est fini."),
    ),
    Rule(
        "Connector_Faque", _words("faque fak faiq"), "",
        ("Faque on marche.", "C'est fermé, fak je pars."), ("La façade est neuve.",),
    ),
    Rule(
        "Connector_Faque", _words("fait"), rf"{_START}fait qu(?:e\b|')",
        ("Fait que c'est ça.", "Il pleuvait, fait qu'on est restés."),
        ("Le fait que tu viennes.", "Il ne fait que dormir."),
    ),
)
