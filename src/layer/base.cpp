#include "layer/base.h"

#include <cerrno>

#include <fcntl.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/node.h"

namespace knarr::layer {

namespace {

/// Under the data root.
constexpr const char* name_of(Base base) {
    return base == Base::of_files ? "base" : "ground";
}

/// What it is made under until all is in it.
std::string new_name(const std::string& name) {
    return name + ".new";
}

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

Result<> file_in(const sys::Fd& parent, const std::string& name, mode_t mode) {
    const sys::Fd file =
        KNARR_TRY(sys::open_at(parent, name, O_WRONLY | O_CREAT | O_NOFOLLOW, mode));
    return sys::set_mode_of(file, mode);
}

Result<> link_in(const sys::Fd& parent, const std::string& name, const std::string& target) {
    Result<> made = sys::make_symlink_at(parent, name, target);
    return made || made.error().sys_errno == EEXIST ? Result<>{} : made;
}

Result<> fill(const sys::Fd& root, Base base) {
    const std::string fresh = new_name(name_of(base));
    const sys::Fd dir = KNARR_TRY(directory_in(root, fresh));
    for (const char* place : {"proc", "dev", "sys"}) {
        KNARR_TRY(directory_in(dir, place), "{}", fresh);
    }
    const sys::Fd etc = KNARR_TRY(directory_in(dir, "etc"), "{}", fresh);
    for (const char* place : {"hosts", "hostname", "resolv.conf"}) {
        KNARR_TRY(file_in(etc, place, 0644), "{}/etc", fresh);
    }
    if (base == Base::of_containers) {
        KNARR_TRY(file_in(dir, ".dockerenv", 0755), "{}", fresh);
        KNARR_TRY(link_in(etc, "mtab", "/proc/mounts"), "{}/etc", fresh);
    }
    return {};
}

Result<> make_one(const sys::Fd& root, Base base) {
    const std::string name = name_of(base);
    if (KNARR_TRY(sys::stat_at(root, name))) {
        return {};
    }
    Result<> made = fill(root, base);
    if (made) {
        made = sys::rename_at(root, new_name(name), root, name);
    }
    if (!made && KNARR_TRY(sys::stat_at(root, name))) {
        return sys::remove_tree_at(root, new_name(name));  // another one was faster
    }
    return made;
}

}  // namespace

std::string base_path(const std::string& data_root, Base which) {
    return data_root + "/" + name_of(which);
}

Result<> make_base(const std::string& data_root) {
    const sys::Fd root = KNARR_TRY(sys::open_path(data_root, O_RDONLY | O_DIRECTORY), "data root");
    if (KNARR_TRY(sys::stat_at(root, name_of(Base::of_containers)))) {
        return {};  // the one that is made last
    }
    KNARR_TRY(make_one(root, Base::of_files));
    return make_one(root, Base::of_containers);
}

}  // namespace knarr::layer
