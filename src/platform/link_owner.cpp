#include "platform/link_owner.h"

#include <algorithm>
#include <cerrno>
#include <deque>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/text.h"
#include "platform/disk.h"
#include "platform/file.h"

namespace knarr::sys {

namespace {

constexpr unsigned kMaxLinks = 40;  // the kernel's own bound

std::deque<std::string> parts_of(std::string_view path) {
    std::deque<std::string> out;
    for (const std::string_view part : split(path, '/')) {
        if (!part.empty() && part != ".") {
            out.emplace_back(part);
        }
    }
    return out;
}

}  // namespace

Result<std::optional<LinkOfAnother>> link_of_another(const std::string& path) {
    std::deque<std::string> left = parts_of(path);
    Fd dir = KNARR_TRY(open_path("/", O_PATH | O_DIRECTORY));
    std::string here;  // where `dir` is, by the names that led there
    for (unsigned links = 0; !left.empty();) {
        const std::string name = std::move(left.front());
        left.pop_front();
        const auto info = KNARR_TRY(stat_at(dir, name));
        if (!info) {
            return std::nullopt;
        }
        if (name == "..") {
            here.resize(std::min(here.rfind('/'), here.size()));
        } else {
            here += "/" + name;
        }
        if (!S_ISLNK(info->st_mode)) {
            if (left.empty()) {
                return std::nullopt;
            }
            dir = KNARR_TRY(open_at(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW), "{}", here);
            continue;
        }
        if (info->st_uid != 0 && info->st_uid != effective_uid()) {
            return LinkOfAnother{.path = here, .owner = info->st_uid};
        }
        if (++links > kMaxLinks) {
            return fail_errno(ELOOP, "{}", printable(path));
        }
        const std::string target = KNARR_TRY(read_link_at(dir, name));
        std::deque<std::string> more = parts_of(target);
        left.insert(left.begin(), more.begin(), more.end());
        if (target.starts_with('/')) {
            dir = KNARR_TRY(open_path("/", O_PATH | O_DIRECTORY));
            here.clear();
        }
    }
    return std::nullopt;
}

}  // namespace knarr::sys
