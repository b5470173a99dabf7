// Armor and header of an age file. Strict as the format asks: nothing may be written in two ways.
#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "secret/detail/age.h"

namespace slipway::secret::detail {
namespace {

constexpr std::string_view version_line = "age-encryption.org/v1\n";
constexpr std::size_t most_stanzas = 1000;

Fail broken(std::string_view what) { return fail(Kind::invalid, "age file: {}", what); }

// A line with its end, which must be there.
std::optional<std::string_view> line_at(std::string_view text, std::size_t at) {
  auto end = text.find('\n', at);
  if (end == std::string_view::npos) return {};
  return text.substr(at, end - at);
}

bool is_word(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 33 && c <= 126; });
}

Result<Stanza> stanza_at(std::string_view file, std::size_t& at) {
  auto head = line_at(file, at);
  if (!head) return broken("ends in its header");
  Stanza stanza;
  for (auto word : split(head->substr(3), ' ')) {
    if (!is_word(word)) return broken("a recipient's line is not well formed");
    stanza.arguments.emplace_back(word);
  }
  at += head->size() + 1;
  for (;;) {
    auto line = line_at(file, at);
    if (!line) return broken("ends in its header");
    auto bytes = decode_base64_plain(*line);
    if (!bytes || line->size() > 64) return broken("a recipient's body is no base64 in lines of 64");
    at += line->size() + 1;
    stanza.body += *bytes;
    if (line->size() < 64) return stanza;
  }
}

}  // namespace

std::string encode_base64_plain(std::string_view bytes) {
  auto text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<std::string> decode_base64_plain(std::string_view text) {
  if (text.find_first_of("=-_ \t\r\n") != std::string_view::npos) return {};
  auto bytes = from_base64(text);
  if (!bytes || encode_base64_plain(*bytes) != text) return {};
  return *std::move(bytes);
}

std::string put_armor(std::string_view bytes) {
  auto body = to_base64(bytes);
  std::string out(armor_begin);
  out += '\n';
  for (std::size_t i = 0; i < body.size(); i += 64) out += body.substr(i, 64) + "\n";
  return out + std::string(armor_end) + "\n";
}

Result<std::string> take_armor(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  text = trim_end(text);
  std::string body;
  auto all = split(text, '\n');
  for (auto& line : all)
    if (line.ends_with('\r')) line.remove_suffix(1);
  if (all.size() < 2 || all.front() != armor_begin || all.back() != armor_end)
    return broken("its armor is not complete");
  for (std::size_t i = 1; i + 1 < all.size(); ++i) {
    bool last = i + 2 == all.size();
    if (all[i].empty() || all[i].size() > 64 || (!last && all[i].size() != 64))
      return broken("its armor has lines that are not of 64 letters");
    body += all[i];
  }
  if (body.find_first_of("-_ \t") != std::string::npos) return broken("its armor is no base64");
  auto bytes = from_base64(body);
  if (!bytes || to_base64(*bytes) != body) return broken("its armor is no base64");
  return *std::move(bytes);
}

std::string print_stanza(const Stanza& stanza) {
  auto out = fmt::format("-> {}\n", join(stanza.arguments, " "));
  auto body = encode_base64_plain(stanza.body);
  std::size_t at = 0;
  for (; body.size() - at >= 64; at += 64) out += body.substr(at, 64) + "\n";
  return out + body.substr(at) + "\n";
}

Result<Header> parse_header(std::string_view file) {
  if (!file.starts_with(version_line)) return broken("does not start with age-encryption.org/v1");
  Header header{{}, {}, 0, 0};
  std::size_t at = version_line.size();
  while (file.substr(at).starts_with("-> ")) {
    if (header.stanzas.size() == most_stanzas) return broken("has more than 1000 recipients");
    TRY(auto stanza, stanza_at(file, at));
    header.stanzas.push_back(std::move(stanza));
  }
  auto last = line_at(file, at);
  if (!last || !last->starts_with("--- ") || header.stanzas.empty()) return broken("its header is not complete");
  auto mac = decode_base64_plain(last->substr(4));
  if (!mac || mac->size() != 32) return broken("its header's mac is not 32 bytes");
  header.mac = *std::move(mac);
  header.signed_end = at + 3;
  header.end = at + last->size() + 1;
  return header;
}

}  // namespace slipway::secret::detail
