#pragma once
// The names of system calls and their numbers on the five architectures that the seccomp compiler
// knows. The table is generated (syscall_table_gen.py) and lies in .rodata, 12 KiB.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace knarr::sys {

/// The architectures that a seccomp filter can be compiled for.
enum class SeccompArch : std::uint8_t { x86_64, x86, x32, aarch64, arm };
inline constexpr std::size_t kSeccompArches = 5;

/// The architecture that this program is built for.
constexpr SeccompArch native_seccomp_arch() {
#if defined(__x86_64__)
    return SeccompArch::x86_64;
#elif defined(__aarch64__)
    return SeccompArch::aarch64;
#else
#error "knarr is built for x86_64 and aarch64"
#endif
}

/// A known system call: an index into the table, so that names are looked up once.
struct Syscall {
    std::uint16_t index = 0;
    auto operator<=>(const Syscall&) const = default;
};

/// How many system calls the table knows; indices are below it.
std::size_t syscall_count();

/// The call of that name on any of the architectures; nothing when the name is unknown.
std::optional<Syscall> find_syscall(std::string_view name);

std::string_view name_of(Syscall call);

/// The number of `call` on `arch`, on x32 without the x32 bit; nothing when there is no such call
/// (or, on x86, when it can only be reached through socketcall or ipc).
std::optional<std::uint32_t> number_of(Syscall call, SeccompArch arch);

}  // namespace knarr::sys
