// Bare connections and what INFO tells.
#include "server.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace obol::benchmark {
namespace {

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "obol_bench: {}\n", what);
  std::exit(1);
}

/// The number behind `name` in INFO's text; 0 where there is none.
double number_after(const std::string& text, std::string_view name) {
  const auto at = text.find(name);
  return at == std::string::npos ? 0 : std::atof(text.c_str() + at + name.size());
}

}  // namespace

BareConnection::BareConnection(const ConnectionOptions& options)
    : context_(options.unix_socket.empty() ? ::redisConnect(options.host.c_str(), options.port)
                                           : ::redisConnectUnix(options.unix_socket.c_str())) {
  if (!context_ || context_->err != 0) give_up("cannot connect to the server");
  if (options.tls.enabled) give_up("measures without TLS only");
  if (options.password.empty()) return;
  const std::string user = options.username.empty() ? "default" : options.username;
  if (call({"AUTH", user, options.password})->type == REDIS_REPLY_ERROR) give_up("the server refuses the password");
}

void BareConnection::send(const redis::Command& command) {
  ::redisAppendFormattedCommand(context_.get(), command.bytes().data(), command.bytes().size());
}

BareConnection::Reply BareConnection::receive() {
  void* reply = nullptr;
  if (::redisGetReply(context_.get(), &reply) != REDIS_OK) give_up("the connection was lost");
  return Reply(static_cast<redisReply*>(reply));
}

Server::Server(testing::ServerKind kind) : kind_(kind) {
  connection_.host = "127.0.0.1";
  connection_.port = port_.emplace().number();
  private_.emplace(kind, std::vector<std::string>{"--port", fmt::format("{}", connection_.port)});
  admin_ = std::make_unique<BareConnection>(connection_);
}

Server::Server(ConnectionOptions connection)
    : connection_(std::move(connection)), admin_(std::make_unique<BareConnection>(connection_)) {}

std::string Server::info(std::string_view section) {
  const auto reply = admin_->call({"INFO", section});
  if (reply->type == REDIS_REPLY_ERROR) give_up("INFO is not permitted");
  return {reply->str, reply->len};
}

std::string Server::name() {
  const auto text = info("server");
  for (const auto& [kind, field] : {std::pair{"Valkey", "valkey_version:"}, {"Redis", "redis_version:"}}) {
    const auto at = text.find(field);
    if (at == std::string::npos) continue;
    const auto begin = at + std::string_view(field).size();
    return fmt::format("{} {}", kind, text.substr(begin, text.find_first_of("\r\n", begin) - begin));
  }
  return "server";
}

ServerTime Server::time_of(std::string_view command) {
  const auto processor = info("cpu");
  const auto commands = info("commandstats");
  const auto at = commands.find(fmt::format("cmdstat_{}:", command));
  const auto line = at == std::string::npos ? std::string{} : commands.substr(at);
  return {.all_us = (number_after(processor, "used_cpu_sys:") + number_after(processor, "used_cpu_user:")) * 1e6,
          .command_us = number_after(line, "usec="),
          .calls = number_after(line, "calls=")};
}

double Server::used_memory() { return number_after(info("memory"), "used_memory:"); }

void Server::clean() {
  std::string cursor = "0";
  do {
    const auto page = admin_->call({"SCAN", cursor, "MATCH", fmt::format("{}*", key_prefix), "COUNT", "1000"});
    if (page->type != REDIS_REPLY_ARRAY || page->elements != 2) give_up("SCAN is not permitted");
    cursor = page->element[0]->str;
    const auto& keys = *page->element[1];
    for (std::size_t i = 0; i < keys.elements; ++i)
      admin_->send({"UNLINK", {keys.element[i]->str, keys.element[i]->len}});
    for (std::size_t i = 0; i < keys.elements; ++i) admin_->receive();
  } while (cursor != "0");
}

}  // namespace obol::benchmark
