// The pages' markup.
#include "pages.hpp"

#include <fmt/chrono.h>

#include <cstddef>

#include "assets.hpp"
#include "obol/session_id.hpp"
#include "obol/version.hpp"
#include "payload.hpp"

namespace example::auth_server {
namespace {

using std::chrono::sys_seconds;

// An obol, with the ferryman's boat.
Html coin(std::string_view css_class) {
  return html(
      R"(<svg class="{}" viewBox="0 0 48 48" aria-hidden="true" focusable="false" fill="none" stroke="currentColor")"
      R"( stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"><circle cx="24" cy="24" r="22"/>)"
      R"(<circle cx="24" cy="24" r="17.5" stroke-width="1.4" stroke-dasharray="0.1 3.9"/>)"
      R"(<path d="M12.5 26h23c-1 4.6-4.4 7-8.5 7h-6c-4.1 0-7.5-2.4-8.5-7z" fill="currentColor"/>)"
      R"(<path d="M24 26V13.5c4.2 1.3 6.8 4.2 7.3 8.5H24"/></svg>)",
      css_class);
}

Html device_icon(std::string_view kind) {
  static const Html phone = html(R"(<rect x="7" y="2.5" width="10" height="19" rx="2.2"/><path d="M11 18.5h2"/>)");
  static const Html tablet = html(R"(<rect x="4.5" y="2.5" width="15" height="19" rx="2.2"/><path d="M11 18.5h2"/>)");
  static const Html computer = html(R"(<rect x="4" y="4.5" width="16" height="11" rx="1.8"/><path d="M2 19.5h20"/>)");
  return html(R"(<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false" fill="none")"
              R"( stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">{}</svg>)",
              kind == "phone"    ? phone
              : kind == "tablet" ? tablet
                                 : computer);
}

Html form_token(const Frame& frame) {
  return html(R"(<input type="hidden" name="form_token" value="{}">)", frame.form_token);
}

Html navigation(const Frame& frame, std::string_view path) {
  if (frame.user_name.empty()) return {};
  const auto link = [path](std::string_view target, std::string_view text) {
    return target == path ? html(R"(<a href="{}" aria-current="page">{}</a>)", target, text)
                          : html(R"(<a href="{}">{}</a>)", target, text);
  };
  return html(
      R"(<header class="bar"><div class="wide"><a class="brand" href="/devices">{}<span>Obol</span></a>)"
      R"(<nav aria-label="Account">{}{}</nav><form method="post" action="/logout">{}<span class="who">{}</span>)"
      R"(<button class="quiet">Log out</button></form></div></header>)",
      coin("coin"), link("/devices", "Devices"), link("/password", "Password"), form_token(frame), frame.user_name);
}

Html notice(const Frame& frame) {
  return frame.notice.empty() ? Html() : html(R"(<p class="notice" role="status">{}</p>)", frame.notice);
}

Html problem(const SentForm& form) {
  return form.problem.empty() ? Html() : html(R"(<p class="problem" role="alert" id="problem">{}</p>)", form.problem);
}

// Of those who are logged in: it shows at once that they are not any more.
Html script(const Frame& frame) {
  return frame.user_name.empty() ? Html() : html(R"(<script src="{}" defer></script>)", assets::live_path);
}

std::string document(const Frame& frame, std::string_view path, std::string_view title, const Html& content) {
  const auto page = html(
      R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{0} · Obol</title>)"
      R"(<meta name="viewport" content="width=device-width, initial-scale=1">)"
      R"(<meta name="color-scheme" content="light dark">)"
      R"(<link rel="icon" href="/coin.svg" type="image/svg+xml"><link rel="stylesheet" href="{1}">{7}</head><body>{2})"
      R"(<main class="{3}">{4}</main>)"
      R"(<footer>Sessions are kept in {5} by Obol {6}. Accounts of this example end with its process.</footer>)"
      R"(</body></html>)",
      title, assets::style_path, navigation(frame, path), frame.user_name.empty() ? "gate" : "wide", content,
      frame.kept_in, OBOL_VERSION_STRING, script(frame));
  return page.text();
}

Html password_field(std::string_view name, std::string_view label, std::string_view autocomplete, const Html& hint) {
  return html(R"(<p class="field"><label for="{0}">{1}</label>)"
              R"(<input id="{0}" name="{0}" type="password" autocomplete="{2}" maxlength="256" required{3}></p>)",
              name, label, autocomplete, hint);
}

const Html& new_password_hint() {
  static const Html hint = html(R"( minlength="10" aria-describedby="password-hint")");
  return hint;
}

Html account_form(const Frame& frame, const SentForm& form, std::string_view path, std::string_view action,
                  const Html& password) {
  return html(
      R"(<form class="card" method="post" action="{0}">{1}{2}{3}<p class="field"><label for="name">User name</label>)"
      R"(<input id="name" name="name" value="{4}" autocomplete="username" autocapitalize="none" spellcheck="false")"
      R"( maxlength="32" required></p>{5}<button class="main">{6}</button></form>)",
      path, form_token(frame), notice(frame), problem(form), form.name, password, action);
}

Html gate(std::string_view heading, const Html& form, std::string_view question, std::string_view path,
          std::string_view link) {
  return html(R"({}<h1>{}</h1>{}<p class="aside">{} <a href="{}">{}</a></p>)", coin("coin large"), heading, form,
              question, path, link);
}

std::string ago(std::chrono::seconds past) {
  struct Unit {
    std::chrono::seconds size;
    std::string_view name;
  };
  for (const auto& [size, name] : {Unit{std::chrono::days(1), "day"}, Unit{std::chrono::hours(1), "hour"},
                                   Unit{std::chrono::minutes(1), "minute"}}) {
    if (const auto count = past / size; count > 0)
      return fmt::format("{} {}{} ago", count, name, count == 1 ? "" : "s");
  }
  return "just now";
}

Html time_ago(sys_seconds time, sys_seconds now) {
  return html(R"(<time datetime="{}">{}</time>)", fmt::format("{:%FT%TZ}", time), ago(now - time));
}

Html log_out_button(const Frame& frame, const obol::Session& session, const Device& device) {
  return html(R"(<form method="post" action="/devices/logout">{0}<input type="hidden" name="device" value="{1}">)"
              R"(<button class="danger" aria-label="Log out {2}">Log out</button></form>)",
              form_token(frame), obol::session_id_hash(session.id), device.name);
}

Html device_item(const Frame& frame, const obol::Session& session, bool is_current, sys_seconds now) {
  const auto device = session.payload<Payload>().value_or(Payload{.device = {.name = "Unknown device"}}).device;
  static const Html badge = html(R"( <span class="badge">This device</span>)");
  return html(R"(<li class="device">{}<div><strong>{}</strong>{}<p class="facts"><span>{}</span><span>active {}</span>)"
              R"(<span>logged in {}</span></p></div>{}</li>)",
              device_icon(device.kind), device.name, is_current ? badge : Html(), device.place,
              time_ago(session.refreshed_at, now), time_ago(session.created_at, now),
              log_out_button(frame, session, device));
}

Html session_details(const obol::Session& session) {
  return html(
      R"(<details><summary>How this session is kept</summary><dl>)"
      R"(<dt>Written</dt><dd id="lock-version">{}</dd><dt>Refresh token issued</dt><dd>{}</dd>)"
      R"(<dt>Ends, if it is not used, on</dt><dd>{}</dd><dt>Ends in any case on</dt><dd>{}</dd></dl></details>)",
      session.lock_version == 1 ? "once" : fmt::format("{} times", session.lock_version),
      fmt::format("{:%d %B %Y, %H:%M:%S} UTC", session.refreshed_at),
      fmt::format("{:%d %B %Y}", session.refresh_expires_at),
      fmt::format("{:%d %B %Y}", session.expires_at.value_or(session.refresh_expires_at)));
}

}  // namespace

std::string login_page(const Frame& frame, const SentForm& form) {
  const auto password = password_field("password", "Password", "current-password", {});
  return document(frame, "/login", "Log in",
                  gate("Log in", account_form(frame, form, "/login", "Log in", password), "New here?", "/signup",
                       "Create an account"));
}

std::string sign_up_page(const Frame& frame, const SentForm& form) {
  auto password = password_field("password", "Password", "new-password", new_password_hint());
  password +=
      html(R"(<p class="hint" id="password-hint">At least 10 characters. A few words are better than odd signs.</p>)");
  return document(frame, "/signup", "Create an account",
                  gate("Create an account", account_form(frame, form, "/signup", "Create account", password),
                       "Have an account?", "/login", "Log in"));
}

std::string password_page(const Frame& frame, const SentForm& form) {
  return document(
      frame, "/password", "Password",
      html(R"(<h1>Change your password</h1><p class="lead">All your other devices are logged out, and this one gets a )"
           R"(new session id.</p><form class="card narrow" method="post" action="/password">{}{}{}{}{})"
           R"(<p class="hint" id="password-hint">At least 10 characters.</p>)"
           R"(<button class="main">Change password</button></form>)",
           form_token(frame), notice(frame), problem(form),
           password_field("password", "Current password", "current-password", {}),
           password_field("new_password", "New password", "new-password", new_password_hint())));
}

std::string devices_page(const Frame& frame, const std::vector<obol::Session>& devices, sys_seconds now) {
  Html items;
  for (std::size_t i = 0; i < devices.size(); ++i) items += device_item(frame, devices[i], i == 0, now);
  static const Html alone = html(R"(<p class="aside">You are logged in nowhere else.</p>)");
  const auto others =
      devices.size() < 2
          ? alone
          : html(R"(<form class="others" method="post" action="/devices/logout-others">{}<p>Lost one, or )"
                 R"(see one that is not yours?</p><button class="danger">Log out all other devices</button></form>)",
                 form_token(frame));
  return document(frame, "/devices", "Your devices",
                  html(R"(<h1>Your devices</h1><p class="lead">Where you are logged in. What you log out here is out )"
                       R"(at once.</p>{}<ul class="card devices">{}</ul>{}{})",
                       notice(frame), items, others, devices.empty() ? Html() : session_details(devices.front())));
}

std::string message_page(const Frame& frame, std::string_view title, std::string_view text) {
  return document(frame, "", title,
                  html(R"({}<h1>{}</h1><p class="lead">{}</p><p class="aside"><a href="/">Go on</a></p>)",
                       frame.user_name.empty() ? coin("coin large") : Html(), title, text));
}

}  // namespace example::auth_server
