// Certificates of signers: their chain, that they were logged (RFC 6962), and who they say signs.
#include <openssl/ct.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "oci/signing/evidence.h"

namespace slipway::oci::signing {
namespace {

using Store = Owned<X509_STORE, X509_STORE_free>;
using StoreContext = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using Names = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

void free_chain(STACK_OF(X509) * chain) { sk_X509_pop_free(chain, X509_free); }
void free_references(STACK_OF(X509) * chain) { sk_X509_free(chain); }
void free_scts(STACK_OF(SCT) * scts) { SCT_LIST_free(scts); }
using Chain = Owned<STACK_OF(X509), free_chain>;
using References = Owned<STACK_OF(X509), free_references>;
using Scts = Owned<STACK_OF(SCT), free_scts>;

// The certificate that signed the leaf, in a chain that was valid then; null: none.
Certificate issuer_under(const Authority& authority, X509* leaf, Seconds at) {
  Store anchors(X509_STORE_new());
  References between(sk_X509_new_null());
  X509_STORE_add_cert(anchors.get(), authority.chain.back().get());
  for (std::size_t i = 0; i + 1 < authority.chain.size(); ++i) sk_X509_push(between.get(), authority.chain[i].get());
  StoreContext context(X509_STORE_CTX_new());
  Finally clean([] { ERR_clear_error(); });
  if (X509_STORE_CTX_init(context.get(), anchors.get(), leaf, between.get()) != 1) return {};
  auto* terms = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(terms, at);
  // The anchor is what the trust root names, whether it signed itself or not.
  X509_VERIFY_PARAM_set_flags(terms, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT);
  if (X509_verify_cert(context.get()) != 1) return {};
  Chain chain(X509_STORE_CTX_get1_chain(context.get()));
  if (!chain || sk_X509_num(chain.get()) < 2) return {};
  auto* issuer = sk_X509_value(chain.get(), 1);
  X509_up_ref(issuer);
  return Certificate(issuer);
}

void put(std::string& out, std::uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(number >> (8 * i));
}

// What a log signed: the certificate before the log's own word was put in (RFC 6962, section 3.2).
std::optional<std::string> logged_form(const SCT& sct, const X509& leaf, const X509& issuer) {
  Certificate before(X509_dup(&leaf));
  int at = before ? X509_get_ext_by_NID(before.get(), NID_ct_precert_scts, -1) : -1;
  if (at < 0) return {};
  X509_EXTENSION_free(X509_delete_ext(before.get(), at));
  unsigned char* data = nullptr;
  int size = i2d_re_X509_tbs(before.get(), &data);
  if (size <= 0) return {};
  std::string body(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  unsigned char* key = nullptr;
  int key_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&issuer), &key);
  if (key_size <= 0) return {};
  auto issuer_hash = Hasher().update({reinterpret_cast<char*>(key), static_cast<std::size_t>(key_size)}).finish_raw();
  OPENSSL_free(key);
  unsigned char* more = nullptr;
  auto more_size = SCT_get0_extensions(&sct, &more);
  std::string out;
  put(out, 0, 1);  // version 1
  put(out, 0, 1);  // of a certificate
  put(out, SCT_get_timestamp(&sct), 8);
  put(out, 1, 2);  // from before it was issued
  out += issuer_hash;
  put(out, body.size(), 3);
  out += body;
  put(out, more_size, 2);
  out.append(reinterpret_cast<char*>(more), more_size);
  return out;
}

bool is_logged(const TrustParts& trust, const X509& leaf, const X509& issuer) {
  Finally clean([] { ERR_clear_error(); });
  Scts scts(static_cast<STACK_OF(SCT)*>(X509_get_ext_d2i(&leaf, NID_ct_precert_scts, nullptr, nullptr)));
  for (int i = 0; scts && i < sk_SCT_num(scts.get()); ++i) {
    const auto* sct = sk_SCT_value(scts.get(), i);
    unsigned char *id = nullptr, *signature = nullptr;
    auto id_size = SCT_get0_log_id(sct, &id);
    auto signature_size = SCT_get0_signature(sct, &signature);
    auto form = logged_form(*sct, leaf, issuer);
    if (!form || id == nullptr || signature == nullptr) continue;
    auto seen = static_cast<Seconds>(SCT_get_timestamp(sct) / 1000);
    for (const auto& log : trust.certificate_logs)
      if (log.id == std::string_view(reinterpret_cast<char*>(id), id_size) && log.period.holds(seen) &&
          log.key.verifies(*form, {reinterpret_cast<char*>(signature), signature_size}))
        return true;
  }
  return false;
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string object_id(const ASN1_OBJECT* object) {
  char text[80];
  int size = OBJ_obj2txt(text, sizeof text, object, 1);
  return size > 0 && size < static_cast<int>(sizeof text) ? std::string(text, static_cast<std::size_t>(size)) : "";
}

// The extension's bytes; "": it has none.
std::string extension(const X509& certificate, std::string_view id) {
  for (int i = 0; i < X509_get_ext_count(&certificate); ++i) {
    auto* one = X509_get_ext(&certificate, i);
    if (object_id(X509_EXTENSION_get_object(one)) == id) return text_of(X509_EXTENSION_get_data(one));
  }
  return {};
}

std::string utf8_in(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  Owned<ASN1_UTF8STRING, ASN1_UTF8STRING_free> text(d2i_ASN1_UTF8STRING(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  return text ? text_of(text.get()) : std::string();
}

// Rule: Fulcio's certificate specification: one alternative name says who, extension 8 (before: 1) by whose word.
Signer signer_in(const X509& leaf) {
  Signer out;
  Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&leaf, NID_subject_alt_name, nullptr, nullptr)));
  if (names && sk_GENERAL_NAME_num(names.get()) == 1) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), 0);
    if (name->type == GEN_EMAIL || name->type == GEN_URI || name->type == GEN_DNS) out.subject = text_of(name->d.ia5);
    if (name->type == GEN_OTHERNAME && object_id(name->d.otherName->type_id) == "1.3.6.1.4.1.57264.1.7" &&
        name->d.otherName->value->type == V_ASN1_UTF8STRING)
      out.subject = text_of(name->d.otherName->value->value.utf8string);
  }
  out.issuer = utf8_in(extension(leaf, "1.3.6.1.4.1.57264.1.8"));
  if (out.issuer.empty()) out.issuer = extension(leaf, "1.3.6.1.4.1.57264.1.1");
  ERR_clear_error();
  return out;
}

}  // namespace

Result<Signer> check_certificate(const TrustParts& trust, X509* leaf, Seconds at) {
  if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0 ||
      (X509_get_extended_key_usage(leaf) & XKU_CODE_SIGN) == 0)
    return fail(Kind::denied, "certificate: not for signing code");
  Certificate issuer;
  for (const auto& authority : trust.certificates) {
    if (!authority.period.holds(at)) continue;
    issuer = issuer_under(authority, leaf, at);
    if (issuer) break;
  }
  if (!issuer)
    return fail(Kind::denied,
                "certificate: no authority of the trust root vouches for it at the time of the signature");
  if (!trust.certificate_logs.empty() && !is_logged(trust, *leaf, *issuer))
    return fail(Kind::denied, "certificate: in no log that the trust root names");
  auto signer = signer_in(*leaf);
  if (signer.subject.empty() || signer.issuer.empty())
    return fail(Kind::denied, "certificate: does not say who signs, or by whose word");
  return signer;
}

}  // namespace slipway::oci::signing
