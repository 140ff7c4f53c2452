"""The dashboard "Veleta service": is it up, how fast is it, what does it turn away, and how much of the error budget is left."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.grafana.layout import JOB, VARIANTS, page, which
from monitoring.grafana.panels import GREEN, ORANGE, RED, YELLOW, buckets, lines, listed, number, states

#: The routes whose requests count for the objectives, as in prometheus/rules/slo.yml.
ASKED = f'{JOB}, route=~"/predict|/feedback|/v[12]|/invocations"'
FAILED = f'{ASKED}, code=~"5.."'
#: Requests of the time shown: all, and those that were not good.
ALL = f"sum(increase(veleta_request_duration_seconds_count{{{ASKED}}}[$__range]))"
NOT_GOOD = {
    "availability": f"sum(increase(veleta_requests_total{{{FAILED}}}[$__range]))",
    "latency": f'({ALL} - sum(increase(veleta_request_duration_seconds_bucket{{{ASKED}, le="0.25"}}[$__range])))',
}


def _rate(metric: str, by: str, selected: str = JOB) -> str:
    return f"sum by ({by}) (rate({metric}{{{selected}}}[$__rate_interval]))"


def _quantiles(metric: str, selected: str) -> dict[str, str]:
    return {f"p{q}": f"histogram_quantile({q / 100}, {_rate(f'{metric}_bucket', 'le', selected)})" for q in (50, 95, 99)}


def _budget_left(slo: str) -> str:
    return f'1 - ({NOT_GOOD[slo]} / ({ALL} > 0)) / (1 - max(veleta:slo_objective:ratio{{slo="{slo}"}}))'


def _now() -> list[object]:
    left = {-1e9: RED, 0: YELLOW, 0.25: GREEN}
    return [
        number("Servers up", "Targets that Prometheus can scrape.", "none", f"sum(up{{{JOB}}})", {0: RED, 1: GREEN}),
        number("Requests", "All routes.", "reqps", f"sum(rate(veleta_requests_total{{{JOB}}}[$__rate_interval]))"),
        number(
            "Failed",
            "Share of the requests that were answered with a 5xx.",
            "percentunit",
            f"sum(rate(veleta_requests_total{{{FAILED}}}[$__rate_interval]))"
            f" / (sum(rate(veleta_requests_total{{{ASKED}}}[$__rate_interval])) > 0)",
            {0.001: YELLOW, 0.01: RED},
            "no requests",
        ),
        number(
            "99 % answered within",
            "Routes that ask a model or take a label.",
            "s",
            _quantiles("veleta_request_duration_seconds", ASKED)["p99"] + " >= 0",
            {0.25: YELLOW, 1: RED},
            "no requests",
        ),
        number(
            "Budget left: availability",
            "Of the failures that the objective allows in the time shown. Below 0: the objective is missed.",
            "percentunit",
            _budget_left("availability"),
            left,
            "no requests",
        ),
        number(
            "Budget left: latency",
            "Of the slow answers (over 0.25 s) that the objective allows in the time shown. Below 0: the objective is missed.",
            "percentunit",
            _budget_left("latency"),
            left,
            "no requests",
        ),
    ]


def _requests() -> list[object]:
    slowest = _rate("veleta_request_duration_seconds_bucket", "le, route")
    return [
        lines("Rate by route", "Requests answered.", "reqps", {"{{route}}": f"{_rate('veleta_requests_total', 'route')} > 0"}),
        lines(
            "Errors by route and code",
            "4xx: the client sent something else than the model takes, see the answer's sentence. 5xx: the server, see its log.",
            "reqps",
            {"{{route}} {{code}}": _rate("veleta_requests_total", "route, code", f'{JOB}, code=~"[45].."') + " > 0"},
        ),
        lines(
            "Latency",
            "Of the routes that ask a model or take a label. Queue and model are shown below.",
            "s",
            _quantiles("veleta_request_duration_seconds", ASKED),
        ),
        lines(
            "99 % answered within, by route",
            "Routes without requests are left out.",
            "s",
            {"{{route}}": f"histogram_quantile(0.99, {slowest}) >= 0"},
        ),
        buckets(
            "How long answers take",
            "Two bands: two kinds of requests, or some wait in the queue.",
            "s",
            _rate("veleta_request_duration_seconds_bucket", "le", ASKED),
        ),
        lines(
            "Turned away",
            "queue_full and deadline: too little capacity. limit and rate_limit: the client asks for too much. not_ready: no model.",
            "reqps",
            {"{{reason}}": _rate("veleta_rejected_requests_total", "reason")},
        ),
    ]


def _budget() -> list[object]:
    return [
        lines(
            f"How fast the budget burns: {slo}",
            "1: used up exactly at the end of 30 days. 14.4 in an hour and in five minutes pages; 3 in a day makes a ticket.",
            "none",
            {"{{window}}": f'job:veleta_slo_burn:rate{{{JOB}, slo="{slo}"}}'},
            12,
            {1: YELLOW, 3: ORANGE, 14.4: RED},
        )
        for slo in NOT_GOOD
    ]


def _models() -> list[object]:
    rows, calls = (_rate(f"veleta_batch_size_{part}", "job", VARIANTS) for part in ("sum", "count"))
    sizes = {"mean": f"{rows} / ({calls} > 0)", "p95": _quantiles("veleta_batch_size", VARIANTS)["p95"]}
    answered = _rate("veleta_predictions_total", "model, version, variant", VARIANTS)
    return [
        lines("Rows answered", "By model.", "cps", {"{{model}}/{{version}} {{variant}}": answered}),
        lines("Time of one call of the model", "Whole batches.", "s", _quantiles("veleta_inference_duration_seconds", VARIANTS)),
        lines("Time in the queue", "Grows before anything is turned away.", "s", _quantiles("veleta_queue_duration_seconds", VARIANTS)),
        lines("Rows in a batch", "Batches grow by themselves with the load.", "short", sizes),
        buckets("How large batches are", "Calls of the model by rows.", "short", _rate("veleta_batch_size_bucket", "le", VARIANTS)),
        lines("Requests being answered", "By server.", "short", {"{{instance}}": f"veleta_in_flight_requests{{{JOB}}}"}),
    ]


def _servers() -> list[object]:
    ticked = f"max by (instance) (veleta_monitor_last_tick_timestamp_seconds{{{JOB}}})"
    return [
        states("Up", "Whether Prometheus can scrape it.", {"{{instance}}": f"up{{{JOB}}}"}, {"0": ("down", RED), "1": ("up", GREEN)}, 8),
        listed(
            "What is served",
            "All servers of a job should serve the same version, except for a moment while one is promoted.",
            f"max by (instance, model, version, variant, task, created) (veleta_model_info{{{JOB}}})",
            {"instance": "Server", "model": "Model", "version": "Version", "variant": "Variant", "task": "Task", "created": "Trained"},
            16,
        ),
        lines(
            "Age of the last tick of the watch",
            "Longer than a minute: windows, evidence and incidents stand still.",
            "s",
            {"{{instance}}": f"time() - {ticked}"},
            steps={60: RED},
        ),
        lines("Time of a scrape", "Of /metrics.", "s", {"{{instance}}": f"scrape_duration_seconds{{{JOB}}}"}),
        lines(
            "Series of a scrape",
            "Grows with the models served and their classes and signals, never with time.",
            "short",
            {"{{instance}}": f"scrape_samples_scraped{{{JOB}}}"},
        ),
    ]


def service() -> Dashboard:
    about = "Requests, latency, what is turned away, the error budget, calls of the models, and the servers."
    rows = {"Now": _now(), "Requests": _requests(), "Error budget": _budget(), "Calls of the models": _models(), "Servers": _servers()}
    return page("service", about, which(several=True), rows)
