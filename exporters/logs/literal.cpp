#include "exporters/logs/literal.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pipewarden::exporters {
namespace {

// Walks a pattern and collects runs of bytes that every match holds. A Walker that meets what it does not know gives
// up.
class Walker {
 public:
  explicit Walker(std::string_view pattern) : pattern_(pattern) {}

  struct Run {
    std::string text;
    bool is_prefix = false;
  };

  std::optional<std::vector<Run>> Walk() {
    std::vector<Run> runs;
    if (!Alternatives(runs, /*outermost=*/true) || i_ != pattern_.size()) return std::nullopt;
    return runs;
  }
  bool has_outer_alternatives() const { return has_outer_alternatives_; }

 private:
  bool More() const { return i_ < pattern_.size(); }
  char Peek() const { return pattern_[i_]; }

  // Up to the closing parenthesis or the end. Of several alternatives nothing is required.
  bool Alternatives(std::vector<Run>& runs, bool outermost) {
    if (++depth_ > 100) return false;
    bool several = false;
    std::vector<Run> found;
    if (!Sequence(found, outermost)) return false;
    while (More() && Peek() == '|') {
      ++i_;
      several = true;
      std::vector<Run> ignored;
      if (!Sequence(ignored, false)) return false;
    }
    if (!several) runs.insert(runs.end(), found.begin(), found.end());
    if (several && outermost) has_outer_alternatives_ = true;
    --depth_;
    return true;
  }

  bool Sequence(std::vector<Run>& runs, bool outermost) {
    Run run;
    run.is_prefix = outermost;  // until something else stands before it
    const auto flush = [&] {
      if (!run.text.empty()) runs.push_back(run);
      run = {};
    };
    while (More() && Peek() != '|' && Peek() != ')') {
      std::string atom;         // a literal character, "" for anything else
      std::vector<Run> inside;  // of a group
      if (!Atom(atom, inside)) return false;
      bool optional = false;
      bool repeated = false;
      if (!Quantifier(optional, repeated)) return false;
      if (atom.empty() || optional) {
        flush();
        if (!optional) runs.insert(runs.end(), inside.begin(), inside.end());
        continue;
      }
      run.text += atom;
      if (repeated) flush();
    }
    flush();
    return true;
  }

  bool Atom(std::string& atom, std::vector<Run>& inside) {
    const char c = Peek();
    switch (c) {
      case '(':
        return Group(inside);
      case '[':
        return Class();
      case '\\':
        return Escape(atom);
      case '.':
      case '^':
      case '$':
        ++i_;
        return true;
      case '*':
      case '+':
      case '?':
        return false;  // nothing to repeat
      default:
        break;
    }
    // A whole UTF-8 sequence is one character to a quantifier.
    do atom += pattern_[i_++];
    while (More() && (static_cast<unsigned char>(Peek()) & 0xC0U) == 0x80U &&
           (static_cast<unsigned char>(c) & 0x80U) != 0);
    return true;
  }

  bool Group(std::vector<Run>& inside) {
    ++i_;
    if (pattern_.substr(i_).starts_with("?")) {
      ++i_;
      if (pattern_.substr(i_).starts_with("P<") || pattern_.substr(i_).starts_with("<")) {
        const std::size_t end = pattern_.find('>', i_);
        if (end == std::string_view::npos) return false;
        i_ = end + 1;
      } else {
        while (More() && Peek() != ':' && Peek() != ')') {
          if (Peek() == 'i') return false;
          ++i_;
        }
        if (!More()) return false;
        if (Peek() == ')') {
          ++i_;
          return true;
        }
        ++i_;
      }
    }
    if (!Alternatives(inside, false) || !More()) return false;
    ++i_;  // the parenthesis
    return true;
  }

  bool Class() {
    ++i_;
    if (More() && Peek() == '^') ++i_;
    for (bool first = true; More(); first = false) {
      const char c = Peek();
      if (c == ']' && !first) {
        ++i_;
        return true;
      }
      if (c == '[' && pattern_.substr(i_).starts_with("[:")) {
        const std::size_t end = pattern_.find(":]", i_ + 2);
        if (end == std::string_view::npos) return false;
        i_ = end + 2;
        continue;
      }
      if (c == '\\') {
        std::string ignored;
        if (!Escape(ignored)) return false;
        continue;
      }
      ++i_;
    }
    return false;
  }

  bool Escape(std::string& atom) {
    if (++i_ >= pattern_.size()) return false;
    const char c = pattern_[i_++];
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric) {
      if (static_cast<unsigned char>(c) >= 0x80) return false;
      atom = c;
      return true;
    }
    switch (c) {
      case 't':
        atom = '\t';
        return true;
      case 'd':
      case 'D':
      case 's':
      case 'S':
      case 'w':
      case 'W':
      case 'b':
      case 'B':
      case 'A':
      case 'z':
        return true;
      default:
        return false;  // \Q, \p, \x, octal numbers and the rest
    }
  }

  bool Quantifier(bool& optional, bool& repeated) {
    for (bool more = true; more && More();) {
      switch (Peek()) {
        case '*':
        case '?':
          optional = true;
          ++i_;
          break;
        case '+':
          repeated = true;
          ++i_;
          break;
        case '{': {
          std::size_t end = i_ + 1;
          while (end < pattern_.size() && ((pattern_[end] >= '0' && pattern_[end] <= '9') || pattern_[end] == ','))
            ++end;
          if (end >= pattern_.size() || pattern_[end] != '}' || end == i_ + 1 || pattern_[i_ + 1] == ',') {
            more = false;  // a plain brace
            break;
          }
          if (pattern_[i_ + 1] == '0') optional = true;
          repeated = true;
          i_ = end + 1;
          break;
        }
        default:
          more = false;
      }
    }
    return true;
  }

  std::string_view pattern_;
  std::size_t i_ = 0;
  int depth_ = 0;
  bool has_outer_alternatives_ = false;
};

bool IsSelective(const std::string& text) {
  if (text.size() >= 4) return true;
  if (text.size() < 3) return false;
  for (const char c : text)
    if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != ' ') return true;
  return false;
}

std::size_t FindPlainly(std::string_view text, std::string_view literal, std::size_t from) {
  if (from >= text.size()) return std::string_view::npos;
  const void* found = ::memmem(text.data() + from, text.size() - from, literal.data(), literal.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

#if defined(__x86_64__)
// 32 positions at a time: those where the literal's first and last byte both fit are compared whole.
__attribute__((target("avx2"))) std::size_t FindByAvx2(std::string_view text, std::string_view literal,
                                                       std::size_t from) {
  const std::size_t last = literal.size() - 1;
  const __m256i first_byte = _mm256_set1_epi8(literal.front());
  const __m256i last_byte = _mm256_set1_epi8(literal.back());
  std::size_t i = from;
  for (; i + last + 32 <= text.size(); i += 32) {
    const __m256i at_first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + i));
    const __m256i at_last = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + i + last));
    const __m256i both =
        _mm256_and_si256(_mm256_cmpeq_epi8(first_byte, at_first), _mm256_cmpeq_epi8(last_byte, at_last));
    auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(both));
    while (mask != 0) {
      const std::size_t position = i + static_cast<std::size_t>(__builtin_ctz(mask));
      if (std::memcmp(text.data() + position, literal.data(), literal.size()) == 0) return position;
      mask &= mask - 1;
    }
  }
  return FindPlainly(text, literal, i);
}
#endif

}  // namespace

RequiredLiteral FindRequiredLiteral(std::string_view pattern) {
  RequiredLiteral required;
  Walker walker(pattern);
  const auto runs = walker.Walk();
  if (!runs) return required;
  // "^a|b" is not bound to the line's start, "^*a" neither.
  required.at_line_start = pattern.starts_with("^") && !walker.has_outer_alternatives() &&
                           (pattern.size() < 2 || std::string_view("*?+{").find(pattern[1]) == std::string_view::npos);
  for (const Walker::Run& run : *runs) {
    if (run.is_prefix && !required.at_line_start && IsSelective(run.text)) return {run.text, true, false};
    if (run.text.size() > required.text.size()) required.text = run.text;
  }
  if (!IsSelective(required.text)) required.text.clear();
  return required;
}

std::size_t FindLiteral(std::string_view text, std::string_view literal, std::size_t from) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return FindByAvx2(text, literal, from);
#endif
  return FindPlainly(text, literal, from);
}

}  // namespace pipewarden::exporters
