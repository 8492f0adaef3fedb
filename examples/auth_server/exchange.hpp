// One request and its answer, in this server's words: cookies, form fields, pages, redirects, and who is asking.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "httplib.h"
#include "obol/session_manager.hpp"
#include "pages.hpp"
#include "payload.hpp"
#include "site.hpp"

namespace example::auth_server {

/// A logged-in visitor.
struct Visitor {
  obol::Session session{};
  Payload payload{};
  User user{};
};

class Exchange {
 public:
  Exchange(Site& site, const httplib::Request& request, httplib::Response& response)
      : site_(site), request_(request), response_(response) {}

  Site& site() { return site_; }

  /// Finds the session of the browser's tokens: by the access token, or if that has expired, by a refresh, which gives
  /// new tokens. Leaves the cookies alone.
  obol::Result<std::optional<obol::LoggedIn>> resume();

  /// Identifies the visitor, or nobody, and sets or clears the browser's cookies. An error: the store is not available.
  obol::Result<std::optional<Visitor>> visitor();

  /// The same. Without a value the answer is already set: it redirects to the login, or says that nobody can be
  /// identified just now.
  std::optional<Visitor> require_login();

  /// True if the posted form was sent to this session, or to this browser before a login. Otherwise the answer is
  /// already set.
  bool require_form_of(const Visitor& visitor) { return require_proof(visitor.payload.csrf_secret); }
  bool require_form_of_this_browser() { return require_proof(cookie(Cookie::form)); }

  /// Frames of the pages, with and without a login.
  Frame frame_of(const Visitor& visitor);
  Frame frame_of_nobody();

  std::string field(const std::string& name) const { return request_.get_param_value(name); }
  std::string cookie(Cookie cookie) const;
  void keep(Cookie cookie, std::string_view value, std::chrono::seconds lifetime);
  void keep(const obol::SessionTokens& tokens);
  void drop_tokens();
  Device device() const;

  void show(const std::string& page, int status = 200);
  /// Shows a page again with what was wrong.
  void refuse(const std::string& page, const Refusal& refusal);
  void lead_to(const std::string& path) { response_.set_redirect(path, 303); }
  void say(int status, std::string_view title, std::string_view text);
  /// Answers 503 while the store is not available.
  void say_unavailable(const obol::Error& error);
  void retry_after(std::chrono::seconds wait) { response_.set_header("Retry-After", std::to_string(wait.count())); }

  /// True if a POST came from a form of this server; otherwise the answer says what is wrong.
  bool require_own_form();

 private:
  bool require_proof(const std::string& secret);
  bool has_tokens() const;

  Site& site_;
  const httplib::Request& request_;
  httplib::Response& response_;
};

}  // namespace example::auth_server
