// Sealing anew with another key: the same payload for the same stored key and version, and what a sealed session says
// of itself.
#include <gtest/gtest.h>

#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/sealing.hpp"
#include "support/sessions.hpp"

namespace obol::sealing { namespace {

using testing::new_session;
using testing::signing_key;

constexpr std::string_view stored_key = "obol_{user}:full";

class Reseal : public ::testing::Test {
 protected:
  Reseal() { session.lock_version = 7; }
  std::string resealed(std::string_view sealed, Encryption encryption = Encryption::off) {
    return reseal(sealed, stored_key, session.key(), both, encryption).value();
  }
  Session session = new_session();
  const Keyring old_ring{signing_key('o')};
  const Keyring new_ring{signing_key('n')};
  const Keyring both = new_ring.with_verifying_key(signing_key('o')).value();
};

TEST_F(Reseal, OpensWithTheNewKeyAloneToTheSameSession) {
  for (const auto before : {Encryption::off, Encryption::encrypt}) {
    for (const auto after : {Encryption::off, Encryption::encrypt}) {
      const auto sealed = resealed(seal(session, stored_key, old_ring, before).value(), after);
      EXPECT_EQ(open(sealed, stored_key, session.key(), new_ring, Encryption::off), session);
      const bool is_encrypted = before == Encryption::encrypt || after == Encryption::encrypt;
      EXPECT_EQ(inscription(sealed)->is_encrypted, is_encrypted);
      EXPECT_EQ(inscription(sealed)->key_id, new_ring.current_key_id());
      EXPECT_EQ(inscription(sealed)->lock_version, 7U);
    }
  }
}

TEST_F(Reseal, KeepsWhatANewerReleaseHasAddedToThePayload) {
  // One pair more: 11: "new".
  auto payload = encode_session(session, {});
  payload[0] = static_cast<char>(payload[0] + 1);
  cbor::Writer(payload).unsigned_integer(11).text("new");
  std::string bound_to;
  cbor::Writer(bound_to).array(4).text("obol").bytes(stored_key).bytes(session.id).unsigned_integer(7);
  auto sealed = encode_lock_version(7);
  ASSERT_TRUE(write_mac0(sealed, old_ring.keys()->current(), bound_to, payload));
  ASSERT_EQ(open(sealed, stored_key, session.key(), both, Encryption::off), session);
  EXPECT_NE(resealed(sealed).find(payload), std::string::npos);
}

TEST_F(Reseal, IsRefusedWhereTheSealIsNotGenuine) {
  auto sealed = seal(session, stored_key, old_ring, Encryption::off).value();
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  EXPECT_FALSE(reseal(sealed, stored_key, session.key(), both, Encryption::off));
  EXPECT_FALSE(reseal("", stored_key, session.key(), both, Encryption::off));
}

TEST_F(Reseal, NothingIsReadOffBytesThatAreNotSealed) {
  const auto sealed = seal(session, stored_key, old_ring, Encryption::off).value();
  for (const auto& bytes : {std::string(), std::string(8, 'x'), std::string(100, 'x'), sealed.substr(0, 12)}) {
    EXPECT_FALSE(inscription(bytes));
  }
}

}}  // namespace obol::sealing
