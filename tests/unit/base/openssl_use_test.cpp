// What every call does with OpenSSL takes none of the locks that OpenSSL's threads share: nobody waits for another, and
// a fork needs no care.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <thread>

#include "sealing/aes_gcm.hpp"
#include "sealing/hmac.hpp"
#include "support/sanitizers.hpp"

#if !OBOL_ADDRESS_SANITIZER && !OBOL_THREAD_SANITIZER

namespace {

thread_local int locks_taken = 0;

template <class Lock>
int count_and_pass_on(const char* name, Lock* lock) {
  ++locks_taken;
  return reinterpret_cast<int (*)(Lock*)>(::dlsym(RTLD_NEXT, name))(lock);
}

}  // namespace

// OpenSSL's calls find these in place of the C library's.
extern "C" {
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept { return count_and_pass_on("pthread_rwlock_rdlock", lock); }
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept { return count_and_pass_on("pthread_rwlock_wrlock", lock); }
}

namespace obol::sealing { namespace {

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

template <class Work>
int locks_taken_by(const Work& work) {
  int taken = -1;
  // The first call in a thread counts as well.
  std::jthread([&] {
    locks_taken = 0;
    EXPECT_TRUE(work());
    taken = locks_taken;
  }).join();
  return taken;
}

TEST(OpensslLocks, AreCounted) {
  EXPECT_GT(locks_taken_by([] { return AesGcmKey::load(secret) != nullptr; }), 0);
}

TEST(OpensslLocks, AreNotTakenToEncryptOrDecrypt) {
  const auto key = AesGcmKey::load(secret);
  const AesGcmKey::Nonce nonce{};
  const std::string_view nonce_text(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  for (int time = 0; time < 2; ++time) {
    std::string sealed;
    EXPECT_EQ(locks_taken_by([&] {
                sealed = key->encrypt(nonce, "bound", "text").value();
                return true;
              }),
              0);
    EXPECT_EQ(locks_taken_by([&] { return key->decrypt(nonce_text, "bound", sealed) == "text"; }), 0);
    EXPECT_EQ(locks_taken_by([&] { return !key->decrypt(nonce_text, "another", sealed); }), 0);
  }
}

TEST(OpensslLocks, AreNotTakenToMakeACode) {
  for (const auto way : {HmacWay::states, HmacWay::reinitialise, HmacWay::duplicate}) {
    const auto key = HmacKey::load(secret, way);
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(locks_taken_by([&] { return key->compute({"message"}).has_value(); }), 0) << static_cast<int>(way);
    }
  }
}

}}  // namespace obol::sealing

#endif
