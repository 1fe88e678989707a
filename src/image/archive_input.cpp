#include "image/archive_input.h"

#include <array>
#include <vector>

#include <fcntl.h>

#include "core/core.h"
#include "layer/jailed_inflate.h"
#include "platform/absent.h"
#include "platform/file.h"
#include "platform/path_access.h"
#include "platform/socket.h"
#include "platform/standard_stream.h"

namespace knarr::image {

namespace {

constexpr std::size_t kCopyBytes = size::kMiB;

}  // namespace

Result<sys::Fd> unnamed_file(const store::Store& store) {
    return sys::open_path(store.root() + "/ingest", O_TMPFILE | O_RDWR, 0600);
}

Result<sys::Fd> open_input(const std::string& path) {
    if (!path.empty()) {
        Result<sys::Fd> input = sys::explained(sys::open_path(path, O_RDONLY), path);
        if (!input && sys::is_absent(input.error())) {
            return fail(std::move(input).error().advise(
                "check the path: a relative one begins in the current directory"));
        }
        return input;
    }
    return sys::duplicate(sys::StandardStream(0).fd());
}

Result<sys::Fd> regular_file(const store::Store& store,
                             sys::Fd input,
                             const Limits& limits,
                             const Deadline& deadline) {
    if (S_ISREG(KNARR_TRY(sys::stat_of(input)).st_mode)) {
        return input;
    }
    sys::Fd copy = KNARR_TRY(unnamed_file(store));
    std::vector<char> buffer(kCopyBytes);
    std::uint64_t bytes = 0;
    while (true) {
        KNARR_TRY(sys::wait_readable(input, deadline.end));
        KNARR_TRY(check(deadline));  // whoever sends slowly is not waited for for ever, either
        const std::size_t got = KNARR_TRY(sys::read_some(input, buffer));
        if (got == 0) {
            break;
        }
        bytes += got;
        if (bytes > limits.max_rootfs_bytes) {
            return fail(Errc::limit_exceeded,
                        "the archive has more than the {} bytes allowed",
                        limits.max_rootfs_bytes);
        }
        KNARR_TRY(sys::write_all(copy, {buffer.data(), got}));
    }
    return copy;
}

Result<layer::WrittenTar> inflate(const sys::Fd& input,
                                  const sys::Fd* output,
                                  std::uint64_t max_bytes,
                                  const Deadline& deadline) {
    auto tar = layer::inflate_in_jail(input, output, max_bytes, deadline.end);
    if (!tar && tar.error().code == Errc::timed_out) {
        KNARR_TRY(check(deadline));  // in its words
    }
    return tar;
}

Result<Packing> packing_of(const sys::Fd& file) {
    std::array<char, 6> magic{};
    const auto size = static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
    if (size < magic.size()) {
        return fail(Errc::invalid_image, "it has only {} bytes", size);
    }
    KNARR_TRY(sys::read_at(file, magic, 0));
    const std::string_view begin(magic.data(), magic.size());
    // Source: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1; the formats' own descriptions.
    if (begin.starts_with("\x1f\x8b")) {
        return Packing::gzip;
    }
    if (begin.starts_with("\x28\xb5\x2f\xfd")) {
        return Packing::zstd;
    }
    if (begin.starts_with("BZh")) {
        return Packing::bzip2;
    }
    return begin == std::string_view(
                        "\xfd"
                        "7zXZ\0",
                        6)
               ? Packing::xz
               : Packing::none;
}

Result<> refuse_other_packing(Packing packing, std::string_view command) {
    if (packing != Packing::bzip2 && packing != Packing::xz) {
        return {};
    }
    return fail(Error{
        .code = Errc::unsupported,
        .message = "it is compressed by neither gzip nor zstd",
        .hint = fmt::format("{} -dc FILE | {}", packing == Packing::xz ? "xz" : "bzip2", command)});
}

}  // namespace knarr::image
