// The whole command line: parses it, runs the command it names. main() is one call of this.
#pragma once

namespace pipewarden::agent {

// Returns the exit code (command.h). Prints help, version and errors of usage itself.
int RunCommandLine(int argc, const char* const* argv);

}  // namespace pipewarden::agent
