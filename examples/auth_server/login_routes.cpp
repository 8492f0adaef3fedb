// Sign-up, login and logout.
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "exchange.hpp"
#include "obol/session_id.hpp"
#include "obol/session_token.hpp"
#include "routes.hpp"

namespace example::auth_server {
namespace {

constexpr std::chrono::seconds known_device_lifetime{std::chrono::days(365)};
constexpr std::string_view known_device_type = "device";

Attempt attempt_of(Exchange& exchange, const std::string& name, const std::optional<User>& user) {
  Attempt attempt{.account = account_of(name), .network = exchange.device().place};
  const auto known = obol::open_token(exchange.cookie(Cookie::device), exchange.site().keyring);
  if (known && known->type == known_device_type && user && known->user_id == user->id) attempt.known_device = known->id;
  return attempt;
}

void remember_device(Exchange& exchange, const User& user) {
  const auto id = obol::generate_session_id();
  if (!id) return;
  const auto token = obol::issue_token({.user_id = user.id, .type = std::string(known_device_type), .id = *id},
                                       exchange.site().keyring);
  if (token) exchange.keep(Cookie::device, *token, known_device_lifetime);
}

void refuse_login(Exchange& exchange, const std::string& name, const Refusal& refusal) {
  exchange.refuse(login_page(exchange.frame_of_nobody(), {.name = name.substr(0, 64), .problem = refusal.text}),
                  refusal);
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
    return refuse_login(exchange, user.name,
                        {.status = 401, .text = "This account was changed while you logged in. Please log in again."});
  }
  if (!login) return exchange.say_unavailable(login.error());
  exchange.keep(login->tokens);
  remember_device(exchange, user);
  exchange.lead_to("/devices");
}

void post_login(Exchange& exchange) {
  if (!exchange.require_form_of_this_browser()) return;
  const auto name = exchange.field("name");
  const auto credentials_read_at = exchange.site().now();
  auto& accounts = exchange.site().accounts;
  const auto user = accounts.users.find_by_name(name);
  const auto verified = accounts.verify(user, exchange.field("password"), attempt_of(exchange, name, user));
  if (!verified) return refuse_login(exchange, name, verified.error());
  log_in(exchange, *user, credentials_read_at);
}

void post_sign_up(Exchange& exchange) {
  if (!exchange.require_form_of_this_browser()) return;
  const auto name = exchange.field("name");
  const auto user = exchange.site().accounts.sign_up(name, exchange.field("password"), exchange.device().place);
  if (user) return log_in(exchange, *user, exchange.site().now());
  const auto& refusal = user.error();
  exchange.refuse(sign_up_page(exchange.frame_of_nobody(), {.name = name.substr(0, 64), .problem = refusal.text}),
                  refusal);
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

}  // namespace example::auth_server
