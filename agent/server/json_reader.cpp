#include "agent/server/json_reader.h"

#include "core/text/utf8.h"

namespace pipewarden::agent {

bool JsonReader::Fail(std::string message) {
  if (error_.empty()) error_ = std::move(message);
  return false;
}

bool JsonReader::Expected(std::string_view what) {
  std::string_view found;
  switch (Peek()) {
    case '\0':
      if (at_ >= text_.size()) return Fail("unexpected end of JSON input: " + std::string(what) + " is expected");
      found = "a NUL byte";
      break;
    case '{':
      found = "an object";
      break;
    case '[':
      found = "a list";
      break;
    case '"':
      found = "a string";
      break;
    case 't':
    case 'f':
      found = "a boolean";
      break;
    default:
      found = (text_[at_] >= '0' && text_[at_] <= '9') || text_[at_] == '-' ? "a number" : "something else";
  }
  return Fail(std::string(what) + " is expected at byte " + std::to_string(at_) + ", and " + std::string(found) +
              " stands there");
}

bool JsonReader::TakeWord(std::string_view word) {
  SkipSpace();
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

bool JsonReader::IsNull() const {
  const std::size_t at = text_.find_first_not_of(" \n\r\t", at_);
  return at != std::string_view::npos && text_.substr(at).starts_with("null");
}

bool JsonReader::Hex(unsigned& out) {
  out = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9')
      out = out * 16 + static_cast<unsigned>(c - '0');
    else if (lower >= 'a' && lower <= 'f')
      out = out * 16 + static_cast<unsigned>(lower - 'a' + 10);
    else
      return Fail("a broken \\u escape at byte " + std::to_string(at_));
  }
  return true;
}

// Behind the backslash.
bool JsonReader::Escape(std::string& out) {
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  if (const std::size_t index = kNames.find(c); c != '\0' && index != std::string_view::npos) {
    out += kValues[index];
    return true;
  }
  if (c != 'u') return Fail("a broken escape at byte " + std::to_string(at_));
  unsigned code = 0;
  if (!Hex(code)) return false;
  if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
    const std::size_t behind = at_;
    at_ += 2;
    unsigned low = 0;
    if (!Hex(low)) return false;
    if (low >= 0xDC00 && low < 0xE000)
      code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
    else
      at_ = behind;
  }
  core::AppendUtf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
  return true;
}

// At the opening quote.
bool JsonReader::Text(std::string& out) {
  ++at_;
  for (;;) {
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
           static_cast<unsigned char>(text_[end]) >= 0x20)
      ++end;
    out.append(text_, at_, end - at_);
    at_ = end;
    if (end == text_.size()) return Fail("unexpected end of JSON input within a string");
    ++at_;
    if (text_[end] == '"') return true;
    if (text_[end] != '\\') return Fail("a control character in a string at byte " + std::to_string(end));
    if (!Escape(out)) return false;
  }
}

bool JsonReader::String(std::string& out) {
  if (!ok()) return false;
  if (Peek() == '"') {
    out.clear();
    return Text(out);
  }
  return TakeWord("null") || Expected("a string");
}

bool JsonReader::Bool(bool& out) {
  if (!ok()) return false;
  if (TakeWord("true")) return out = true;
  if (TakeWord("false")) {
    out = false;
    return true;
  }
  return TakeWord("null") || Expected("a boolean");
}

// RFC 8259's grammar, not the value.
bool JsonReader::Number() {
  const auto digits = [&] {
    const std::size_t from = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > from;
  };
  const auto next = [&](char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  };
  next('-');
  if (!next('0') && !digits()) return Expected("a value");
  if (next('.') && !digits()) return Expected("a digit");
  if (next('e') || next('E')) {
    if (!next('+')) next('-');
    if (!digits()) return Expected("a digit");
  }
  return true;
}

bool JsonReader::SkipValue(int depth) {
  if (depth > kMaxDepth) return Fail("values nested more than 64 deep");
  switch (Peek()) {
    case '{':
      return Object([&](std::string_view) { SkipValue(depth + 1); });
    case '[':
      return Array([&] { SkipValue(depth + 1); });
    case '"': {
      std::string ignored;
      return Text(ignored);
    }
    case 't':
    case 'f': {
      bool ignored = false;
      return Bool(ignored);
    }
    case 'n':
      return TakeWord("null") || Expected("a value");
    default:
      return Number();
  }
}

bool JsonReader::Skip() { return ok() && SkipValue(0); }

bool JsonReader::End() {
  if (!ok()) return false;
  SkipSpace();
  return at_ == text_.size() || Fail("more than one value: something stands at byte " + std::to_string(at_));
}

}  // namespace pipewarden::agent
