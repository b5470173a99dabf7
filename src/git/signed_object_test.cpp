#include "git/signed_object.h"

#include "base/testing/golden.h"
#include "git/repository.h"

namespace slipway::git {
namespace {

constexpr std::string_view head = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Ada L. <a@b> 1 +0000\n";
constexpr std::string_view rest = "committer Bob <b@b> 1 +0000\n";
std::string text(std::string_view middle, std::string_view end) {
  return fmt::format("{}{}{}{}", head, rest, middle, end);
}

TEST(SignedObject, ACommitsSignatureIsAHeader) {
  struct Case {
    std::string raw, payload, signature;
  };
  for (const auto& [raw, payload, signature] : {
           Case{text("", "\nFirst\n"), text("", "\nFirst\n"), ""},
           Case{text("gpgsig -----BEGIN X\n \n AAAA\n -----END X\n", "\nFirst\n"), text("", "\nFirst\n"),
                "-----BEGIN X\n\nAAAA\n-----END X\n"},
           // Headers may stand behind it, and one that is signed for another kind of ids is no part of what was signed.
           Case{text("gpgsig A\n B\nencoding x\ngpgsig-sha256 C\n D\n", "\nx"), text("encoding x\n", "\nx"), "A\nB\n"},
           // What a message, or another header's text, says is no header.
           Case{text("", "\ngpgsig A\n B\n"), text("", "\ngpgsig A\n B\n"), ""},
           Case{text("mergetag object 1\n gpgsig A\n  B\n", "\nx"), text("mergetag object 1\n gpgsig A\n  B\n", "\nx"),
                ""},
           Case{text("gpgsig A", ""), text("", ""), "A"},
       }) {
    auto object = must(read_signed_commit(raw));
    EXPECT_EQ(object.payload, payload);
    EXPECT_EQ(object.signature, signature);
    EXPECT_EQ(object.signer, "Ada L. <a@b>");
  }
  EXPECT_TRUE(read_signed_commit(text("gpgsig A\ngpgsig B\n", "\nx")).error().what().contains("two signatures"));
  EXPECT_TRUE(read_signed_commit(std::string(largest_signed_object + 1, 'x')).error().what().contains("too large"));
}

TEST(SignedObject, ATagsSignatureStandsBehindItsMessage) {
  std::string start = "object 1\ntype commit\ntag v1\ntagger Ada <a@b> 1 +0000\n\n";
  struct Case {
    std::string message, signature;
  };
  for (const auto& [message, signature] :
       {Case{"One\n", ""}, Case{"One\n", "-----BEGIN PGP SIGNATURE-----\n\nA\n-----END PGP SIGNATURE-----\n"},
        Case{"One\n", "-----BEGIN SSH SIGNATURE-----\nA\n-----END SSH SIGNATURE-----\n"},
        Case{"-----BEGIN PGP SIGNATURE-----\nquoted\n", "-----BEGIN PGP SIGNATURE-----\nA"},
        Case{"x -----BEGIN PGP SIGNATURE-----\n", ""}}) {
    auto object = must(read_signed_tag(start + message + signature));
    EXPECT_EQ(object.payload, start + message);
    EXPECT_EQ(object.signature, signature);
    EXPECT_EQ(object.signer, "Ada <a@b>");
  }
}

TEST(SignedObject, IsReadFromARepository) {
  auto dir = must(TempDir::make());
  auto repository = must(Repository::init(dir.path() / "r.git"));
  auto tree = must(repository.write_tree({}, {{"a", "1"}}));
  auto commit = must(repository.write_commit(tree, {}, {"ada", "a@b", {}}, "First"));
  must(repository.update_ref("refs/heads/main", commit, std::nullopt, "test"));
  auto object = must(repository.signed_object(commit));
  EXPECT_EQ(object.signature, "");
  EXPECT_TRUE(object.payload.starts_with("tree " + tree));
  EXPECT_EQ(must(repository.annotated_tag("main")), std::nullopt);
  EXPECT_EQ(must(repository.annotated_tag("gone")), std::nullopt);
  EXPECT_TRUE(repository.signed_object(tree).error().what().contains("is neither a commit nor a tag"));
  EXPECT_TRUE(repository.signed_object(std::string(40, '1')).error().is(Kind::not_found));
}

}  // namespace
}  // namespace slipway::git
