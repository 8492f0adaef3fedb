// The whole example behind a real socket, with sessions in this process and a clock in the test's hand.
#pragma once

#include <gtest/gtest.h>
#include <sodium.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "httplib.h"
#include "obol/memory_store.hpp"
#include "server.hpp"
#include "site.hpp"
#include "support/sessions.hpp"
#include "troubled_store.hpp"

namespace auth_server {

class RunningServer : public ::testing::Test {
 protected:
  static constexpr const char* here = "127.0.0.1";
  static constexpr const char* password = "a coin for the ferryman";

  void SetUp() override {
    ASSERT_GE(::sodium_init(), 0);
    Options options;
    options.sessions.keyring = obol::Keyring(obol::testing::signing_key());
    options.sessions.clock = clock();
    site =
        std::make_unique<Site>(obol::SessionManager::create(store, std::move(options.sessions)).value(), false, "test");
    server = make_server({}, *site).value();
    port = server->bind_to_any_port(here);
    ASSERT_GT(port, 0);
    listener = std::thread([this] { server->listen_after_bind(); });
    client = std::make_unique<httplib::Client>(here, port);
    client->set_read_timeout(60);  // A password hash takes long on a busy machine.
  }
  void TearDown() override {
    if (!listener.joinable()) return;
    while (!server->is_running()) std::this_thread::yield();
    server->stop();
    listener.join();
  }

  obol::Clock clock() {
    return [this] { return std::chrono::system_clock::time_point(now.load()); };
  }

  static std::vector<std::string> cookies_of(const httplib::Response& response) {
    std::vector<std::string> cookies;
    for (auto [at, end] = response.headers.equal_range("Set-Cookie"); at != end; ++at) cookies.push_back(at->second);
    return cookies;
  }

  /// What a browser sends back of them.
  static std::string cookie_header(const std::vector<std::string>& cookies) {
    std::string header;
    for (const auto& cookie : cookies) header += cookie.substr(0, cookie.find(';')) + "; ";
    return header;
  }

  /// Sends the form of a page.
  httplib::Result send(const std::string& path, httplib::Params fields, const httplib::Result& page,
                       const std::string& cookies) {
    const std::regex field("name=\"form_token\" value=\"([^\"]*)\"");
    std::smatch token;
    EXPECT_TRUE(std::regex_search(page->body, token, field));
    fields.emplace("form_token", token.str(1));
    return client->Post(path, {{"Origin", "http://127.0.0.1:" + std::to_string(port)}, {"Cookie", cookies}}, fields);
  }

  /// Loads a form and sends it, as a browser with these cookies does; without any, with that of the form.
  httplib::Result send_form(const std::string& path, httplib::Params fields, const std::string& cookies = {}) {
    const auto page = client->Get(path, {{"Cookie", cookies}});
    return send(path, std::move(fields), page, cookies.empty() ? cookie_header(cookies_of(*page)) : cookies);
  }

  httplib::Result sign_up(const std::string& name) {
    return send_form("/signup", {{"name", name}, {"password", password}});
  }

  /// The cookies of a new user's browser.
  std::string signed_up(const std::string& name) { return cookie_header(cookies_of(*sign_up(name))); }

  std::atomic<std::chrono::system_clock::duration> now{obol::testing::now_in_seconds().time_since_epoch()};
  obol::MemoryStore memory{{.clock = clock()}};
  std::shared_ptr<TroubledStore> store = std::make_shared<TroubledStore>(memory);
  std::unique_ptr<Site> site;
  std::unique_ptr<httplib::Server> server;
  std::unique_ptr<httplib::Client> client;
  std::thread listener;
  int port = 0;
};

}  // namespace auth_server
