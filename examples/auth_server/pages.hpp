// The pages as HTML. They show their arguments and decide nothing.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "html.hpp"
#include "obol/session.hpp"

namespace example::auth_server {

/// The frame of every page.
struct Frame {
  std::string user_name{};   ///< Empty: nobody is logged in.
  std::string form_token{};  ///< For forms: see mask_secret.
  std::string notice{};      ///< Result of the last action.
  std::string kept_in{};     ///< The store's name, such as "Redis 8.0.6".
};

/// A form that was sent and is shown again with its problem.
struct SentForm {
  std::string name{};
  std::string problem{};  ///< Empty if the form is shown for the first time.
};

std::string login_page(const Frame& frame, const SentForm& form);
std::string sign_up_page(const Frame& frame, const SentForm& form);
std::string password_page(const Frame& frame, const SentForm& form);

/// The first device is the visitor's own.
std::string devices_page(const Frame& frame, const std::vector<obol::Session>& devices, std::chrono::sys_seconds now);

/// For errors without a page of their own.
std::string message_page(const Frame& frame, std::string_view title, std::string_view text);

}  // namespace example::auth_server
