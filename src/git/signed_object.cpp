#include "git/signed_object.h"

#include "git/detail/libgit.h"
#include "git/repository.h"

namespace slipway::git {
namespace {

constexpr std::string_view signature_lines[] = {"-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----",
                                                "-----BEGIN SIGNED MESSAGE-----", "-----BEGIN SSH SIGNATURE-----"};

Result<> check_size(std::string_view raw) {
  if (raw.size() <= largest_signed_object) return {};
  return fail(Kind::invalid, "an object of {} bytes is too large for its signature to be verified, want at most {}",
              raw.size(), largest_signed_object);
}

// The next line with its end, cut off.
std::string_view next_line(std::string_view& rest) {
  auto size = rest.find('\n');
  auto line = rest.substr(0, size == std::string_view::npos ? rest.size() : size + 1);
  rest.remove_prefix(line.size());
  return line;
}

// "author Ada <ada@example.org> 1740830400 +0000": up to the address.
std::string person(std::string_view value) {
  auto size = value.rfind('>');
  return std::string(value.substr(0, size == std::string_view::npos ? size : size + 1));
}

}  // namespace

Result<SignedObject> read_signed_commit(std::string_view raw) {
  TRY_OK(check_size(raw));
  SignedObject object;
  bool ours = false, other = false;  // whose lines follow: gpgsig's, or those for another kind of ids
  for (auto rest = raw; !rest.empty();) {
    auto line = next_line(rest);
    if (line.starts_with(' ') && (ours || other)) {
      if (ours) object.signature += line.substr(1);
      continue;
    }
    ours = line.starts_with("gpgsig ");
    other = !ours && line.starts_with("gpgsig");
    if (ours) {
      if (!object.signature.empty()) return fail(Kind::invalid, "the commit has two signatures, want one");
      object.signature = line.substr(7);
    } else if (!other) {
      if (line.starts_with("author ") && object.signer.empty()) object.signer = person(line.substr(7));
      object.payload += line;
      if (line == "\n") object.payload += std::exchange(rest, {});
    }
  }
  return object;
}

Result<SignedObject> read_signed_tag(std::string_view raw) {
  TRY_OK(check_size(raw));
  SignedObject object;
  bool message = false;
  std::size_t at = raw.size();
  for (auto rest = raw; !rest.empty();) {
    auto from = raw.size() - rest.size();
    auto line = next_line(rest);
    message = message || line == "\n";
    if (!message && line.starts_with("tagger ") && object.signer.empty()) object.signer = person(line.substr(7));
    for (auto begin : signature_lines)
      if (message && line.starts_with(begin)) at = from;
  }
  object.payload = raw.substr(0, at), object.signature = raw.substr(at);
  return object;
}

Result<SignedObject> Repository::signed_object(const Oid& id) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto oid, oid_of(id));
  OdbHandle odb;
  GIT_OK(id, git_repository_odb(out(odb), repo));
  OdbObjectHandle object;
  int rc = git_odb_read(out(object), odb.get(), &oid);
  if (rc == GIT_ENOTFOUND) return fail(Kind::not_found, "{}: no such object", id);
  GIT_OK(id, rc);
  std::string_view raw(static_cast<const char*>(git_odb_object_data(object.get())), git_odb_object_size(object.get()));
  auto type = git_odb_object_type(object.get());
  if (type != GIT_OBJECT_COMMIT && type != GIT_OBJECT_TAG)
    return fail(Kind::invalid, "{}: is neither a commit nor a tag", id);
  auto read = type == GIT_OBJECT_TAG ? read_signed_tag(raw) : read_signed_commit(raw);
  if (!read) return Fail(std::move(read).error().in(id.substr(0, 12)));
  return read;
}

Result<std::optional<Oid>> Repository::annotated_tag(std::string_view revision) const {
  TRY(auto repo, rep_->borrow());
  TRY(auto object, find_revision(repo, revision));
  if (!object || git_object_type(object.get()) != GIT_OBJECT_TAG) return std::optional<Oid>();
  return std::optional(text_of(*git_object_id(object.get())));
}

}  // namespace slipway::git
