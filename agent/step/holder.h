// The holder of one running step: see protocol.h for what it promises, holder.cpp for how. One thread, no heap to speak
// of; it blocks in poll(2) until something happens.
#pragma once

namespace pipewarden::agent::step {

// Runs the attempt in `folder` to its end. The process' exit code: 0 the step ran (however it ended) or the gate was
// closed; 1 the attempt could not be prepared, `not_started` says why.
int HoldStep(const char* folder);

}  // namespace pipewarden::agent::step
