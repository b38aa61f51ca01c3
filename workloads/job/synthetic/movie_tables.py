"""What belongs to movies in numbers alone: keywords, links, complete casts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workloads.job.synthetic.columns import Column, join, take, texts
from workloads.job.synthetic.dimensions import LINKS
from workloads.job.synthetic.draws import LEVELS, Ints, Skew, choice_tables, level, spaced
from workloads.job.synthetic.fanout import Children, blocks
from workloads.job.synthetic.movies import SUBTOPICS, Movies, fame_weights
from workloads.job.synthetic.names import CULTURES, sound_code
from workloads.job.synthetic.topics import NAMED_KEYWORDS, TOPICS
from workloads.job.synthetic.world import World

_KEYWORD_WEIGHTS = fame_weights(
    0.45,
    {
        "movie": (8, 0.42),
        "tv series": (8, 0.4),
        "tv movie": (4, 0.2),
        "video movie": (4, 0.25),
        "video game": (4, 0.3),
        "episode": (3, 0.08),
    },
)
_LINK_WEIGHTS = fame_weights(0.6, {"movie": (2, 0.04), "tv series": (4, 0.03)})
_COMPLETE_WEIGHTS = fame_weights(
    0, {"movie": (2, 0.1), "tv series": (1, 0.03), "episode": (1, 0.02)}
)

_SEQUEL_FACTOR = 12
"""A sequel has so many times the links of another movie."""

_ID = {word: number for number, word in enumerate(NAMED_KEYWORDS, start=1)}
_CANDIDATES = 16
"""Named keywords of a topic: its own, then those of no topic, then none (0)."""


def _candidates() -> tuple[Ints, Ints]:
    """For each topic its candidates' ids and their chances (of `LEVELS`), most likely first."""
    ids = np.zeros((len(TOPICS), _CANDIDATES), dtype=np.int64)
    chances = np.zeros_like(ids)
    for number, topic in enumerate(TOPICS):
        own = [(_ID[word], 0.55 / (1 + 0.3 * rank)) for rank, word in enumerate(topic.keywords)]
        common = [(_ID["character-name-in-title"], 0.2), (_ID["number-in-title"], 0.04)]
        for place, (keyword, chance) in enumerate([*own, *common]):
            ids[number, place], chances[number, place] = keyword, round(chance * LEVELS)
    return ids, chances


_KEYWORD_OF, _CHANCE_OF = _candidates()

_PLAIN_LINKS = {"references": 30, "referenced in": 30, "features": 8, "featured in": 8}
_SEQUEL_LINKS = {"follows": 45, "followed by": 40, "references": 6, "spin off": 4, "remake of": 5}
_LINK_TABLE = choice_tables(
    [
        [_PLAIN_LINKS.get(link, 2) for link in LINKS],
        [_SEQUEL_LINKS.get(link, 0) for link in LINKS],
    ]
)


def keyword_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `keyword`."""
    first = [name.lower() for culture in CULTURES.values() for name in culture.surnames]
    second = [f"-{noun.lower()}" for topic in TOPICS for noun in topic.nouns]
    starts, ends, nouns = texts(first), texts(second), len(TOPICS[0].nouns)
    codes = texts([sound_code(word) for word in first])
    for ids in blocks(*world.ordinary("keyword")):
        words = world.draw("keyword", ids)
        start = level(words, 0) % len(first)
        topic = world.keywords.ranks(ids) % world.keywords.classes // SUBTOPICS
        end = topic * nouns + level(words, 1) % nouns
        yield [ids, join(take(starts, start), take(ends, end)), take(codes, start)]


def movie_keyword_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `movie_keyword`."""
    for ids, rows in world.of_movies("movie_keyword", world.by_fame(_KEYWORD_WEIGHTS)):
        movies = world.movies.block(ids)
        named = _named_keywords(world, movies, rows)
        other = _other_keywords(world, movies, rows)
        yield [rows.ids, ids[rows.parent], np.where(named > 0, named, other)]


def _named_keywords(world: World, movies: Movies, rows: Children) -> Ints:
    """A keyword of the movie's topic, 0 where chance wants none.

    A movie starts at a candidate of its own and goes once through all of them, so that it
    has none twice; but the first keyword of a sequel is always `sequel`.
    """
    start = level(world.draw("first keyword", movies.ids), 0) % _CANDIDATES
    place = (start[rows.parent] + rows.slot) % _CANDIDATES
    topic = movies.topic[rows.parent]
    chance = level(world.draw("named keyword", rows.ids), 0)
    likely = (chance < _CHANCE_OF[topic, place]) & (rows.slot < _CANDIDATES)
    named = np.where(likely, _KEYWORD_OF[topic, place], 0)
    sequel = (movies.sequel[rows.parent] > 0) & (rows.slot == 0)
    return np.where(sequel, _ID["sequel"], named)


def _other_keywords(world: World, movies: Movies, rows: Children) -> Ints:
    """A keyword without a name: of the movie's subtopic first, then of its topic, or of any.

    Spaced draws make it unlikely that a movie has one twice.
    """
    start = world.draw("keyword rank", movies.ids)[rows.parent]
    words = world.draw("keyword of movie", rows.ids)
    shift = np.where(rows.slot < 2 * SUBTOPICS, 0, rows.slot)
    subtopic = (movies.subtopic[rows.parent] + shift) % SUBTOPICS
    own = movies.topic[rows.parent] * SUBTOPICS + subtopic
    anything = level(words, 0) % world.keywords.classes
    classes = np.where(level(words, 1) < LEVELS // 5, anything, own)
    return world.keywords.pick(classes, spaced(start, rows.slot))


def movie_link_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `movie_link`: to movies of the same kind, some far more often."""

    def weigh(ids: Ints) -> Ints:
        movies = world.movies.block(ids)
        factor = 1 + (_SEQUEL_FACTOR - 1) * movies.sequel
        return _LINK_WEIGHTS[movies.kind - 1, movies.fame] * factor

    groups = Skew(world.movies.groups, spread=1000)
    for ids, rows in world.of_movies("movie_link", weigh):
        movies = world.movies.block(ids)
        words = world.draw("link", rows.ids)
        own = ids[rows.parent]
        other = world.movies.place_like(own, groups.pick(words))
        other = np.where(other == own, world.movies.place_like(own, rows.ids), other)
        link = _LINK_TABLE[movies.sequel[rows.parent], level(words, 0)] + 1
        yield [rows.ids, own, other, link]


def complete_cast_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `complete_cast`: cast first, then crew; famous ones are verified."""
    for ids, rows in world.of_movies("complete_cast", world.by_fame(_COMPLETE_WEIGHTS)):
        fame = world.movies.kind_and_fame(ids)[1][rows.parent]
        chance = level(world.draw("complete cast", rows.ids), 0)
        status = np.where(chance < fame - LEVELS * 3 // 4, 4, 3)
        yield [rows.ids, ids[rows.parent], 1 + rows.slot % 2, status]
