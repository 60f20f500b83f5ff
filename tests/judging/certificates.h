// Certificates made for one test: an authority and what it signed, as PEM files.
//
//   Authority authority("Test root");
//   authority.write_root(folder / "ca.pem");
//   authority.issue({.name = "localhost", .address = "127.0.0.1"}, folder / "good");      // good.crt, good.key
//
// Thread contract: one thread.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <string>

namespace plumb::test {

struct Leaf {
  std::string name;                  // DNS name; both go into the subject's alternative names
  std::string address;               // IP address; empty: none
  long begins = -3600, ends = 3600;  // seconds from now
};

class Authority {
 public:
  explicit Authority(const std::string& name);
  void write_root(const std::filesystem::path& file) const;
  void issue(const Leaf& leaf, const std::filesystem::path& stem) const;

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  Key key_;
  Certificate root_;
};

}  // namespace plumb::test
