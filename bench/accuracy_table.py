#!/usr/bin/env python3
"""Prints the accuracy tables of several runs as one Markdown table.

usage: accuracy_table.py RUN_FOLDER...

Columns: the folder's name, sparsity asked and achieved (percent), top-1, its paired difference
from the dense network on the same images (points), agreement with the dense answers, seconds of
masking and repair, and the most memory the process had taken.
"""
import csv
import pathlib
import sys


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def repair_seconds(times):
    """Seconds by sparsity of everything but evaluation and timing."""
    seconds, memory = {}, {}
    for row in times:
        level = float(row["sparsity"])
        memory[level] = max(memory.get(level, 0), float(row["peak_memory_MB"]))
        if row["phase"] not in ("evaluate", "benchmark"):
            seconds[level] = seconds.get(level, 0) + float(row["seconds"])
    return seconds, memory


def main(folders):
    print("| row | sparsity % | achieved % | top-1 % | difference | agreement % | repair s | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    for folder in map(pathlib.Path, folders):
        seconds, memory = repair_seconds(rows(folder / "times.csv"))
        dense = None
        for row in rows(folder / "accuracy.csv"):
            level, top1 = float(row["sparsity"]), float(row["top1"])
            if level == 0:
                dense = top1
                continue
            print(f"| {folder.name} | {row['sparsity']} | {row['achieved_sparsity']} | {top1:.2f} "
                  f"| {top1 - dense:+.2f} | {row['agreement']} | {seconds.get(level, 0):.0f} "
                  f"| {memory.get(level, 0):.0f} |")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
