// Alertmanager's matcher grammars, and matchers as it prints them.
//
// Two grammars, as in Alertmanager since 0.27: the UTF-8 one (matcher/parse: names and values bare or quoted, Go's
// string escapes) and the classic one of 0.22 (pkg/labels). A text that only one takes is read by that one; where both
// take it and disagree, the classic reading wins, so that old files keep their meaning. Pure functions, safe from any
// thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/labels.h"
#include "core/model/matcher.h"
#include "core/result.h"

namespace pipewarden::alertmanager {

using Matchers = std::vector<core::Matcher>;

// One or more matchers, `{a="b",c=~"d"}`, braces optional; "{}" is none. kInvalid says what stands where.
core::Result<Matchers> ParseMatchers(std::string_view text);
// Exactly one.
core::Result<core::Matcher> ParseMatcher(std::string_view text);

// The two grammars alone (for tests and the fuzzer).
core::Result<Matchers> ParseUtf8Matchers(std::string_view text);
core::Result<Matchers> ParseClassicMatchers(std::string_view text);

// By name, value, operator: the order of a route's key.
void SortMatchers(Matchers& matchers);
bool MatchesAll(const Matchers& matchers, const core::Labels& labels);

std::string MatcherText(const core::Matcher& matcher);  // a="b"; a name that needs it is quoted
std::string MatchersText(const Matchers& matchers);     // {a="b",c=~"d"}, in the order given
std::string LabelSetText(const core::Labels& labels);   // {a="b", c="d"}, values quoted as Go's %q

}  // namespace pipewarden::alertmanager
