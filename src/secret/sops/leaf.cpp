// One sealed value: ENC[AES256_GCM,data:...,iv:...,tag:...,type:...].
#include <charconv>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "secret/detail/crypt.h"
#include "secret/detail/sops.h"

namespace slipway::secret::detail {
namespace {

constexpr std::string_view head = "ENC[AES256_GCM,data:";
constexpr std::size_t nonce_size = 32, tag_size = 16;

struct Parts {
  std::string data, nonce, tag, type;
};
// "name:value" up to `end`, taken from the front.
std::optional<std::string_view> take(std::string_view& text, std::string_view name, std::string_view end) {
  if (!text.starts_with(name)) return {};
  auto pair = cut(text.substr(name.size()), end);
  if (!pair) return {};
  text = pair->second;
  return pair->first;
}

std::optional<Parts> parts_of(std::string_view text) {
  if (!text.starts_with(head)) return {};
  text.remove_prefix(head.size() - std::string_view("data:").size());
  auto data = take(text, "data:", ","), iv = take(text, "iv:", ","), tag = take(text, "tag:", ","),
       type = take(text, "type:", "]");
  if (!data || !iv || !tag || !type || !text.empty()) return {};
  auto bytes = from_base64(*data), nonce = from_base64(*iv), mark = from_base64(*tag);
  if (!bytes || !nonce || !mark) return {};
  return Parts{*bytes, *nonce, *mark, std::string(*type)};
}

// As Go prints them with 'f' and -1: the fewest digits that read back, never an exponent.
std::string print_float(double number) {
  char buffer[400];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed).ptr;
  return {buffer, end};
}

}  // namespace

std::string context_of(const Path& path) { return join(path, ":") + ":"; }

Leaf leaf_of(const doc::Value& value) {
  if (const auto* text = value.if_string()) return {*text, "str"};
  if (const auto* yes = value.if_bool()) return {*yes ? "True" : "False", "bool"};
  if (const auto* whole = value.if_int()) return {std::to_string(*whole), "int"};
  if (const auto* number = value.if_double()) return {print_float(*number), "float"};
  return {};
}

Result<doc::Value> value_of(const Leaf& leaf) {
  if (leaf.type == "str" || leaf.type == "bytes" || leaf.type == "time") return doc::Value(leaf.bytes);
  if (leaf.type == "bool") {
    auto word = lower(leaf.bytes);
    if (word == "true" || word == "t" || word == "1") return doc::Value(true);
    if (word == "false" || word == "f" || word == "0") return doc::Value(false);
  }
  auto whole = to_int(leaf.bytes);
  if (whole && (leaf.type == "int" || leaf.type == "float")) return doc::Value(*whole);
  auto number = to_double(leaf.bytes);
  if (number && leaf.type == "float") return doc::Value(*number);
  return fail(Kind::corrupt, "is of type \"{}\" and cannot be read as such", leaf.type.substr(0, 20));
}

bool looks_sealed(std::string_view text) { return text.starts_with(head) && text.ends_with("]"); }

std::string seal_leaf(const Leaf& leaf, std::string_view key, std::string_view context, std::string nonce) {
  if (leaf.bytes.empty() && leaf.type == "str") return "";
  if (nonce.size() != nonce_size) nonce = random_bytes(nonce_size);
  std::string data, tag;
  SLP_ASSERT(crypt_gcm(true, {key, nonce, context}, leaf.bytes, data, tag));
  return fmt::format("{}{},iv:{},tag:{},type:{}]", head, to_base64(data), to_base64(nonce), to_base64(tag), leaf.type);
}

Result<Leaf> open_leaf(std::string_view text, std::string_view key, std::string_view context, std::string* nonce) {
  if (text.empty()) return Leaf{"", "str"};
  auto parts = parts_of(text);
  if (!parts || parts->tag.size() != tag_size)
    return fail(Kind::corrupt, "is not sealed although the file's rules want it to be");
  std::string plain;
  if (!crypt_gcm(false, {key, parts->nonce, context}, parts->data, plain, parts->tag))
    return fail(Kind::corrupt, "does not open with the file's key: it was changed, or belongs to another place");
  if (nonce != nullptr) *nonce = parts->nonce;
  return Leaf{std::move(plain), parts->type};
}

}  // namespace slipway::secret::detail
