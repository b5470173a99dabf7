#include "secret/redact.h"

#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"
#include "secret/detail/automaton.h"

namespace slipway::secret {
namespace {

constexpr std::size_t least_value = 3;
constexpr std::size_t least_form = 5;  // of an encoded form or a line: shorter ones would hit ordinary text

// The characters that depend on the value alone when `before` bytes stand in front of it in the encoded text.
std::string base64_inside(std::string_view value, std::size_t before) {
  auto encoded = to_base64(std::string(before, '\0') + std::string(value));
  auto first = (before * 8 + 5) / 6, end = (before + value.size()) * 8 / 6;
  return first < end ? encoded.substr(first, end - first) : std::string();
}

std::string url_alphabet(std::string text) { return replace_all(replace_all(std::move(text), "+", "-"), "/", "_"); }

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return text;
}

// "%2F" as "%2f".
std::string lower_escapes(std::string text) {
  for (std::size_t i = 0; i + 2 < text.size(); ++i)
    if (text[i] == '%') {
      for (auto j : {i + 1, i + 2})
        if (text[j] >= 'A' && text[j] <= 'F') text[j] = static_cast<char>(text[j] + 32);
      i += 2;
    }
  return text;
}

// JSON's escapes; `go` also writes <, > and & as Go's encoder does.
std::string json_escaped(std::string_view value, bool go) {
  std::string out;
  for (unsigned char c : value) {
    if (c == '"')
      out += "\\\"";
    else if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (c < 0x20 || (go && (c == '<' || c == '>' || c == '&')))
      out += fmt::format("\\u{:04x}", c);
    else
      out += static_cast<char>(c);
  }
  return out;
}

void add_encoded(std::set<std::string>& forms, std::string_view value) {
  auto put = [&](std::string form) {
    if (form.size() >= least_form) forms.insert(std::move(form));
  };
  for (std::size_t before : {0U, 1U, 2U}) {
    auto inside = base64_inside(value, before);
    put(url_alphabet(inside));
    put(std::move(inside));
  }
  auto whole = to_base64(value);  // with its padding: the last character tells some bits as well
  put(url_alphabet(whole));
  put(std::move(whole));
  auto percent = percent_encode(value);
  put(lower_escapes(percent));
  put(replace_all(percent, "%20", "+"));
  put(std::move(percent));
  auto hex = to_hex(value);
  put(upper(hex));
  put(std::move(hex));
  put(json_escaped(value, false));
  put(json_escaped(value, true));
  put(replace_all(json_escaped(value, false), "/", "\\/"));
  put(replace_all(std::string(value), "'", "'\\''"));
}

// The bytes to hide, merged where they overlap, in order.
class Spans {
 public:
  void add(std::uint64_t begin, std::uint64_t end) {
    while (!list_.empty() && list_.back().second > begin) {
      begin = std::min(begin, list_.back().first);
      list_.pop_back();
    }
    list_.emplace_back(begin, end);
  }
  std::deque<std::pair<std::uint64_t, std::uint64_t>>& list() { return list_; }

 private:
  std::deque<std::pair<std::uint64_t, std::uint64_t>> list_;
};

}  // namespace

std::vector<std::string> forms_of(std::string_view value) {
  std::set<std::string> forms;
  auto add_one = [&](std::string_view text, std::size_t least) {
    if (text.size() < least) return;
    forms.emplace(text);
    add_encoded(forms, text);
  };
  add_one(value, least_value);
  auto trimmed = trim(value);
  if (trimmed != value) add_one(trimmed, least_value);  // a file's last line end is rarely printed
  if (value.find('\n') != value.npos)
    for (auto line : lines(value)) {
      line = trim(line);
      if (line.starts_with("-----")) continue;  // says what it is, not what is in it
      add_one(line, least_form);
    }
  std::vector<std::string> list(forms.begin(), forms.end());
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  return list;
}

struct RedactionSet::Stream::Rep {
  std::shared_ptr<const detail::Automaton> machine;
  detail::Automaton::State state = detail::Automaton::start;
  std::string held;  // bytes [done, seen)
  std::uint64_t done = 0, seen = 0;
  std::uint64_t hidden = 0;  // the mask for bytes below it was written already
  Spans spans;

  void feed(std::string_view piece) {
    for (char c : piece) {
      state = machine->next(state, c);
      ++seen;
      if (auto length = machine->match(state); length > 0) spans.add(seen - length, seen);
    }
    held += piece;
  }
  // Gives out everything before `safe`.
  std::string drain(std::uint64_t safe) {
    std::string out;
    auto at = done;
    auto copy_to = [&](std::uint64_t end) {
      auto from = std::max(at, hidden);
      if (end > from) out.append(held, from - done, end - from);
      at = std::max(at, end);
    };
    auto& list = spans.list();
    while (!list.empty() && list.front().first < safe) {
      auto [begin, end] = list.front();
      list.pop_front();
      if (begin >= hidden) {
        copy_to(begin);
        out += mask;
      }
      hidden = std::max(hidden, end);
    }
    copy_to(safe);
    held.erase(0, safe - done);
    done = safe;
    return out;
  }
};

RedactionSet::Stream::Stream(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
RedactionSet::Stream::Stream(Stream&&) noexcept = default;
RedactionSet::Stream& RedactionSet::Stream::operator=(Stream&&) noexcept = default;
RedactionSet::Stream::~Stream() = default;

std::string RedactionSet::Stream::write(std::string_view piece) {
  if (!rep_->machine) return std::string(piece);
  rep_->feed(piece);
  return rep_->drain(rep_->seen - rep_->machine->depth(rep_->state));
}

std::string RedactionSet::Stream::finish() {
  if (!rep_->machine) return {};
  auto rest = rep_->drain(rep_->seen);
  rep_->state = detail::Automaton::start;
  return rest;
}

RedactionSet::RedactionSet() = default;
RedactionSet::~RedactionSet() = default;

void RedactionSet::add(std::string_view value) {
  auto forms = forms_of(value);
  if (forms.empty()) return;
  auto state = state_.lock();
  state->forms.insert(state->forms.end(), forms.begin(), forms.end());
  std::sort(state->forms.begin(), state->forms.end());
  state->forms.erase(std::unique(state->forms.begin(), state->forms.end()), state->forms.end());
  state->machine = nullptr;
}

void RedactionSet::clear() { *state_.lock() = {}; }

bool RedactionSet::empty() const { return state_.lock()->forms.empty(); }

std::shared_ptr<const detail::Automaton> RedactionSet::machine() const {
  auto state = state_.lock();
  if (!state->machine && !state->forms.empty())
    state->machine = std::make_shared<const detail::Automaton>(state->forms);
  return state->machine;
}

RedactionSet::Stream RedactionSet::stream() const {
  auto rep = std::make_unique<Stream::Rep>();
  rep->machine = machine();
  return Stream(std::move(rep));
}

std::string RedactionSet::redact(std::string_view text) const {
  auto whole = stream();
  auto out = whole.write(text);
  return out += whole.finish();
}

bool RedactionSet::hides(std::string_view text) const {
  auto m = machine();
  if (!m) return false;
  auto state = detail::Automaton::start;
  for (char c : text) {
    state = m->next(state, c);
    if (m->match(state) > 0) return true;
  }
  return false;
}

void install_log_redaction(std::shared_ptr<const RedactionSet> set) {
  set_log_redaction([set = std::move(set)](std::string line) { return set->empty() ? line : set->redact(line); });
}

}  // namespace slipway::secret
