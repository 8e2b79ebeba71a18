// The executable: everything is behind the command line.
#include "agent/commands/command_line.h"

int main(int argc, char** argv) { return pipewarden::agent::RunCommandLine(argc, argv); }
