// Reads a sealed chunk of any encoding, wherever its bytes lie. Pure.
#pragma once

#include "core/model/sample.h"
#include "rules/promql/queryable.h"
#include "rules/storage/chunk.h"

namespace pipewarden::rules {

// Appends the samples in [from, to] to `out`; of bytes that are no such chunk, those before the damage, or none.
void ReadChunk(const ChunkView& chunk, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out);
// The same of the open chunk of a series.
void ReadOpen(const ChunkWriter& chunk, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out);

}  // namespace pipewarden::rules
