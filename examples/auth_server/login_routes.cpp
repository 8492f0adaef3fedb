// Sign-up, login and logout.
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "exchange.hpp"
#include "obol/session_id.hpp"
#include "obol/session_token.hpp"
#include "routes.hpp"

namespace auth_server {
namespace {

constexpr std::chrono::seconds known_device_lifetime{std::chrono::days(365)};
constexpr std::string_view known_device_type = "device";

// A wrong name and a wrong password give the same answer and must take the same time: see PasswordHasher::verify.
constexpr std::string_view wrong = "User name or password is wrong.";

// A typed name may have any size; the key of its counter must not.
std::string account_of(const std::string& name) { return lower_case(std::string_view(name).substr(0, 64)); }

Attempt attempt_of(Exchange& exchange, const std::string& name, const std::optional<User>& user) {
  Attempt attempt{.account = account_of(name), .network = exchange.device().place};
  const auto known = obol::open_token(exchange.cookie(Cookie::device), exchange.site().sessions.options().keyring);
  if (known && known->type == known_device_type && user && known->user_id == user->id) attempt.known_device = known->id;
  return attempt;
}

void remember_device(Exchange& exchange, const User& user) {
  const auto id = obol::generate_session_id();
  if (!id) return;
  const auto token = obol::issue_token({.user_id = user.id, .type = std::string(known_device_type), .id = *id},
                                       exchange.site().sessions.options().keyring);
  if (token) exchange.keep(Cookie::device, *token, known_device_lifetime);
}

void refuse_login(Exchange& exchange, const std::string& name, int status, std::string problem) {
  exchange.show(login_page(exchange.frame_of_nobody(), {.name = name, .problem = std::move(problem)}), status);
}

void log_in(Exchange& exchange, const User& user, std::chrono::sys_seconds credentials_read_at) {
  // An earlier session of this browser ends with the new login.
  auto& sessions = exchange.site().sessions;
  if (const auto before = exchange.resume(); before && *before) {
    if (const auto ended = sessions.log_out((*before)->session.key()); !ended) {
      return exchange.say_unavailable(ended.error());
    }
  }
  const auto form_secret = obol::generate_session_id();
  if (!form_secret) return exchange.say_unavailable(form_secret.error());
  const auto login = sessions.log_in(
      user.id, obol::PayloadCodec<Payload>::encode({.device = exchange.device(), .csrf_secret = *form_secret}),
      credentials_read_at);
  if (!login && login.error().code == obol::ErrorCode::revoked) {
    return refuse_login(exchange, user.name, 401, "This account was changed while you logged in. Please log in again.");
  }
  if (!login) return exchange.say_unavailable(login.error());
  exchange.keep(login->tokens);
  remember_device(exchange, user);
  exchange.lead_to("/devices");
}

void refuse_hashing(Exchange& exchange) {
  exchange.retry_after(std::chrono::seconds(5));
  exchange.say(503, "One moment, please", "Many people are logging in just now. Try again in a few seconds.");
}

void post_login(Exchange& exchange) {
  if (!exchange.require_form_of_this_browser()) return;
  const auto name = exchange.field("name");
  const auto password = exchange.field("password");
  if (name.size() > 256 || password.size() > 256) return refuse_login(exchange, "", 401, std::string(wrong));
  const auto credentials_read_at = exchange.site().now();
  const auto user = exchange.site().users.find_by_name(name);
  const auto attempt = attempt_of(exchange, name, user);
  if (const auto wait = exchange.site().throttle.admit(attempt); wait.count() > 0) {
    exchange.retry_after(wait);
    return refuse_login(exchange, name, 429, fmt::format("Too many attempts. Try again in {} seconds.", wait.count()));
  }
  const auto is_right = exchange.site().passwords.verify(password, user ? user->password_hash : "");
  if (!is_right) return refuse_hashing(exchange);
  if (!*is_right || !user) return refuse_login(exchange, name, 401, std::string(wrong));
  exchange.site().throttle.forgive(attempt);
  log_in(exchange, *user, credentials_read_at);
}

void refuse_sign_up(Exchange& exchange, const std::string& name, int status, std::string_view problem) {
  exchange.show(sign_up_page(exchange.frame_of_nobody(), {.name = name, .problem = std::string(problem)}), status);
}

void refuse_name(Exchange& exchange, const std::string& name) {
  refuse_sign_up(exchange, name, 409, "That user name is taken.");
}

void post_sign_up(Exchange& exchange) {
  if (!exchange.require_form_of_this_browser()) return;
  const auto name = exchange.field("name");
  const auto password = exchange.field("password");
  for (const auto objection : {objection_to_name(name), objection_to_password(password, name)}) {
    if (!objection.empty()) return refuse_sign_up(exchange, name.substr(0, 64), 422, objection);
  }
  // A taken name costs no hash. Users::add would reveal the same.
  if (exchange.site().users.find_by_name(name)) return refuse_name(exchange, name);
  if (const auto wait = exchange.site().throttle.admit_sign_up(exchange.device().place); wait.count() > 0) {
    exchange.retry_after(wait);
    return refuse_sign_up(exchange, name, 429,
                          fmt::format("Too many new accounts. Try again in {} seconds.", wait.count()));
  }
  auto id = obol::generate_session_id();
  if (!id) return exchange.say_unavailable(id.error());
  auto hash = exchange.site().passwords.hash(password);
  if (!hash) return refuse_hashing(exchange);
  const User user{.id = std::move(*id), .name = name, .password_hash = std::move(*hash)};
  switch (exchange.site().users.add(user)) {
    case Users::Added::name_is_taken:
      return refuse_name(exchange, name);
    case Users::Added::full:
      return refuse_sign_up(exchange, name, 503, "This example has no room for more accounts.");
    case Users::Added::yes:
      return log_in(exchange, user, exchange.site().now());
  }
}

void post_logout(Exchange& exchange) {
  const auto visitor = exchange.require_login();
  if (!visitor || !exchange.require_form_of(*visitor)) return;
  if (auto ended = exchange.site().sessions.log_out(visitor->session.key()); !ended) {
    return exchange.say_unavailable(ended.error());
  }
  exchange.drop_tokens();
  exchange.lead_to("/login?notice=logged-out");
}

// A logged-in visitor does not need the login page.
void show_to_nobody(Exchange& exchange, std::string (*page)(const Frame&, const SentForm&)) {
  const auto visitor = exchange.visitor();
  if (!visitor) return exchange.say_unavailable(visitor.error());
  if (*visitor) return exchange.lead_to("/devices");
  exchange.show(page(exchange.frame_of_nobody(), {}));
}

}  // namespace

void add_login_routes(httplib::Server& server, Site& site) {
  const auto post = [&](const std::string& path, void (*handle)(Exchange&)) {
    server.Post(path, [&site, handle](const httplib::Request& request, httplib::Response& response) {
      Exchange exchange(site, request, response);
      if (exchange.require_own_form()) handle(exchange);
    });
  };
  const auto get = [&](const std::string& path, std::string (*page)(const Frame&, const SentForm&)) {
    server.Get(path, [&site, page](const httplib::Request& request, httplib::Response& response) {
      Exchange exchange(site, request, response);
      show_to_nobody(exchange, page);
    });
  };
  get("/login", login_page);
  get("/signup", sign_up_page);
  post("/login", post_login);
  post("/signup", post_sign_up);
  post("/logout", post_logout);
}

}  // namespace auth_server
