// "Your devices" and the change of password.
#include <algorithm>
#include <string>
#include <utility>

#include "exchange.hpp"
#include "routes.hpp"

namespace auth_server {
namespace {

using Guarded = void (*)(Exchange&, Exchange::LoggedIn&);

void show_devices(Exchange& exchange, Exchange::LoggedIn& user) {
  auto devices = exchange.site().sessions.list(user.user.id);
  if (!devices) return exchange.say_unavailable(devices.error());
  const auto current =
      std::ranges::find(*devices, user.login.session.id, [](const Login& login) { return login.session.id; });
  std::rotate(devices->begin(), current, current == devices->end() ? current : current + 1);
  exchange.show(devices_page(exchange.frame_of(user), *devices, exchange.site().sessions.now()));
}

void log_out_device(Exchange& exchange, Exchange::LoggedIn& user) {
  auto& sessions = exchange.site().sessions;
  const auto devices = sessions.list(user.user.id);
  if (!devices) return exchange.say_unavailable(devices.error());
  const auto device = std::ranges::find(*devices, exchange.field("device"), &Login::handle);
  if (device != devices->end()) {
    if (auto ended = sessions.end(device->session.key()); !ended) return exchange.say_unavailable(ended.error());
  }
  if (exchange.field("device") != user.login.handle()) return exchange.lead_to("/devices?notice=device-logged-out");
  exchange.drop_tokens();
  exchange.lead_to("/login?notice=logged-out");
}

void log_out_others(Exchange& exchange, Exchange::LoggedIn& user) {
  if (auto ended = exchange.site().sessions.end_others(user.login.session.key()); !ended) {
    return exchange.say_unavailable(ended.error());
  }
  exchange.lead_to("/devices?notice=others-logged-out");
}

void show_password(Exchange& exchange, Exchange::LoggedIn& user) {
  exchange.show(password_page(exchange.frame_of(user), {}));
}

void refuse_password(Exchange& exchange, const Exchange::LoggedIn& user, int status, std::string_view problem) {
  exchange.show(password_page(exchange.frame_of(user), {.problem = std::string(problem)}), status);
}

void change_password(Exchange& exchange, Exchange::LoggedIn& user) {
  auto& site = exchange.site();
  const auto wanted = exchange.field("new_password");
  if (const auto objection = objection_to_password(wanted, user.user.name); !objection.empty()) {
    return refuse_password(exchange, user, 422, objection);
  }
  // A thief with a stolen session must not be able to try passwords.
  const Attempt attempt{.account = user.user.name, .network = "password", .known_device = user.login.session.id};
  if (const auto wait = site.throttle.admit(attempt); wait.count() > 0) {
    exchange.retry_after(wait);
    return refuse_password(exchange, user, 429, "Too many attempts. Try again later.");
  }
  const auto is_right = site.passwords.verify(exchange.field("password"), user.user.password_hash);
  if (is_right && !*is_right) return refuse_password(exchange, user, 401, "The current password is wrong.");
  auto hash = site.passwords.hash(wanted);
  if (!is_right || !hash)
    return refuse_password(exchange, user, 503, "The server is busy. Try again in a few seconds.");
  site.throttle.forgive(attempt);
  if (!site.users.replace_password_hash(user.user.id, user.user.password_hash, *hash)) {
    return refuse_password(exchange, user, 401, "The current password is wrong.");
  }
  auto visitor = site.sessions.secure(std::move(user.login));
  if (!visitor) {
    // No session of the old password may remain: either both changes succeed, or the user has to try again.
    site.users.replace_password_hash(user.user.id, *hash, user.user.password_hash);
    return exchange.say_unavailable(visitor.error());
  }
  if (visitor->new_tokens) exchange.keep(*visitor->new_tokens);
  exchange.lead_to("/devices?notice=password-changed");
}

}  // namespace

void add_account_routes(httplib::Server& server, Site& site) {
  const auto get = [&](const std::string& path, Guarded handle) {
    server.Get(path, [&site, handle](const httplib::Request& request, httplib::Response& response) {
      Exchange exchange(site, request, response);
      if (auto user = exchange.require_login()) handle(exchange, *user);
    });
  };
  const auto post = [&](const std::string& path, Guarded handle) {
    server.Post(path, [&site, handle](const httplib::Request& request, httplib::Response& response) {
      Exchange exchange(site, request, response);
      if (!exchange.require_own_form()) return;
      if (auto user = exchange.require_login(); user && exchange.require_form_of(user->login)) handle(exchange, *user);
    });
  };
  get("/devices", show_devices);
  post("/devices/logout", log_out_device);
  post("/devices/logout-others", log_out_others);
  get("/password", show_password);
  post("/password", change_password);
}

}  // namespace auth_server
