"""Invented names of persons, characters and companies, by culture, and their sound codes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True)
class Culture:
    """How people and companies are named; surnames are a beginning and an ending."""

    male: tuple[str, ...]
    female: tuple[str, ...]
    surnames: tuple[str, ...]
    companies: tuple[str, ...]


def _culture(male: str, female: str, beginnings: str, endings: str, companies: str) -> Culture:
    surnames = [a + b for a, b in product(beginnings.split(), endings.split())]
    return Culture(
        tuple(male.split()),
        tuple(female.split()),
        tuple(surnames),
        tuple(company.replace("_", " ") for company in companies.split()),
    )


CULTURES = {
    "english": _culture(
        "John Timothy Robert James William Bertram Albert Tim George Peter Andrew Xavier Zachary "
        "Brian Edward Thomas Walter Simon Oscar Hugh",
        "Mary Angela Anna Andrea Susan Bertha Elizabeth Angelina Grace Zoe Helen Joan Anita Ruth "
        "Diana Emily Brenda Claire Xenia Laura",
        "Har Bran Wins Ash Black Cal Dun Fair Gran Hol Kings Long Mar North Old Pem Stan Thorn "
        "Wake York Bright Clay Xan Zel",
        "ton field worth ley ford wood man by low ham bridge er",
        "Pictures Film Films Productions Entertainment Studios Television Media Film_Company Video",
    ),
    "german": _culture(
        "Hans Karl Bertold Andreas Timo Wolfgang Jan Dieter Klaus Volker Ulrich Bernd Emil Franz",
        "Anna Angelika Greta Ute Andrea Ingrid Berta Annette Heike Lotte Elke Zita",
        "Bau Stein Berg Hoch Kron Licht Muh Neu Ober Rosen Schwarz Wald Zim Brand",
        "mann er ler feld hauser burg meyer hoff ner",
        "Filmproduktion Film Fernsehen Medien Filmverleih TV Studios",
    ),
    "french": _culture(
        "Jean Pierre Andre Bertrand Michel Luc Antoine Xavier Henri Emile Rene Yves",
        "Marie Angele Anne Claudine Yolande Brigitte Andree Sylvie Odile Juliette",
        "Beau Mont Du Le Saint Bel Char Fon Gar Lam Mar Roch Ver",
        "mont fort ville noir bois court et ard lin eau",
        "Films Cinema Productions Television Film_International Distribution",
    ),
    "latin": _culture(
        "Juan Carlos Angel Roberto Andres Paolo Marco Luis Joao Dimitri Bruno Mateo",
        "Maria Angela Ana Lucia Carmen Antonia Bianca Rosa Anita Yolanda Elena Paula",
        "Alv Bar Cas Dom Fer Gal Mar Mor Per Rod San Tor Vel Zam",
        "ez ano ini eira illo etti osa ardo elli akis",
        "Cine Film Producciones Televisao Filmes Cinematografica Video",
    ),
    "nordic": _culture(
        "Lars Anders Erik Bjorn Nils Sven Olaf Henrik Bertil Mikael",
        "Anna Ingrid Astrid Anne Britt Karin Solveig Annika Liv Maja",
        "Lind Berg Dahl Eng Gran Hag Kvist Nor Sol Sund",
        "strom gren qvist sen berg lund holm son",
        "Film Filmindustri Produktion TV Media",
    ),
    "slavic": _culture(
        "Ivan Andrei Boris Dmitri Mikhail Pavel Zbigniew Vladimir Anton Jiri",
        "Anna Angelika Olga Svetlana Zofia Irina Natalia Anastasia Bozena Vera",
        "Bor Dob Kov Mal Nov Pet Sok Vol Zab Kuz",
        "ov sky enko ak ic ek anov lov",
        "Film Kinostudiya Televidenie Filmstudio Media",
    ),
    "japanese": _culture(
        "Yoshi Kenji Hiroshi Takashi Akira Yoichi Satoshi Jun Daisuke Noboru",
        "Yoko Yoshiko Akiko Hanako Keiko Yuko Yumi Ayumi Naomi Emi Anri Yoshie",
        "Yama Kawa Tana Naka Fuji Mori Ishi Oka Hayashi Yoko",
        "moto ka da mura shima ta guchi zaki",
        "Company Animation Film Eiga Television Media",
    ),
    "indian": _culture(
        "Raj Anil Vijay Sanjay Amit Ravi Bhanu Dev Xerxes Zubin",
        "Anjali Priya Lata Angana Meena Bina Zeenat Rani Anju Sita",
        "Sha Kap Cho Gup Ban Ran Des Men Ver Zut",
        "rma oor pra ta erjee jan ai on",
        "Films Pictures Film_Combines Arts Creations",
    ),
    "chinese": _culture(
        "Wei Jun Xiang Ming Zhi Bo Feng Tim Yong Andy",
        "Li Angie Mei Xiu Anita Yan Zhen Hui Bei Ling",
        "Xi Zha Wa Che Lia Ya Ki Le Bae Zho",
        "ng n o u m k",
        "Film Studios Motion_Picture Entertainment Television Golden_Film",
    ),
}

CULTURE_NAMES = tuple(CULTURES)

NAMED_CHARACTERS = (
    "Himself",
    "Herself",
    "Narrator",
    "Host",
    "Dancer",
    "Policeman",
    "Queen",
    "Woman",
    "Doctor",
    "Man in Bar",
    "Nurse",
    "Iron Man",
    "Tony Stark / Iron Man",
    "Batman",
    "Sherlock Holmes",
    "Fisherman",
)
"""Characters that are the same at any scale; their ids count from 1 in this order."""

_CODES = {
    letter: digit
    for digit, letters in enumerate(("BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"), start=1)
    for letter in letters
}


def sound_code(word: str) -> str:
    """The Soundex code with four digits at most, as the import writes it.

    Source: Soundex as in Knuth, TAOCP volume 3, section 6, without the padding.
    """
    letters = [letter for letter in word.upper() if "A" <= letter <= "Z"]
    if not letters:
        return ""
    code, last = letters[0], _CODES.get(letters[0])
    for letter in letters[1:]:
        digit = _CODES.get(letter)
        if digit is not None and digit != last:
            code += str(digit)
        if letter not in "HW":
            last = digit
    return code[:5]
