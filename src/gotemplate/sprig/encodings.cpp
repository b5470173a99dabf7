// JSON, YAML, base64, base32, digests.
#include <zlib.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

// encoding/json hides what HTML would act on. Such characters stand in strings only.
std::string without_html(std::string json) {
  json = replace_all(std::move(json), "<", "\\u003c");
  json = replace_all(std::move(json), ">", "\\u003e");
  json = replace_all(std::move(json), "&", "\\u0026");
  json = replace_all(std::move(json), "\u2028", "\\u2028");
  return replace_all(std::move(json), "\u2029", "\\u2029");
}

Function json(bool pretty, bool raw) {
  return {"a", [pretty, raw](const Items& a) -> Result<Value> {
            TRY(auto document, to_doc(a[0]));
            auto printed = pretty ? doc::print_json_pretty(document) : doc::print_json(document);
            return Value(raw ? std::move(printed) : without_html(std::move(printed)));
          }};
}

Function from_json(bool must) {
  return {"s", [must](const Items& a) -> Result<Value> {
            auto document = doc::parse_json(text(a[0]), "json");
            if (!document && must) return Fail(std::move(document).error());
            return document ? from_doc(*document) : Value(Value::Nil{});
          }};
}

Function to_yaml() {
  return {"a", [](const Items& a) -> Result<Value> {
            TRY(auto document, to_doc(a[0]));
            return Value(std::string(trim_end(doc::print_yaml(document, {.sort_keys = true}))));
          }};
}

Function from_yaml(bool list) {
  return {"s", [list](const Items& a) -> Result<Value> {
            TRY(auto document, doc::parse_yaml(text(a[0]), {.source = "yaml", .max_nodes = 100'000}));
            if (document.is_null()) return list ? Value(Items()) : Value(Dict());
            if (list ? !document.is_list() : !document.is_map())
              return wrong("yaml holds a {}, want a {}", doc::to_string(document.type()), list ? "list" : "map");
            return from_doc(document);
          }};
}

constexpr std::string_view letters32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::string to_base32(std::string_view bytes) {
  std::string out;
  std::uint64_t held = 0;
  int bits = 0;
  for (char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 5; bits -= 5) out += letters32[held >> (bits - 5) & 31];
  }
  if (bits > 0) out += letters32[held << (5 - bits) & 31];
  while (out.size() % 8 != 0) out += '=';
  return out;
}

std::string from_base32(std::string_view in) {
  std::string out;
  std::uint64_t held = 0;
  int bits = 0;
  auto body = in.substr(0, in.find_last_not_of('=') + 1);
  for (std::size_t i = 0; i < body.size(); ++i) {
    auto at = letters32.find(body[i]);
    if (at == std::string_view::npos) return fmt::format("illegal base32 data at input byte {}", i);
    held = held << 5 | at;
    if ((bits += 5) >= 8) out += static_cast<char>(held >> (bits -= 8) & 255);
  }
  return out;
}

std::string bad_base64(std::string_view in) {
  auto at = in.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  return fmt::format("illegal base64 data at input byte {}", std::min(at, in.size()));
}

std::string hashed(Hasher::Algorithm algorithm, std::string_view bytes) {
  return Hasher(algorithm).update(bytes).finish_hex();
}

}  // namespace

Rows encoding_rows() {
  using A = Hasher::Algorithm;
  return {
      {"toJson", json(false, false)},
      {"mustToJson", json(false, false)},
      {"toPrettyJson", json(true, false)},
      {"mustToPrettyJson", json(true, false)},
      {"toRawJson", json(false, true)},
      {"mustToRawJson", json(false, true)},
      {"fromJson", from_json(false)},
      {"mustFromJson", from_json(true)},
      // Not sprig's, but Helm's and Argo CD's.
      {"toYaml", to_yaml()},
      {"fromYaml", from_yaml(false)},
      {"fromYamlArray", from_yaml(true)},
      {"b64enc", strings_to("s", [](const Items& a) { return to_base64(text(a[0])); })},
      {"b64dec", strings_to("s",
                            [](const Items& a) {
                              auto bytes = from_base64(text(a[0]));
                              return bytes ? *bytes : bad_base64(text(a[0]));
                            })},
      {"b32enc", strings_to("s", [](const Items& a) { return to_base32(text(a[0])); })},
      {"b32dec", strings_to("s", [](const Items& a) { return from_base32(text(a[0])); })},
      {"sha1sum", strings_to("s", [](const Items& a) { return hashed(A::sha1, text(a[0])); })},
      {"sha256sum", strings_to("s", [](const Items& a) { return hashed(A::sha256, text(a[0])); })},
      {"sha512sum", strings_to("s", [](const Items& a) { return hashed(A::sha512, text(a[0])); })},
      {"adler32sum", strings_to("s",
                                [](const Items& a) {
                                  const auto& s = text(a[0]);
                                  auto sum = adler32_z(1, reinterpret_cast<const Bytef*>(s.data()), s.size());
                                  return std::to_string(sum);
                                })},
      {"randBytes",
       {"i",
        [](const Items& a) -> Result<Value> {
          if (num(a[0]) < 0) return wrong("a count of {}, want 0 or more", num(a[0]));
          TRY_OK(within(static_cast<std::size_t>(num(a[0])), most_bytes, "the count"));
          return Value(to_base64(random_bytes(static_cast<std::size_t>(num(a[0])))));
        }}},
  };
}

}  // namespace slipway::gotemplate::sprig
