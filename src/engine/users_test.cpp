#include "engine/users.h"

#include <gtest/gtest.h>

#include "base/encode.h"
#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::engine {
namespace {

struct UsersTest : testing::Test {
  TempDir dir = must(TempDir::make("slipway-users"));
  std::unique_ptr<Users> users = must(Users::open(dir.path()));
  std::string name_of(const std::string& header) {
    auto user = users->by_header(header);
    return user ? user->name : "nobody";
  }
};

TEST_F(UsersTest, TheFirstIsAnAdministratorWithATokenInAFile) {
  EXPECT_EQ(must(read_file(dir.path() / "token")), users->admin_token() + "\n");
  EXPECT_EQ(name_of("Bearer " + users->admin_token()), "admin");
  EXPECT_EQ(must(read_file(dir.path() / "users")).find(users->admin_token()), std::string::npos)
      << "only digests are kept";
  EXPECT_EQ(must(Users::open(dir.path()))->admin_token(), users->admin_token());
}

TEST_F(UsersTest, WrongHeadersAreNobody) {
  for (const auto& header : {std::string(), std::string("Bearer"), std::string("Bearer "), std::string("Bearer wrong"),
                             "Digest " + users->admin_token(), std::string("Basic !!!"),
                             "Basic " + to_base64("no colon"), "Basic " + to_base64("ada:wrong"), users->admin_token()})
    EXPECT_EQ(name_of(header), "nobody") << header;
}

TEST_F(UsersTest, ANameBesideTheAdministratorsTokenSaysWho) {
  EXPECT_EQ(name_of("Basic " + to_base64("ada:" + users->admin_token())), "ada");
  EXPECT_EQ(name_of("Basic " + to_base64("a b:" + users->admin_token())), "admin");
  auto token = must(users->add("grace", {"readers"}));
  EXPECT_EQ(name_of("Basic " + to_base64("ada:" + token)), "grace") << "others cannot claim a name";
  EXPECT_EQ(users->by_token(token)->groups, std::vector<std::string>{"readers"});
}

TEST_F(UsersTest, WhoIsAddedOrTakenOutBesideUsCountsAtOnce) {
  auto beside = must(Users::open(dir.path()));
  auto grace = must(beside->add("grace", {"readers"}));
  EXPECT_EQ(name_of("Bearer " + grace), "grace");
  auto ada = must(users->add("ada", {"readers"}));
  EXPECT_EQ(name_of("Bearer " + grace), "grace") << "nobody is lost";
  std::string rest, text = must(read_file(dir.path() / "users"));
  for (auto line : lines(text))
    if (!line.starts_with("grace ")) rest += fmt::format("{}\n", line);
  must(write_file(dir.path() / "users", rest));
  EXPECT_EQ(name_of("Bearer " + grace), "nobody");
  must(write_file(dir.path() / "users", "broken\n"));
  EXPECT_EQ(name_of("Bearer " + ada), "ada") << "what cannot be read changes nothing";
}

TEST_F(UsersTest, NamesAreTakenOnceAndPlain) {
  must(users->add("grace", {"readers"}));
  EXPECT_TRUE(users->add("grace", {"readers"}).error().is(Kind::conflict));
  for (const auto& name : {"", "a b", "a\nb", "a/b"})
    EXPECT_TRUE(users->add(name, {"x"}).error().is(Kind::invalid)) << name;
}

TEST_F(UsersTest, ABrokenFileIsNamedByItsLine) {
  ASSERT_TRUE(write_file(dir.path() / "users", "# people\nada nonsense readers\n"));
  auto opened = Users::open(dir.path());
  ASSERT_FALSE(opened);
  EXPECT_TRUE(opened.error().is(Kind::corrupt));
  EXPECT_NE(opened.error().what().find("users:2:1:"), std::string::npos) << opened.error().what();
}

}  // namespace
}  // namespace slipway::engine
