#include "engine/endorse.h"

#include "net/jwt.h"

namespace slipway::engine {

Result<std::unique_ptr<Endorser>> Endorser::open(const fs::path& data, oci::Registry& registry) {
  auto file = data / "pki" / "images.key", open = data / "pki" / "images.pub";
  if (!path_exists(file)) {
    TRY(auto made, net::make_signing_key());
    TRY_OK(write_file(file, made, 0600, Durable::yes));
  }
  TRY(auto text, read_file(file, 1 << 20));
  TRY_IN(auto key, file.native(), oci::SigningKey::load(text));
  std::unique_ptr<Endorser> out(new Endorser(registry, std::move(key)));
  if (read_file(open).value_or("") != out->public_pem()) TRY_OK(write_file(open, out->public_pem()));
  return out;
}

Result<> Endorser::endorse(const Ctx& ctx, const path::BuildRequest& request, const Digest& image,
                           const Origin& origin) const {
  std::vector<oci::VerificationKey> own;
  TRY(auto verifier, oci::VerificationKey::load(public_pem_));
  own.push_back(std::move(verifier));
  auto place = oci::place_in(registry_, request.image, request.image);
  TRY(auto before, oci::endorsements(ctx, *place, image, own));
  bool known = false, classic = false, bundle = false;
  for (const auto& one : before.found) {
    known = known || one.predicate_type == oci::predicate::provenance;
    classic = classic || one.classic;
    bundle = bundle || (!one.classic && one.predicate_type == oci::predicate::signature);
  }
  auto now = rfc3339(ctx.clock->wall());
  // The provenance first: who waits for a signature then finds both.
  if (!known) {
    TRY_OK(
        oci::attest_image(ctx, *place, image, oci::predicate::provenance, provenance(request, origin, now), key_, now));
  }
  if (classic && bundle) return {};
  return oci::sign_image(ctx, *place, image, key_,
                         {.classic = !classic, .bundle = !bundle, .created = now, .first_bundle = true});
}

doc::Value provenance(const path::BuildRequest& request, const Origin& origin, const std::string& finished) {
  doc::Map source{{"repository", origin.repository}, {"ref", origin.ref}, {"commit", origin.commit}};
  doc::Map external{{"source", std::move(source)}, {"workflow", origin.workflow}, {"dockerfile", request.dockerfile}};
  if (!request.target.empty()) external.set("target", request.target);
  if (!request.platform.empty()) external.set("platform", request.platform);
  doc::List arguments;
  for (const auto& [name, value] : request.args) arguments.emplace_back(name);
  if (!arguments.empty()) external.set("args", std::move(arguments));
  doc::List dependencies{
      doc::Map{{"uri", fmt::format("git+{}/git/{}.git@{}", origin.house, origin.repository, origin.ref)},
               {"digest", doc::Map{{"gitCommit", origin.commit}}}}};
  return doc::Map{
      {"buildDefinition", doc::Map{{"buildType", "https://slipway.dev/build/dockerfile/v1"},
                                   {"externalParameters", std::move(external)},
                                   {"internalParameters", doc::Map{{"attempt", origin.attempt}}},
                                   {"resolvedDependencies", std::move(dependencies)}}},
      {"runDetails",
       doc::Map{{"builder", doc::Map{{"id", origin.house}}},
                {"metadata", doc::Map{{"invocationId", fmt::format("{}/#/runs/{}", origin.house, origin.run)},
                                      {"startedOn", origin.started},
                                      {"finishedOn", finished}}}}}};
}

}  // namespace slipway::engine
