#include "runtime/launch/copy_up.h"

#include <array>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/node.h"

namespace knarr::runtime {

namespace {

Result<> copy_content(const sys::Fd& from, const sys::Fd& to) {
    std::array<char, 65536> buffer;
    while (true) {
        const std::size_t got = KNARR_TRY(sys::read_some(from, buffer));
        if (got == 0) {
            return {};
        }
        KNARR_TRY(sys::write_all(to, std::string_view(buffer.data(), got)));
    }
}

Result<> copy_tree(const sys::Fd& from, const sys::Fd& to, int depth);

Result<> copy_entry(const sys::Fd& from, const sys::Fd& to, const std::string& name, int depth) {
    const auto found = KNARR_TRY(sys::stat_at(from, name));
    if (!found) {
        return {};
    }
    constexpr int kNoFollow = O_NOFOLLOW | O_NONBLOCK;
    if (S_ISDIR(found->st_mode)) {
        KNARR_TRY(sys::make_dirs_in_root(to, name, 0700));
        const sys::Fd source =
            KNARR_TRY(sys::open_at(from, name, O_RDONLY | O_DIRECTORY | kNoFollow));
        const sys::Fd copy = KNARR_TRY(sys::open_at(to, name, O_RDONLY | O_DIRECTORY | kNoFollow));
        KNARR_TRY(copy_tree(source, copy, depth + 1));
    } else if (S_ISREG(found->st_mode)) {
        const sys::Fd source = KNARR_TRY(sys::open_at(from, name, O_RDONLY | kNoFollow));
        const sys::Fd copy =
            KNARR_TRY(sys::open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | kNoFollow, 0600));
        KNARR_TRY(copy_content(source, copy), "{}", printable(name));
    } else if (S_ISLNK(found->st_mode)) {
        const std::string target = KNARR_TRY(sys::read_link_at(from, name));
        KNARR_TRY(sys::make_symlink_at(to, name, target));
    } else {
        return {};
    }
    return sys::set_attributes_at(to, name, *found);
}

Result<> copy_tree(const sys::Fd& from, const sys::Fd& to, int depth) {
    constexpr int kMaxDepth = 128;  // one descriptor pair a level
    if (depth > kMaxDepth) {
        return fail(Errc::limit_exceeded, "directories deeper than {}", kMaxDepth);
    }
    for (const std::string& name : KNARR_TRY(sys::list_dir(from))) {
        KNARR_TRY(copy_entry(from, to, name, depth));
    }
    return {};
}

}  // namespace

Result<> copy_up(const sys::Fd& from, const sys::Fd& to) {
    const sys::Fd source = KNARR_TRY(sys::open_at(from, ".", O_RDONLY | O_DIRECTORY));
    const sys::Fd copy = KNARR_TRY(sys::open_at(to, ".", O_RDONLY | O_DIRECTORY));
    return copy_tree(source, copy, 0);
}

}  // namespace knarr::runtime
