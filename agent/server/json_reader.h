// Reads JSON (RFC 8259) straight into what is wanted, without a document between: what comes in by the thousand is read
// so. Each reading function is true where the value was there and of that kind; after the first false one all are
// false, and error() says what was wrong and where. As Go's encoding/json, null leaves a value as it is. Values, not
// thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace pipewarden::agent {

class JsonReader {
 public:
  // `text` outlives the reader.
  explicit JsonReader(std::string_view text) : text_(text) {}

  // Calls on_field(std::string_view key) at the value of each field; that must read it or Skip() it. The key is good
  // until the next string is read.
  template <class F>
  bool Object(F on_field);
  // Calls on_element() at each element.
  template <class F>
  bool Array(F on_element);
  bool String(std::string& out);  // invalid UTF-8 is passed on as it is; of a lone surrogate U+FFFD is made
  bool Bool(bool& out);
  bool Skip();          // any value, nested at most 64 deep
  bool End();           // nothing but white space is left
  bool IsNull() const;  // at a null, which is not taken

  bool ok() const { return error_.empty(); }
  // "a string is expected at byte 17, and a number stands there"
  const std::string& error() const { return error_; }

 private:
  static constexpr int kMaxDepth = 64;

  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  char Peek() {
    SkipSpace();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view word);
  bool Expected(std::string_view what);
  bool Fail(std::string message);
  bool Text(std::string& out);
  bool Escape(std::string& out);
  bool Hex(unsigned& out);
  bool Number();
  bool SkipValue(int depth);

  std::string_view text_;
  std::size_t at_ = 0;
  std::string key_;
  std::string error_;
};

template <class F>
bool JsonReader::Object(F on_field) {
  if (!ok() || TakeWord("null")) return ok();
  if (!Take('{')) return Expected("an object");
  if (Take('}')) return true;
  do {
    if (Peek() != '"') return Expected("a key");
    key_.clear();
    if (!Text(key_)) return false;
    if (!Take(':')) return Expected("':'");
    on_field(std::string_view(key_));
    if (!ok()) return false;
  } while (Take(','));
  return Take('}') || Expected("',' or '}'");
}

template <class F>
bool JsonReader::Array(F on_element) {
  if (!ok() || TakeWord("null")) return ok();
  if (!Take('[')) return Expected("a list");
  if (Take(']')) return true;
  do {
    on_element();
    if (!ok()) return false;
  } while (Take(','));
  return Take(']') || Expected("',' or ']'");
}

}  // namespace pipewarden::agent
