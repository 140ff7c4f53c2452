"""Evidence for drift: e-processes whose expected time to a false alarm is known, whatever the traffic.

Each chunk of rows x of a stream (a signal's bins) gives the e-value

    e = DM(x; alternative) / DM(x; null)

`null` starts at the reference counts + ½ and keeps learning, so the reference's own sampling error is not taken for drift.
`alternative` is predictable, so E[e | past] = 1 without drift, and a small lasting shift adds up however few rows come at a time. There
are two for each of three half-lives. The free one is CONCENTRATION · reference shares plus an exponentially decayed sum of the rows
before x: it can be any change, and has a share to learn for each bin. The tilted one is the null with each bin's parameter multiplied
by exp(θ · ridit), where θ moves the mean ridit as far as the recent rows have moved it (one Newton step): it can only be a move along
the bins of an ordered signal, and has one number to learn, so it finds a small one in up to a fifth fewer rows. Where bins have no
order, as classes have none, a sparse one takes its place: the null with the shares of those bins changed that are two standard errors
away among the recent rows, which finds a class that has become rare in up to a quarter fewer.

Then Shiryaev and Roberts' R ← (R + 1) e. R − t is a supermartingale without drift, so is every average of such, hence the average of R
over all streams and alternatives reaches A after A chunks or more in the mean: the promise holds for the whole bank, with no
independence assumed (J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", arXiv 2203.03532, theorem 2.4; the learning null is averaged over
the posterior of the reference, so the promise is one over deployments and is checked by simulation, `python -m benchmarks.drift`).

Counts are divided by the overdispersion of the traffic before they count (`monitoring.drift.overdispersion`). A chunk that is unlike the
one before it beyond chance does not count: a lone burst says nothing, and a change is believed from its second chunk on.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import Arrays, FloatArray, IntArray
from monitoring.drift.dirichlet import log_likelihood
from monitoring.drift.overdispersion import dissimilarity
from monitoring.drift.psi import chi2_quantile

#: Rows after which half of what the alternative has learned is forgotten.
HALF_LIVES = (200.0, 2_000.0, 20_000.0)
#: Rows' worth of the reference in each free alternative, and of no tilt in each tilted one.
CONCENTRATION = 50.0
#: The tilt of an alternative is at most so steep, for a variance of the ridits that is at least so large.
_MOST_TILT, _LEAST_VARIANCE = 20.0, 1e-3
#: Standard errors by which the share of a bin has surely changed.
_SURELY = 2.0
#: Fewer rows wait for more: two smaller chunks could not be told apart from a burst.
CHUNK_ROWS = 50
#: Degrees of freedom after which half of what is known of the overdispersion is forgotten (an hour of 10-second chunks with ten bins).
_DISPERSION_HALF_LIFE = 3_000.0
#: Degrees of freedom at which the overdispersion begins as 1.
_DISPERSION_PRIOR = 9.0
#: Standard errors by which the overdispersion is taken larger than it looks: early on little is known of it.
_DISPERSION_DOUBT = 3.0
#: Chance that a chunk of independent rows is taken for a burst; its rows then do not count, nothing else.
_BURST_ALPHA = 1e-3
#: A chunk counts for at most so many times the rows of the one before it: a sudden rise of the traffic is more likely one client's.
_MOST_GROWTH = 2.0
#: Beyond it the quantile of X² is taken as that of so many degrees of freedom.
_MOST_FREEDOM = 1_000


@dataclass(frozen=True)
class Streams:
    """What is watched, side by side: `names` (s,), `reference` counts (…, bins), `starts` (s,) where each stream begins.

    A stream of `worse_only` (s,) has the two bins good and bad, and only a larger share of bad ones counts. The bins of an `ordered` one
    (s,) follow one another, as those of a number do.
    """

    names: tuple[str, ...]
    starts: IntArray
    reference: FloatArray
    worse_only: NDArray[np.bool_]
    ordered: NDArray[np.bool_]

    @cached_property
    def widths(self) -> IntArray:
        return np.diff(np.append(self.starts, self.reference.shape[-1]))

    def rows(self, counts: NDArray[np.floating]) -> FloatArray:
        """Rows of each stream (…, s) in counts (…, bins)."""
        rows: FloatArray = np.add.reduceat(counts, self.starts, axis=-1)
        return rows

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """A value of each stream (…, s) for each of its bins (…, bins)."""
        return np.repeat(values, self.widths, axis=-1)

    @cached_property
    def ridits(self) -> FloatArray:
        """Where each bin lies among the rows of the reference, from -½ to ½ (…, bins): the mean rank of its rows (I. D. J. Bross, "How to
        use ridit analysis", Biometrics 14 (1958), p. 18).
        """
        smooth = self.reference + 0.5
        below = smooth.cumsum(axis=-1) - smooth / 2
        first = np.take(below - smooth / 2, self.starts, axis=-1)
        ridits: FloatArray = (below - self.spread(first)) / self.spread(self.rows(smooth)) - 0.5
        return ridits


@dataclass(frozen=True)
class Evidence:
    """What is remembered between chunks. Leading axes, if any, are independent runs; s streams, h half-lives, a = 2 h alternatives.

    counted     (…, bins)    the totals as far as they were looked at
    chunk       (…, bins)    the chunk before
    null        (…, bins)    parameters of the null
    recent      (…, h, bins) decayed sums of the rows before
    unlike, freedom (…, s)   decayed sums of X² and its degrees of freedom
    log_r       (…, a, s)    log R of Shiryaev and Roberts
    log_c       (…, a, s)    log of Page's C ← max(C, 1) e, which is 1 or less where nothing speaks for drift
    since       (…, a, s)    when C was last 1 or less: where a change began, if there was one
    updated_at  (…, s)       when a stream last had a chunk
    """

    counted: FloatArray
    chunk: FloatArray
    null: FloatArray
    recent: FloatArray
    unlike: FloatArray
    freedom: FloatArray
    log_r: FloatArray
    log_c: FloatArray
    since: FloatArray
    updated_at: FloatArray

    @classmethod
    def start(cls, streams: Streams, now: float, counted: FloatArray) -> Evidence:
        """Nothing speaks for drift yet; `counted` (…, bins) are the totals at `now`, which are not looked at any more."""
        runs, bins, s, h = counted.shape[:-1], streams.reference.shape[-1], len(streams.names), len(HALF_LIVES)
        alternatives = 2 * h
        return cls(
            counted=counted,
            chunk=np.zeros((*runs, bins)),
            null=np.broadcast_to(streams.reference + 0.5, (*runs, bins)),
            recent=np.zeros((*runs, h, bins)),
            unlike=np.full((*runs, s), _DISPERSION_PRIOR),
            freedom=np.full((*runs, s), _DISPERSION_PRIOR),
            log_r=np.full((*runs, alternatives, s), -np.inf),
            log_c=np.zeros((*runs, alternatives, s)),
            since=np.full((*runs, alternatives, s), now),
            updated_at=np.full((*runs, s), now),
        )

    def fits(self, streams: Streams) -> bool:
        """Whether it is of such streams and alternatives: another release may have others."""
        bins, s = streams.reference.shape[-1], len(streams.names)
        return self.null.shape[-1] == bins and self.log_r.shape[-2:] == (2 * len(HALF_LIVES), s)

    def restart(self, streams: Streams, now: float) -> Evidence:
        """As at the start, but with what is known of the overdispersion."""
        return replace(Evidence.start(streams, now, self.counted), unlike=self.unlike, freedom=self.freedom, chunk=self.chunk)

    @property
    def overdispersion(self) -> FloatArray:
        """How many rows say as much as one independent row, of each stream (…, s): 1 or more."""
        return _overdispersion(self.unlike, self.freedom)

    @property
    def log_evidence(self) -> FloatArray:
        """Log of the average of R over the alternatives, of each stream (…, s)."""
        return _log_mean(self.log_r, axis=-2)

    @property
    def log_total(self) -> FloatArray:
        """Log of the average of R over all streams and alternatives (…): what is compared with log A."""
        return _log_mean(self.log_evidence, axis=-1)

    def began(self, streams: Streams) -> float:
        """Since when there is a change, of a single run, as the strongest evidence has it.

        Sparse alternatives are not asked: where no bin has surely changed they are the null, so their C stays where chance has left it
        instead of coming back to 1, long before anything has changed.
        """
        asked = streams.ordered | (np.arange(len(self.log_r)) < len(HALF_LIVES))[:, None]
        strongest = np.unravel_index(int(np.where(asked, self.log_r, -np.inf).argmax()), self.log_r.shape)
        return float(self.since[strongest])

    def advance(self, streams: Streams, now: float, total: FloatArray) -> Evidence:
        """With the rows that came since, `total` (…, bins) being the totals at `now`. A stream with too few of them waits."""
        fresh = total - self.counted
        begun_anew = np.minimum.reduceat(fresh, streams.starts, axis=-1) < 0  # the counts were lost: nothing to be learned from
        takes = (streams.rows(fresh) >= CHUNK_ROWS) & ~begun_anew
        x = np.where(streams.spread(takes), fresh, 0.0)

        unlike, freedom = dissimilarity(x, self.chunk, streams.starts)
        kept = 0.5 ** (freedom / _DISPERSION_HALF_LIFE)
        all_unlike, all_freedom = self.unlike * kept + unlike, self.freedom * kept + freedom
        usual = _cautious(all_unlike, all_freedom)
        rows, before = streams.rows(x), streams.rows(self.chunk)
        believed = (before > 0) & (unlike <= usual * _burst_limits(freedom))
        share = np.minimum(1.0, _MOST_GROWTH * before / np.maximum(rows, 1.0)) / usual
        weighed = x * streams.spread(np.where(believed, share, 0.0))
        alternatives = self._alternatives(streams)
        likelihoods = log_likelihood(weighed[..., None, :], alternatives, streams.starts)
        log_e = likelihoods - log_likelihood(weighed, self.null, streams.starts)[..., None, :]
        log_e = np.where(streams.worse_only & ~self._worse(streams, alternatives), 0.0, log_e)

        took, looked = takes[..., None, :], streams.spread(takes | begun_anew)
        forgotten = 0.5 ** (streams.rows(weighed)[..., None, :] / np.array(HALF_LIVES)[:, None])
        return Evidence(
            counted=np.where(looked, total, self.counted),
            chunk=np.where(streams.spread(takes), x, self.chunk),
            null=self.null + weighed,
            recent=self.recent * streams.spread(forgotten) + weighed[..., None, :],
            unlike=all_unlike,
            freedom=all_freedom,
            log_r=np.where(took, np.logaddexp(self.log_r, 0.0) + log_e, self.log_r),
            log_c=np.where(took, np.maximum(self.log_c, 0.0) + log_e, self.log_c),
            since=np.where(took & (self.log_c <= 0), self.updated_at[..., None, :], self.since),
            updated_at=np.where(takes | begun_anew, now, self.updated_at),
        )

    def _alternatives(self, streams: Streams) -> FloatArray:
        """Parameters of the alternatives (…, a, bins): for each half-life the free one, then for each the tilted or the sparse one."""
        smooth = streams.reference + 0.5
        shares = smooth / streams.spread(streams.rows(smooth))
        free = CONCENTRATION * shares[..., None, :] + self.recent
        tilted = np.where(streams.spread(streams.ordered), self._tilted(streams), self._sparse(streams))
        alternatives: FloatArray = np.concatenate([free, tilted], axis=-2)
        return alternatives

    def _tilted(self, streams: Streams) -> FloatArray:
        """The null with its rows moved along the bins as far as the recent ones are, (…, h, bins)."""
        ridits, weight = streams.ridits, streams.rows(self.null)
        centred = ridits - streams.spread(streams.rows(self.null * ridits) / weight)
        variance = streams.rows(self.null * centred**2) / weight
        moved = streams.rows(self.recent * centred[..., None, :]) / (streams.rows(self.recent) + CONCENTRATION)
        tilt = np.clip(moved / np.maximum(variance, _LEAST_VARIANCE)[..., None, :], -_MOST_TILT, _MOST_TILT)
        tilted = self.null[..., None, :] * np.exp(streams.spread(tilt) * centred[..., None, :])
        parameters: FloatArray = tilted * streams.spread(weight[..., None, :] / streams.rows(tilted))
        return parameters

    def _sparse(self, streams: Streams) -> FloatArray:
        """The null with the shares of those bins changed that have surely changed among the recent rows, (…, h, bins)."""
        weight, rows = streams.spread(streams.rows(self.null)), streams.spread(streams.rows(self.recent))
        shares = (self.null / weight)[..., None, :]
        away = self.recent - rows * shares
        surely = np.abs(away) > _SURELY * np.sqrt(rows * shares * (1 - shares))
        changed = np.where(surely, (shares + away / (rows + CONCENTRATION)) * weight[..., None, :], self.null[..., None, :])
        parameters: FloatArray = changed * streams.spread(streams.rows(self.null)[..., None, :] / streams.rows(changed))
        return parameters

    def _worse(self, streams: Streams, alternatives: FloatArray) -> NDArray[np.bool_]:
        """Where an alternative expects more in the last bin than the null does, (…, a, s)."""
        last = np.append(streams.starts[1:], streams.reference.shape[-1]) - 1
        share = alternatives[..., last] / streams.rows(alternatives)
        worse: NDArray[np.bool_] = share > (self.null[..., last] / streams.rows(self.null))[..., None, :]
        return worse

    def to_arrays(self) -> Arrays:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Evidence:
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _overdispersion(unlike: FloatArray, freedom: FloatArray) -> FloatArray:
    ratio: FloatArray = np.maximum(unlike / freedom, 1.0)
    return ratio


def _cautious(unlike: FloatArray, freedom: FloatArray) -> FloatArray:
    """The overdispersion and what it may be more, as long as little is known of it (X² with f degrees of freedom has the variance 2 f)."""
    cautious: FloatArray = _overdispersion(unlike, freedom) * (1 + _DISPERSION_DOUBT * np.sqrt(2 / freedom))
    return cautious


def _burst_limits(freedom: FloatArray) -> FloatArray:
    """What X² of independent rows exceeds with the chance of _BURST_ALPHA."""
    places = np.minimum(freedom, _MOST_FREEDOM).astype(np.int64)
    limits: FloatArray = _quantiles()[places]
    return limits


@functools.cache
def _quantiles() -> FloatArray:
    return np.array([0.0, *(chi2_quantile(freedom, 1 - _BURST_ALPHA) for freedom in range(1, _MOST_FREEDOM + 1))])


def _log_mean(logs: FloatArray, axis: int) -> FloatArray:
    mean: FloatArray = np.logaddexp.reduce(logs, axis=axis) - np.log(logs.shape[axis])
    return mean
