#include "oci/signing/detail/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/encode.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::oci::signing {
namespace {

using Bio = Owned<BIO, BIO_free_all>;

Result<std::string> bytes_at(doc::View field) {
  TRY(auto text, field.str());
  auto bytes = from_base64(text);
  if (!bytes) return field.wrong("want base64");
  return bytes;
}

Result<std::optional<Seconds>> time_at(doc::View field) {
  if (!field.present()) return std::optional<Seconds>();
  auto time = parse_rfc3339(field.text());
  if (!time) return field.wrong("want a time as 2026-01-31T12:00:00Z");
  return std::optional<Seconds>(std::chrono::system_clock::to_time_t(*time));
}

Result<Period> period_at(doc::View field) {
  Period out;
  TRY(out.from, time_at(field["start"]));
  TRY(out.until, time_at(field["end"]));
  return out;
}

std::string pem_of_key(std::string_view der) {
  auto body = to_base64(der);
  std::string out = "-----BEGIN PUBLIC KEY-----\n";
  for (std::size_t i = 0; i < body.size(); i += 64) out += body.substr(i, 64) + "\n";
  return out + "-----END PUBLIC KEY-----\n";
}

Result<std::vector<Log>> logs_at(doc::View list) {
  std::vector<Log> out;
  for (const auto& item : list.items()) {
    TRY(auto der, bytes_at(item["publicKey"]["rawBytes"]));
    auto key = VerificationKey::load(pem_of_key(der));
    if (!key) return item["publicKey"]["rawBytes"].wrong("want a public key (DER)");
    TRY(auto id, bytes_at(item["logId"]["keyId"]));
    TRY(auto period, period_at(item["publicKey"]["validFor"]));
    out.push_back({std::move(id), *std::move(key), period});
  }
  return out;
}

Result<std::vector<Authority>> authorities_at(doc::View list) {
  std::vector<Authority> out;
  for (const auto& item : list.items()) {
    Authority authority;
    TRY(authority.period, period_at(item["validFor"]));
    for (const auto& one : item["certChain"]["certificates"].items()) {
      TRY(auto der, bytes_at(one["rawBytes"]));
      auto certificate = certificate_of_der(der);
      if (!certificate) return one["rawBytes"].wrong("want a certificate (DER)");
      authority.chain.push_back(std::move(certificate));
    }
    if (authority.chain.empty()) return item["certChain"]["certificates"].wrong("want certificates");
    out.push_back(std::move(authority));
  }
  return out;
}

}  // namespace

Certificate certificate_of_der(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  Certificate out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  return out;
}

Certificate certificate_of_pem(std::string_view pem) {
  Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate out(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return out;
}

std::string der_of(const X509& certificate) {
  unsigned char* data = nullptr;
  int size = i2d_X509(&certificate, &data);
  std::string out(size > 0 ? reinterpret_cast<char*>(data) : "", size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(data);
  return out;
}

Result<VerificationKey> key_of(const X509& certificate) {
  Bio out(BIO_new(BIO_s_mem()));
  auto* key = X509_get0_pubkey(&certificate);
  char* data = nullptr;
  if (key == nullptr || PEM_write_bio_PUBKEY(out.get(), key) != 1) {
    ERR_clear_error();
    return fail(Kind::invalid, "certificate: its key cannot be read");
  }
  auto size = BIO_get_mem_data(out.get(), &data);
  return VerificationKey::load({data, static_cast<std::size_t>(size)});
}

Result<TrustParts> read_trust(std::string_view json) {
  constexpr std::string_view source = "trust root";
  TRY(auto value, doc::parse_json(json, source));
  doc::View view(value, source);
  if (!view["mediaType"].str_or("").starts_with("application/vnd.dev.sigstore.trustedroot"))
    return view["mediaType"].wrong("want application/vnd.dev.sigstore.trustedroot+json;version=0.1");
  TrustParts out;
  TRY(out.certificates, authorities_at(view["certificateAuthorities"]));
  TRY(out.timestamps, authorities_at(view["timestampAuthorities"]));
  TRY(out.transparency, logs_at(view["tlogs"]));
  TRY(out.certificate_logs, logs_at(view["ctlogs"]));
  return out;
}

}  // namespace slipway::oci::signing

namespace slipway::oci {

Result<TrustRoot> TrustRoot::load(std::string_view json) {
  TRY(auto parts, signing::read_trust(json));
  return TrustRoot(std::make_shared<const signing::TrustParts>(std::move(parts)));
}

}  // namespace slipway::oci
