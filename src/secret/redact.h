#pragma once
// The redaction set: what must never be seen in a log, a page, a message. Each value is looked for in every form it is
// likely to be printed in.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.h"

namespace slipway::secret {

inline constexpr std::string_view mask = "***";

namespace detail {
class Automaton;
}

// Masks: the value, each line of a value with several, base64 at all three alignments (both alphabets), percent and
// form encoding, hex, JSON and shell escapes. Values below three characters would hide nothing but sense and are not
// masked. One pass over the text whatever the number of values (Aho-Corasick). Threads: any.
class RedactionSet {
 public:
  RedactionSet();
  ~RedactionSet();
  void add(std::string_view value);
  void clear();
  bool empty() const;
  std::string redact(std::string_view text) const;
  // Whether redact() would change it.
  bool hides(std::string_view text) const;

  // Text that comes in pieces: what may be the start of a value is held back until it is known. Values added later are
  // not seen by a stream that has begun. Threads: one.
  class Stream {
   public:
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;
    ~Stream();
    std::string write(std::string_view piece);
    std::string finish();  // what was still held back

   private:
    friend class RedactionSet;
    struct Rep;
    explicit Stream(std::unique_ptr<Rep> rep);
    std::unique_ptr<Rep> rep_;
  };
  Stream stream() const;

 private:
  struct State {
    std::vector<std::string> forms;                    // sorted, unique
    std::shared_ptr<const detail::Automaton> machine;  // null: forms changed since
  };
  std::shared_ptr<const detail::Automaton> machine() const;
  mutable Guarded<State> state_;
};

// Every form in which `value` is masked, longest first; empty for a value that is too short.
std::vector<std::string> forms_of(std::string_view value);

// From now on every line of the log passes through the set.
void install_log_redaction(std::shared_ptr<const RedactionSet> set);

}  // namespace slipway::secret
