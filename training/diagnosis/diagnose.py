"""From facts to findings: every rule is asked, and causes are named before what follows from them.

A finding explains the ones after it, so that at most one of them is the first to be mended. `underfitting` says that no cause was
found and is dropped where one was.
"""

from __future__ import annotations

import warnings

import numpy as np

from training.diagnosis.facts import Facts
from training.diagnosis.finding import Finding
from training.diagnosis.kinds import ORDER
from training.diagnosis.rules import Rule, curves, data, fit, gradients, network, units

RULES: tuple[Rule, ...] = (*data.RULES, *network.RULES, *fit.RULES, *gradients.RULES, *units.RULES, *curves.RULES)


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """What is wrong, the likeliest cause first; nothing for a healthy training."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numbers that are none are what is looked for
        findings = sorted((finding for rule in RULES if (finding := rule(facts)) is not None), key=lambda finding: ORDER[finding.kind])
    if any(finding.ill and finding.kind != "underfitting" for finding in findings):
        findings = [finding for finding in findings if finding.kind != "underfitting"]
    return tuple(findings)
