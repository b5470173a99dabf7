#pragma once
// A Sigstore of a test's own: an authority of certificates, their log, a transparency log and a timestamp authority, as
// public specifications have them (Fulcio's certificates, RFC 6962, Rekor's entries, RFC 3161).
#include <gtest/gtest.h>
#include <openssl/ct.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "base/testing/golden.h"
#include "doc/json.h"
#include "oci/signing/keyless.h"

namespace slipway::oci {

struct Sigstore {
  using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
  using Certificate = signing::Certificate;
  struct Identity {
    Certificate certificate;
    Key key;
  };
  static constexpr std::int64_t now = 1'790'000'000;

  Key root_key{EVP_EC_gen("P-256")}, rekor{EVP_EC_gen("P-256")}, certificate_log{EVP_EC_gen("P-256")},
      time_key{EVP_EC_gen("P-256")}, time_root_key{EVP_EC_gen("P-256")};
  Certificate root = make("root", root_key.get(), nullptr, root_key.get(), now - 1000, now + 1'000'000,
                          {{NID_basic_constraints, "critical,CA:TRUE"},
                           {NID_key_usage, "critical,keyCertSign,cRLSign"},
                           {NID_subject_key_identifier, "hash"}});
  Certificate time_root =
      make("time root", time_root_key.get(), nullptr, time_root_key.get(), now - 1000, now + 1'000'000,
           {{NID_basic_constraints, "critical,CA:TRUE"},
            {NID_key_usage, "critical,keyCertSign,cRLSign"},
            {NID_subject_key_identifier, "hash"}});
  Certificate time_authority =
      make("time", time_key.get(), time_root.get(), time_root_key.get(), now - 1000, now + 1'000'000,
           {{NID_key_usage, "critical,digitalSignature"},
            {NID_ext_key_usage, "critical,timeStamping"},
            {NID_subject_key_identifier, "hash"},
            {NID_authority_key_identifier, "keyid"}});

  static Certificate make(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, std::int64_t from,
                          std::int64_t until, const std::vector<std::pair<int, std::string>>& extensions) {
    Certificate out(X509_new());
    X509_set_version(out.get(), X509_VERSION_3);
    std::uint64_t serial = 0;
    auto random = random_bytes(7);
    for (char c : random) serial = serial << 8 | static_cast<unsigned char>(c);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), serial | 1);
    ASN1_TIME_set(X509_getm_notBefore(out.get()), from);
    ASN1_TIME_set(X509_getm_notAfter(out.get()), until);
    X509_set_pubkey(out.get(), key);
    if (*name != '\0')
      X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(out.get(), X509_get_subject_name(issuer != nullptr ? issuer : out.get()));
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer != nullptr ? issuer : out.get(), out.get(), nullptr, nullptr, 0);
    for (const auto& [nid, text] : extensions) {
      Owned<X509_EXTENSION, X509_EXTENSION_free> one(X509V3_EXT_conf_nid(nullptr, &context, nid, text.c_str()));
      EXPECT_TRUE(one) << text;
      X509_add_ext(out.get(), one.get(), -1);
    }
    EXPECT_GT(X509_sign(out.get(), issuer_key, EVP_sha256()), 0);
    return out;
  }

  static std::string sign(EVP_PKEY* key, std::string_view bytes) {
    Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
    std::string out(256, '\0');
    std::size_t size = out.size();
    EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key), 1);
    EXPECT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()),
              1);
    out.resize(size);
    return out;
  }
  static std::string public_der(EVP_PKEY* key) {
    unsigned char* data = nullptr;
    auto size = i2d_PUBKEY(key, &data);
    std::string out(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    return out;
  }
  static std::string id_of(EVP_PKEY* key) { return Hasher().update(public_der(key)).finish_raw(); }
  static std::string sha256(std::string_view bytes) { return Hasher().update(bytes).finish_raw(); }

  // What Fulcio gives: a name, by whose word, for ten minutes, logged.
  Identity issue(const std::string& uri, const std::string& issuer, std::int64_t from = now - 60, bool logged = true,
                 const char* usage = "codeSigning") {
    Identity out{{}, Key(EVP_EC_gen("P-256"))};
    out.certificate = make("", out.key.get(), root.get(), root_key.get(), from, from + 600,
                           {{NID_key_usage, "critical,digitalSignature"},
                            {NID_ext_key_usage, usage},
                            {NID_subject_alt_name, "critical,URI:" + uri},
                            {NID_subject_key_identifier, "hash"},
                            {NID_authority_key_identifier, "keyid"}});
    Owned<ASN1_UTF8STRING, ASN1_UTF8STRING_free> word(ASN1_UTF8STRING_new());
    ASN1_STRING_set(word.get(), issuer.data(), static_cast<int>(issuer.size()));
    unsigned char* der = nullptr;
    auto size = i2d_ASN1_UTF8STRING(word.get(), &der);
    add(*out.certificate, "1.3.6.1.4.1.57264.1.8", {reinterpret_cast<char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    if (logged) log(*out.certificate, from);
    EXPECT_GT(X509_sign(out.certificate.get(), root_key.get(), EVP_sha256()), 0);
    return out;
  }
  static void add(X509& certificate, const char* id, std::string_view bytes) {
    Owned<ASN1_OBJECT, ASN1_OBJECT_free> object(OBJ_txt2obj(id, 1));
    Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> data(ASN1_OCTET_STRING_new());
    ASN1_OCTET_STRING_set(data.get(), reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()));
    Owned<X509_EXTENSION, X509_EXTENSION_free> one(X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 0, data.get()));
    X509_add_ext(&certificate, one.get(), -1);
  }
  // RFC 6962: the log's signature over the certificate before it had one.
  void log(X509& certificate, std::int64_t at) const {
    unsigned char* data = nullptr;
    auto size = i2d_re_X509_tbs(&certificate, &data);
    std::string body(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    auto number = [](std::uint64_t value, int bytes) {
      std::string out;
      for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
      return out;
    };
    auto millis = static_cast<std::uint64_t>(at) * 1000;
    auto signature = sign(certificate_log.get(), std::string(2, '\0') + number(millis, 8) + number(1, 2) +
                                                     sha256(public_der(root_key.get())) + number(body.size(), 3) +
                                                     body + number(0, 2));
    auto sct = std::string(1, '\0') + id_of(certificate_log.get()) + number(millis, 8) + number(0, 2) +
               std::string("\x04\x03", 2) + number(signature.size(), 2) + signature;
    auto list = number(sct.size() + 2, 2) + number(sct.size(), 2) + sct;
    Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> inner(ASN1_OCTET_STRING_new());
    ASN1_OCTET_STRING_set(inner.get(), reinterpret_cast<const unsigned char*>(list.data()),
                          static_cast<int>(list.size()));
    unsigned char* der = nullptr;
    auto length = i2d_ASN1_OCTET_STRING(inner.get(), &der);
    add(certificate, "1.3.6.1.4.1.11129.2.4.2", {reinterpret_cast<char*>(der), static_cast<std::size_t>(length)});
    OPENSSL_free(der);
  }

  // RFC 3161: a response about these bytes.
  std::string timestamp(std::string_view bytes, std::int64_t at = now) const {
    Owned<TS_REQ, TS_REQ_free> request(TS_REQ_new());
    Owned<TS_MSG_IMPRINT, TS_MSG_IMPRINT_free> imprint(TS_MSG_IMPRINT_new());
    Owned<X509_ALGOR, X509_ALGOR_free> algorithm(X509_ALGOR_new());
    auto hash = sha256(bytes);
    TS_REQ_set_version(request.get(), 1);
    X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr);
    TS_MSG_IMPRINT_set_algo(imprint.get(), algorithm.get());
    TS_MSG_IMPRINT_set_msg(imprint.get(), reinterpret_cast<unsigned char*>(hash.data()), static_cast<int>(hash.size()));
    TS_REQ_set_msg_imprint(request.get(), imprint.get());
    TS_REQ_set_cert_req(request.get(), 1);
    Owned<BIO, BIO_free_all> in(BIO_new(BIO_s_mem()));
    i2d_TS_REQ_bio(in.get(), request.get());
    Owned<TS_RESP_CTX, TS_RESP_CTX_free> context(TS_RESP_CTX_new());
    Owned<ASN1_OBJECT, ASN1_OBJECT_free> policy(OBJ_txt2obj("1.2.3.4", 1));
    TS_RESP_CTX_set_signer_cert(context.get(), time_authority.get());
    TS_RESP_CTX_set_signer_key(context.get(), time_key.get());
    TS_RESP_CTX_set_signer_digest(context.get(), EVP_sha256());
    TS_RESP_CTX_set_def_policy(context.get(), policy.get());
    TS_RESP_CTX_add_md(context.get(), EVP_sha256());
    TS_RESP_CTX_set_serial_cb(
        context.get(),
        [](TS_RESP_CTX*, void*) {
          auto* serial = ASN1_INTEGER_new();
          ASN1_INTEGER_set(serial, 1);
          return serial;
        },
        nullptr);
    TS_RESP_CTX_set_time_cb(
        context.get(),
        [](TS_RESP_CTX*, void* when, long* seconds, long* micros) {
          *seconds = static_cast<long>(*static_cast<std::int64_t*>(when)), *micros = 0;
          return 1;
        },
        &at);
    Owned<TS_RESP, TS_RESP_free> response(TS_RESP_create_response(context.get(), in.get()));
    unsigned char* der = nullptr;
    auto size = i2d_TS_RESP(response.get(), &der);
    std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(std::max(size, 0)));
    OPENSSL_free(der);
    return out;
  }

  std::string trusted_root() const {
    auto authority = [](std::initializer_list<X509*> chain) {
      doc::List certificates;
      for (auto* one : chain) certificates.emplace_back(doc::Map{{"rawBytes", to_base64(signing::der_of(*one))}});
      return doc::Map{{"certChain", doc::Map{{"certificates", std::move(certificates)}}},
                      {"validFor", doc::Map{{"start", "2020-01-01T00:00:00.000Z"}}}};
    };
    auto log_of = [](EVP_PKEY* key) {
      return doc::Map{{"publicKey", doc::Map{{"rawBytes", to_base64(public_der(key))},
                                             {"keyDetails", "PKIX_ECDSA_P256_SHA_256"},
                                             {"validFor", doc::Map{{"start", "2020-01-01T00:00:00.000Z"}}}}},
                      {"hashAlgorithm", "SHA2_256"},
                      {"logId", doc::Map{{"keyId", to_base64(id_of(key))}}}};
    };
    return doc::print_json(
        doc::Map{{"mediaType", "application/vnd.dev.sigstore.trustedroot+json;version=0.1"},
                 {"tlogs", doc::List{log_of(rekor.get())}},
                 {"certificateAuthorities", doc::List{authority({root.get()})}},
                 {"ctlogs", doc::List{log_of(certificate_log.get())}},
                 {"timestampAuthorities", doc::List{authority({time_authority.get(), time_root.get()})}}});
  }

  static std::string pem_of(const X509& certificate) {
    Owned<BIO, BIO_free_all> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), &certificate);
    char* data = nullptr;
    auto size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
  std::string promise(std::string_view body, std::int64_t at, std::int64_t index) const {
    return sign(rekor.get(), fmt::format(R"({{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}})",
                                         to_base64(body), at, to_hex(id_of(rekor.get())), index));
  }

  // A statement signed, logged and stamped; the document before it is printed, to be spoiled.
  doc::Value bundle(const Identity& by, const std::string& statement, std::int64_t at = now) const {
    auto signature = sign(by.key.get(), signing::to_be_signed(signing::payload_type, statement));
    auto body = doc::print_json(doc::Map{
        {"apiVersion", "0.0.1"},
        {"kind", "dsse"},
        {"spec", doc::Map{{"payloadHash", doc::Map{{"algorithm", "sha256"}, {"value", sha256_hex(statement)}}},
                          {"signatures", doc::List{doc::Map{{"signature", to_base64(signature)},
                                                            {"verifier", to_base64(pem_of(*by.certificate))}}}}}}});
    // The second of three leaves.
    auto leaf = [](std::string_view bytes) { return sha256(std::string(1, '\0') + std::string(bytes)); };
    auto pair = [](const std::string& a, const std::string& b) { return sha256("\1" + a + b); };
    auto first = leaf("first"), third = leaf("third");
    auto top = pair(pair(first, leaf(body)), third);
    auto note = fmt::format("rekor.test - 1\n3\n{}\n", to_base64(top));
    auto mark = id_of(rekor.get()).substr(0, 4) + sign(rekor.get(), note);
    doc::Map proof{
        {"logIndex", "1"},
        {"treeSize", "3"},
        {"rootHash", to_base64(top)},
        {"hashes", doc::List{to_base64(first), to_base64(third)}},
        {"checkpoint", doc::Map{{"envelope", fmt::format("{}\n\xe2\x80\x94 rekor.test {}\n", note, to_base64(mark))}}}};
    doc::Map entry{{"logIndex", "1001"},
                   {"logId", doc::Map{{"keyId", to_base64(id_of(rekor.get()))}}},
                   {"kindVersion", doc::Map{{"kind", "dsse"}, {"version", "0.0.1"}}},
                   {"integratedTime", std::to_string(at)},
                   {"inclusionPromise", doc::Map{{"signedEntryTimestamp", to_base64(promise(body, at, 1001))}}},
                   {"inclusionProof", std::move(proof)},
                   {"canonicalizedBody", to_base64(body)}};
    doc::Map material{{"certificate", doc::Map{{"rawBytes", to_base64(signing::der_of(*by.certificate))}}},
                      {"tlogEntries", doc::List{std::move(entry)}},
                      {"timestampVerificationData",
                       doc::Map{{"rfc3161Timestamps",
                                 doc::List{doc::Map{{"signedTimestamp", to_base64(timestamp(signature, at))}}}}}}};
    return doc::Map{{"mediaType", bundle_type},
                    {"verificationMaterial", std::move(material)},
                    {"dsseEnvelope", doc::Map{{"payload", to_base64(statement)},
                                              {"payloadType", signing::payload_type},
                                              {"signatures", doc::List{doc::Map{{"sig", to_base64(signature)}}}}}}};
  }
  // Cosign's annotations of a classic signature.
  std::map<std::string, std::string> annotations(const Identity& by, const std::string& payload,
                                                 std::int64_t at = now) const {
    auto signature = sign(by.key.get(), payload);
    auto body = doc::print_json(doc::Map{
        {"apiVersion", "0.0.1"},
        {"kind", "hashedrekord"},
        {"spec",
         doc::Map{{"data", doc::Map{{"hash", doc::Map{{"algorithm", "sha256"}, {"value", sha256_hex(payload)}}}}},
                  {"signature", doc::Map{{"content", to_base64(signature)},
                                         {"publicKey", doc::Map{{"content", to_base64(pem_of(*by.certificate))}}}}}}}});
    auto logged = doc::print_json(doc::Map{{"SignedEntryTimestamp", to_base64(promise(body, at, 7))},
                                           {"Payload", doc::Map{{"body", to_base64(body)},
                                                                {"integratedTime", at},
                                                                {"logIndex", 7},
                                                                {"logID", to_hex(id_of(rekor.get()))}}}});
    return {{"dev.cosignproject.cosign/signature", to_base64(signature)},
            {"dev.sigstore.cosign/certificate", pem_of(*by.certificate)},
            {"dev.sigstore.cosign/bundle", logged}};
  }
};

}  // namespace slipway::oci
