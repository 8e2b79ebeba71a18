#include "rules/storage/read_chunk.h"

#include "rules/storage/histogram_chunk.h"
#include "rules/storage/packed_chunk.h"

namespace pipewarden::rules {
namespace {

void ReadFloats(ChunkReader reader, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out) {
  while (reader.Next()) {
    const core::Sample& sample = reader.sample();
    if (sample.time > to) return;
    if (sample.time >= from) out.Add(sample.time, sample.value);
  }
}

}  // namespace

void ReadChunk(const ChunkView& chunk, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out) {
  switch (chunk.encoding) {
    case ChunkEncoding::kXor:
      ReadFloats(ChunkReader(chunk.first, chunk.count, chunk.bytes), from, to, out);
      break;
    case ChunkEncoding::kHistogram:
      ReadHistograms(HistogramChunkReader(chunk.first, chunk.count,
                                          {reinterpret_cast<const char*>(chunk.bytes.data()), chunk.bytes.size()}),
                     from, to, out);
      break;
    case ChunkEncoding::kPacked:
      ReadPacked(chunk.first, chunk.last, chunk.count, chunk.bytes, from, to, out);
      break;
  }
}

void ReadOpen(const ChunkWriter& chunk, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out) {
  if (!chunk.empty() && chunk.first_time() <= to && chunk.last_time() >= from)
    ReadFloats(ChunkReader(chunk), from, to, out);
}

}  // namespace pipewarden::rules
