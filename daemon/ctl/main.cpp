// argv -> ctl::run(); nothing else.
#include "ctl/run.hpp"

int main(int argc, char** argv)
{
    return agentd::ctl::run(argc, argv, stdout, stderr);
}
