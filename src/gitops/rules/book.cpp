#include "gitops/rules/book.h"

#include <algorithm>

#include "base/text.h"
#include "gitops/rules/fields.h"

namespace slipway::gitops::rules {

std::vector<Line> Block::lines() const {
  std::vector<Line> found;
  auto number = line;
  for (auto text : slipway::lines(body)) {
    ++number;
    text = trim_end(text);
    if (!text.empty() && text.front() != '#') found.push_back({number, text});
  }
  return found;
}

Book::Book(std::string_view text) {
  std::size_t number = 0, at = 0, body = 0;
  while (at < text.size()) {
    auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
    auto line = trim_end(text.substr(at, end - at));
    ++number, at = end;
    if (line.starts_with('[')) {
      auto& block = blocks_.emplace_back();
      block.line = number, block.index = blocks_.size() - 1;
      body = end;
      for (auto word : split(line.substr(1, line.rfind(']') - 1), ' ')) {
        auto parts = cut(word, "/");
        if (!parts || !line.ends_with(']')) {
          problems_.push_back(fmt::format("line {}: want [group/Kind ...], got {}", number, line));
          break;
        }
        auto [group, kind] = *parts;
        (word.contains('*') ? globs_ : exact_).push_back({group, kind, &block});
      }
    }
    if (!blocks_.empty()) blocks_.back().body = text.substr(body, end - body);
  }
  std::stable_sort(exact_.begin(), exact_.end(), before);
}

bool Book::before(const Entry& a, const Entry& b) { return std::pair(a.group, a.kind) < std::pair(b.group, b.kind); }

const Block* Book::find(std::string_view group, std::string_view kind) const {
  Entry wanted{group, kind, nullptr};
  auto found = std::lower_bound(exact_.begin(), exact_.end(), wanted, before);
  if (found != exact_.end() && !before(wanted, *found)) return found->block;
  for (const auto& entry : globs_)
    if (matches(entry.group, group) && matches(entry.kind, kind)) return entry.block;
  return nullptr;
}

std::vector<std::string> Book::problems() const {
  auto all = problems_;
  for (std::size_t i = 1; i < exact_.size(); ++i)
    if (!before(exact_[i - 1], exact_[i]))
      all.push_back(
          fmt::format("line {}: {}/{} has a block already", exact_[i].block->line, exact_[i].group, exact_[i].kind));
  return all;
}

}  // namespace slipway::gitops::rules
