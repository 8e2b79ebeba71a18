// All commands, in the order of --help. A command is one file agent/commands/<name>.cpp and one line here.
#pragma once

#include <span>

#include "agent/commands/command.h"

#define PIPEWARDEN_COMMANDS(X) \
  X(Run)                       \
  X(Alertmanager)              \
  X(Check)                     \
  X(Probe)                     \
  X(Query)                     \
  X(Rules)                     \
  X(PromqlTest)                \
  X(Pipeline)                  \
  X(Alert)                     \
  X(Silence)                   \
  X(Notify)                    \
  X(Cron)                      \
  X(Template)                  \
  X(Docs)

namespace pipewarden::agent {

#define PIPEWARDEN_DECLARE_COMMAND(Name) extern const Command k##Name##Command;
PIPEWARDEN_COMMANDS(PIPEWARDEN_DECLARE_COMMAND)
#undef PIPEWARDEN_DECLARE_COMMAND

std::span<const Command* const> Commands();

}  // namespace pipewarden::agent
