#pragma once
// Golden files: the expected text of a test, kept in testdata/. SLIPWAY_UPDATE=1 rewrites them (and fails, so
// that an update is never green by accident).
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/files.h"

namespace slipway {

inline void golden(const fs::path& file, const std::string& got) {
  auto want = read_file(file);
  if (want && *want == got) return;
  if (std::getenv("SLIPWAY_UPDATE") != nullptr) {
    (void)make_dirs(file.parent_path());
    ASSERT_TRUE(write_file(file, got));
    ADD_FAILURE() << "rewrote " << file;
    return;
  }
  EXPECT_EQ(want ? *want : std::string("(no such file)"), got) << file << "\nSLIPWAY_UPDATE=1 rewrites it";
}

// The folder of real inputs beside the project, if this machine has it. Tests that need it GTEST_SKIP without.
inline std::optional<fs::path> corpora() {
  auto path = fs::path(SLIPWAY_SOURCE_DIR).parent_path() / "shared/corpora";
  if (const char* set = std::getenv("SLIPWAY_CORPORA")) path = set;
  return path_exists(path) ? std::optional(path) : std::nullopt;
}

// Unwraps a Result in a test: a failed one fails the test with its message.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().print();
    std::abort();
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace slipway
