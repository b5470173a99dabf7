// A folder with a key ring for GnuPG, and what it says.
#include <gpgme.h>

#include <map>

#include "base/fd.h"
#include "base/files.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "secret/detail/pgp_packets.h"
#include "secret/openpgp.h"

namespace slipway::secret {
namespace {

using Context = Owned<gpgme_context, gpgme_release>;
using Data = Owned<gpgme_data, gpgme_data_release>;
using Key = Owned<_gpgme_key, gpgme_key_unref>;

// What is in the ring is trusted by being in it, nothing is asked of the network, and no agent starts.
constexpr std::string_view configuration =
    "trust-model always\nno-auto-check-trustdb\nno-autostart\nlock-never\nno-random-seed-file\n"
    "no-auto-key-retrieve\nno-auto-key-import\ndisable-dirmngr\n";

constexpr auto remembered_for = std::chrono::minutes(10);
constexpr std::size_t remembered = 4096;

Fail refused(std::string_view doing, gpgme_error_t error) {
  auto failed = Error(Kind::unavailable, fmt::format("GnuPG: {}: {}", doing, gpgme_strerror(error)));
  if (gpgme_err_code(error) == GPG_ERR_INV_ENGINE) failed = std::move(failed).with_hint("install gpg");
  return Fail(std::move(failed));
}

Result<Data> data_of(std::string_view text) {
  gpgme_data_t made = nullptr;
  if (auto error = gpgme_data_new_from_mem(&made, text.data(), text.size(), 0); error != 0)
    return refused("reading", error);
  return Data(made);
}

Result<Context> context_in(const fs::path& home) {
  static const char* version = gpgme_check_version(nullptr);
  if (version == nullptr) return fail(Kind::unavailable, "GnuPG: its library does not start");
  gpgme_ctx_t made = nullptr;
  if (auto error = gpgme_new(&made); error != 0) return refused("starting", error);
  Context context(made);
  gpgme_set_offline(made, 1);
  if (auto error = gpgme_ctx_set_engine_info(made, GPGME_PROTOCOL_OpenPGP, nullptr, home.c_str()); error != 0)
    return refused("starting", error);
  return context;
}

std::string wrong_with(gpgme_signature_t signature) {
  switch (gpgme_err_code(signature->status)) {
    case GPG_ERR_NO_ERROR:
      return signature->wrong_key_usage != 0 ? "bad signature" : "";
    case GPG_ERR_SIG_EXPIRED:
      return "expired signature";
    case GPG_ERR_KEY_EXPIRED:
      return "signed with expired key";
    case GPG_ERR_CERT_REVOKED:
      return "signed with revoked key";
    case GPG_ERR_NO_PUBKEY:
      return "signed with key not in keyring";
    default:
      return "bad signature";
  }
}

}  // namespace

struct PgpKeys::Ring {
  struct Said {
    std::vector<PgpSignature> signatures;
    std::chrono::steady_clock::time_point when;
  };
  struct State {
    std::optional<TempDir> home;                 // made with the first key
    std::map<std::string, std::string> primary;  // of every key and subkey, by ids
    std::map<std::string, Said> said;            // by the digest of payload and signature
  };
  Guarded<State> state;

  static Result<> make_home(State& state) {
    if (state.home) return {};
    TRY(auto home, TempDir::make("slipway-gpg"));
    TRY_OK(write_file(home.path() / "gpg.conf", configuration, 0600));
    state.home = std::move(home);
    return {};
  }
  static Result<> learn(gpgme_ctx_t context, State& state) {
    auto error = gpgme_op_keylist_start(context, nullptr, 0);
    while (error == 0) {
      gpgme_key_t next = nullptr;
      error = gpgme_op_keylist_next(context, &next);
      if (error != 0) break;
      Key key(next);
      for (auto* sub = next->subkeys; sub != nullptr; sub = sub->next)
        state.primary[pgp_key_id(sub->keyid)] = pgp_key_id(next->subkeys->keyid);
    }
    return gpgme_err_code(error) == GPG_ERR_EOF ? Result<>() : refused("listing keys", error);
  }
};

PgpKeys::PgpKeys() : ring_(std::make_shared<Ring>()) {}

Result<std::vector<std::string>> PgpKeys::add(std::string_view text) {
  if (text.size() > largest_pgp_keys)
    return fail(Kind::invalid, "OpenPGP keys of {} bytes are too large, want at most {}", text.size(),
                largest_pgp_keys);
  auto state = ring_->state.lock();
  TRY_OK(Ring::make_home(*state));
  TRY(auto context, context_in(state->home->path()));
  TRY(auto data, data_of(text));
  if (auto error = gpgme_op_import(context.get(), data.get()); error != 0) {
    if (gpgme_err_code(error) == GPG_ERR_INV_ENGINE) return refused("reading keys", error);
    return fail(Kind::invalid, "no OpenPGP public key in it");
  }
  std::vector<std::string> ids;
  auto* result = gpgme_op_import_result(context.get());
  for (auto* one = result->imports; one != nullptr; one = one->next)
    if (one->result == 0 && one->fpr != nullptr) ids.push_back(pgp_key_id(one->fpr));
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (ids.empty()) return fail(Kind::invalid, "no OpenPGP public key in it");
  state->said.clear();
  TRY_OK(Ring::learn(context.get(), *state));
  return ids;
}

Result<std::vector<PgpSignature>> PgpKeys::check(std::string_view payload, std::string_view signature) const {
  TRY(auto packets, detail::signature_packets(signature));
  auto digest = sha256_hex(packets) + sha256_hex(payload);
  auto state = ring_->state.lock();
  auto now = std::chrono::steady_clock::now();
  if (auto found = state->said.find(digest); found != state->said.end() && now - found->second.when < remembered_for)
    return found->second.signatures;
  TRY_OK(Ring::make_home(*state));
  TRY(auto context, context_in(state->home->path()));
  TRY(auto of, data_of(packets));
  TRY(auto plain, data_of(payload));
  auto error = gpgme_op_verify(context.get(), of.get(), plain.get(), nullptr);
  if (gpgme_err_code(error) == GPG_ERR_INV_ENGINE) return refused("verifying", error);
  auto* result = error == 0 ? gpgme_op_verify_result(context.get()) : nullptr;
  std::vector<PgpSignature> found;
  for (auto* one = result != nullptr ? result->signatures : nullptr; one != nullptr; one = one->next) {
    std::string_view name = one->fpr != nullptr ? one->fpr : "";
    auto key = name.find_first_not_of('0') == std::string_view::npos ? "" : pgp_key_id(name);
    auto known = state->primary.find(key);
    found.push_back({key, known == state->primary.end() ? "" : known->second, wrong_with(one)});
  }
  if (found.empty()) return fail(Kind::invalid, "no OpenPGP signature: GnuPG understands nothing of it");
  if (state->said.size() >= remembered) state->said.clear();
  state->said[digest] = {found, now};
  return found;
}

}  // namespace slipway::secret
