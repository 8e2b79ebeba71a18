#include "core/template/html_escape.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/text/go_string.h"

namespace pipewarden::core {
namespace {

constexpr std::string_view kFailsafe = "ZgotmplZ";  // what html/template writes where it refuses a value
constexpr std::string_view kSpaces = " \t\n\f\r";

bool IsSpace(char c) { return kSpaces.find(c) != std::string_view::npos; }
bool IsAlpha(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 0x80;
}
bool IsAlnum(char c) { return IsAlpha(c) || (c >= '0' && c <= '9'); }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

bool StartsWithLetters(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && Lower(text.substr(0, lower.size())) == lower;
}

// The length of a tag's name at the front: "h1", "svg:a", "my-tag".
std::size_t TagName(std::string_view text) {
  if (text.empty() || !IsAlpha(text[0])) return 0;
  std::size_t end = 1;
  while (end < text.size()) {
    if (IsAlnum(text[end])) {
      ++end;
    } else if ((text[end] == ':' || text[end] == '-') && end + 1 < text.size() && IsAlnum(text[end + 1])) {
      end += 2;
    } else {
      break;
    }
  }
  return end;
}

template <class List>
bool Contains(const List& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

enum class Replace { kAll, kKeepEntities, kUnquoted, kUnquotedKeepEntities };

std::string Replaced(std::string_view text, Replace how) {
  const bool unquoted = how == Replace::kUnquoted || how == Replace::kUnquotedKeepEntities;
  const bool entities = how == Replace::kAll || how == Replace::kUnquoted;
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\0':
        out += unquoted ? "&#xfffd;" : "\uFFFD";
        continue;
      case '"':
        out += "&#34;";
        continue;
      case '\'':
        out += "&#39;";
        continue;
      case '+':
        out += "&#43;";
        continue;
      case '<':
        out += "&lt;";
        continue;
      case '>':
        out += "&gt;";
        continue;
      case '&':
        out += entities ? "&amp;" : "&";
        continue;
      default:
        break;
    }
    if (unquoted && (IsSpace(c) || c == '\v' || c == '=' || c == '`')) {
      out += "&#" + std::to_string(static_cast<unsigned char>(c)) + ";";
    } else {
      out += c;
    }
  }
  return out;
}

// The text of a snippet of HTML.
std::string StripTags(std::string_view html) {
  std::string out;
  while (!html.empty()) {
    if (html[0] == '<' && html.substr(1).starts_with("!--")) {
      const std::size_t end = html.find("-->");
      html.remove_prefix(end == std::string_view::npos ? html.size() : end + 3);
    } else if (html[0] == '<' &&
               (TagName(html.substr(1)) > 0 || (html.substr(1).starts_with('/') && TagName(html.substr(2)) > 0))) {
      const std::size_t end = html.find('>');
      html.remove_prefix(end == std::string_view::npos ? html.size() : end + 1);
    } else {
      out += html[0];
      html.remove_prefix(1);
    }
  }
  return out;
}

bool IsSafeUrl(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string scheme = Lower(url.substr(0, colon));
  return scheme.find('/') != std::string::npos || scheme == "http" || scheme == "https" || scheme == "mailto";
}

// Percent-encodes: with `normalize` what a URL may hold stays, without only what a query value may.
std::string UrlEncoded(std::string_view text, bool normalize) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kReserved = "!#$&*+,/:;=?@[]";
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool kept = IsAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
                      (normalize && kReserved.find(c) != std::string_view::npos) ||
                      (normalize && c == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]));
    if (kept) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4U];
      out += kHex[static_cast<unsigned char>(c) & 15U];
    }
  }
  return out;
}

constexpr std::array<std::string_view, 17> kUrlAttributes = {
    "action", "archive",  "background", "cite",   "classid", "codebase", "data",   "formaction", "href",
    "icon",   "longdesc", "manifest",   "poster", "profile", "src",      "usemap", "xmlns"};
// Names that a value may not become: they change how the page is read.
constexpr std::array<std::string_view, 18> kUnsafeAttributes = {
    "accept-charset", "async",   "challenge", "charset", "content", "crossorigin", "defer",  "enctype", "formmethod",
    "http-equiv",     "keytype", "method",    "name",    "rel",     "sandbox",     "srcdoc", "type",    "value"};

}  // namespace

HtmlEscaper::Attribute HtmlEscaper::TypeOf(std::string_view full_name, Element element) {
  const std::string lower = Lower(full_name);
  std::string_view name = lower;
  if (element == Element::kMeta && name == "content") return Attribute::kMetaContent;
  if (name.starts_with("data-")) {
    name.remove_prefix(5);
  } else if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    if (name.substr(0, colon) == "xmlns") return Attribute::kUrl;
    name.remove_prefix(colon + 1);
  }
  if (Contains(kUrlAttributes, name)) return Attribute::kUrl;
  if (name == "style") return Attribute::kStyle;
  if (name == "srcset") return Attribute::kSrcset;
  if (name.starts_with("on")) return Attribute::kScript;
  if (Contains(kUnsafeAttributes, name)) return Attribute::kPlain;
  for (const std::string_view part : {"src", "uri", "url"}) {
    if (name.find(part) != std::string_view::npos) return Attribute::kUrl;
  }
  return Attribute::kPlain;
}

Result<std::string> HtmlEscaper::Text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (const std::string problem = Advance(text, out); !problem.empty()) return Fail(ErrorCode::kInvalid, problem);
  }
  return out;
}

std::string HtmlEscaper::Advance(std::string_view& rest, std::string& out) {
  switch (state_) {
    case State::kText:
      TextState(rest, out);
      return "";
    case State::kComment: {
      const std::size_t end = rest.find("-->");
      if (end != std::string_view::npos) state_ = State::kText;
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 3);
      return "";
    }
    case State::kRcdata:
    case State::kScript:
    case State::kStyle:
    case State::kStyleComment:
      SpecialElement(rest, out);
      return "";
    case State::kValue:
      return ValueState(rest, out);
    default:
      return TagState(rest, out);
  }
}

void HtmlEscaper::TextState(std::string_view& rest, std::string& out) {
  const std::size_t open = rest.find('<');
  out += rest.substr(0, open);
  rest.remove_prefix(open == std::string_view::npos ? rest.size() : open);
  if (rest.empty()) return;
  if (rest.starts_with("<!--")) {
    rest.remove_prefix(4);
    state_ = State::kComment;
    return;
  }
  const bool closes = rest.substr(1).starts_with('/');
  const std::size_t begin = closes ? 2 : 1;
  const std::size_t name = TagName(rest.substr(begin));
  if (name == 0) {
    out += StartsWithLetters(rest, "<!doctype") ? "<" : "&lt;";
    rest.remove_prefix(1);
    return;
  }
  const std::string tag = Lower(rest.substr(begin, name));
  element_ = closes              ? Element::kNone
             : tag == "script"   ? Element::kScript
             : tag == "style"    ? Element::kStyle
             : tag == "textarea" ? Element::kTextarea
             : tag == "title"    ? Element::kTitle
             : tag == "meta"     ? Element::kMeta
                                 : Element::kNone;
  out += rest.substr(0, begin + name);
  rest.remove_prefix(begin + name);
  state_ = State::kTag;
}

// Between a tag's name and its end, outside of values.
std::string HtmlEscaper::TagState(std::string_view& rest, std::string& out) {
  const auto take = [&](std::size_t count) {
    out += rest.substr(0, count);
    rest.remove_prefix(count);
  };
  if (state_ != State::kAttrName) {
    take(std::min(rest.find_first_not_of(kSpaces), rest.size()));
    if (rest.empty()) return "";
  }
  if (state_ == State::kAfterName) {
    state_ = rest[0] == '=' ? State::kBeforeValue : State::kTag;
    if (rest[0] == '=') take(1);
    return "";
  }
  if (state_ == State::kBeforeValue) {
    state_ = State::kValue;
    url_part_ = UrlPart::kNone;
    delimiter_ = rest[0] == '"' ? Delimiter::kDouble : rest[0] == '\'' ? Delimiter::kSingle : Delimiter::kSpace;
    if (delimiter_ != Delimiter::kSpace) take(1);
    return "";
  }
  if (state_ == State::kTag && rest[0] == '>') {
    take(1);
    state_ = element_ == Element::kScript                                    ? State::kScript
             : element_ == Element::kStyle                                   ? State::kStyle
             : element_ == Element::kTextarea || element_ == Element::kTitle ? State::kRcdata
                                                                             : State::kText;
    if (state_ == State::kText) element_ = Element::kNone;
    return "";
  }
  const std::size_t end = std::min(rest.find_first_of(" \t\n\f\r=>"), rest.size());
  const std::string_view name = rest.substr(0, end);
  if (const std::size_t bad = name.find_first_of("'\"<"); bad != std::string_view::npos) {
    return GoQuote(name.substr(bad, 1)) + " in attribute name: " + GoQuote(name.substr(0, 32));
  }
  if (end == 0 && state_ == State::kTag) {
    return "expected space, attr name, or end of tag, but got " + GoQuote(rest.substr(0, 32));
  }
  if (state_ == State::kTag) attribute_ = TypeOf(name, element_);
  take(end);
  state_ = rest.empty() ? State::kAttrName : State::kAfterName;
  return "";
}

// The inside of script, style, textarea and title, up to their end tag. Comments in style are dropped, as everywhere.
void HtmlEscaper::SpecialElement(std::string_view& rest, std::string& out) {
  const std::string_view tag = element_ == Element::kScript  ? "</script"
                               : element_ == Element::kStyle ? "</style"
                               : element_ == Element::kTitle ? "</title"
                                                             : "</textarea";
  std::size_t end = 0;
  for (;; ++end) {
    end = rest.find("</", end);
    if (end == std::string_view::npos) break;
    const std::string_view at = rest.substr(end);
    if (StartsWithLetters(at, tag) && at.size() > tag.size() &&
        std::string_view("> \t\n\f/").find(at[tag.size()]) != std::string_view::npos) {
      break;
    }
  }
  std::string_view inside = rest.substr(0, end);
  rest.remove_prefix(inside.size());
  while (!inside.empty()) {
    if (state_ == State::kStyleComment) {
      const std::size_t close = inside.find("*/");
      if (close == std::string_view::npos) break;
      inside.remove_prefix(close + 2);
      out += ' ';
      state_ = State::kStyle;
      continue;
    }
    const std::size_t open = state_ == State::kStyle ? inside.find("/*") : std::string_view::npos;
    std::string_view part = inside.substr(0, open);
    inside.remove_prefix(open == std::string_view::npos ? inside.size() : open + 2);
    if (open != std::string_view::npos) state_ = State::kStyleComment;
    for (const char c : part) {
      if (c == '<' && state_ == State::kRcdata) {
        out += "&lt;";
      } else {
        out += c;
      }
    }
  }
  if (end != std::string_view::npos) {
    state_ = State::kText;
    element_ = Element::kNone;
  }
}

std::string HtmlEscaper::ValueState(std::string_view& rest, std::string& out) {
  const std::string_view ends = delimiter_ == Delimiter::kDouble   ? "\""
                                : delimiter_ == Delimiter::kSingle ? "'"
                                                                   : " \t\n\f\r>";
  const std::size_t end = std::min(rest.find_first_of(ends), rest.size());
  const std::string_view value = rest.substr(0, end);
  if (delimiter_ == Delimiter::kSpace) {
    if (const std::size_t bad = value.find_first_of("\"'<=`"); bad != std::string_view::npos) {
      return GoQuote(value.substr(bad, 1)) + " in unquoted attr: " + GoQuote(value.substr(0, 32));
    }
  }
  if (value.find_first_of("#?") != std::string_view::npos) {
    url_part_ = UrlPart::kQuery;
  } else if (url_part_ == UrlPart::kNone && value.find_first_not_of(kSpaces) != std::string_view::npos) {
    url_part_ = UrlPart::kBeforeQuery;
  }
  out += value;
  rest.remove_prefix(end);
  if (rest.empty()) return "";
  if (delimiter_ != Delimiter::kSpace) {
    out += rest[0];
    rest.remove_prefix(1);
  }
  delimiter_ = Delimiter::kNone;
  attribute_ = Attribute::kPlain;
  state_ = State::kTag;
  return "";
}

std::string HtmlEscaper::Where() const {
  switch (state_) {
    case State::kScript:
      return "inside <script>";
    case State::kStyle:
    case State::kStyleComment:
      return "inside <style>";
    case State::kComment:
      return "inside a comment";
    case State::kRcdata:
      return "inside <textarea> or <title>";
    case State::kText:
      return "in text";
    default:
      break;
  }
  switch (attribute_) {
    case Attribute::kScript:
      return "in an on… attribute";
    case Attribute::kStyle:
      return "in a style attribute";
    case Attribute::kSrcset:
      return "in a srcset attribute";
    case Attribute::kMetaContent:
      return "in the content of <meta>";
    default:
      return state_ == State::kValue ? "inside an attribute's value" : "inside a tag";
  }
}

std::string HtmlEscaper::EscapeUrl(const Value& value, std::string text) const {
  const bool trusted = value.IsType(kUrlType);
  if (url_part_ == UrlPart::kQuery) return UrlEncoded(text, trusted);
  if (url_part_ == UrlPart::kNone && !trusted && !IsSafeUrl(text)) return "#" + std::string(kFailsafe);
  return UrlEncoded(text, true);
}

Result<std::string> HtmlEscaper::Escape(const Value& value) {
  std::string text = value.is_nil() ? "" : value.is(Value::Kind::kString) ? value.string() : value.ToString();
  const bool html = value.IsType(kHtmlType);
  if (state_ == State::kBeforeValue) {
    state_ = State::kValue;
    delimiter_ = Delimiter::kSpace;
    url_part_ = UrlPart::kNone;
  }
  switch (state_) {
    case State::kText:
      return html ? std::move(text) : Replaced(text, Replace::kAll);
    case State::kRcdata:
      return Replaced(text, html ? Replace::kKeepEntities : Replace::kAll);
    case State::kComment:
    case State::kStyleComment:
      return std::string();
    case State::kTag:
    case State::kAttrName:
    case State::kAfterName: {
      const std::string name = Lower(text);
      state_ = State::kAttrName;
      attribute_ = Attribute::kPlain;
      const bool good = !name.empty() && std::ranges::all_of(name, IsAlnum) &&
                        TypeOf(name, element_) == Attribute::kPlain && !Contains(kUnsafeAttributes, name);
      return good ? name : std::string(kFailsafe);
    }
    case State::kValue:
      if (attribute_ == Attribute::kPlain || attribute_ == Attribute::kUrl) break;
      [[fallthrough]];
    default:
      return Fail(ErrorCode::kInvalid, "a value cannot be printed " + Where() +
                                           ": it would need escaping of another language; write fixed text there and "
                                           "choose it with if");
  }
  if (attribute_ == Attribute::kUrl) text = EscapeUrl(value, std::move(text));
  if (html) text = StripTags(text);
  if (delimiter_ == Delimiter::kSpace) {
    if (text.empty()) return std::string(kFailsafe);
    return Replaced(text, html ? Replace::kUnquotedKeepEntities : Replace::kUnquoted);
  }
  return Replaced(text, html ? Replace::kKeepEntities : Replace::kAll);
}

std::string HtmlEscaper::End() const {
  return state_ == State::kText ? "" : "the HTML ends " + Where() + ", not in text";
}

}  // namespace pipewarden::core
