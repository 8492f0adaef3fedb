// The pages, as HTML that needs no script. They show what they are given and decide nothing.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "html.hpp"
#include "sessions.hpp"

namespace auth_server {

/// What every page shows around its content.
struct Frame {
  std::string user_name{};   ///< Empty: nobody is logged in.
  std::string form_token{};  ///< For the forms: see mask_secret.
  std::string notice{};      ///< What was just done.
  std::string kept_in{};     ///< Where sessions are kept, such as "Redis 8.0.6".
};

/// A form that was sent and is shown again.
struct SentForm {
  std::string name{};
  std::string problem{};  ///< Empty where it is shown for the first time.
};

std::string login_page(const Frame& frame, const SentForm& form);
std::string sign_up_page(const Frame& frame, const SentForm& form);
std::string password_page(const Frame& frame, const SentForm& form);

/// The first of the devices is the one that asks.
std::string devices_page(const Frame& frame, const std::vector<Login>& devices, std::chrono::sys_seconds now);

/// For what cannot be shown otherwise.
std::string message_page(const Frame& frame, std::string_view title, std::string_view text);

}  // namespace auth_server
