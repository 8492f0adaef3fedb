// Makes HELLO and AUTH, and reads the server's role in the reply to HELLO.
#include "redis/protocol/hello.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

std::string_view user_of(const UserCredentials& credentials) {
  return credentials.username.empty() ? std::string_view("default") : credentials.username;
}

bool is_sentinel(const Reply& hello) {
  const Reply* mode = hello.find("mode");
  return mode != nullptr && mode->text == "sentinel";
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

const Command& role_question() {
  // Never destroyed: a thread may ask until the process is gone.
  static const auto& question = *new Command{"HELLO"};
  return question;
}

Result<void> check_primary(const Reply& hello) {
  const Reply* role = hello.find("role");
  if (role != nullptr && role->text == "master") return {};
  if (role != nullptr) {
    return std::unexpected(
        Error{ErrorCode::unavailable, "this server is a replica; connect to the primary, or wait for the failover"});
  }
  if (is_sentinel(hello)) {
    return std::unexpected(Error{ErrorCode::invalid_argument,
                                 "this server is a sentinel; set ConnectionOptions::sentinel (redis+sentinel://)"});
  }
  return std::unexpected(
      Error{ErrorCode::unsupported_server,
            "the reply to HELLO does not say whether this is a primary; is a proxy answering instead?"});
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
