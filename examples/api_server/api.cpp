// The routes. Each answers with JSON: what was asked for, or {"error": ..., "error_description": ...}.
#include "api.hpp"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "bearer.hpp"
#include "log.hpp"
#include "obol/json_payload.hpp"
#include "obol/session_id.hpp"

namespace example::api_server {
namespace {

using Json = nlohmann::json;
using obol::AccessCheck;

std::chrono::sys_seconds now(const Api& api) {
  return std::chrono::floor<std::chrono::seconds>(api.sessions.options().clock());
}

std::int64_t seconds_since_epoch(std::chrono::sys_seconds time) { return time.time_since_epoch().count(); }

std::optional<std::string> text_of(const Json& object, std::string_view name) {
  if (!object.is_object()) return std::nullopt;
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? std::optional(member->get<std::string>()) : std::nullopt;
}

/// One request and its answer.
class Call {
 public:
  Call(Api& api, const httplib::Request& request, httplib::Response& response)
      : api_(api), request_(request), response_(response) {}

  Api& api() { return api_; }
  const std::string& network() const { return request_.remote_addr; }

  void answer(int status, const Json& body) {
    response_.status = status;
    response_.set_content(obol::encode_json(body), "application/json");
  }

  void refuse(int status, std::string_view error, std::string_view description) {
    answer(status, {{"error", error}, {"error_description", description}});
  }

  void refuse(const Refusal& refusal) {
    if (refusal.retry_after.count() > 0) retry_after(refusal.retry_after);
    refuse(refusal.status, refusal.status == 503 ? "temporarily_unavailable" : "refused", refusal.text);
  }

  /// The store is not available. The client keeps its tokens.
  void try_later(const obol::Error& error) {
    log_line(fmt::format("error: {} ({})", error.message, error.code.message()));
    retry_after(std::chrono::seconds(5));
    refuse(503, "temporarily_unavailable", "sessions cannot be looked up just now; keep the tokens and try again");
  }

  /// The body's members, all of them texts. Without a value the request is refused.
  template <class... Names>
  std::optional<std::vector<std::string>> require_texts(Names... names) {
    const auto body = obol::decode_json(request_.body).value_or(Json());
    std::vector<std::string> texts;
    for (const std::string_view name : {std::string_view(names)...}) {
      auto text = text_of(body, name);
      if (!text) {
        refuse(400, "invalid_request", fmt::format("the body must be a JSON object with a text \"{}\"", name));
        return std::nullopt;
      }
      texts.push_back(std::move(*text));
    }
    return texts;
  }

  /// The sender of the access token. Without a value the answer is a challenge (RFC 6750), or that nothing is known.
  std::optional<obol::Authenticated> require_sender(AccessCheck check) {
    std::vector<std::string> headers;
    for (auto [at, end] = request_.headers.equal_range("Authorization"); at != end; ++at) headers.push_back(at->second);
    const auto bearer = read_bearer(headers);
    if (bearer.found == Bearer::Found::nothing) {
      response_.set_header("WWW-Authenticate", challenge());
      refuse(401, "unauthorized", "send an access token: Authorization: Bearer ...");
      return std::nullopt;
    }
    if (bearer.found == Bearer::Found::malformed) {
      refuse_token(400, "invalid_request", "the Authorization header is malformed");
      return std::nullopt;
    }
    auto sender = api_.sessions.authenticate(bearer.token, check);
    if (!sender) {
      try_later(sender.error());
      return std::nullopt;
    }
    if (!*sender) refuse_token(401, "invalid_token", "the access token is not valid, or has expired");
    return std::move(*sender);
  }

  /// In the form of RFC 6749, section 5.1.
  void give(const obol::SessionTokens& tokens) {
    answer(200, {{"access_token", tokens.access},
                 {"token_type", "Bearer"},
                 {"expires_in", (tokens.access_expires_at - now(api_)).count()},
                 {"refresh_token", tokens.refresh}});
  }

 private:
  void refuse_token(int status, std::string_view error, std::string_view description) {
    response_.set_header("WWW-Authenticate", challenge(error, description));
    refuse(status, error, description);
  }
  void retry_after(std::chrono::seconds wait) { response_.set_header("Retry-After", std::to_string(wait.count())); }

  Api& api_;
  const httplib::Request& request_;
  httplib::Response& response_;
};

void sign_up(Call& call) {
  const auto texts = call.require_texts("name", "password");
  if (!texts) return;
  const auto user = call.api().accounts.sign_up((*texts)[0], (*texts)[1], call.network());
  if (!user) return call.refuse(user.error());
  call.answer(201, {{"id", user->id}, {"name", user->name}});
}

void log_in(Call& call) {
  const auto texts = call.require_texts("name", "password", "device");
  if (!texts) return;
  auto& [sessions, accounts] = call.api();
  const auto hash_read_at = now(call.api());
  const auto user = accounts.users.find_by_name((*texts)[0]);
  const auto verified =
      accounts.verify(user, (*texts)[1], {.account = account_of((*texts)[0]), .network = call.network()});
  if (!verified) return call.refuse(verified.error());
  const auto login = sessions.log_in(user->id, (*texts)[2], hash_read_at);
  if (login) return call.give(login->tokens);
  if (login.error().code != obol::ErrorCode::revoked) return call.try_later(login.error());
  call.refuse(401, "refused", "the account was changed meanwhile; log in again");
}

void refresh(Call& call) {
  const auto texts = call.require_texts("refresh_token");
  if (!texts) return;
  const auto refreshed = call.api().sessions.refresh((*texts)[0]);
  if (!refreshed) return call.try_later(refreshed.error());
  if (!*refreshed) return call.refuse(400, "invalid_grant", "the refresh token is not valid, or its session has ended");
  call.give((*refreshed)->tokens);
}

// The token alone tells who it is, so this asks no store. A token is good for minutes after a logout here.
void show_sender(Call& call) {
  const auto sender = call.require_sender(AccessCheck::token);
  if (!sender) return;
  call.answer(200, {{"user_id", sender->session_key.user_id}, {"expires_at", seconds_since_epoch(sender->expires_at)}});
}

void list_sessions(Call& call) {
  const auto sender = call.require_sender(AccessCheck::token_and_session);
  if (!sender) return;
  const auto sessions = call.api().sessions.list(sender->session_key.user_id);
  if (!sessions) return call.try_later(sessions.error());
  Json list = Json::array();
  for (const auto& session : *sessions) {
    list.push_back({{"id", obol::session_id_hash(session.id)},
                    {"device", session.extra_payload},
                    {"logged_in_at", seconds_since_epoch(session.created_at)},
                    {"used_at", seconds_since_epoch(session.refreshed_at)},
                    {"is_this", session.id == sender->session_key.id}});
  }
  call.answer(200, {{"sessions", std::move(list)}});
}

void log_out_others(Call& call) {
  const auto sender = call.require_sender(AccessCheck::token_and_session);
  if (!sender) return;
  const auto ended = call.api().sessions.log_out_others(sender->session_key);
  if (!ended) return call.try_later(ended.error());
  call.answer(200, Json::object());
}

// A session that has ended is logged out as well: the token alone is enough.
void log_out(Call& call) {
  const auto sender = call.require_sender(AccessCheck::token);
  if (!sender) return;
  const auto ended = call.api().sessions.log_out(sender->session_key);
  if (!ended) return call.try_later(ended.error());
  call.answer(200, Json::object());
}

void change_password(Call& call) {
  auto sender = call.require_sender(AccessCheck::token_and_session);
  if (!sender) return;
  const auto texts = call.require_texts("password", "new_password");
  if (!texts) return;
  auto& [sessions, accounts] = call.api();
  const auto user = accounts.users.find_by_id(sender->session_key.user_id);
  if (!user) return call.refuse(404, "refused", "this process has no such account any more");
  const auto hash = accounts.change_password(*user, (*texts)[0], (*texts)[1], sender->session_key.id);
  if (!hash) return call.refuse(hash.error());
  const auto secured = sessions.secure(std::move(sender->session).value());
  if (!secured) {
    // No session of the old password may remain: either both changes succeed, or the user has to try again.
    accounts.users.replace_password_hash(user->id, *hash, user->password_hash);
    return call.try_later(secured.error());
  }
  if (!*secured) return call.refuse(401, "refused", "the password is changed, and the session has ended; log in again");
  call.give((*secured)->tokens);
}

}  // namespace

MadeServer make_server(const Options& options, Api& api) {
  auto server = make_http_server(options);
  if (!server) return server;
  const auto handler = [&api](void (*handle)(Call&)) {
    return [&api, handle](const httplib::Request& request, httplib::Response& response) {
      Call call(api, request, response);
      handle(call);
    };
  };
  (*server)->set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
  (*server)->set_error_handler([&api](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const auto* const why = response.status == 404
                                ? "there is nothing here"
                                : "the request is malformed or too large; a POST needs a body or Content-Length: 0";
    Call(api, request, response).refuse(response.status, "refused", why);
  });
  (*server)->set_exception_handler(
      [&api](const httplib::Request& request, httplib::Response& response, const std::exception_ptr&) {
        log_line(fmt::format("error: {} {} failed", request.method, request.path));
        Call(api, request, response).refuse(500, "server_error", "something went wrong; try again");
      });
  (*server)->Post("/users", handler(sign_up));
  (*server)->Post("/login", handler(log_in));
  (*server)->Post("/refresh", handler(refresh));
  (*server)->Post("/logout", handler(log_out));
  (*server)->Post("/password", handler(change_password));
  (*server)->Get("/me", handler(show_sender));
  (*server)->Get("/sessions", handler(list_sessions));
  (*server)->Delete("/sessions/others", handler(log_out_others));
  return server;
}

}  // namespace example::api_server
