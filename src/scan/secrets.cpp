#include "scan/secrets.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <cmath>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"

namespace slipway::scan {
namespace {

// All patterns, compiled once, behind one automaton over their keywords: a text without any keyword is read once.
class Engine {
 public:
  static const Engine& get() {
    static const Engine engine;
    return engine;
  }
  // Rules one of whose keywords is in the text.
  std::vector<std::size_t> candidates(std::string_view text) const {
    std::vector<int> hits;
    keywords_.Match(re2::StringPiece(text.data(), text.size()), &hits);
    std::set<std::size_t> rules;
    for (int hit : hits) rules.insert(rule_of_[static_cast<std::size_t>(hit)]);
    return {rules.begin(), rules.end()};
  }
  const RE2& pattern(std::size_t rule) const { return *patterns_[rule]; }

 private:
  Engine() : keywords_(options(), RE2::UNANCHORED) {
    for (const auto& rule : secret_rules()) {
      patterns_.push_back(
          std::make_unique<RE2>(re2::StringPiece(rule.pattern.data(), rule.pattern.size()), RE2::Quiet));
      SLP_ASSERT(patterns_.back()->ok());
      auto words = rule.id == "private-key" ? std::vector<std::string_view>{rule.keywords} : split(rule.keywords, ' ');
      for (auto word : words) {
        auto quoted = "(?i)" + RE2::QuoteMeta(re2::StringPiece(word.data(), word.size()));
        SLP_ASSERT(keywords_.Add(quoted, nullptr) >= 0);
        rule_of_.push_back(patterns_.size() - 1);
      }
    }
    SLP_ASSERT(keywords_.Compile());
  }
  static RE2::Options options() {
    RE2::Options o;
    o.set_encoding(RE2::Options::EncodingLatin1);
    o.set_log_errors(false);
    o.set_max_mem(64 << 20);
    return o;
  }
  RE2::Set keywords_;
  std::vector<std::size_t> rule_of_;
  std::vector<std::unique_ptr<RE2>> patterns_;
};

bool has_any(std::string_view text, std::initializer_list<std::string_view> words) {
  auto low = lower(text);
  return std::any_of(words.begin(), words.end(), [&](auto word) { return low.find(word) != low.npos; });
}

// What people write where a secret will stand.
bool is_placeholder(std::string_view value) {
  return has_any(value, {"example", "changeme", "change-me", "change_me", "placeholder", "dummy",  "xxxx",   "****",
                         "your",    "insert",   "replace",   "redacted",  "fixme",       "todo",   "sample", "<",
                         "${",      "$(",       "{{",        "%(",        "1234567890",  "abcdef", "0000000"});
}

bool quoted_at(std::string_view text, std::size_t begin) {
  return begin > 0 && (text[begin - 1] == '"' || text[begin - 1] == '\'' || text[begin - 1] == '`');
}

// Files whose values stand without quotes.
bool is_settings_file(std::string_view file) {
  auto name = lower(file.substr(file.rfind('/') + 1));
  for (auto end :
       {".env", ".ini", ".cfg", ".conf", ".properties", ".yaml", ".yml", ".toml", ".tfvars", ".npmrc", ".netrc"})
    if (name.ends_with(end)) return true;
  return name.starts_with(".env") || name == "dockerfile" || name == "credentials";
}

bool is_lock_file(std::string_view file) {
  auto name = lower(file.substr(file.rfind('/') + 1));
  return name.ends_with(".lock") || name == "package-lock.json" || name == "go.sum" || name == "pnpm-lock.yaml" ||
         name.ends_with(".min.js") || name.ends_with(".map") || name.ends_with(".svg");
}

bool generic_holds(std::string_view file, std::string_view text, std::size_t begin, std::string_view value) {
  if (is_lock_file(file) || is_placeholder(value)) return false;
  if (!quoted_at(text, begin) && !is_settings_file(file)) return false;
  // A path, a dotted name, a call, a reference to another variable: not the secret itself.
  if (value.starts_with("/") || value.starts_with("./") || value.find('$') == 0 || value.find("()") != value.npos)
    return false;
  bool path = value.find('/') != value.npos && std::all_of(value.begin(), value.end(), [](unsigned char c) {
                return std::islower(c) || std::isdigit(c) || c == '/' || c == '_' || c == '-' || c == '.';
              });
  if (path) return false;
  bool digit = value.find_first_of("0123456789") != value.npos;
  bool letter =
      std::any_of(value.begin(), value.end(), [](char c) { return std::isalpha(static_cast<unsigned char>(c)); });
  return digit && letter;
}

bool jwt_holds(std::string_view token) {
  auto header = from_base64(token.substr(0, token.find('.')));
  return header && header->find("\"alg\"") != std::string::npos;
}

// Of user:password@host. A password that is the user's name, or for a service on this machine, is a test's.
bool url_password_holds(std::string_view text, std::size_t begin, std::string_view value) {
  if (value.starts_with("$") || is_placeholder(value)) return false;
  auto user_end = begin - 1;
  auto user_begin = text.rfind('/', user_end) + 1;
  auto user = text.substr(user_begin, user_end - user_begin);
  auto host = text.substr(begin + value.size() + 1, 12);
  if (user == value || host.starts_with("localhost") || host.starts_with("127.0.0.1") || host.starts_with("[::1]"))
    return false;
  return !has_any(value, {"password", "passwd", "secret}", "pass}", "{", "["}) && lower(value) != "pass" &&
         lower(value) != "pwd";
}

bool holds(const SecretRule& rule, std::string_view file, std::string_view text, std::size_t begin,
           std::string_view secret) {
  if (rule.entropy > 0 && shannon_entropy(secret) < rule.entropy) return false;
  switch (rule.check) {
    case SecretRule::Check::none:
      return true;
    case SecretRule::Check::jwt:
      return jwt_holds(secret);
    case SecretRule::Check::generic:
      return generic_holds(file, text, begin, secret);
    case SecretRule::Check::url_password:
      return url_password_holds(text, begin, secret);
  }
  return true;
}

// Lines of the text and which of them are allowed to hold a secret.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t at = 0; (at = text.find('\n', at)) != text.npos;) starts_.push_back(++at);
  }
  std::size_t line_of(std::size_t at) const {
    return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), at) - starts_.begin());
  }
  std::size_t column_of(std::size_t at) const { return at - starts_[line_of(at) - 1] + 1; }
  bool allowed(std::size_t line) const {
    if (allows(line)) return true;
    // A comment alone on its line speaks of the next.
    if (line < 2 || !allows(line - 1)) return false;
    auto before = trim(at(line - 1));
    return before.size() < 60 && !before.empty() &&
           std::string_view("#/-;<*").find(before[0]) != std::string_view::npos;
  }

 private:
  std::string_view at(std::size_t line) const {
    auto begin = starts_[line - 1];
    auto end = line < starts_.size() ? starts_[line] : text_.size();
    return text_.substr(begin, end - begin);
  }
  bool allows(std::size_t line) const { return at(line).find("slipway:allow-secret") != std::string_view::npos; }
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

struct Hit {
  std::size_t rule, begin, end;
};

std::vector<Hit> hits_of(std::string_view file, std::string_view text, std::size_t limit) {
  std::vector<Hit> hits;
  for (auto rule : Engine::get().candidates(text)) {
    const auto& pattern = Engine::get().pattern(rule);
    re2::StringPiece whole(text.data(), text.size()), groups[2];
    std::size_t at = 0;
    while (hits.size() < limit && at < text.size() &&
           pattern.Match(whole, at, text.size(), RE2::UNANCHORED, groups, 2)) {
      auto& secret = groups[1].data() != nullptr ? groups[1] : groups[0];
      auto begin = static_cast<std::size_t>(secret.data() - text.data());
      if (holds(secret_rules()[rule], file, text, begin, {secret.data(), secret.size()}))
        hits.push_back({rule, begin, begin + secret.size()});
      at = std::max(at + 1, begin + secret.size());
    }
  }
  // One place, one finding: rules stand from the most exact to the most general.
  std::vector<Hit> kept;
  for (const auto& hit : hits)
    if (std::none_of(kept.begin(), kept.end(), [&](const Hit& k) { return hit.begin < k.end && k.begin < hit.end; }))
      kept.push_back(hit);
  std::sort(kept.begin(), kept.end(), [](const Hit& a, const Hit& b) { return a.begin < b.begin; });
  return kept;
}

}  // namespace

double shannon_entropy(std::string_view text) {
  if (text.empty()) return 0;
  std::array<std::size_t, 256> counts{};
  for (unsigned char c : text) ++counts[c];
  double bits = 0;
  for (auto count : counts) {
    if (count == 0) continue;
    double share = static_cast<double>(count) / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

std::string mask_secret(std::string_view secret) {
  if (secret.starts_with("-----BEGIN")) return std::string(secret.substr(0, secret.find('-', 11))) + "-----…";
  auto shown = std::min<std::size_t>(4, secret.size() / 4);
  return std::string(secret.substr(0, shown)) + "****";
}

std::vector<path::Finding> find_secrets(std::string_view file, std::string_view text,
                                        const SecretScanOptions& options) {
  std::vector<path::Finding> findings;
  if (text.size() > options.max_bytes || text.substr(0, 8000).find('\0') != text.npos) return findings;
  auto hits = hits_of(file, text, options.max_findings);
  if (hits.empty()) return findings;
  Lines lines_of(text);
  for (const auto& hit : hits) {
    auto line = lines_of.line_of(hit.begin);
    if (lines_of.allowed(line)) continue;
    const auto& rule = secret_rules()[hit.rule];
    auto secret = text.substr(hit.begin, hit.end - hit.begin);
    path::Finding f;
    f.check = "secret", f.rule = rule.id;
    f.severity = path::Severity::critical;
    f.place = {std::string(file), static_cast<int>(line), static_cast<int>(lines_of.column_of(hit.begin))};
    f.message = fmt::format(
        "looks like {}: {}; take it out of the file and revoke it, or mark the line with slipway:allow-secret if it is "
        "not one",
        rule.what, mask_secret(secret));
    // Survives moves of the line, not of the file; a keyed digest of nothing secret would not tell values apart.
    f.fingerprint = sha256_hex(fmt::format("{}\n{}\n{}", rule.id, file, secret)).substr(0, 32);
    findings.push_back(std::move(f));
  }
  return findings;
}

}  // namespace slipway::scan
