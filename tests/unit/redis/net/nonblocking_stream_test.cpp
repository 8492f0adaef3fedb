// Reads and writes that never wait, over a real socket, plain and encrypted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "redis/net/socket.hpp"
#include "redis/net/tls_context.hpp"
#include "support/certificates.hpp"
#include "support/descriptor.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using testing::Descriptor;

/// A client's stream and the server's end of it, which never waits either.
class Ends {
 public:
  explicit Ends(bool is_encrypted, int newest_version = TLS1_3_VERSION) {
    const Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    std::string folder = (std::filesystem::temp_directory_path() / "obol-ends-XXXXXX").string();
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = folder + "/s";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener.number(), 1), 0);
    auto socket = Socket::connect_unix(path, far()).value();
    server_ = Descriptor(::accept(listener.number(), nullptr, nullptr));
    std::filesystem::remove_all(folder);
    if (is_encrypted) {
      encrypt(std::move(socket), newest_version);
    } else {
      client = std::make_unique<Socket>(std::move(socket));
    }
    ::fcntl(server_.number(), F_SETFL, O_NONBLOCK);
  }

  static Deadline far() { return Deadline::after(std::chrono::hours(1)); }

  /// The server says this, as far as there is room.
  void say(std::string_view bytes) {
    const int size = static_cast<int>(bytes.size());
    if (session_) {
      EXPECT_EQ(::SSL_write(session_.get(), bytes.data(), size), size);
    } else {
      EXPECT_EQ(::send(server_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL), size);
    }
  }

  /// What the server can read now.
  std::string hear() {
    std::string heard;
    std::array<char, 16'384> buffer;
    for (;;) {
      const auto count = session_ ? ::SSL_read(session_.get(), buffer.data(), static_cast<int>(buffer.size()))
                                  : static_cast<int>(::recv(server_.number(), buffer.data(), buffer.size(), 0));
      if (count <= 0) return heard;
      heard.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  void close() { server_ = Descriptor(); }

  SSL* session() const { return session_.get(); }

  std::unique_ptr<Stream> client;

 private:
  void encrypt(Socket socket, int newest_version) {
    const testing::Authority authority;
    const auto files = authority.issue("server", "DNS:server");
    context_.reset(::SSL_CTX_new(::TLS_server_method()));
    SSL_CTX_set_max_proto_version(context_.get(), newest_version);
    ::SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str());
    ::SSL_CTX_use_PrivateKey_file(context_.get(), files.private_key.c_str(), SSL_FILETYPE_PEM);
    session_.reset(::SSL_new(context_.get()));
    ::SSL_set_fd(session_.get(), server_.number());
    auto accepted = std::async(std::launch::async, [this] { return ::SSL_accept(session_.get()); });
    TlsContext context({.enabled = true, .ca_file = authority.ca_file(), .server_name = "server"}, "server");
    client = context.handshake(std::move(socket), far()).value();
    EXPECT_EQ(accepted.get(), 1);
  }

  struct Free {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
    void operator()(SSL* session) const { ::SSL_free(session); }
  };
  Descriptor server_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> session_;
};

/// What is read until a step moves nothing.
std::string read_all(Stream& stream) {
  std::string all;
  std::array<char, 1000> buffer;
  for (;;) {
    const auto step = stream.try_read(buffer.data(), buffer.size());
    if (!step) {
      ADD_FAILURE() << step.error().message;
      return all;
    }
    if (step->moved == 0) {
      EXPECT_EQ(step->need, Stream::Need::readable);
      return all;
    }
    all.append(buffer.data(), step->moved);
  }
}

/// More than a socket takes in without its peer reading.
const std::string& much() {
  static const auto bytes = [] {
    std::string numbers;
    for (int i = 0; numbers.size() < 4'000'000; ++i) numbers += std::to_string(i) + ' ';
    return numbers;
  }();
  return bytes;
}

/// Writes until there is no room; what is left.
std::string_view fill(Stream& stream, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto step = stream.try_write(bytes);
    EXPECT_TRUE(step.has_value()) << step.error().message;
    if (!step) return {};
    if (step->moved == 0) {
      EXPECT_EQ(step->need, Stream::Need::writable);
      return bytes;
    }
    bytes.remove_prefix(step->moved);
  }
  return bytes;
}

/// What the server hears until nothing is left to write.
std::string heard_of_the_rest(Ends& ends, std::string_view left) {
  std::string heard;
  while (!left.empty()) {
    heard += ends.hear();
    left = fill(*ends.client, left);
  }
  return heard + ends.hear();
}

class NonblockingStream : public ::testing::TestWithParam<bool> {
 protected:
  Ends ends{GetParam()};
  Stream& client = *ends.client;
};

INSTANTIATE_TEST_SUITE_P(Both, NonblockingStream, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Encrypted" : "Plain"; });

TEST_P(NonblockingStream, ReadsWhatHasComeAndThenNeedsMoreToCome) {
  EXPECT_EQ(read_all(client), "");
  ends.say("one");
  EXPECT_EQ(read_all(client), "one");
  EXPECT_EQ(read_all(client), "");
  const std::string longer(2500, 'x');
  ends.say(longer);
  EXPECT_EQ(read_all(client), longer) << "in several steps";
}

TEST_P(NonblockingStream, WritesWhatThereIsRoomForAndGoesOnBehindIt) {
  const auto left = fill(client, much());
  EXPECT_LT(left.size(), much().size());
  ASSERT_GT(left.size(), 0U);
  EXPECT_TRUE(heard_of_the_rest(ends, left) == much());
}

TEST_P(NonblockingStream, ReadsWhileAWriteWaitsForRoom) {
  const auto left = fill(client, much());
  ASSERT_GT(left.size(), 0U);
  ends.say("reply");
  EXPECT_EQ(read_all(client), "reply");
  EXPECT_TRUE(heard_of_the_rest(ends, left) == much());
}

TEST_P(NonblockingStream, GivesWhatCameBeforeItsPeerClosedAndThenSaysSo) {
  ends.say("last words");
  ends.close();
  std::array<char, 1000> buffer;
  const auto last = client.try_read(buffer.data(), buffer.size());
  ASSERT_TRUE(last.has_value()) << last.error().message;
  EXPECT_EQ(std::string_view(buffer.data(), last->moved), "last words");
  for (int again = 0; again < 2; ++again) {
    const auto closed = client.try_read(buffer.data(), buffer.size());
    ASSERT_FALSE(closed.has_value());
    EXPECT_EQ(closed.error().code, ErrorCode::unavailable) << closed.error().message;
  }
}

// Without a signal, which would end the process.
TEST_P(NonblockingStream, SaysThatItsPeerIsGoneWhenItWrites) {
  ends.close();
  const auto sent = client.try_write("command");
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::unavailable) << sent.error().message;
}

TEST_P(NonblockingStream, IsWhatTheBlockingCallsAreMadeOf) {
  std::array<char, 1000> buffer;
  const auto soon = [] { return Deadline::after(milliseconds(1)); };
  EXPECT_EQ(client.read_some(buffer.data(), buffer.size(), soon()).error().code, ErrorCode::timeout);
  ends.say("reply");
  EXPECT_EQ(client.read_some(buffer.data(), buffer.size(), Ends::far()).value(), 5U);
  EXPECT_EQ(client.write_all(much(), Deadline::after(milliseconds(50))).error().code, ErrorCode::timeout);
}

/// Leaves no room to write, without a write that has begun and waits.
void take_the_room_away(const Ends& ends) {
  const int smallest = 1;
  ::setsockopt(ends.client->descriptor(), SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
}

// In TLS 1.2 a peer may begin another handshake, which a read must answer.
TEST(EncryptedStream, NeedsToWriteDuringAReadThatMustAnswer) {
  Ends ends(true, TLS1_2_VERSION);
  auto& client = *ends.client;
  const std::string earlier(16'000, 'x');
  ASSERT_TRUE(client.write_all(earlier, Ends::far()).has_value());
  take_the_room_away(ends);
  ASSERT_EQ(::SSL_renegotiate(ends.session()), 1);
  ::SSL_do_handshake(ends.session());
  std::array<char, 1000> buffer;
  const auto step = client.try_read(buffer.data(), buffer.size());
  ASSERT_TRUE(step.has_value()) << step.error().message;
  EXPECT_EQ(step->moved, 0U);
  EXPECT_EQ(step->need, Stream::Need::writable);
  EXPECT_EQ(client.read_some(buffer.data(), buffer.size(), Deadline::after(milliseconds(1))).error().code,
            ErrorCode::timeout);
  std::string heard;
  while (::SSL_renegotiate_pending(ends.session()) == 1) {
    heard += ends.hear();
    EXPECT_EQ(read_all(client), "");
  }
  EXPECT_EQ(heard, earlier);
  ends.say("reply");
  EXPECT_EQ(read_all(client), "reply");
}

// OpenSSL answers with the next write.
TEST(EncryptedStream, GoesOnWhereItsPeerAsksForNewKeysWhileAWriteWaits) {
  Ends ends(true);
  const auto left = fill(*ends.client, much());
  ASSERT_GT(left.size(), 0U);
  ASSERT_EQ(::SSL_key_update(ends.session(), SSL_KEY_UPDATE_REQUESTED), 1);
  ends.say("reply");
  EXPECT_EQ(read_all(*ends.client), "reply");
  EXPECT_TRUE(heard_of_the_rest(ends, left) == much());
}

}}  // namespace obol::redis
