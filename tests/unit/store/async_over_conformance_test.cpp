// The conformance suites on AsyncOver<MemoryStore>: that for asynchronous stores, and the others through a facade that
// blocks.
#include <memory>

#include "obol/async_over.hpp"
#include "obol/memory_store.hpp"
#include "obol/testing/async_store_conformance.hpp"
#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/blocking_facade.hpp"

namespace obol::testing {

struct ObservedAsyncOverFactory {
  static std::unique_ptr<AsyncSessionStore> make_store() { return make_observed_store(nullptr); }
  static std::unique_ptr<AsyncSessionStore> make_observed_store(std::shared_ptr<Observer> observer) {
    MemoryStoreOptions options{.observer = std::move(observer)};
    return std::make_unique<AsyncOver<MemoryStore>>(std::make_shared<MemoryStore>(std::move(options)));
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncOver, AsyncStoreConformance, ObservedAsyncOverFactory);

template <class Driving>
struct AsyncOverFactory {
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy = {}) {
    memory = std::make_shared<MemoryStore>(MemoryStoreOptions{.policy = policy});
    return make_second_store();
  }
  std::unique_ptr<SessionStore> make_second_store() {
    return std::make_unique<BlockingFacade<Driving>>(std::make_unique<AsyncOver<MemoryStore>>(memory));
  }
  std::shared_ptr<MemoryStore> memory{};
};

INSTANTIATE_TYPED_TEST_SUITE_P(AsyncOverInBackground, StoreConformance, AsyncOverFactory<DrivenInBackground>);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncOverInBackground, PolicyConformance, AsyncOverFactory<DrivenInBackground>);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncOverByHand, StoreConformance, AsyncOverFactory<DrivenByHand>);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncOverByHand, PolicyConformance, AsyncOverFactory<DrivenByHand>);

}  // namespace obol::testing
