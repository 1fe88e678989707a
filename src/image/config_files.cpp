#include "image/config_files.h"

#include <cerrno>

#include <fcntl.h>

#include "core/core.h"
#include "platform/absent.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/spawn.h"
#include "platform/user_namespace.h"

namespace knarr::image {
namespace {

constexpr std::size_t kMaxConfigBytes = size::kMiB;
constexpr const char* kOnlyFile = "CONTAINERS_REGISTRIES_CONF";

}  // namespace

Result<std::optional<std::string>> read_if_there(const std::string& path) {
    auto text = sys::read_file(path, kMaxConfigBytes);
    if (!text && sys::is_absent(text.error())) {
        return std::optional<std::string>();
    }
    return std::optional(KNARR_TRY(std::move(text), "{}", path));
}

Result<std::vector<std::string>> files_in(const std::string& dir, std::string_view ending) {
    const auto opened = sys::open_path(dir, O_RDONLY | O_DIRECTORY);
    if (!opened && sys::is_absent(opened.error())) {
        return std::vector<std::string>();
    }
    if (!opened) {
        return fail(Error(opened.error()));
    }
    std::vector<std::string> names = KNARR_TRY(sys::list_dir(*opened), "{}", dir);
    std::erase_if(names, [&](const std::string& name) { return !name.ends_with(ending); });
    return names;
}

std::string own_config() {
    const std::string config = sys::environment("XDG_CONFIG_HOME"), home = sys::environment("HOME");
    if (sys::is_host_root() || (config.empty() && home.empty())) {
        return {};
    }
    return (config.empty() ? home + "/.config" : config) + "/containers";
}

Result<std::vector<ConfigFile>> registries_files() {
    std::vector<ConfigFile> all;
    const auto add = [&](const std::string& path) -> Result<bool> {
        auto text = KNARR_TRY(read_if_there(path));
        const bool is_there = text.has_value();
        if (is_there) {
            all.push_back({.path = path, .text = *std::move(text)});
        }
        return is_there;
    };
    if (const std::string only = sys::environment(kOnlyFile); !only.empty()) {
        if (!KNARR_TRY(add(only))) {
            return fail(Errc::invalid_argument, "{}: there is no {}", kOnlyFile, printable(only));
        }
        return all;
    }
    const std::string own = own_config(), shared(kContainers);
    if (own.empty() || !KNARR_TRY(add(own + "/registries.conf"))) {
        KNARR_TRY(add(shared + "/registries.conf"));
    }
    for (const std::string& place : {shared, own}) {
        const std::string dir = place + "/registries.conf.d";
        const auto names =
            place.empty() ? std::vector<std::string>() : KNARR_TRY(files_in(dir, ".conf"));
        for (const std::string& name : names) {
            KNARR_TRY(add(fmt::format("{}/{}", dir, name)));
        }
    }
    return all;
}

Result<std::optional<ConfigFile>> answered_names() {
    std::string dir = "/var/cache";
    if (!sys::is_host_root()) {
        const std::string home = sys::environment("HOME");
        dir = sys::environment("XDG_CACHE_HOME");
        dir = dir.empty() && !home.empty() ? home + "/.cache" : dir;
    }
    if (dir.empty() || !sys::environment(kOnlyFile).empty()) {
        return std::optional<ConfigFile>();
    }
    const std::string path = dir + "/containers/short-name-aliases.conf";
    auto text = KNARR_TRY(read_if_there(path));
    return text ? std::optional(ConfigFile{.path = path, .text = *std::move(text)}) : std::nullopt;
}

}  // namespace knarr::image
