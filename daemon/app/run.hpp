// The composition root: reads options and configuration, wires the layers, runs the
// io_context until an orderly stop. Called once, on the main thread.
#pragma once

namespace agentd::app {

// The whole life of the daemon; the exit status of the process.
int run(int argc, char** argv);

} // namespace agentd::app
