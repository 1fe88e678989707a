#include "platform/kept_offsets.h"

#include <array>
#include <bit>
#include <cerrno>
#include <string>
#include <utility>

#include <sys/mman.h>

#include "core/limits.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/stream.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kBytes = 4 * size::kKiB;

}  // namespace

Result<KeptOffsets> KeptOffsets::map(const Fd& file) {
    const auto length = static_cast<std::size_t>(KNARR_TRY(stat_of(file)).st_size);
    if (length < kBytes) {
        // Written, not only made so long: a full disk is an error here, and later a SIGBUS.
        KNARR_TRY(write_all_at(file, std::string(kBytes - length, '\0'), length));
    }
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) {
        return fail_errno(errno, "mmap");
    }
    // Refused by a limit of locked memory, it is only less certain that the page is there.
    static_cast<void>(mlock(memory, kBytes));
    const std::span offsets(static_cast<std::int64_t*>(memory), kBytes / sizeof(std::int64_t));
    Result<Fd> ours = duplicate(file);
    if (!ours) {
        munmap(memory, kBytes);
        return fail(std::move(ours).error());
    }
    return KeptOffsets(std::move(*ours), offsets);
}

Result<std::int64_t> KeptOffsets::get(std::size_t index) const {
    std::array<char, sizeof(std::int64_t)> bytes{};
    if (KNARR_TRY(read_into(file_, index * bytes.size(), bytes)) < bytes.size()) {
        return fail(Errc::corrupt, "the file of offsets was cut");
    }
    return std::bit_cast<std::int64_t>(bytes);
}

Result<> KeptOffsets::set(std::size_t index, std::int64_t offset) const {
    const auto bytes = std::bit_cast<std::array<char, sizeof(offset)>>(offset);
    return write_all_at(file_, {bytes.data(), bytes.size()}, index * bytes.size());
}

KeptOffsets::KeptOffsets(KeptOffsets&& other) noexcept
    : file_(std::move(other.file_)), offsets_(std::exchange(other.offsets_, {})) {}

KeptOffsets& KeptOffsets::operator=(KeptOffsets&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(offsets_, other.offsets_);
    return *this;
}

KeptOffsets::~KeptOffsets() {
    if (!offsets_.empty()) {
        munmap(offsets_.data(), offsets_.size_bytes());
    }
}

}  // namespace knarr::sys
