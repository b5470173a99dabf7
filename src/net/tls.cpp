#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/fd.h"
#include "base/hash.h"

namespace slipway::net {
namespace {

using Certificate = Owned<X509, X509_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Bio = Owned<BIO, BIO_free_all>;
using Serial = Owned<BIGNUM, BN_free>;

constexpr long ten_years = 60L * 60 * 24 * 3650;

Fail ssl_fail(std::string_view doing) {
  char text[256] = "unknown error";
  if (auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return fail(Kind::invalid, "{}: {}", doing, text);
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<KeyPair> print(X509* certificate, EVP_PKEY* key) {
  Bio certificate_out(BIO_new(BIO_s_mem())), key_out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_out.get(), certificate) != 1 ||
      PEM_write_bio_PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return ssl_fail("print certificate");
  return KeyPair{text_of(certificate_out.get()), text_of(key_out.get())};
}

Result<> name_entry(X509_NAME* name, const char* field, std::string_view value) {
  auto* bytes = reinterpret_cast<const unsigned char*>(value.data());
  if (X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes, static_cast<int>(value.size()), -1, 0) != 1)
    return ssl_fail(fmt::format("certificate subject {} \"{}\"", field, value));
  return {};
}

Result<> extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
    return ssl_fail(fmt::format("certificate extension {}", OBJ_nid2sn(nid)));
  return {};
}

struct Draft {
  Certificate certificate;
  Key key;
};

Result<Draft> draft(std::string_view common_name, const std::vector<std::string>& organizations) {
  if (common_name.empty()) return fail(Kind::invalid, "certificate: want a common name");
  Draft d{Certificate(X509_new()), Key(EVP_EC_gen("P-256"))};
  if (!d.certificate || !d.key) return ssl_fail("make key");
  auto* x = d.certificate.get();
  X509_set_version(x, X509_VERSION_3);
  auto random = random_bytes(16);
  random[0] = static_cast<char>(random[0] & 0x7f);
  Serial serial(BN_bin2bn(reinterpret_cast<const unsigned char*>(random.data()), 16, nullptr));
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(x));
  // An hour back, for machines whose clocks differ.
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), ten_years);
  X509_set_pubkey(x, d.key.get());
  auto* name = X509_get_subject_name(x);
  for (const auto& organization : organizations) TRY_OK(name_entry(name, "O", organization));
  TRY_OK(name_entry(name, "CN", common_name));
  return d;
}

// The names go into a configuration language of OpenSSL's: whatever it could read as more than a name is refused.
Result<std::string> alternative_names(const CertificateRequest& request) {
  std::string text;
  auto add = [&](std::string_view kind, std::string_view value) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", kind, value);
  };
  for (const auto& name : request.dns_names) {
    if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*") !=
                            std::string::npos)
      return fail(Kind::invalid, "certificate: DNS name \"{}\": want letters, digits, dots and dashes", name);
    add("DNS", name);
  }
  for (const auto& address : request.ip_addresses) {
    unsigned char raw[16];
    if (::inet_pton(AF_INET, address.c_str(), raw) != 1 && ::inet_pton(AF_INET6, address.c_str(), raw) != 1)
      return fail(Kind::invalid, "certificate: IP address \"{}\": want an IPv4 or IPv6 address", address);
    add("IP", address);
  }
  return text;
}

}  // namespace

Result<KeyPair> make_ca(std::string_view common_name) {
  TRY(auto d, draft(common_name, {}));
  auto* x = d.certificate.get();
  X509_set_issuer_name(x, X509_get_subject_name(x));
  TRY_OK(extend(x, x, NID_basic_constraints, "critical,CA:TRUE"));
  TRY_OK(extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature"));
  TRY_OK(extend(x, x, NID_subject_key_identifier, "hash"));
  if (X509_sign(x, d.key.get(), EVP_sha256()) == 0) return ssl_fail("sign certificate");
  return print(x, d.key.get());
}

Result<KeyPair> issue(const KeyPair& ca, const CertificateRequest& request) {
  Bio ca_in(BIO_new_mem_buf(ca.certificate_pem.data(), static_cast<int>(ca.certificate_pem.size())));
  Bio key_in(BIO_new_mem_buf(ca.key_pem.data(), static_cast<int>(ca.key_pem.size())));
  Certificate issuer(PEM_read_bio_X509(ca_in.get(), nullptr, nullptr, nullptr));
  Key issuer_key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr));
  if (!issuer || !issuer_key) return ssl_fail("read the CA");
  TRY(auto d, draft(request.common_name, request.organizations));
  auto* x = d.certificate.get();
  X509_set_issuer_name(x, X509_get_subject_name(issuer.get()));
  TRY_OK(extend(x, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TRY_OK(extend(x, issuer.get(), NID_key_usage, "critical,digitalSignature,keyEncipherment"));
  TRY_OK(extend(x, issuer.get(), NID_ext_key_usage, request.server ? "serverAuth" : "clientAuth"));
  TRY_OK(extend(x, issuer.get(), NID_authority_key_identifier, "keyid"));
  TRY(auto names, alternative_names(request));
  if (!names.empty()) TRY_OK(extend(x, issuer.get(), NID_subject_alt_name, names));
  if (X509_sign(x, issuer_key.get(), EVP_sha256()) == 0) return ssl_fail("sign certificate");
  return print(x, d.key.get());
}

}  // namespace slipway::net
