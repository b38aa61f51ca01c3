"""A population: the rows of a table that others refer to, each of one class."""

from __future__ import annotations

from math import gcd

from workloads.job.synthetic.draws import Ints, Skew, Words


class Population:
    """Ids 1 to `total`: the first `named` are listed by hand, the rest are ordinary.

    An ordinary member's rank says its class (rank modulo `classes`) and how often it is
    picked: the lowest of a class `spread` times as often as the highest. Ids are a
    permutation of the ranks, so that an id tells nothing, as in the real tables.
    """

    def __init__(self, total: int, named: int, classes: int, spread: int) -> None:
        self.named = named
        self.size = total - named
        self.classes = classes
        self.groups = -(-self.size // classes)
        self._skew = Skew(self.groups, spread)
        self._step = _coprime(self.size)
        self._inverse = pow(self._step, -1, self.size)

    def pick(self, classes: Ints, words: Words) -> Ints:
        """The id of a member of each class, skewed towards the low ranks.

        Where the last group is incomplete, the member may be of another class.
        """
        ranks = (self._skew.pick(words) * self.classes + classes) % self.size
        return ranks * self._step % self.size + (self.named + 1)

    def ranks(self, ids: Ints) -> Ints:
        """The ranks of ordinary members."""
        return (ids - (self.named + 1)) * self._inverse % self.size

    def weights(self, ids: Ints) -> Ints:
        """How much there is to tell of each ordinary member: 1 to 301, falling with its rank."""
        groups = self.ranks(ids) // self.classes
        return 1 + 300 * self.groups // (self.groups + 300 * groups)


def _coprime(size: int) -> int:
    """A step near the golden section, so that neighbouring ranks get distant ids."""
    step = max(1, int(size * 0.6180339887))
    while gcd(step, size) != 1:
        step += 1
    return step
