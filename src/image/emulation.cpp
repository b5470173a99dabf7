#include "image/detail/emulation.h"

#include "base/text.h"

namespace slipway::image::detail {

namespace {

// The processor's name in an ELF header (e_machine), and in QEMU's.
struct Machine {
  const char* architecture;
  unsigned elf;
  const char* qemu;
};
constexpr Machine machines[] = {
    {"386", 3, "i386"},        {"amd64", 62, "x86_64"},     {"arm", 40, "arm"},
    {"arm64", 183, "aarch64"}, {"riscv64", 243, "riscv64"}, {"ppc64le", 21, "ppc64le"},
    {"s390x", 22, "s390x"},    {"mips64le", 8, "mips64el"}, {"loong64", 258, "loongarch64"},
};

// What the processor does without help.
bool is_native(const oci::Platform& platform, const oci::Platform& host) {
  if (platform.os != host.os) return false;
  if (platform.architecture == host.architecture) return true;
  return host.architecture == "amd64" && platform.architecture == "386";
}

unsigned byte_at(std::string_view hex, std::size_t index) {
  unsigned value = 0;
  for (char c : hex.substr(index * 2, 2))
    value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
  return value;
}

enum class Help { none, not_fixed, there };
// A handler counts only with the flag F: its interpreter was opened when it was registered, so that it is found from
// inside of an image. The magic says which machine it is for, whatever the handler is called.
Help help_of(const fs::path& handler, const Machine& machine) {
  auto text = read_file(handler, 64 << 10);
  if (!text || !text->starts_with("enabled")) return Help::none;
  std::string_view magic, flags;
  for (auto line : lines(*text)) {
    if (line.starts_with("magic ")) magic = trim(line.substr(6));
    if (line.starts_with("flags: ")) flags = trim(line.substr(7));
  }
  if (!magic.starts_with("7f454c46") || magic.size() < 40) return Help::none;
  bool big_endian = byte_at(magic, 5) == 2;
  auto low = byte_at(magic, big_endian ? 19 : 18), high = byte_at(magic, big_endian ? 18 : 19);
  if (low + high * 256 != machine.elf) return Help::none;
  return flags.find('F') != std::string_view::npos ? Help::there : Help::not_fixed;
}

}  // namespace

Result<> can_run(const oci::Platform& platform, const oci::Platform& host, const fs::path& binfmt) {
  if (is_native(platform, host)) return {};
  const Machine* machine = nullptr;
  for (const auto& m : machines)
    if (platform.os == "linux" && platform.architecture == m.architecture) machine = &m;
  auto shown = platform.print();
  if (machine == nullptr)
    return fail(Kind::unavailable, "RUN for {}: no program for it runs on {}", shown, host.print());
  bool not_fixed = false;
  if (auto names = list_dir(binfmt)) {
    for (const auto& name : *names) {
      if (name == "register" || name == "status") continue;
      auto help = help_of(binfmt / name, *machine);
      if (help == Help::there) return {};
      not_fixed = not_fixed || help == Help::not_fixed;
    }
  }
  auto why = not_fixed ? "the kernel's handler for it lacks the flag F, so it is not found inside an image"
                       : "the kernel has no handler for its programs (binfmt_misc)";
  return Fail(Error(Kind::unavailable, fmt::format("RUN for {} on {}: {}", shown, host.print(), why))
                  .with_hint(fmt::format("install qemu-user-static (qemu-{}-static), or cross-compile in a stage "
                                         "FROM --platform=$BUILDPLATFORM",
                                         machine->qemu)));
}

}  // namespace slipway::image::detail
