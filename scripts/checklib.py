"""What the check-* scripts share: the C++ sources, a reading of them good enough for rules, and one way to report.

No parser: comments and strings are blanked, then braces are told apart by what stands before them. Each check brings
planted bad and good pieces (--self-test), so that a rule that no longer finds anything is itself found.
"""

import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
FOLDERS = ("daemon", "proto", "tests")

_HIDDEN = re.compile(
    r'R"(?P<mark>[^()\\\s]{0,16})\((?:.|\n)*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    r"|//[^\n]*|/\*(?:.|\n)*?\*/"
)
_ALLOW = re.compile(r"//\s*allow\((check-[a-z]+)\):\s*\S")


def _blank(match):
    text = match.group(0)
    if text.startswith("/"):
        return re.sub(r"[^\n]", " ", text)
    inner = re.sub(r"[^\n]", " ", text[1:-1])
    return '"' + inner + '"' if not text.startswith("'") else "'" + inner + "'"


class Source:
    """One file: `text` as it is, `code` of the same length without comments, strings and directives."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.visible = _HIDDEN.sub(_blank, text)
        self.code = re.sub(
            r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), self.visible, flags=re.M
        )

    def line_of(self, position):
        return self.text.count("\n", 0, position) + 1

    def includes(self):
        """(line, name, in quotes) of each include that is no comment."""
        for number, (raw, seen) in enumerate(zip(self.lines, self.visible.split("\n")), 1):
            if re.match(r"\s*#\s*include\b", seen):
                found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', raw)
                if found:
                    yield number, found.group(2), found.group(1) == '"'

    def allowed(self, line, check):
        """True where the line, or the one above it, carries `// allow(CHECK): reason`."""
        for number in (line, line - 1):
            if 0 < number <= len(self.lines):
                found = _ALLOW.search(self.lines[number - 1])
                if found and found.group(1) == check:
                    return True
        return False


BODY = "\x01"


class Frame:
    """One pair of braces while it is open. kind: block, type, init or lambda."""

    def __init__(self, kind, start, in_function):
        self.kind = kind
        self.start = start  # where the statement that opened it began
        self.in_function = in_function
        self.text = ""
        self.begin = None  # where the current statement began
        self.parens = 0


_LAMBDA = re.compile(
    r"(?P<before>(?:^|[(,=&|{<>?:!;+]|\b(?:return|co_return|co_await|co_yield))\s*)"
    r"\[(?P<captures>(?!\[)(?:[^\[\]]|\[[^\[\]]*\])*)\]\s*(?:<[^<>]*>\s*)?"
    r"(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?\s*(?:(?:mutable|noexcept|constexpr|static)\s*)*"
    r"(?P<result>->\s*[\w:<>,&*\s]+)?$"
)
_TYPE = re.compile(r"^(?:template\s*<.*>\s*)?(?:inline\s+|export\s+)*(?:namespace|class|struct|union|enum|extern)\b[^=()]*$", re.S)
_TRAILING = re.compile(r"\)\s*(?:const|noexcept|override|final|mutable|\s)*->\s*[^=;(){}]+$")
_BODY = re.compile(r"(?:[)}:]|\b(?:else|do|try|const|noexcept|override|final))$")


def _kind(header, parens):
    if _LAMBDA.search(header):
        return "lambda"
    if parens > 0:
        return "init"
    if header == "" or _BODY.search(header) or _TRAILING.search(header):
        return "block"
    return "type" if _TYPE.match(header) else "init"


def walk(code, on_statement=None, on_lambda=None, on_function=None):
    """Goes through the code once. Calls, as far as given,
    on_statement(text, position): each statement and each header of a block; BODY stands for a lambda's,
    on_lambda(captures, result, before, position): before is the statement so far,
    on_function(header, position, end): each outermost function body."""
    stack = [Frame("block", 0, False)]

    def finish(frame):
        if on_statement and frame.text.strip():
            on_statement(frame.text.strip(), frame.begin)
        frame.text, frame.begin, frame.parens = "", None, 0

    for position, char in enumerate(code):
        top = stack[-1]
        if char == "{":
            header = top.text.strip()
            kind = _kind(header, top.parens)
            start = top.begin if top.begin is not None else position
            if kind == "lambda" and on_lambda:
                found = _LAMBDA.search(header)
                outer = ""
                for frame in reversed(stack[:-1]):
                    if stack[stack.index(frame) + 1].kind != "init":
                        break
                    outer = frame.text + outer
                on_lambda(found.group("captures"), found.group("result") or "", outer + header[: found.start()], position)
            inside = top.in_function or kind == "block" and header != ""
            frame = Frame(kind, start, inside)
            frame.header = header
            frame.outermost = kind == "block" and header != "" and not top.in_function
            if kind in ("block", "type"):
                finish(top)
            stack.append(frame)
        elif char == "}":
            inner = top.text.strip() if top.kind == "init" else ""
            if top.kind != "init":
                finish(top)
            if len(stack) == 1:
                continue
            stack.pop()
            if top.kind in ("init", "lambda"):
                stack[-1].text += "{" + inner + "}" if top.kind == "init" else BODY
            elif on_function and top.outermost:
                on_function(top.header, top.start, position)
        elif char == ";" and top.parens == 0:
            finish(top)
        else:
            if char == "(":
                top.parens += 1
            elif char == ")":
                top.parens = max(0, top.parens - 1)
            if top.begin is None and not char.isspace():
                top.begin = position
            top.text += char


def source_paths(named):
    """The named files, or all sources that git knows or could know; without git all below the source folders."""
    if named:
        return [os.path.relpath(os.path.realpath(p), ROOT) for p in named]
    try:
        listed = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", *FOLDERS],
            check=True, capture_output=True, text=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = [
            os.path.relpath(os.path.join(folder, name), ROOT)
            for top in FOLDERS
            for folder, _, names in os.walk(os.path.join(ROOT, top))
            for name in names
        ]
    wanted = (p for p in listed if p.endswith((".cpp", ".hpp")))
    return sorted(p for p in set(wanted) if os.path.exists(os.path.join(ROOT, p)))


def _self_test(check, bad, good):
    failed = 0
    for path, text, expected in bad:
        found = [message for _, message in check(Source(path, text))]
        if not any(expected in message for message in found):
            print(f"self-test: not found in {path}: {expected!r}\n{text}\n  found instead: {found}", file=sys.stderr)
            failed += 1
    for path, text in good:
        found = list(check(Source(path, text)))
        if found:
            print(f"self-test: wrongly found in {path}: {found}\n{text}", file=sys.stderr)
            failed += 1
    print(f"{len(bad) + len(good) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main(name, about, check, bad, good, tree_check=None):
    """check(source) yields (line, message); tree_check(sources), if given, yields (path, line, message)."""
    parser = argparse.ArgumentParser(prog=f"scripts/{name}", description=about,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="default: all sources")
    parser.add_argument("--self-test", action="store_true", help="look for planted mistakes instead")
    options = parser.parse_args()
    if options.self_test:
        return _self_test(check, bad, good)
    findings, sources = [], []
    for path in source_paths(options.files):
        with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
            sources.append(Source(path, file.read()))
    for source in sources:
        for line, message in check(source):
            if not source.allowed(line, name):
                findings.append((source.path, line, message))
    if tree_check and not options.files:
        findings += list(tree_check(sources))
    for path, line, message in sorted(set(findings)):
        print(f"{path}:{line}: {message}")
    if findings:
        print(f"{name}: {len(set(findings))} findings; what it means: scripts/{name} --help", file=sys.stderr)
    return 1 if findings else 0
