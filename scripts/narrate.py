"""Tells a person what happens in a task: reads its events (NDJSON on stdin), for scripts/demo.

    curl .../v1/events?task_id=ID\\&follow=1 | python3 narrate.py '{"task": ["agentctl", ...], "jobs": ["agentctl", ...]}'

Prints one line per thing worth knowing, with the seconds since the submit. When the task has ended it runs the two
commands to read the answer and the jobs, and says what was saved over doing everything in sequence.
The exit code is 0 when the task succeeded.
"""

import json
import subprocess
import sys
from datetime import datetime

QUIET_TOOLS = ("background_run",)  # its job has lines of its own


def one_line(text, width=96):
    text = " ".join(str(text).split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= width else text[: width - 3] + "..."


def seconds(ms):
    return f"{(ms or 0) / 1000:.1f} s"


class Teller:
    def __init__(self):
        self.begin = None
        self.tools_ms = 0
        self.state = None

    def at(self, event):
        now = datetime.fromisoformat(event["time"])
        self.begin = self.begin or now
        return (now - self.begin).total_seconds()

    def line(self, event, who, text):
        print(f"{self.at(event):6.2f} s  {who:<6} {text}", flush=True)

    def on(self, event):
        kind = event.get("type", "")
        handler = getattr(self, "on_" + kind.replace(".", "_"), None)
        if handler and "time" in event:
            handler(event)

    def on_task_submitted(self, event):
        self.line(event, "task", f"{event.get('task_id', '')} submitted")

    def on_task_waiting(self, event):
        count = event.get("live_jobs", 0)
        what = "a job" if count == 1 else f"{count} jobs"
        self.line(event, "task", f"waiting for {what}: the model has nothing to do, which costs nothing")

    def on_task_finished(self, event):
        self.state = event.get("state", "")
        self.line(event, "task", self.state)

    def on_turn_started(self, event):
        self.line(event, "model", f"request {event.get('turn', '')}".rstrip())

    def on_model_text(self, event):
        rows = str(event.get("text", "")).strip().split("\n")
        self.line(event, "model", "  " + one_line(rows[0]) + (" [...]" if len(rows) > 1 else ""))

    def on_model_retry(self, event):
        self.line(event, "model", f"trying again: {one_line(event.get('reason', ''))}")

    def on_tool_started(self, event):
        if event.get("tool") not in QUIET_TOOLS:
            self.line(event, "tool", event.get("tool", ""))

    def on_tool_finished(self, event):
        if not event.get("tool", "").endswith(("_background", "_run")):  # those wait for jobs, or start them
            self.tools_ms += event.get("wall_ms", 0)

    def on_job_started(self, event):
        self.line(event, "job", f"{event.get('job_id')} runs: {one_line(event.get('command', ''), 70)}")

    def on_job_stalled(self, event):
        self.line(event, "job", f"{event.get('job_id')} waits for input")

    def on_job_finished(self, event):
        how = f"exit {event['exit_code']}" if event.get("exit_code") is not None else event.get("by") or ""
        self.line(event, "job", f"{event.get('job_id')} {event.get('state', 'ended')} {how} after {seconds(event.get('wall_ms'))}")

    def on_notification_delivered(self, event):
        self.line(event, "news", f"the model has been told of {event.get('job_id', 'a message')}")


def items_of(text):
    """Jobs as one list, as a page with items, or one a line."""
    try:
        found = json.loads(text)
        return found.get("items", [found]) if isinstance(found, dict) else found
    except ValueError:
        return [json.loads(row) for row in text.splitlines() if row.strip()]


def main():
    commands = json.loads(sys.argv[1])
    teller, last = Teller(), None
    for row in sys.stdin:
        try:
            last = json.loads(row)
        except ValueError:
            continue
        teller.on(last)
        if teller.state:
            break
    if not teller.state:
        print("the events ended before the task did", file=sys.stderr)
        return 1
    task = json.loads(subprocess.run(commands["task"], check=True, capture_output=True, text=True).stdout)
    jobs = items_of(subprocess.run(commands["jobs"], check=True, capture_output=True, text=True).stdout)
    text = task.get("result") or (task.get("error") or {}).get("message") or "(nothing)"
    print("\nanswer\n" + "\n".join("    " + one_line(row, 200) for row in text.strip().split("\n")) + "\n")
    jobs_ms = sum(job.get("wall_ms") or 0 for job in jobs)
    sequence, wall = jobs_ms + teller.tools_ms, teller.at(last) * 1000
    print(f"{len(jobs)} jobs and the tools beside them took {seconds(sequence)} if done one after another.")
    print(f"The task took {seconds(wall)} in all, the model's {task.get('turns', '?')} requests included: {seconds(max(0, sequence - wall))} saved.")
    return 0 if teller.state == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
