#!/usr/bin/env python3
"""Tables of a comparison: CSV, and Markdown for people and for docs/performance.md.

    tables.py peers.csv                               prints the tables of an earlier run
    tables.py peers.csv --update docs/performance.md  and replaces the section there
"""

import argparse
import csv
import dataclasses

HEADING = "## Beside other engines"
DISTURBED = 5.0  # percent of a processor that others may use during a comparison

WINOGRAD = "Winograd"  # in the name of an engine that transforms its weights
COLUMNS = ["sparsity %", "batch", "threads", "engine", "version", "precision", "min ms",
           "median ms", "speed-up (medians)", "speed-up (minima)", "max difference"]


@dataclasses.dataclass
class Row:
    """One engine with one network, sparsity, batch and number of threads."""

    network: str
    asked: float = 0.0  # share of the weights that was to be zeroed
    sparsity: float = 0.0  # percent of zeros in the layers that may be pruned
    batch: int = 1
    threads: int = 1
    engine: str = ""
    kind: str = "dense"  # or "sparse": may gain from zeros
    version: str = ""
    how: str = ""
    precision: str = "f32"
    samples: int = 0
    min_ms: float = 0.0
    median_ms: float = 0.0
    speedup_median: float = 0.0  # 0: there was no dense engine to compare with
    speedup_min: float = 0.0
    baseline: int = 0  # 1: the fastest dense engine
    max_difference: float = 0.0  # of the outputs, over the largest output of `reference`
    reference: str = ""
    others_percent: float = 0.0  # of a processor, used by other programs meanwhile
    stolen_percent: float = 0.0  # of a processor, taken by other guests meanwhile
    left_out: str = ""  # why there are no figures

    def case(self):
        return (self.network, self.batch, self.threads, self.asked)


def mark_baseline(rows):
    """Fills the speed-ups of the rows of one case; the fastest dense has the least median."""
    timed = [row for row in rows if not row.left_out]
    dense = [row for row in timed if row.kind == "dense"]
    if not dense:
        return
    baseline = min(dense, key=lambda row: row.median_ms)
    baseline.baseline = 1
    for row in timed:
        row.speedup_median = baseline.median_ms / row.median_ms
        row.speedup_min = baseline.min_ms / row.min_ms


def write_csv(rows, path):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        names = [field.name for field in dataclasses.fields(Row)]
        writer.writerow(names)
        for row in rows:
            values = [getattr(row, name) for name in names]
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])


def read_csv(path):
    types = {field.name: type(field.default) for field in dataclasses.fields(Row)}
    types["network"] = str
    with open(path, newline="") as file:
        return [Row(**{k: types[k](v) for k, v in line.items()}) for line in csv.DictReader(file)]


def _percent(share):
    return f"{share:.1f}".removesuffix(".0")


def _ratio(value):
    return f"{value:.3f}" if value else "–"


def _cells(row):
    engine = f"**{row.engine}** (baseline)" if row.baseline else row.engine
    return [_percent(row.sparsity), row.batch, row.threads, engine, row.version, row.precision,
            f"{row.min_ms:.3f}", f"{row.median_ms:.3f}", _ratio(row.speedup_median),
            _ratio(row.speedup_min), f"{row.max_difference:.1e}"]


def _markdown(header, body):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(str(cell) for cell in cells) + " |" for cells in body]


def full_table(rows):
    """Every engine timed, the slowest of a case first."""
    timed = [row for row in rows if not row.left_out]
    order = {case: i for i, case in enumerate(dict.fromkeys(row.case() for row in rows))}
    timed.sort(key=lambda row: (order[row.case()], row.speedup_median))
    return _markdown(COLUMNS, [_cells(row) for row in timed])


def _direct(case):
    """The fastest dense engine that multiplies by the weights as they are."""
    direct = [row for row in case if row.kind == "dense" and WINOGRAD not in row.engine]
    return min(direct, key=lambda row: row.median_ms, default=None)


def _over_direct(case, engine):
    direct = _direct(case)
    if direct is None or engine is None:
        return "–"
    return f"{direct.median_ms / engine.median_ms:.3f} ({direct.engine}, {direct.median_ms:.2f} ms)"


def summary_table(rows):
    """A line a case: the fastest dense, and what the sparse engines gain over it."""
    cases = {}
    for row in rows:
        if not row.left_out:
            cases.setdefault(row.case(), []).append(row)
    sparse = list(dict.fromkeys(row.engine for row in rows if row.kind == "sparse"))
    body = []
    for case in cases.values():
        by_name = {row.engine: row for row in case}
        dense = next((f"{r.engine}, {r.median_ms:.2f} ms" for r in case if r.baseline), "–")
        gains = [_ratio(by_name[e].speedup_median) if e in by_name else "–" for e in sparse]
        if len(sparse) == 2:
            both = all(engine in by_name for engine in sparse)
            a, b = (by_name.get(engine) for engine in sparse)
            gains.append(_ratio(a.median_ms / b.median_ms if both else 0))
        if sparse:
            gains.append(_over_direct(case, by_name.get(sparse[-1])))
        first = case[0]
        body.append([_percent(first.sparsity), first.batch, first.threads, dense, *gains])
    versus = [f"{sparse[1]} over {sparse[0]}"] if len(sparse) == 2 else []
    versus += [f"{sparse[-1]} over dense without Winograd"] if sparse else []
    return _markdown(["sparsity %", "batch", "threads", "fastest dense", *sparse, *versus], body)


def left_out(rows):
    """A line for every engine left out and its reason."""
    reasons = {}
    for row in rows:
        if row.left_out:
            case = f"{_percent(100 * row.asked)} % at batch {row.batch}"
            reasons.setdefault((row.engine, row.left_out), []).append(case)
    cases = len({row.case() for row in rows})
    return [f"* Left out: {engine} ({'everywhere' if len(at) == cases else '; '.join(at)}): {why}."
            for (engine, why), at in reasons.items()]


def disturbance(rows):
    """How quiet the machine was, in a sentence."""
    others = max(row.others_percent for row in rows)
    stolen = max(row.stolen_percent for row in rows)
    text = (f"Other programs used at most {others:.1f} % of a processor during a comparison, other "
            f"guests of the machine {stolen:.1f} %")
    if max(others, stolen) <= DISTURBED:
        return text + "."
    return text + ": **the figures are disturbed**, the ratios of the minima least."


def network_tables(rows):
    """All about one network."""
    return ["Speed-ups over the fastest dense engine (medians):", "", *summary_table(rows), "",
            *full_table(rows), "", *left_out(rows)]


def _command(rows):
    def values(name):
        return ",".join(f"{v:g}" for v in dict.fromkeys(getattr(row, name) for row in rows))

    networks = dict.fromkeys(f"{row.network}.onnx" for row in rows)
    return (f"bench/peers/compare.py {' '.join(networks)} --batch {values('batch')} "
            f"--threads {values('threads')} --sparsity {values('asked')}")


def section(rows):
    """The section of docs/performance.md, as lines."""
    references = " or ".join(dict.fromkeys(row.reference for row in rows if row.reference))
    lines = [
        HEADING, "",
        f"`{_command(rows)} --update docs/performance.md`", "",
        "writes this section (bench/peers/README.md says what to install). All engines run the "
        "same file, whose Conv (not depthwise) and Gemm weights lost their smallest values, on "
        "the same cores, in turn in one session. The baseline is the dense engine with the least "
        f"median. *max difference* is that of the outputs to those of {references}, over the "
        f"largest output. {disturbance(rows)}", "",
    ]
    for network in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == network]
        lines += [f"### {network}", "", *network_tables(own), ""]
    hows = {row.engine: f"{row.engine} {row.version}: {row.how}" for row in rows if row.how}
    return lines + [f"How the engines ran in the last case: {'; '.join(hows.values())}."]


def update(path, rows):
    """Replaces the section in the file, or adds it at the end."""
    with open(path) as file:
        text = file.read()
    before, found, rest = text.partition(HEADING + "\n")
    after = rest.partition("\n## ") if found else ("", "", "")
    new = before.rstrip("\n") + "\n\n" + "\n".join(section(rows)) + "\n"
    if after[1]:
        new += "\n## " + after[2]
    with open(path, "w") as file:
        file.write(new)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", help="written by compare.py")
    parser.add_argument("--update", metavar="FILE", help="Markdown file whose section is replaced")
    args = parser.parse_args()
    rows = read_csv(args.csv)
    print("\n".join(section(rows)))
    if args.update:
        update(args.update, rows)


if __name__ == "__main__":
    main()
