// All kinds of executors: a kind is one file here and one line below (tests/agent/pipelines/executors_test.cpp
// compares).
#pragma once

#include <array>

#include "agent/pipelines/executors/executor.h"

#define PIPEWARDEN_EXECUTORS(X) X(Local)

namespace pipewarden::agent {

#define X(Name) extern const ExecutorKind k##Name##Executor;
PIPEWARDEN_EXECUTORS(X)
#undef X

inline const ExecutorKind* const kExecutorKinds[] = {
#define X(Name) &k##Name##Executor,
    PIPEWARDEN_EXECUTORS(X)
#undef X
};

}  // namespace pipewarden::agent
