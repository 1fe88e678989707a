#include "layer/base.h"

#include <cerrno>

#include <fcntl.h>

#include "platform/disk.h"
#include "platform/file.h"

namespace knarr::layer {

namespace {

constexpr const char* kBase = "base";
constexpr const char* kNewBase = "base.new";  // until all is in it

/// Others may do the same at the same time: what is there is as good as ours.
Result<sys::Fd> directory_in(const sys::Fd& parent, const std::string& name) {
    Result<> made = sys::make_dir_at(parent, name, 0755);
    if (!made && made.error().sys_errno != EEXIST) {
        return fail(std::move(made).error());
    }
    sys::Fd dir = KNARR_TRY(sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    KNARR_TRY(sys::set_mode_of(dir, 0755));
    return dir;
}

Result<> fill(const sys::Fd& root) {
    const sys::Fd base = KNARR_TRY(directory_in(root, kNewBase));
    for (const char* name : {"proc", "dev", "sys"}) {
        KNARR_TRY(directory_in(base, name), "{}", kNewBase);
    }
    const sys::Fd etc = KNARR_TRY(directory_in(base, "etc"), "{}", kNewBase);
    for (const char* name : {"hosts", "hostname", "resolv.conf"}) {
        const sys::Fd file = KNARR_TRY(
            sys::open_at(etc, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644), "{}/etc", kNewBase);
        KNARR_TRY(sys::set_mode_of(file, 0644));
    }
    return {};
}

}  // namespace

std::string base_path(const std::string& data_root) {
    return data_root + "/" + kBase;
}

Result<> make_base(const std::string& data_root) {
    const sys::Fd root = KNARR_TRY(sys::open_path(data_root, O_RDONLY | O_DIRECTORY), "data root");
    if (KNARR_TRY(sys::stat_at(root, kBase))) {
        return {};
    }
    Result<> made = fill(root);
    if (made) {
        made = sys::rename_at(root, kNewBase, root, kBase);
    }
    if (!made && KNARR_TRY(sys::stat_at(root, kBase))) {
        return sys::remove_tree_at(root, kNewBase);  // another one was faster
    }
    return made;
}

}  // namespace knarr::layer
