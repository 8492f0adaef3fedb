// Makes keys and certificates with OpenSSL.
#include "support/certificates.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

namespace obol::testing {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

void require(bool done) {
  if (!done) throw std::runtime_error("OpenSSL could not make a test certificate");
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  require(extension != nullptr);
  ::X509_add_ext(certificate, extension, -1);
  ::X509_EXTENSION_free(extension);
}

Certificate make(const Key& key, const std::string& name, long seconds_until_expiry) {
  static long serial = 0;
  Certificate certificate(::X509_new(), ::X509_free);
  ::X509_set_version(certificate.get(), X509_VERSION_3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate.get()), ++serial);
  ::X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -7200);
  ::X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds_until_expiry);
  ::X509_set_pubkey(certificate.get(), key.get());
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

template <class Write>
void to_file(const std::filesystem::path& path, Write write) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
  require(file != nullptr && write(file.get()) == 1);
}

}  // namespace

Authority::Authority() : key_(EVP_EC_gen("P-256"), ::EVP_PKEY_free) {
  std::string name = (std::filesystem::temp_directory_path() / "obol-XXXXXX").string();
  require(::mkdtemp(name.data()) != nullptr);
  folder_ = name;
  certificate_ = make(key_, "Obol test authority", 3600);
  ::X509_set_issuer_name(certificate_.get(), ::X509_get_subject_name(certificate_.get()));
  add_extension(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  require(::X509_sign(certificate_.get(), key_.get(), ::EVP_sha256()) > 0);
  to_file(ca_file(), [&](std::FILE* file) { return ::PEM_write_X509(file, certificate_.get()); });
}

Authority::~Authority() { std::filesystem::remove_all(folder_); }

Authority::Files Authority::issue(const std::string& name, const std::string& subject_names,
                                  long seconds_until_expiry) const {
  const Key key(EVP_EC_gen("P-256"), ::EVP_PKEY_free);
  const auto certificate = make(key, name, seconds_until_expiry);
  ::X509_set_issuer_name(certificate.get(), ::X509_get_subject_name(certificate_.get()));
  add_extension(certificate.get(), certificate_.get(), NID_subject_alt_name, subject_names);
  require(::X509_sign(certificate.get(), key_.get(), ::EVP_sha256()) > 0);
  Files files{(folder_ / (name + ".pem")).string(), (folder_ / (name + ".key")).string()};
  to_file(files.certificate, [&](std::FILE* file) { return ::PEM_write_X509(file, certificate.get()); });
  to_file(files.private_key, [&](std::FILE* file) {
    return ::PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

std::vector<std::string> Authority::server_arguments(const Files& files) const {
  return {"--tls-cert-file",    files.certificate,
          "--tls-key-file",     files.private_key,
          "--tls-ca-cert-file", ca_file(),
          "--tls-replication",  "yes",
          "--tls-auth-clients", "no"};
}

}  // namespace obol::testing
