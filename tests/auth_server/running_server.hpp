// The whole example behind a real socket, with sessions in this process and a clock in the test's hand.
#pragma once

#include <gtest/gtest.h>
#include <sodium.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "httplib.h"
#include "obol/memory_store.hpp"
#include "obol/session_watch.hpp"
#include "server.hpp"
#include "site.hpp"
#include "support/served.hpp"
#include "support/sessions.hpp"
#include "support/troubled_store.hpp"

namespace example::auth_server {

class RunningServer : public ::testing::Test {
 protected:
  static constexpr const char* password = "a coin for the ferryman";

  void SetUp() override {
    ASSERT_GE(::sodium_init(), 0);
    Options options;
    options.sessions.keyring = obol::Keyring(obol::testing::signing_key());
    options.sessions.clock = clock();
    site = std::make_unique<Site>(obol::SessionManager::create(store, options.sessions).value(),
                                  obol::SessionWatch::over(memory).value(), options.sessions.keyring, false, "test");
    served = std::make_unique<obol::testing::Served>(make_server({}, *site).value());
    ASSERT_GT(served->port(), 0);
    client = served->client();
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
    return client->Post(path, {{"Origin", "http://127.0.0.1:" + std::to_string(served->port())}, {"Cookie", cookies}},
                        fields);
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
  std::shared_ptr<obol::testing::TroubledStore> store = std::make_shared<obol::testing::TroubledStore>(memory);
  std::unique_ptr<Site> site;
  std::unique_ptr<obol::testing::Served> served;
  std::unique_ptr<httplib::Client> client;
};

}  // namespace example::auth_server
