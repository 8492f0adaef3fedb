// Makes HELLO and AUTH, and reads the server's role in the reply to HELLO.
#include "redis/protocol/hello.hpp"

#include <fmt/format.h>

namespace obol { inline namespace v0 { namespace redis {
namespace {

std::string_view user_of(const UserCredentials& credentials) {
  return credentials.username.empty() ? std::string_view("default") : credentials.username;
}

bool is_sentinel(const Reply& hello) {
  const Reply* mode = hello.find("mode");
  return mode != nullptr && mode->text == "sentinel";
}

/// Null if the answer does not tell.
const Reply* role_in(const Reply& answer, RoleSource source) {
  if (source != RoleSource::role) return answer.find("role");
  return role_source_by(answer) == RoleSource::role ? &answer.elements.front() : nullptr;
}

}  // namespace

bool sends_authentication(const UserCredentials& credentials) {
  return !credentials.username.empty() || !credentials.password.empty();
}

Command hello(const UserCredentials& credentials, std::string_view client_name) {
  const auto user = user_of(credentials);
  const bool is_named = !client_name.empty();
  if (!sends_authentication(credentials)) {
    return is_named ? Command{"HELLO", "3", "SETNAME", client_name} : Command{"HELLO", "3"};
  }
  return is_named ? Command{"HELLO", "3", "AUTH", user, credentials.password, "SETNAME", client_name}
                  : Command{"HELLO", "3", "AUTH", user, credentials.password};
}

Command authentication(const UserCredentials& credentials) {
  return {"AUTH", user_of(credentials), credentials.password};
}

bool lacks_role(const Reply& hello) {
  return hello.kind == Reply::Kind::map && hello.find("role") == nullptr && !is_sentinel(hello);
}

Command role_command() { return {"ROLE"}; }

RoleSource role_source_by(const Reply& role) {
  const bool tells = role.kind == Reply::Kind::list && !role.elements.empty() && !role.elements.front().text.empty();
  return tells ? RoleSource::role : RoleSource::nobody;
}

const Command& role_question(RoleSource source) {
  // Never destroyed: a thread may ask until the process is gone.
  static const auto& of_hello = *new Command{"HELLO"};
  static const auto& of_role = *new Command(role_command());
  return source == RoleSource::role ? of_role : of_hello;
}

Result<void> check_primary(const Reply& answer, RoleSource source) {
  const auto* role = role_in(answer, source);
  if (role != nullptr && role->text == "master") return {};
  if (is_sentinel(answer) || (role != nullptr && role->text == "sentinel")) {
    return std::unexpected(Error{ErrorCode::invalid_argument,
                                 "this server is a sentinel; set ConnectionOptions::sentinel (redis+sentinel://)"});
  }
  if (role != nullptr) {
    return std::unexpected(
        Error{ErrorCode::unavailable, "this server is a replica; connect to the primary, or wait for the failover"});
  }
  if (source == RoleSource::nobody && answer.kind == Reply::Kind::map) return {};
  return std::unexpected(
      Error{ErrorCode::unsupported_server,
            fmt::format("the reply to {} does not say whether this is a primary; is a proxy answering instead?",
                        role_question(source).name())});
}

Result<void> check_sentinel(const Reply& hello) {
  if (is_sentinel(hello)) return {};
  return std::unexpected(
      Error{ErrorCode::invalid_argument, "this server is not a sentinel; check connection.sentinel.sentinels"});
}

std::int64_t client_id_in(const Reply& hello) {
  const Reply* id = hello.find("id");
  return id == nullptr ? 0 : id->integer;
}

}}}  // namespace obol::v0::redis
