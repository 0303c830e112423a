// argv -> app::run(); nothing else.
#include "app/run.hpp"

int main(int argc, char** argv)
{
    return agentd::app::run(argc, argv);
}
