#!/usr/bin/python3
"""tear_delivery.py steps_turn.cpp OUTPUT: a copy in which a reply is stored in one transaction
and what its request carried is delivered in the next: the fault that the tests with fail points
have to find. Fails when the source has changed so that this would change nothing."""

import sys

WHOLE = "        deliver(db, shown, what.pending_seq);\n"
END = "            db.append_event(events::tool_started(shown, call));\n    }\n    return seq;\n"
TORN = """            db.append_event(events::tool_started(shown, call));
    }
    db.execute("COMMIT; BEGIN IMMEDIATE; SAVEPOINT work");
    if (what.pending_seq != 0 && !refused)
        deliver(db, shown, what.pending_seq);
    return seq;
"""

source = open(sys.argv[1], encoding="utf-8").read()
if source.count(WHOLE) != 1 or source.count(END) != 1:
    sys.exit("tear_delivery.py: complete_reply() has changed; adapt this script to it")
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write(source.replace(WHOLE, "").replace(END, TORN))
