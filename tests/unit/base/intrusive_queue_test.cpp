// A queue of elements that hold its links.
#include "base/intrusive_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace obol::redis { namespace {

struct Element {
  int number = 0;
  QueueLinks<Element> links{};
};

class IntrusiveQueueTest : public ::testing::Test {
 protected:
  std::vector<int> numbers() const {
    std::vector<int> forward;
    for (const Element* element = queue.front(); element != nullptr; element = queue.behind(*element)) {
      forward.push_back(element->number);
    }
    EXPECT_EQ(forward.size(), queue.size());
    EXPECT_EQ(queue.back() == nullptr, forward.empty());
    if (!forward.empty()) {
      EXPECT_EQ(queue.back()->number, forward.back());
    }
    return forward;
  }

  std::array<Element, 4> elements{{{0}, {1}, {2}, {3}}};
  IntrusiveQueue<Element> queue;
};

using Numbers = std::vector<int>;

TEST_F(IntrusiveQueueTest, IsEmptyAtFirst) {
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(numbers(), Numbers());
  EXPECT_FALSE(queue.contains(elements[0]));
}

TEST_F(IntrusiveQueueTest, KeepsTheOrderOfBothEnds) {
  queue.push_back(elements[1]);
  queue.push_back(elements[2]);
  queue.push_front(elements[0]);
  queue.push_back(elements[3]);
  EXPECT_EQ(numbers(), Numbers({0, 1, 2, 3}));
}

TEST_F(IntrusiveQueueTest, LosesAnyElement) {
  for (auto& element : elements) queue.push_back(element);
  queue.remove(elements[1]);
  EXPECT_EQ(numbers(), Numbers({0, 2, 3}));
  queue.remove(elements[3]);
  EXPECT_EQ(numbers(), Numbers({0, 2}));
  queue.remove(elements[0]);
  EXPECT_EQ(numbers(), Numbers({2}));
  queue.remove(elements[2]);
  EXPECT_EQ(numbers(), Numbers());
}

TEST_F(IntrusiveQueueTest, KnowsItsElements) {
  queue.push_back(elements[0]);
  queue.push_back(elements[1]);
  EXPECT_TRUE(queue.contains(elements[0]));
  EXPECT_TRUE(queue.contains(elements[1]));
  queue.remove(elements[0]);
  EXPECT_FALSE(queue.contains(elements[0]));
  EXPECT_TRUE(queue.contains(elements[1]));
}

TEST_F(IntrusiveQueueTest, TakesAnElementBack) {
  queue.push_back(elements[0]);
  queue.push_back(elements[1]);
  queue.remove(elements[0]);
  queue.push_back(elements[0]);
  EXPECT_EQ(numbers(), Numbers({1, 0}));
}

TEST_F(IntrusiveQueueTest, MovesToAnother) {
  queue.push_back(elements[0]);
  queue.push_back(elements[1]);
  const IntrusiveQueue<Element> other(std::move(queue));
  EXPECT_EQ(other.size(), 2U);
  EXPECT_EQ(other.front(), elements.data());
  EXPECT_TRUE(queue.empty());
}

}}  // namespace obol::redis
