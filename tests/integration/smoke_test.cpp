#include "support/server_test.hpp"
namespace obol::testing { class Smoke : public ServerTest {};
TEST_P(Smoke, Works) { auto store = store_on(server); auto s = new_session(); auto r = store.upsert(s); ASSERT_TRUE(r) << r.error().message; EXPECT_EQ(store.get(s.key()).value(), s); auto r2=store.upsert(s); ASSERT_TRUE(r2) << r2.error().message; EXPECT_EQ(s.lock_version, 2U); ASSERT_TRUE(store.delete_others(s.key())); EXPECT_EQ(store.get_all("user","full")->size(),1U); ASSERT_TRUE(store.delete_one(s.key())); auto r3 = store.upsert(s); EXPECT_EQ(r3.error().code, ErrorCode::gone);}
OBOL_ON_BOTH_SERVERS(Smoke);}
