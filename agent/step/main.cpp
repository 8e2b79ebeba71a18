// pipewarden-step: holds one running step of a pipeline. Started by pipewarden; of no use by hand
// (agent/step/protocol.h).
#include <cstdio>
#include <cstring>

#include "agent/step/holder.h"
#include "agent/step/protocol.h"

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "run") == 0) return pipewarden::agent::step::HoldStep(argv[2]);
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("pipewarden-step protocol %d\n", pipewarden::agent::step::kProtocolVersion);
    return 0;
  }
  fputs("usage: pipewarden-step --version\n       pipewarden-step run FOLDER   (only by pipewarden)\n", stderr);
  return 2;
}
