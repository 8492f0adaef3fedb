// HTML with escaping by type: text put into markup is escaped, only Html is inserted unchanged.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace example::auth_server {

/// The text with & < > " ' as character references: safe between tags and in quoted attributes.
std::string escape(std::string_view text);

/// Markup, made only by html().
class Html {
 public:
  Html() = default;
  const std::string& text() const { return text_; }
  Html& operator+=(const Html& more) {
    text_ += more.text_;
    return *this;
  }

 private:
  friend class HtmlFormat;
  explicit Html(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

class HtmlFormat {
 public:
  static Html made_of(std::string text) { return Html(std::move(text)); }
  static std::string fitted(std::string_view text) { return escape(text); }
  static std::string fitted(const Html& html) { return html.text(); }
  template <std::integral Number>
  static Number fitted(Number number) {
    return number;
  }
};

/// Markup from an fmt template and its arguments: texts are escaped, Html and numbers are not.
template <class... Arguments>
Html html(fmt::format_string<decltype(HtmlFormat::fitted(std::declval<const Arguments&>()))...> markup,
          const Arguments&... arguments) {
  return HtmlFormat::made_of(fmt::format(markup, HtmlFormat::fitted(arguments)...));
}

}  // namespace example::auth_server
