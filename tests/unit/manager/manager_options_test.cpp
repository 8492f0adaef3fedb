// Which options of a session manager fit together.
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "obol/session_limits.hpp"
#include "unit/manager/manager_test.hpp"

namespace obol::testing { namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

template <class Kind>
class ManagerOptionsTest : public ManagerTest<Kind> {
 protected:
  std::string refusal(const std::function<void(SessionManagerOptions&)>& change) const {
    auto changed = this->options();
    change(changed);
    const auto created = Kind::create(this->store, std::move(changed));
    if (created) return "created";
    EXPECT_EQ(created.error().code, ErrorCode::invalid_argument);
    return created.error().message;
  }
  void expect_refused(const std::string& what, const std::function<void(SessionManagerOptions&)>& change) const {
    EXPECT_TRUE(refusal(change).starts_with(what)) << refusal(change);
  }
};

TYPED_TEST_SUITE(ManagerOptionsTest, ManagerKinds);

TYPED_TEST(ManagerOptionsTest, RefusesWhatContradictsItself) {
  this->expect_refused("access_lifetime (3601 s) is longer than refresh_lifetime (3600 s)", [](auto& changed) {
    changed.refresh_lifetime = hours(1);
    changed.access_lifetime = hours(1) + seconds(1);
  });
  this->expect_refused("refresh_lifetime (1209600 s) is longer than absolute_lifetime (43200 s)",
                       [](auto& changed) { changed.absolute_lifetime = hours(12); });
  this->expect_refused("overlap (301 s) is longer than access_lifetime (300 s)",
                       [](auto& changed) { changed.overlap = minutes(5) + seconds(1); });
  this->expect_refused("drift (301 s) is longer than access_lifetime (300 s)",
                       [](auto& changed) { changed.drift = minutes(5) + seconds(1); });
  this->expect_refused("touch_interval (1209601 s) is longer than refresh_lifetime (1209600 s)",
                       [](auto& changed) { changed.touch_interval = days(14) + seconds(1); });
}

TYPED_TEST(ManagerOptionsTest, RefusesWhatIsNegativeOrMissing) {
  this->expect_refused("overlap is -1 s", [](auto& changed) { changed.overlap = seconds(-1); });
  this->expect_refused("drift is -1 s", [](auto& changed) { changed.drift = seconds(-1); });
  this->expect_refused("touch_interval is -1 s", [](auto& changed) { changed.touch_interval = seconds(-1); });
  this->expect_refused("access_lifetime is 0 s", [](auto& changed) { changed.access_lifetime = seconds(0); });
  this->expect_refused("refresh_lifetime is -5 s", [](auto& changed) { changed.refresh_lifetime = seconds(-5); });
  this->expect_refused("absolute_lifetime is 0 s", [](auto& changed) { changed.absolute_lifetime = seconds(0); });
  this->expect_refused("the keyring is empty", [](auto& changed) { changed.keyring = {}; });
  this->expect_refused("the clock is empty", [](auto& changed) { changed.clock = {}; });
  this->expect_refused("the session type", [](auto& changed) { changed.session_type = "a:b"; });
  EXPECT_EQ(SessionManager::create(nullptr, this->options()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(AsyncSessionManager::create(nullptr, this->options()).error().code, ErrorCode::invalid_argument);
}

TYPED_TEST(ManagerOptionsTest, AcceptsTheExtremes) {
  EXPECT_EQ(this->refusal([](auto& changed) {
    changed.access_lifetime = changed.refresh_lifetime = seconds(1);
    changed.absolute_lifetime = seconds(1);
    changed.overlap = changed.drift = changed.touch_interval = seconds(0);
  }),
            "created");
  auto longest = this->options();
  longest.refresh_lifetime = seconds::max();
  longest.absolute_lifetime.reset();
  const auto eternal = this->managing(longest);
  const auto login = eternal->log_in("user", "", this->hand.now()).value();
  EXPECT_EQ(login.session.refresh_expires_at, latest_expiry);
  EXPECT_EQ(login.session.expires_at, std::nullopt);
  this->hand.pass(minutes(5));
  EXPECT_TRUE(eternal->refresh(login.tokens.refresh).value());
}

}}  // namespace obol::testing
