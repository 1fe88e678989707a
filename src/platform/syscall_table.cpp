#include "platform/syscall_table.h"

#include <array>

namespace knarr::sys {

namespace {

// ARM's private calls start at 0xf0000; stored from kPrivate on, so that a number takes two bytes.
constexpr std::uint32_t kArmPrivate = 0xf0000;
constexpr std::uint16_t kPrivate = 0x8000;
constexpr std::uint16_t kNone = 0xffff;

constexpr std::uint16_t pack(int number) {
    if (number < 0) {
        return kNone;
    }
    const auto value = static_cast<std::uint32_t>(number);
    return static_cast<std::uint16_t>(value >= kArmPrivate ? value - kArmPrivate + kPrivate
                                                           : value);
}

using Row = std::array<std::uint16_t, kSeccompArches>;

constexpr Row kNumbers[] = {
#define KNARR_SYSCALL(name, x86_64, x86, x32, aarch64, arm) \
    Row{pack(x86_64), pack(x86), pack(x32), pack(aarch64), pack(arm)},
#include "platform/syscall_table.inc"
#undef KNARR_SYSCALL
};
constexpr std::size_t kCount = sizeof(kNumbers) / sizeof(kNumbers[0]);

// One text and offsets instead of pointers: nothing to relocate in a position independent program.
constexpr char kNames[] =
#define KNARR_SYSCALL(name, ...) #name "\0"
#include "platform/syscall_table.inc"
#undef KNARR_SYSCALL
    ;

constexpr std::array<std::uint16_t, kCount + 1> make_offsets() {
    std::array<std::uint16_t, kCount + 1> offsets{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
        offsets[i] = static_cast<std::uint16_t>(at);
        while (kNames[at] != '\0') {
            ++at;
        }
        ++at;
    }
    offsets[kCount] = static_cast<std::uint16_t>(at);
    return offsets;
}
constexpr auto kOffsets = make_offsets();

constexpr std::string_view name_at(std::size_t index) {
    return {kNames + kOffsets[index],
            static_cast<std::size_t>(kOffsets[index + 1] - kOffsets[index] - 1)};
}

constexpr bool is_sorted() {
    for (std::size_t i = 1; i < kCount; ++i) {
        if (!(name_at(i - 1) < name_at(i))) {
            return false;
        }
    }
    return true;
}
static_assert(is_sorted(), "find_syscall searches by halving");

}  // namespace

std::size_t syscall_count() {
    return kCount;
}

std::optional<Syscall> find_syscall(std::string_view name) {
    std::size_t low = 0, high = kCount;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        const int order = name_at(middle).compare(name);
        if (order == 0) {
            return Syscall{static_cast<std::uint16_t>(middle)};
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return std::nullopt;
}

std::string_view name_of(Syscall call) {
    return name_at(call.index);
}

std::optional<std::uint32_t> number_of(Syscall call, SeccompArch arch) {
    const std::uint16_t packed = kNumbers[call.index][static_cast<std::size_t>(arch)];
    if (packed == kNone) {
        return std::nullopt;
    }
    if (packed >= kPrivate) {
        return packed - kPrivate + kArmPrivate;
    }
    return packed;
}

}  // namespace knarr::sys
