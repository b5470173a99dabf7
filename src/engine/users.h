#pragma once
// Who may talk to this Slipway: names with tokens. Only digests of tokens are kept, but for the first administrator's,
// which `up` leaves in DIR/token (0600) for the commands of the same machine.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/guarded.h"

namespace slipway::engine {

struct User {
  std::string name;
  std::vector<std::string> groups;
};

// Threads: any. Also between processes: who is added or taken out of the file beside us counts from the next question
// on.
class Users {
 public:
  // Reads DIR/users; makes the administrator when there is none.
  static Result<std::unique_ptr<Users>> open(const fs::path& data);
  // By token; the name that came with it only tells who of several people behind one administrator token it is.
  std::optional<User> by_token(std::string_view token, std::string_view claimed_name = {}) const;
  // From an Authorization header, Basic or Bearer. Nothing: absent or wrong.
  std::optional<User> by_header(std::string_view authorization) const;
  std::optional<User> by_name(std::string_view name) const;
  // Gives the new token, which is shown once. Errors: conflict (the name is taken), invalid.
  Result<std::string> add(std::string_view name, const std::vector<std::string>& groups);
  const std::string& admin_token() const { return admin_token_; }

 private:
  explicit Users(fs::path data) : data_(std::move(data)) {}
  struct Entry {
    User user;
    std::string token_sha256;
  };
  struct State {
    std::vector<Entry> entries;
    std::string stamp;  // of the file they were read from
  };
  fs::path file() const { return data_ / "users"; }
  Result<std::vector<Entry>> read() const;
  Result<> save(const std::vector<Entry>& entries) const;
  void refresh(State& state) const;
  fs::path data_;
  std::string admin_token_;
  mutable Guarded<State> state_;
};

}  // namespace slipway::engine
