#include "engine/push_notes.h"

#include <gtest/gtest.h>

namespace slipway::engine {
namespace {

TEST(PushNotes, AreThereUntilForgotten) {
  auto dir = TempDir::make();
  ASSERT_TRUE(dir);
  PushNotes notes(dir->path() / "pushes");
  EXPECT_TRUE(notes.left()->empty());
  PushNote a{"shop", "refs/heads/main", "0", "1", "ada"}, b{"shop", "refs/tags/v1", "0", "1", "ada lovelace"};
  ASSERT_TRUE(notes.write(a));
  ASSERT_TRUE(notes.write(b));
  ASSERT_TRUE(notes.write(a));
  auto left = PushNotes(dir->path() / "pushes").left();
  ASSERT_EQ(left->size(), 2U);
  EXPECT_NE(std::find(left->begin(), left->end(), b), left->end());
  notes.forget(a);
  EXPECT_EQ(*notes.left(), std::vector<PushNote>{b});
}

TEST(PushNotes, HalfANoteIsNone) {
  auto dir = TempDir::make();
  ASSERT_TRUE(dir && write_file(dir->path() / "x", "shop\nrefs/heads/main\n"));
  EXPECT_TRUE(PushNotes(dir->path()).left()->empty());
}

TEST(PushNotes, NoRoomIsAnError) { EXPECT_FALSE(PushNotes("/proc/nosuch").write({"shop", "r", "0", "1", "ada"})); }

}  // namespace
}  // namespace slipway::engine
