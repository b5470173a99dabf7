#include "git/detail/push_request.h"

#include "base/text.h"

namespace slipway::git {
namespace {

constexpr std::size_t most_commands = 20'000, most_options = 200;

bool is_oid(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<> take_capabilities(std::string_view text, PushRequest& request) {
  for (auto word : split(text, ' ')) {
    if (word == "report-status") request.report_status = true;
    if (word == "report-status-v2") request.report_status_v2 = true;
    if (word == "side-band-64k") request.side_band = true;
    if (word == "atomic") request.atomic = true;
    if (word == "quiet") request.quiet = true;
    if (word.starts_with("object-format=") && word != "object-format=sha1")
      return fail(Kind::invalid, "push: {}, want sha1", word);
  }
  return {};
}

Result<PushCommand> parse_command(std::string_view line) {
  auto shown = line.substr(0, 120);
  if (line.size() < 83 || !is_oid(line.substr(0, 40)) || line[40] != ' ' || !is_oid(line.substr(41, 40)) ||
      line[81] != ' ')
    return fail(Kind::invalid, "push: command \"{}\": want OLD NEW REF", shown);
  PushCommand command{Oid(line.substr(0, 40)), Oid(line.substr(41, 40)), std::string(line.substr(82))};
  for (char c : command.ref)
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')
      return fail(Kind::invalid, "push: command \"{}\": bad ref name", shown);
  return command;
}

}  // namespace

bool PushRequest::has_pack() const {
  return std::any_of(commands.begin(), commands.end(), [](const auto& c) { return c.after != zero_oid; });
}

Result<PushRequest> read_push_request(PktReader& reader) {
  PushRequest request;
  bool first = true, push_options = false;
  for (;;) {
    TRY(auto packet, reader.next());
    if (packet.type == Pkt::Type::flush) break;
    if (packet.type == Pkt::Type::end && request.commands.empty() && first) return request;
    if (packet.type != Pkt::Type::data)
      return fail(Kind::invalid, "push: the list of commands does not end in a flush");
    std::string_view line = packet.line();
    if (line.starts_with("shallow ")) continue;  // the check of the new history tells by itself
    if (line.starts_with("push-cert")) return fail(Kind::invalid, "push: signed pushes are not offered");
    if (first) {
      if (auto nul = line.find('\0'); nul != std::string_view::npos) {
        auto capabilities = line.substr(nul + 1);
        TRY_OK(take_capabilities(capabilities, request));
        for (auto word : split(capabilities, ' ')) push_options |= word == "push-options";
        line = line.substr(0, nul);
      }
      first = false;
    }
    if (request.commands.size() >= most_commands)
      return fail(Kind::invalid, "push: more than {} refs at once", most_commands);
    TRY(auto command, parse_command(line));
    request.commands.push_back(std::move(command));
  }
  if (!push_options || request.commands.empty()) return request;
  for (;;) {
    TRY(auto packet, reader.next());
    if (packet.type == Pkt::Type::flush) return request;
    if (packet.type != Pkt::Type::data) return fail(Kind::invalid, "push: the push options do not end in a flush");
    if (request.options.size() >= most_options)
      return fail(Kind::invalid, "push: more than {} push options", most_options);
    request.options.emplace_back(packet.line());
  }
}

}  // namespace slipway::git
