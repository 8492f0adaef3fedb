// What examples/auth_server sends to browsers and takes from them: escaped text, cookies, form tokens, device names.
#include <gtest/gtest.h>
#include <sodium.h>

#include <string>

#include "cookies.hpp"
#include "csrf.hpp"
#include "device.hpp"
#include "html.hpp"
#include "log.hpp"
#include "pages.hpp"

namespace example::auth_server { namespace {

TEST(AuthServerHtml, EscapesTextAndTakesHtmlAsItIs) {
  const auto bold = html("<b title=\"{}\">{}</b>", "\"'", std::string("<&>"));
  EXPECT_EQ(bold.text(), "<b title=\"&quot;&#39;\">&lt;&amp;&gt;</b>");
  EXPECT_EQ(html("{}{}", bold, 1).text(), bold.text() + "1");
}

TEST(AuthServerPages, EscapeWhateverTheyAreGiven) {
  const std::string hostile = "<script>'\"&";
  const Frame frame{.user_name = hostile, .form_token = hostile, .notice = hostile, .kept_in = hostile};
  const SentForm form{.name = hostile, .problem = hostile};
  obol::Session session{.id = hostile};
  session.set_payload(Payload{.device = {.name = hostile, .kind = hostile, .place = hostile}});
  const obol::Session of_another_program{.id = hostile, .extra_payload = hostile};
  for (const auto& page :
       {login_page(frame, form), sign_up_page(frame, form), password_page(frame, form),
        devices_page(frame, {session, of_another_program}, {}), message_page(frame, hostile, hostile)}) {
    EXPECT_TRUE(page.contains("<script src=\"/live.js?")) << "the pages' own, which is the only one";
    EXPECT_EQ(page.find("<script"), page.rfind("<script"));
    EXPECT_EQ(page.find("'\""), std::string::npos);
  }
}

TEST(AuthServerCookies, AreBoundToTheHostOverTls) {
  EXPECT_EQ(Cookies(true).set(Cookie::access, "value", std::chrono::seconds(60)),
            "__Host-obol_access=value; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
  EXPECT_EQ(Cookies(false).remove(Cookie::refresh), "obol_refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
}

TEST(AuthServerCookies, AreReadByTheirWholeName) {
  const Cookies cookies(false);
  EXPECT_EQ(cookies.read({"a=1; obol_access=x-y_Z9 ;b", "c=2"}, Cookie::access), "x-y_Z9");
  EXPECT_EQ(cookies.read({"not_obol_access=1; obol_access2=2; __Host-obol_access=3"}, Cookie::access), "");
  EXPECT_EQ(Cookies(true).read({"obol_access=1"}, Cookie::access), "");
  for (const auto* header : {"", ";", "=", "obol_access", ";;=;obol_access=", "   "}) {
    EXPECT_EQ(cookies.read({header}, Cookie::access), "") << header;
  }
}

TEST(AuthServerCookies, OfWhichThereAreTwoCountAsNone) {
  const Cookies cookies(false);
  EXPECT_EQ(cookies.read({"obol_access=ours; obol_access=planted"}, Cookie::access), "");
  EXPECT_EQ(cookies.read({"obol_access=ours", "obol_access=planted"}, Cookie::access), "");
}

TEST(AuthServerCookies, WithValuesThatWereNotMadeHereCountAsNone) {
  const Cookies cookies(false);
  for (const std::string value :
       {"a b", "a=b", "a.b", "a,b", "\"a\"", "a\r\nSet-Cookie: evil=1", "a\n", "\x7f", "\xc3\xa9"}) {
    EXPECT_EQ(cookies.read({"obol_form=" + value}, Cookie::form), "") << value;
  }
}

TEST(AuthServerCookies, AFormSecretIs22CharactersOfBase64url) {
  EXPECT_TRUE(is_form_secret("ABCDEFGHIJ-_klmnop0189"));
  for (const auto* text : {"", "ABCDEFGHIJ-_klmnop018", "ABCDEFGHIJ-_klmnop01890",
                           "ABCDEFGHIJ-_klmnop018=", "ABCDEFGHIJ-_klmnop018 ", "\r\nSet-Cookie:evil=1234"}) {
    EXPECT_FALSE(is_form_secret(text)) << text;
  }
}

TEST(AuthServerLog, HasOneLineOfPrintableAsciiForWhateverIsSent) {
  EXPECT_EQ(printable("GET /a\\b failed"), "GET /a\\\\b failed");
  EXPECT_EQ(printable("\r\nauth server: all is well\x1b[2J\x7f"), "\\x0d\\x0aauth server: all is well\\x1b[2J\\x7f");
  EXPECT_EQ(printable("\xe2\x80\xae\xc2\x9b"), "\\xe2\\x80\\xae\\xc2\\x9b");
}

class AuthServerForms : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_GE(::sodium_init(), 0); }
  const std::string secret = "0123456789abcdefghijkl";
};

TEST_F(AuthServerForms, ProveTheSecretUnderAMaskThatIsNewEachTime) {
  const auto masked = mask_secret(secret);
  EXPECT_TRUE(proves_secret(masked, secret));
  EXPECT_NE(masked, mask_secret(secret));
  EXPECT_EQ(masked.find(secret), std::string::npos);
}

TEST_F(AuthServerForms, ProveNothingWithAnotherSecretOrNone) {
  const auto masked = mask_secret(secret);
  for (std::size_t i = 0; i < masked.size(); ++i) {
    auto changed = masked;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(proves_secret(changed, secret)) << i;
    EXPECT_FALSE(proves_secret(masked.substr(0, i), secret)) << i;
  }
  EXPECT_FALSE(proves_secret(masked, "1123456789abcdefghijkl"));
  EXPECT_FALSE(proves_secret("", ""));
  EXPECT_FALSE(proves_secret(mask_secret(""), ""));
  EXPECT_FALSE(proves_secret(std::string(1'000'000, 'A'), secret));
  EXPECT_FALSE(proves_secret("not base64!", secret));
}

TEST_F(AuthServerForms, AreTakenFromOurOwnPagesOnly) {
  EXPECT_TRUE(is_from_own_page({.origin = "http://here:1", .sec_fetch_site = {}, .host = "here:1"}, false));
  EXPECT_TRUE(is_from_own_page({.origin = "https://here", .sec_fetch_site = "same-origin", .host = "here"}, true));
  EXPECT_FALSE(is_from_own_page({.origin = "http://here", .sec_fetch_site = {}, .host = "here"}, true));
  EXPECT_FALSE(is_from_own_page({.origin = "http://here:2", .sec_fetch_site = {}, .host = "here:1"}, false));
  EXPECT_FALSE(is_from_own_page({.origin = "http://here", .sec_fetch_site = "same-site", .host = "here"}, false));
  EXPECT_FALSE(is_from_own_page({.origin = "null", .sec_fetch_site = {}, .host = "here"}, false));
  EXPECT_FALSE(is_from_own_page({.origin = {}, .sec_fetch_site = {}, .host = "here"}, false));
  EXPECT_FALSE(is_from_own_page({.origin = "http://", .sec_fetch_site = {}, .host = {}}, false));
}

struct Sight {
  const char* user_agent;
  const char* address;
  const char* name;
  const char* kind;
  const char* place;
};

TEST(AuthServerDevice, IsNamedSoThatItsOwnerKnowsIt) {
  for (const auto& [user_agent, address, name, kind, place] : {
           Sight{
               "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
               "203.0.113.77", "Edge on Windows", "computer", "203.0.113.x"},
           Sight{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
                 "2001:db8:1:2::3", "Safari on iPhone", "phone", "2001:db8:1::"},
           Sight{"Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140.0.0.0 Mobile Safari/537.36",
                 "::ffff:198.51.100.1", "Chrome on Android", "phone", "198.51.100.x"},
           Sight{"Mozilla/5.0 (Android 15; Tablet; rv:140.0) Gecko/140.0 Firefox/140.0", "127.0.0.1",
                 "Firefox on Android", "tablet", "this computer"},
           Sight{"curl/8.1", "::1", "curl", "computer", "this computer"},
           Sight{"Toaster 2000", "nowhere", "Toaster", "computer", "unknown place"},
           Sight{"\xe2\x80\xaeToaster", "192.0.2.1", "Unknown device", "computer", "192.0.2.x"},
           Sight{"Toas\tter/1", "192.0.2.1", "Unknown device", "computer", "192.0.2.x"},
           Sight{"", "", "Unknown device", "computer", "unknown place"},
       }) {
    const auto device = recognise_device(user_agent, address);
    EXPECT_EQ(device.name, name);
    EXPECT_EQ(device.kind, kind) << user_agent;
    EXPECT_EQ(device.place, place) << address;
  }
  EXPECT_LE(recognise_device(std::string(8000, '<'), "").name.size(), 40);
}

}}  // namespace example::auth_server
