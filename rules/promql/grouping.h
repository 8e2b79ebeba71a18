// Keys of label sets for grouping and matching: strings in a reusable buffer, so that a series costs one walk over its
// labels and no allocation. Internal to rules/promql.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/model/labels.h"
#include "core/result.h"
#include "rules/promql/value.h"

namespace pipewarden::rules::promql {

// __name__, __type__ and __unit__: what goes when a name is dropped.
bool IsMetadataLabel(std::string_view name);
core::Labels WithoutMetadata(const core::Labels& labels);
// {__name__="up", job="x"}: as Prometheus' messages show a label set, the name among the others.
std::string LabelsText(const core::Labels& labels);

// Sets `key` from all labels but `names` (and but the metadata where `hide_name`).
void AppendKeyWithout(const core::Labels& labels, std::span<const std::string_view> names, bool hide_name,
                      std::string& key);
// Sets `key` from the values of `names`; an absent label counts as empty.
void AppendKeyOf(const core::Labels& labels, std::span<const std::string> names, bool hide_name, std::string& key);

// Looks up by string_view without a copy.
struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
};
using KeyIndex = std::unordered_map<std::string, std::size_t, KeyHash, std::equal_to<>>;

// Puts rows of equal visible labels together; an error where two have a sample at the same step. `names_hidden`:
// dropped names count as gone. Rows keep their order.
core::Result<VectorValue> MergeEqualRows(VectorValue vector, bool names_hidden);
// True where rows that drop their names have different ones (or types or units), so that dropping may make them equal.
bool DroppedNamesDiffer(const VectorValue& vector);

}  // namespace pipewarden::rules::promql
