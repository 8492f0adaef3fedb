// One request and its answer, in this server's words: cookies, form fields, pages, redirects, and who is asking.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "httplib.h"
#include "pages.hpp"
#include "site.hpp"

namespace auth_server {

class Exchange {
 public:
  Exchange(Site& site, const httplib::Request& request, httplib::Response& response)
      : site_(site), request_(request), response_(response) {}

  Site& site() { return site_; }

  /// Identifies the visitor, and sets or clears the browser's cookies. Without a value the store was not available; the
  /// answer is then already set.
  std::optional<Visitor> visitor();

  /// A logged-in visitor with the account. Without a value the answer already redirects to the login.
  struct LoggedIn {
    Login login{};
    User user{};
  };
  std::optional<LoggedIn> require_login();

  /// True if the posted form was sent to this session, or to this browser before a login. Otherwise the answer is
  /// already set.
  bool require_form_of(const Login& login);
  bool require_form_of_this_browser();

  /// Frames of the pages, with and without a login.
  Frame frame_of(const LoggedIn& user);
  Frame frame_of_nobody();

  std::string field(const std::string& name) const { return request_.get_param_value(name); }
  std::string cookie(Cookie cookie) const;
  void keep(Cookie cookie, std::string_view value, std::chrono::seconds lifetime);
  void keep(const Tokens& tokens);
  void drop_tokens();
  Device device() const;

  void show(const std::string& page, int status = 200);
  void lead_to(const std::string& path) { response_.set_redirect(path, 303); }
  void say(int status, std::string_view title, std::string_view text);
  /// Answers 503 while the store is not available.
  void say_unavailable(const obol::Error& error);
  void retry_after(std::chrono::seconds wait) { response_.set_header("Retry-After", std::to_string(wait.count())); }

  /// True if a POST came from a form of this server; otherwise the answer says what is wrong.
  bool require_own_form();

 private:
  bool require_proof(const std::string& secret);

  Site& site_;
  const httplib::Request& request_;
  httplib::Response& response_;
};

}  // namespace auth_server
