// Certificates for one test: an authority, and what it signs, as PEM files in a folder of their own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace obol::testing {

class Authority {
 public:
  Authority();
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string ca_file() const { return (folder_ / "ca.pem").string(); }

  /// Files of a new key and its certificate for these names, in OpenSSL's form such as "DNS:localhost,IP:127.0.0.1".
  struct Files {
    std::string certificate, private_key;
  };
  Files issue(const std::string& name, const std::string& subject_names, long seconds_until_expiry = 3600) const;

  /// What a server takes these files from, for its clients and towards other servers; it asks no client for a
  /// certificate.
  std::vector<std::string> server_arguments(const Files& files) const;

 private:
  std::filesystem::path folder_;
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<x509_st> certificate_;
};

}  // namespace obol::testing
