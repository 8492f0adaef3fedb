// The files of a TLS context: which can be loaded, what the caller is told of those that cannot, and when they are
// loaded again.
#include "redis/net/tls_context.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/certificates.hpp"
#include "support/child.hpp"

namespace obol::redis { namespace {

void encrypt(const std::string& key_file, const std::string& passphrase, const std::string& to) {
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  const File plain(std::fopen(key_file.c_str(), "rb"), std::fclose);
  ASSERT_NE(plain, nullptr);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      ::PEM_read_PrivateKey(plain.get(), nullptr, nullptr, nullptr), ::EVP_PKEY_free);
  const File encrypted(std::fopen(to.c_str(), "wb"), std::fclose);
  ASSERT_NE(encrypted, nullptr);
  ASSERT_EQ(::PEM_write_PrivateKey(encrypted.get(), key.get(), ::EVP_aes_256_cbc(),
                                   reinterpret_cast<const unsigned char*>(passphrase.data()),
                                   static_cast<int>(passphrase.size()), nullptr, nullptr),
            1);
}

/// The standard input of this process, which has no terminal from now on, is this line.
void read_from(std::string_view line) {
  std::array<int, 2> ends{};
  if (::setsid() < 0 || ::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
  if (::write(ends[1], line.data(), line.size()) < 0 || ::dup2(ends[0], STDIN_FILENO) < 0) {
    throw std::runtime_error("no input");
  }
  ::close(ends[1]);
}

class TlsContextTest : public ::testing::Test {
 protected:
  TlsOptions options() const {
    return {.enabled = true,
            .ca_file = authority.ca_file(),
            .certificate_file = ours.certificate,
            .private_key_file = ours.private_key};
  }

  static Result<void> check(const TlsOptions& options) { return TlsContext(options, "server").check(); }

  static void write(const std::string& file, std::string_view content) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
  }

  std::string file_with(std::string_view content) const {
    auto file = std::filesystem::path(ours.certificate).replace_filename("content.pem").string();
    write(file, content);
    return file;
  }

  testing::Authority authority;
  testing::Authority::Files ours = authority.issue("ours", "DNS:client");
};

TEST_F(TlsContextTest, LoadsWhatItIsGiven) {
  EXPECT_TRUE(check(options()).has_value());
  EXPECT_TRUE(check({.enabled = true, .ca_file = authority.ca_file()}).has_value()) << "no certificate of our own";
  EXPECT_TRUE(check({.enabled = true, .insecure_skip_verification = true}).has_value()) << "no authority";
}

TEST_F(TlsContextTest, NamesTheOptionWhoseFileCannotBeLoaded) {
  const auto others = authority.issue("others", "DNS:client");
  const auto garbage = file_with("this is no PEM");
  struct Case {
    std::string_view what;
    std::string TlsOptions::* file;
    std::string path;
    std::string_view option;
  };
  for (const auto& [what, file, path, option] :
       {Case{"no such file", &TlsOptions::ca_file, "/nonexistent/ca.pem", "ca_file"},
        Case{"no PEM", &TlsOptions::ca_file, garbage, "ca_file"},
        Case{"no such file", &TlsOptions::certificate_file, "/nonexistent/own.pem", "certificate_file"},
        Case{"no PEM", &TlsOptions::certificate_file, garbage, "certificate_file"},
        Case{"a key", &TlsOptions::certificate_file, ours.private_key, "certificate_file"},
        Case{"no such file", &TlsOptions::private_key_file, "/nonexistent/own.key", "private_key_file"},
        Case{"no PEM", &TlsOptions::private_key_file, garbage, "private_key_file"},
        Case{"of another certificate", &TlsOptions::private_key_file, others.private_key, "private_key_file"}}) {
    SCOPED_TRACE(std::string(option) + ": " + std::string(what));
    auto wrong = options();
    wrong.*file = path;
    const auto checked = check(wrong);
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code, ErrorCode::tls);
    const auto beginning = "the file of connection.tls." + std::string(option) + " cannot be loaded";
    EXPECT_TRUE(checked.error().message.starts_with(beginning)) << checked.error().message;
    EXPECT_EQ(checked.error().message.find("no reason given"), std::string::npos) << checked.error().message;
  }
}

// OpenSSL by itself would ask at the terminal, or read the standard input if there is none.
TEST_F(TlsContextTest, RefusesAKeyWithAPassphraseInsteadOfAskingForIt) {
  auto encrypted = options();
  encrypted.private_key_file = file_with("");
  encrypt(ours.private_key, "secret", encrypted.private_key_file);
  const auto refuses = [&encrypted] {
    read_from("secret\n");
    const auto checked = check(encrypted);
    return !checked && checked.error().code == ErrorCode::tls &&
           checked.error().message.contains("private_key_file cannot be loaded (PEM without a passphrase");
  };
  EXPECT_EQ(testing::run_in_child(refuses), "");
}

TEST_F(TlsContextTest, LoadsFilesThatAppearLater) {
  auto missing = options();
  missing.ca_file = file_with("");
  TlsContext context(missing, "server");
  ASSERT_FALSE(context.check().has_value());
  std::filesystem::copy_file(authority.ca_file(), missing.ca_file, std::filesystem::copy_options::overwrite_existing);
  const auto checked = context.check();
  EXPECT_TRUE(checked.has_value()) << checked.error().message;
}

TEST_F(TlsContextTest, KeepsWhatItHasLoadedWhileAFileIsBeingReplaced) {
  TlsContext context(options(), "server");
  ASSERT_TRUE(context.check().has_value());
  for (const auto& file : {ours.certificate, ours.private_key, authority.ca_file()}) {
    write(file, "half of a fi");
    EXPECT_TRUE(context.check().has_value()) << file;
    EXPECT_FALSE(check(options()).has_value()) << "the file is good after all: " << file;
  }
}

}}  // namespace obol::redis
