// Timestamps of RFC 3161.
#include <openssl/err.h>
#include <openssl/ts.h>

#include "oci/signing/evidence.h"

namespace slipway::oci::signing {
namespace {

using Bio = Owned<BIO, BIO_free_all>;
using TimeResponse = Owned<TS_RESP, TS_RESP_free>;
using VerifyContext = Owned<TS_VERIFY_CTX, TS_VERIFY_CTX_free>;

std::optional<Seconds> time_in(TS_RESP* response) {
  const auto* said = TS_RESP_get_tst_info(response);
  std::tm tm{};
  if (said == nullptr || ASN1_TIME_to_tm(TS_TST_INFO_get_time(said), &tm) != 1) return {};
  return static_cast<Seconds>(::timegm(&tm));
}

bool vouches(const Authority& authority, TS_RESP* response, std::string_view bytes, Seconds at) {
  Finally clean([] { ERR_clear_error(); });
  VerifyContext context(TS_VERIFY_CTX_new());
  auto* anchors = X509_STORE_new();  // the context takes these three
  X509_STORE_add_cert(anchors, authority.chain.back().get());
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(anchors), at);
  X509_STORE_set_flags(anchors, X509_V_FLAG_PARTIAL_CHAIN);
  auto* others = sk_X509_new_null();
  for (const auto& one : authority.chain) {
    X509_up_ref(one.get());
    sk_X509_push(others, one.get());
  }
  TS_VERIFY_CTX_set_flags(context.get(), TS_VFY_VERSION | TS_VFY_DATA | TS_VFY_SIGNATURE);
  TS_VERIFY_CTX_set_store(context.get(), anchors);
  TS_VERIFY_CTX_set_certs(context.get(), others);
  TS_VERIFY_CTX_set_data(context.get(), BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  return TS_RESP_verify_response(context.get(), response) == 1;
}

}  // namespace

Result<Seconds> check_timestamp(const TrustParts& trust, std::string_view der, std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  TimeResponse response(d2i_TS_RESP(nullptr, &at, static_cast<long>(der.size())));
  Finally clean([] { ERR_clear_error(); });
  auto time = response ? time_in(response.get()) : std::nullopt;
  if (!time) return fail(Kind::denied, "timestamp: no response of RFC 3161");
  for (const auto& authority : trust.timestamps)
    if (authority.period.holds(*time) && vouches(authority, response.get(), bytes, *time)) return *time;
  return fail(Kind::denied, "timestamp: by no authority of the trust root, or of another signature");
}

}  // namespace slipway::oci::signing
