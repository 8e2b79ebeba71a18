// html/template's contextual escaping: what an action prints is escaped by where it stands in the HTML that the
// template's own text makes: element text, textarea and title, attribute values (quoted or not), attribute names, URLs
// in attributes.
//
// Go works the context out of all branches before a run; here it is followed during the run, on the text that is really
// written, which gives the same result and needs no branch to agree with another. Values inside <script>, <style>,
// style=, on…=, srcset= and <meta content=> are refused with an error that says so: they need escaping of their own
// languages. Text there is left as it is. HTML comments of the template are dropped, and a '<' in text that begins no
// tag is escaped.
//
// One execution's state; not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "core/template/value.h"

namespace pipewarden::core {

class HtmlEscaper {
 public:
  // The template's own text: gives what is to be written. kInvalid for HTML that cannot be followed.
  Result<std::string> Text(std::string_view text);
  // A value printed by an action here. kHtmlType is not escaped in text; kUrlType is not filtered in a URL.
  Result<std::string> Escape(const Value& value);
  // At the end of the run: "" or what is still open.
  std::string End() const;

 private:
  enum class State {
    kText,
    kTag,
    kAttrName,
    kAfterName,
    kBeforeValue,
    kComment,
    kRcdata,  // in <textarea> and <title>
    kScript,  // in <script>
    kStyle,   // in <style>
    kStyleComment,
    kValue,  // in an attribute's value
  };
  enum class Element { kNone, kScript, kStyle, kTextarea, kTitle, kMeta };
  enum class Attribute { kPlain, kUrl, kScript, kStyle, kSrcset, kMetaContent };
  enum class Delimiter { kNone, kDouble, kSingle, kSpace };
  enum class UrlPart { kNone, kBeforeQuery, kQuery };

  // Each takes what it understands off `rest` and moves on; "" or a complaint.
  std::string Advance(std::string_view& rest, std::string& out);
  void TextState(std::string_view& rest, std::string& out);
  std::string TagState(std::string_view& rest, std::string& out);
  void SpecialElement(std::string_view& rest, std::string& out);
  std::string ValueState(std::string_view& rest, std::string& out);
  std::string Where() const;
  std::string EscapeUrl(const Value& value, std::string text) const;

  static Attribute TypeOf(std::string_view name, Element element);

  State state_ = State::kText;
  Element element_ = Element::kNone;
  Attribute attribute_ = Attribute::kPlain;
  Delimiter delimiter_ = Delimiter::kNone;
  UrlPart url_part_ = UrlPart::kNone;
};

}  // namespace pipewarden::core
