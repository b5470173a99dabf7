#pragma once
// A text of blocks, each about some kinds: [group/Kind group/Other *.group/*]. A kind that is named exactly beats one
// that a * stands for; among those the first one counts.
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gitops::rules {

struct Line {
  std::size_t number = 0;  // in the whole text, from 1
  std::string_view text;   // neither empty nor a comment
};

struct Block {
  std::size_t line = 0, index = 0;  // of its heading; among the blocks
  std::string_view body;
  std::vector<Line> lines() const;
};

// Leads into the text, which must outlive it. Threads: any.
class Book {
 public:
  explicit Book(std::string_view text);
  const Block* find(std::string_view group, std::string_view kind) const;  // null: no block is about the kind
  const std::deque<Block>& blocks() const { return blocks_; }
  std::vector<std::string> problems() const;  // headings that cannot be read, kinds with two blocks

 private:
  struct Entry {
    std::string_view group, kind;
    const Block* block;
  };
  static bool before(const Entry& a, const Entry& b);
  std::deque<Block> blocks_;
  std::vector<Entry> exact_, globs_;  // exact: in order
  std::vector<std::string> problems_;
};

// What blocks say, each read when it is first asked for. `read(block)` makes a Program.
template <typename Program>
class Programs {
 public:
  explicit Programs(std::size_t blocks) : slots_(blocks) {}
  template <typename Read>
  const Program& of(const Block& block, Read read) const {
    auto& slot = slots_[block.index];
    std::call_once(slot.once, [&] { slot.program = read(block); });
    return slot.program;
  }

 private:
  struct Slot {
    std::once_flag once;
    Program program;
  };
  mutable std::deque<Slot> slots_;
};

// All that cannot be read in a text: of its headings, and of its blocks by what `read(block)` gives.
template <typename Read>
std::vector<std::string> problems_in(std::string_view text, Read read) {
  Book book(text);
  auto problems = book.problems();
  for (const auto& block : book.blocks())
    for (auto& problem : read(block).problems) problems.push_back(std::move(problem));
  return problems;
}

}  // namespace slipway::gitops::rules
