"""Reads what .ci/coverage measured, prints a table, fails below what is promised. Its files: the JSON and LCOV reports."""

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

ALLOWED = ".ci/uncovered"
LEAST_BRANCHES = 95


def allowed_lines():
    """By file, how often a line of this text may be unreached. In the file: `# reason`, then `path: line` of each."""
    allowed, reason = defaultdict(Counter), False
    for entry in Path(ALLOWED).read_text().splitlines():
        if entry.startswith("# "):
            reason = True
        elif not entry:
            reason = False
        else:
            path, line = entry.split(": ", 1)
            assert reason, f"{ALLOWED}: no reason is given for {entry!r}"
            assert line in map(str.strip, Path(path).read_text().splitlines()), f"{ALLOWED}: there is no {entry!r}"
            allowed[path][line] += 1
    return allowed


class Source:
    """A file of src/, without its inline tests."""

    def __init__(self, path):
        text = Path(path).read_text()
        self.unsafe = re.search(r"expect\(\s*unsafe_code", text) is not None
        self.lines = re.split(r"\n#\[cfg\((?:all\()?test.*\nmod tests \{", text)[0].splitlines()
        self.hits, self.branches = Counter(), defaultdict(lambda: [0, 0])

    def add_branch(self, first, column, last, end, taken, passed):
        if first > len(self.lines):
            return
        text = self.lines[first - 1]
        condition = text[column - 1 : end - 1 if last == first else None]
        asserted = any("assert!(" in line for line in self.lines[max(first - 2, 0) : first])
        if "keeps(Rule::" not in condition and not asserted:
            hits = self.branches[first, column, last, end]
            hits[0], hits[1] = hits[0] + taken, hits[1] + passed

    def unreached(self):
        """Their numbers. A lone bracket is no line of its own, nor is a comment."""
        none = [line for line, count in self.hits.items() if count == 0]
        return [line for line in none if re.match(r"(?!\s*//).*\w", self.lines[line - 1])]


def read(json_path, lcov_path):
    sources = {}
    for line in Path(lcov_path).read_text().splitlines():
        if line.startswith("SF:"):
            path = str(Path(line[3:]).relative_to(Path.cwd()))
            sources[path] = source = Source(path)
        elif line.startswith("DA:"):
            number, count = map(int, line[3:].split(",")[:2])
            if number <= len(source.lines):
                source.hits[number] += count
    for file in json.loads(Path(json_path).read_text())["data"][0]["files"]:
        path = str(Path(file["filename"]).relative_to(Path.cwd()))
        for branch in file["branches"]:
            sources[path].add_branch(*branch[:6])
    return dict(sorted(sources.items()))


def percent(missing, count):
    return f"{100 * (count - missing) / count:6.2f} %" if count else "     - %"


def main():
    sources, allowed = read(*sys.argv[1:]), allowed_lines()
    totals, failed, details = Counter(), False, []
    print(f"{'':32} unsafe    lines  missing allowed    branches missing")
    for path, source in sources.items():
        unreached, counts = source.unreached(), source.branches.values()
        texts = Counter(source.lines[line - 1].strip() for line in unreached)
        excess = texts - allowed[path]
        missed = sum(hits.count(0) for hits in counts)
        found = Counter(lines=len(source.hits), none=len(unreached), branches=2 * len(counts), missed=missed)
        totals += found
        failed |= source.unsafe and bool(excess)
        details += [
            f"{path}:{line}: {'!' if source.unsafe and text in excess else ' '} {text}"
            for line in unreached
            for text in [source.lines[line - 1].strip()]
        ]
        details += [
            f"{path}:{at[0]}:{at[1]}: never {'true' if side == 0 else 'false'}"
            for at, hits in sorted(source.branches.items())
            for side in (0, 1)
            if hits[side] == 0
        ]
        print(
            f"{path:32} {'unsafe' if source.unsafe else '':6} {percent(len(unreached), found['lines'])}"
            f"  {len(unreached):4}    {(texts & allowed[path]).total():4}    {percent(missed, found['branches'])}  {missed:4}"
        )
    print(
        f"{'all':39} {percent(totals['none'], totals['lines'])}  {totals['none']:4} of {totals['lines']:5}"
        f"  {percent(totals['missed'], totals['branches'])}  {totals['missed']:4} of {totals['branches']}"
    )
    print("\nnot reached (! fails):", *details, sep="\n")
    share = 100 * (totals["branches"] - totals["missed"]) / totals["branches"]
    sys.exit(failed or share < LEAST_BRANCHES)


main()
