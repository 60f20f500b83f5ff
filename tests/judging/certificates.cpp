#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <stdexcept>

namespace plumb::test {
namespace {

template <class T>
T* need(T* made) {
  if (made == nullptr) throw std::runtime_error("OpenSSL refused");
  return made;
}
void need(int done) {
  if (done != 1) throw std::runtime_error("OpenSSL refused");
}

EVP_PKEY* new_key() {
  return need(EVP_EC_gen("P-256"));
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = need(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  const int added = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  need(added);
}

// A certificate of version 3 with a name, a time and a key; not yet signed.
X509* new_certificate(const std::string& name, EVP_PKEY* key, long begins, long ends) {
  static long serial = 1;
  X509* certificate = need(X509_new());
  need(X509_set_version(certificate, 2));
  need(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial));
  need(X509_gmtime_adj(X509_getm_notBefore(certificate), begins));
  need(X509_gmtime_adj(X509_getm_notAfter(certificate), ends));
  need(X509_set_pubkey(certificate, key));
  need(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0));
  return certificate;
}

template <class Write>
void write_pem(const std::filesystem::path& file, const Write& write) {
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> out(need(std::fopen(file.c_str(), "w")), &std::fclose);
  need(write(out.get()));
}

}  // namespace

Authority::Authority(const std::string& name)
    : key_(new_key(), &EVP_PKEY_free), root_(new_certificate(name, key_.get(), -3600, 3600), &X509_free) {
  need(X509_set_issuer_name(root_.get(), X509_get_subject_name(root_.get())));
  add_extension(root_.get(), root_.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(root_.get(), root_.get(), NID_key_usage, "critical,keyCertSign");
  if (X509_sign(root_.get(), key_.get(), EVP_sha256()) == 0) throw std::runtime_error("OpenSSL refused");
}

void Authority::write_root(const std::filesystem::path& file) const {
  write_pem(file, [&](std::FILE* out) { return PEM_write_X509(out, root_.get()); });
}

void Authority::issue(const Leaf& leaf, const std::filesystem::path& stem) const {
  const Key key(new_key(), &EVP_PKEY_free);
  const Certificate certificate(new_certificate(leaf.name, key.get(), leaf.begins, leaf.ends), &X509_free);
  need(X509_set_issuer_name(certificate.get(), X509_get_subject_name(root_.get())));
  const std::string names = "DNS:" + leaf.name + (leaf.address.empty() ? "" : ",IP:" + leaf.address);
  add_extension(certificate.get(), root_.get(), NID_subject_alt_name, names);
  if (X509_sign(certificate.get(), key_.get(), EVP_sha256()) == 0) throw std::runtime_error("OpenSSL refused");
  write_pem(stem.string() + ".crt", [&](std::FILE* out) { return PEM_write_X509(out, certificate.get()); });
  write_pem(stem.string() + ".key", [&](std::FILE* out) {
    return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace plumb::test
