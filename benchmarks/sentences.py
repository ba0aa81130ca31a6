"""Sentences with a place for personal data, and sentences with what looks like it, in Québec French and in English.

A kind stands before each sentence of the first two lists. In the others, each # is a digit.
"""

from __future__ import annotations

_FRENCH = """\
EMAIL Tu peux m’envoyer ça à {} d’ici ce soir ?
EMAIL Le contact de la garderie, c’est {} .
EMAIL {} ne répond plus depuis mardi.
PHONE Le plombier est joignable au {} jusqu’à 21 h.
PHONE Si ça sonne pas, essaie {} .
PHONE Téléphone de la clinique : {}
CARD Ma carte {} a été débitée deux fois.
CARD Le paiement avec {} a échoué hier.
CARD Peux-tu annuler l’achat fait avec {} ?
IBAN Fais le virement sur {} avant lundi.
IBAN Mon compte en Europe est {} .
IBAN Remboursement vers {} , merci.
SIN Pour la paie, mon NAS est {} .
SIN L’employeur demande le numéro d’assurance sociale : {}
SIN J’ai écrit mon NAS ( {} ) au mauvais endroit.
RAMQ Sa carte d’assurance maladie porte le {} .
RAMQ Le NAM {} est expiré.
RAMQ À l’accueil, donne ton numéro RAMQ {} .
IP Quelqu’un se connecte depuis {} chaque nuit.
IP Le pare-feu a bloqué {} ce matin.
IP Notre serveur est à {} .
MAC L’adresse du routeur est {} .
MAC Autorise l’appareil {} sur le réseau.
MAC La télé s’annonce comme {} .
KEY J’ai collé la clé {} dans le courriel.
KEY Le jeton est {} , il faut le changer.
KEY CLE={}
PASSWORD Le mot de passe est {} pour le chalet.
PASSWORD mdp : {}
PASSWORD Mot de passe = {}
ADDRESS On déménage au {} en juillet.
ADDRESS Le colis est resté au {} toute la fin de semaine.
ADDRESS Viens nous voir au {} .
POSTAL Le code postal est {} , si jamais.
POSTAL Code postal : {}
POSTAL Pour la livraison, mon code postal c’est {} .
BIRTH Mon père est né le {} à Matane.
BIRTH Date de naissance : {}
BIRTH La petite, née le {} , marche déjà.
"""
_ENGLISH = """\
EMAIL Could you forward it to {} by tonight?
EMAIL The daycare answers at {} .
EMAIL {} bounced again this morning.
PHONE The plumber is at {} until nine.
PHONE If nobody answers, try {} .
PHONE Clinic phone: {}
CARD They charged {} twice.
CARD My payment with {} was declined.
CARD Please cancel the order paid with {} today.
IBAN Wire the rent to {} before Monday.
IBAN My account in Europe is {} .
IBAN Refund to {} , thanks.
SIN For payroll, my SIN is {} .
SIN They want a social insurance number: {}
SIN I typed my SIN ( {} ) into the wrong box.
RAMQ Her Québec health card reads {} .
RAMQ The RAMQ number {} has expired.
RAMQ At the desk, give your health insurance number {} .
IP Someone logs in from {} every night.
IP The firewall dropped {} this morning.
IP Our server is at {} .
MAC The router is {} .
MAC Allow the device {} on the network.
MAC The TV shows up as {} .
KEY I pasted the key {} into the mail.
KEY The token is {} , please rotate it.
KEY TOKEN={}
PASSWORD The password is {} for the cabin.
PASSWORD password: {}
PASSWORD Password = {}
ADDRESS We are moving to {} in July.
ADDRESS The parcel sat at {} all weekend.
ADDRESS Come and see us at {} .
POSTAL The postal code is {} , just in case.
POSTAL Postal code: {}
POSTAL For delivery, my postal code is {} .
BIRTH My father was born on {} in Truro.
BIRTH Date of birth: {}
BIRTH The baby, born {} , walks already.
"""
"""A kind, and a sentence with a place for its value."""


def _by_kind(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        kind, _, sentence = line.partition(" ")
        found.setdefault(kind, []).append(sentence)
    return found


SENTENCES = {"fr": _by_kind(_FRENCH), "en": _by_kind(_ENGLISH)}
_ALIKE_FRENCH = """\
La facture ######### est payée.
Le vol QK #### part à 1# h 05.
Le NEQ est 11########.
Version 3.1#.#.4, corrigée hier.
Le colis 1Z######## est en route.
Il y a #### places et ## rangées.
Ajoute 2## g de sucre et 1## ml d’eau.
La commande 7### 4### 2### est prête.
ISBN 978-2-7#64-0#12-#, en français.
Le 1# mars 19##, il a neigé.
Le budget est de 4 ### ### $.
Le réseau interne est en 10.#.#.1#.
Score final : 2#-1#, ##-18.
Ref. AB##-CD##-EF##.
Né pour courir, un album de 19##.
La route 1## est fermée au km 2##.
Le lot B#C-2A# est rappelé.
L’identifiant 17########### est un temps.
Il habite rue Principale depuis ## ans.
Le mot de passe doit avoir 1# caractères.
Le prix passe de 2## 3## ## ## $ à 4## $.
Le calcul 2##·3##·4### est exact.
Dossier 5##/8##/34##, page ##.
Tirage : ## ## ## ## ## ##
Les pièces 4## 6## ## ## ## sont en stock.
Le bail va du 20##/0#/1# au 20##/1#/2#.
"""
_ALIKE_ENGLISH = """\
Invoice ######### was paid.
Flight WS #### leaves at 1#:05.
Build 10.0.1####.3### is out.
Parcel 1Z######## is on its way.
There are #### seats in ## rows.
Add 2## g of sugar and 1## ml of water.
Order 7### 4### 2### is ready.
ISBN 0-3#6-40#15-2 is out of print.
On March 1#, 19## it snowed.
The budget is $4,###,###.
The lab network is 192.168.#.1#.
Final score 2#-1#, ##-18.
Serial AB##-CD##-EF##.
Born to Run is from 19##.
Route 1## is closed at mile 2##.
Lot B#C-2A# is recalled.
The stamp is 17###########.
He lived on Main Street for ## years.
A password needs 1# characters.
Chapter #.#.1.4 has the proof.
The range is 2## - 3## - 4### = -#.
See items/5##/8##-34##/notes for it.
The quote 2##/3##-4### + tax is too high.
Draw: ##-##-##-##-##-##
Order 4##/6##-44## was returned.
The lease runs from 20##/0#/1# to 20##/1#/2#.
"""
LOOK_ALIKES = {"fr": _ALIKE_FRENCH.splitlines(), "en": _ALIKE_ENGLISH.splitlines()}
"""Each # is a digit."""
