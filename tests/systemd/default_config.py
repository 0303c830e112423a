#!/usr/bin/python3
"""systemd/agentd.toml names every key with its real default: with all keys uncommented agentd accepts it, and shows the
same as without any file.

    default_config.py AGENTD AGENTD_TOML
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib

EXAMPLES = {"model.price"}  # shown as an example; there is no default price


def uncommented(text):
    """`#key = value` and the lines of a list that follows; `# prose` stays prose."""
    return "\n".join(re.sub(r"^#(?=\S|    )", "", line) for line in text.split("\n"))


def flat(table, prefix=""):
    out = {}
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict) and name not in EXAMPLES:
            out |= flat(value, name + ".")
        elif name not in EXAMPLES:
            out[name] = value
    return out


def in_force(agentd, text, folder):
    """(exit code, keys or complaint) of `agentd --check-config` with this file."""
    path = os.path.join(folder, "agentd.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    environment = {"PATH": os.environ["PATH"], "HOME": folder}
    run = subprocess.run(
        [agentd, "--check-config", "--config", path, "--state-dir", folder, "--socket", folder + "/s"],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20,
    )
    if run.returncode != 0:
        return run.returncode, run.stderr
    return 0, flat(tomllib.loads("\n".join(line for line in run.stdout.split("\n") if re.match(r"[\w.]+ = ", line))))


def main():
    agentd, shipped = sys.argv[1:]
    with open(shipped, encoding="utf-8") as file:
        text = file.read()
    failures = []
    with tempfile.TemporaryDirectory(prefix="agentd-config.") as folder:
        _, defaults = in_force(agentd, "", folder)
        checks = {
            "as shipped": (text, defaults),
            "uncommented": (uncommented(text), defaults),
        }
        for name, (content, expected) in checks.items():
            code, found = in_force(agentd, content, folder)
            if code != 0 or found != expected:
                failures.append(f"{name}: {found if code else {k: (found.get(k), v) for k, v in expected.items() if found.get(k) != v}}")
        named = flat(tomllib.loads(uncommented(text)))
        if named != defaults:
            wrong = {k: (named.get(k), defaults.get(k)) for k in named.keys() | defaults.keys() if named.get(k) != defaults.get(k)}
            failures.append(f"named in the file, and the real default: {wrong}")
        code, _ = in_force(agentd, text + "\nnonsense = 1\n", folder)
        if code != 2:
            failures.append(f"an unknown key gave exit {code}, not 2")
    for failure in failures:
        print(failure)
    print(f"{4 - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
