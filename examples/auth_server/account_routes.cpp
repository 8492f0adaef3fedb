// "Your devices", the change of password, and the event stream of a page.
#include <algorithm>
#include <string>
#include <utility>

#include "exchange.hpp"
#include "obol/session_id.hpp"
#include "routes.hpp"

namespace example::auth_server {
namespace {

using Guarded = void (*)(Exchange&, Visitor&);

// Identifies a session in a form. It is worthless to a thief; the id itself is a secret.
std::string handle_of(const obol::Session& session) { return obol::session_id_hash(session.id); }

// Makes the forms of the session's other pages worthless.
obol::PayloadChange new_form_secret(std::string secret) {
  return [secret = std::move(secret)](std::string& bytes) {
    auto payload = obol::PayloadCodec<Payload>::decode(bytes).value_or(Payload{});
    payload.csrf_secret = secret;
    bytes = obol::PayloadCodec<Payload>::encode(payload);
  };
}

void show_devices(Exchange& exchange, Visitor& visitor) {
  auto devices = exchange.site().sessions.list(visitor.user.id);
  if (!devices) return exchange.say_unavailable(devices.error());
  const auto current =
      std::ranges::find(*devices, visitor.session.id, [](const obol::Session& session) { return session.id; });
  std::rotate(devices->begin(), current, current == devices->end() ? current : current + 1);
  exchange.show(devices_page(exchange.frame_of(visitor), *devices, exchange.site().now()));
}

void log_out_device(Exchange& exchange, Visitor& visitor) {
  auto& sessions = exchange.site().sessions;
  const auto devices = sessions.list(visitor.user.id);
  if (!devices) return exchange.say_unavailable(devices.error());
  const auto device = std::ranges::find(*devices, exchange.field("device"), handle_of);
  if (device != devices->end()) {
    if (auto ended = sessions.log_out(device->key()); !ended) return exchange.say_unavailable(ended.error());
  }
  if (exchange.field("device") != handle_of(visitor.session))
    return exchange.lead_to("/devices?notice=device-logged-out");
  exchange.drop_tokens();
  exchange.lead_to("/login?notice=logged-out");
}

void log_out_others(Exchange& exchange, Visitor& visitor) {
  if (auto ended = exchange.site().sessions.log_out_others(visitor.session.key()); !ended) {
    return exchange.say_unavailable(ended.error());
  }
  exchange.lead_to("/devices?notice=others-logged-out");
}

void show_password(Exchange& exchange, Visitor& visitor) {
  exchange.show(password_page(exchange.frame_of(visitor), {}));
}

void change_password(Exchange& exchange, Visitor& visitor) {
  auto& site = exchange.site();
  auto form_secret = obol::generate_session_id();
  if (!form_secret) return exchange.say_unavailable(form_secret.error());
  const auto hash = site.accounts.change_password(visitor.user, exchange.field("password"),
                                                  exchange.field("new_password"), visitor.session.id);
  if (!hash) {
    return exchange.refuse(password_page(exchange.frame_of(visitor), {.problem = hash.error().text}), hash.error());
  }
  const auto secured = site.sessions.secure(std::move(visitor.session), new_form_secret(std::move(*form_secret)));
  if (!secured) {
    // No session of the old password may remain: either both changes succeed, or the user has to try again.
    site.accounts.users.replace_password_hash(visitor.user.id, *hash, visitor.user.password_hash);
    return exchange.say_unavailable(secured.error());
  }
  if (*secured) exchange.keep((*secured)->tokens);
  exchange.lead_to("/devices?notice=password-changed");
}

// For live.js. Whoever is not logged in (any more) keeps the cookies: newer ones may be on their way.
void stream_events(Site& site, const httplib::Request& request, httplib::Response& response) {
  Exchange exchange(site, request, response);
  const auto login = exchange.resume();
  if (!login) return exchange.say_unavailable(login.error());
  if (!*login) return EventStreams::tell_end(response);
  if (!(*login)->tokens.access.empty()) exchange.keep((*login)->tokens);
  const auto opened = site.streams.open((*login)->session.key(), response);
  if (!opened) exchange.refuse(message_page({}, "Not now", opened.error().text), opened.error());
}

}  // namespace

void add_account_routes(httplib::Server& server, Site& site) {
  const auto get = [&](const std::string& path, Guarded handle) {
    server.Get(path, [&site, handle](const httplib::Request& request, httplib::Response& response) {
      Exchange exchange(site, request, response);
      if (auto visitor = exchange.require_login()) handle(exchange, *visitor);
    });
  };
  const auto post = [&](const std::string& path, Guarded handle) {
    server.Post(path, [&site, handle](const httplib::Request& request, httplib::Response& response) {
      Exchange exchange(site, request, response);
      if (!exchange.require_own_form()) return;
      auto visitor = exchange.require_login();
      if (visitor && exchange.require_form_of(*visitor)) handle(exchange, *visitor);
    });
  };
  get("/devices", show_devices);
  post("/devices/logout", log_out_device);
  post("/devices/logout-others", log_out_others);
  get("/password", show_password);
  post("/password", change_password);
  server.Get("/events", [&site](const httplib::Request& request, httplib::Response& response) {
    stream_events(site, request, response);
  });
}

}  // namespace example::auth_server
