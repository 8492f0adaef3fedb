// Cookies to visitor, and visitor to cookies.
#include "exchange.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>
#include <vector>

#include "csrf.hpp"
#include "device.hpp"
#include "log.hpp"
#include "obol/session_id.hpp"

namespace example::auth_server {
namespace {

constexpr std::chrono::seconds form_lifetime{std::chrono::days(1)};

// Notices about the last action. The address only names one, so no address can put its own text on a page.
std::string notice_for(const std::string& name) {
  static const std::map<std::string, std::string> notices{
      {"logged-out", "You are logged out."},
      {"ended", "Your session has ended. Please log in again."},
      {"device-logged-out", "The device is logged out."},
      {"others-logged-out", "All other devices are logged out."},
      {"password-changed", "Your password is changed, and all other devices are logged out."},
  };
  const auto notice = notices.find(name);
  return notice == notices.end() ? "" : notice->second;
}

}  // namespace

obol::Result<std::optional<obol::LoggedIn>> Exchange::resume() {
  auto sender = site_.sessions.authenticate(cookie(Cookie::access));
  if (!sender) return std::unexpected(std::move(sender.error()));
  if (*sender) return obol::LoggedIn{.session = std::move((*sender)->session).value(), .tokens = {}};
  return site_.sessions.refresh(cookie(Cookie::refresh));
}

obol::Result<std::optional<Visitor>> Exchange::visitor() {
  if (!has_tokens()) return std::nullopt;
  auto login = resume();
  if (!login) return std::unexpected(std::move(login.error()));
  if (*login) {
    auto& [session, tokens] = **login;
    auto payload = session.payload<Payload>();
    auto user = site_.accounts.users.find_by_id(session.user_id);
    if (payload && user) {
      if (!tokens.access.empty()) keep(tokens);
      return Visitor{.session = std::move(session), .payload = std::move(*payload), .user = std::move(*user)};
    }
  }
  // The session has ended, or belongs to an account that this process does not have (any more).
  drop_tokens();
  return std::nullopt;
}

std::optional<Visitor> Exchange::require_login() {
  auto found = visitor();
  if (!found) {
    say_unavailable(found.error());
    return std::nullopt;
  }
  if (!*found) lead_to(has_tokens() ? "/login?notice=ended" : "/login");
  return std::move(*found);
}

bool Exchange::require_own_form() {
  if (request_.target.contains('?') ||
      !request_.get_header_value("Content-Type").starts_with("application/x-www-form-urlencoded")) {
    say(400, "That was no form of ours",
        "Forms are sent as application/x-www-form-urlencoded, and not in the address.");
    return false;
  }
  const RequestOrigin origin{.origin = request_.get_header_value("Origin"),
                             .sec_fetch_site = request_.get_header_value("Sec-Fetch-Site"),
                             .host = request_.get_header_value("Host")};
  if (is_from_own_page(origin, site_.is_over_tls)) return true;
  say(403, "Not from here", "That form was sent from another site, so nothing was done.");
  return false;
}

bool Exchange::require_proof(const std::string& secret) {
  if (proves_secret(field("form_token"), secret)) return true;
  say(403, "That form is out of date",
      "It belongs to another login or was open for too long. Go back, load the page again, and repeat it.");
  return false;
}

Frame Exchange::frame_of(const Visitor& visitor) {
  return {.user_name = visitor.user.name,
          .form_token = mask_secret(visitor.payload.csrf_secret),
          .notice = notice_for(field("notice")),
          .kept_in = site_.kept_in};
}

Frame Exchange::frame_of_nobody() {
  auto secret = cookie(Cookie::form);
  if (!is_form_secret(secret)) secret = obol::generate_session_id().value_or("");
  keep(Cookie::form, secret, form_lifetime);
  return {.user_name = {},
          .form_token = mask_secret(secret),
          .notice = notice_for(field("notice")),
          .kept_in = site_.kept_in};
}

std::string Exchange::cookie(Cookie cookie) const {
  std::vector<std::string> headers;
  for (auto [at, end] = request_.headers.equal_range("Cookie"); at != end; ++at) headers.push_back(at->second);
  return site_.cookies.read(headers, cookie);
}

void Exchange::keep(Cookie cookie, std::string_view value, std::chrono::seconds lifetime) {
  response_.headers.emplace("Set-Cookie", site_.cookies.set(cookie, value, lifetime));
}

bool Exchange::has_tokens() const { return !cookie(Cookie::access).empty() || !cookie(Cookie::refresh).empty(); }

void Exchange::keep(const obol::SessionTokens& tokens) {
  // Both for the refresh token's lifetime: an access token that is sent late shows that there was a session.
  const auto lifetime = tokens.refresh_expires_at - site_.now();
  keep(Cookie::access, tokens.access, lifetime);
  keep(Cookie::refresh, tokens.refresh, lifetime);
}

void Exchange::drop_tokens() {
  response_.headers.emplace("Set-Cookie", site_.cookies.remove(Cookie::access));
  response_.headers.emplace("Set-Cookie", site_.cookies.remove(Cookie::refresh));
}

Device Exchange::device() const {
  return recognise_device(request_.get_header_value("User-Agent"), request_.remote_addr);
}

void Exchange::show(const std::string& page, int status) {
  response_.status = status;
  response_.set_content(page, "text/html; charset=utf-8");
}

void Exchange::refuse(const std::string& page, const Refusal& refusal) {
  if (refusal.retry_after.count() > 0) retry_after(refusal.retry_after);
  show(page, refusal.status);
}

void Exchange::say(int status, std::string_view title, std::string_view text) {
  show(message_page({.kept_in = site_.kept_in}, title, text), status);
}

void Exchange::say_unavailable(const obol::Error& error) {
  log_line(fmt::format("error: {} ({})", error.message, error.code.message()));
  retry_after(std::chrono::seconds(5));
  say(503, "One moment, please",
      "Logins cannot be looked up just now. You are not logged out: try again in a few seconds.");
}

}  // namespace example::auth_server
