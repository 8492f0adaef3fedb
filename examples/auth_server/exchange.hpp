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

  /// Finds out who is asking, and lets the browser keep or drop cookies accordingly. Without a value the store could
  /// not be asked, and the answer says so already.
  std::optional<Visitor> visitor();

  /// Somebody who is logged in, with the account; else the answer already leads to the login.
  struct LoggedIn {
    Login login{};
    User user{};
  };
  std::optional<LoggedIn> require_login();

  /// Whether the form that was posted is one that was sent to this session, or to this browser before a login. Where
  /// not, the answer says so already.
  bool require_form_of(const Login& login);
  bool require_form_of_this_browser();

  /// What the pages of somebody logged in, and of somebody who is not, need around their content.
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
  /// 503, for the time that the store cannot be asked.
  void say_unavailable(const obol::Error& error);
  void retry_after(std::chrono::seconds wait) { response_.set_header("Retry-After", std::to_string(wait.count())); }

  /// Whether a POST is one that a form of ours makes; else the answer says what is wrong.
  bool require_own_form();

 private:
  bool require_proof(const std::string& secret);

  Site& site_;
  const httplib::Request& request_;
  httplib::Response& response_;
};

}  // namespace auth_server
