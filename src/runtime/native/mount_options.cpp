#include <algorithm>
#include <array>
#include <string_view>

#include <linux/mount.h>
#include <sys/mount.h>

#include "runtime/native/feature_names.h"
#include "runtime/native/mounts.h"

// <sys/mount.h> of older C libraries lacks these; the values are the kernel's.
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif

namespace knarr::runtime::native {

namespace {

/// A flag option. `attr` is its MOUNT_ATTR_*; `none` says that it sets nothing but clears.
struct Flag {
    std::string_view name;
    unsigned long flag = 0;
    bool clears = false;
    std::uint64_t attr = 0;
};

// Access times are one field in mount_setattr: any value clears the whole field first.
constexpr std::uint64_t kAtimeField = MOUNT_ATTR__ATIME;

constexpr std::array kFlags = {
    Flag{"acl", MS_POSIXACL},
    Flag{"async", MS_SYNCHRONOUS, true},
    Flag{"atime", MS_NOATIME, true, MOUNT_ATTR_NOATIME},
    Flag{"dev", MS_NODEV, true, MOUNT_ATTR_NODEV},
    Flag{"diratime", MS_NODIRATIME, true, MOUNT_ATTR_NODIRATIME},
    Flag{"dirsync", MS_DIRSYNC},
    Flag{"exec", MS_NOEXEC, true, MOUNT_ATTR_NOEXEC},
    Flag{"iversion", MS_I_VERSION},
    Flag{"lazytime", MS_LAZYTIME},
    Flag{"loud", MS_SILENT, true},
    Flag{"mand", MS_MANDLOCK},
    Flag{"noacl", MS_POSIXACL, true},
    Flag{"noatime", MS_NOATIME, false, MOUNT_ATTR_NOATIME},
    Flag{"nodev", MS_NODEV, false, MOUNT_ATTR_NODEV},
    Flag{"nodiratime", MS_NODIRATIME, false, MOUNT_ATTR_NODIRATIME},
    Flag{"noexec", MS_NOEXEC, false, MOUNT_ATTR_NOEXEC},
    Flag{"noiversion", MS_I_VERSION, true},
    Flag{"nolazytime", MS_LAZYTIME, true},
    Flag{"nomand", MS_MANDLOCK, true},
    Flag{"norelatime", MS_RELATIME, true, MOUNT_ATTR_RELATIME},
    Flag{"nostrictatime", MS_STRICTATIME, true, MOUNT_ATTR_STRICTATIME},
    Flag{"nosuid", MS_NOSUID, false, MOUNT_ATTR_NOSUID},
    Flag{"nosymfollow", MS_NOSYMFOLLOW, false, MOUNT_ATTR_NOSYMFOLLOW},
    Flag{"relatime", MS_RELATIME, false, MOUNT_ATTR_RELATIME},
    Flag{"ro", MS_RDONLY, false, MOUNT_ATTR_RDONLY},
    Flag{"rw", MS_RDONLY, true, MOUNT_ATTR_RDONLY},
    Flag{"silent", MS_SILENT},
    Flag{"strictatime", MS_STRICTATIME, false, MOUNT_ATTR_STRICTATIME},
    Flag{"suid", MS_NOSUID, true, MOUNT_ATTR_NOSUID},
    Flag{"symfollow", MS_NOSYMFOLLOW, true, MOUNT_ATTR_NOSYMFOLLOW},
    Flag{"sync", MS_SYNCHRONOUS},
};

struct Propagation {
    std::string_view name;
    unsigned long flags;
};
constexpr std::array kPropagations = {
    Propagation{"private", MS_PRIVATE},
    Propagation{"shared", MS_SHARED},
    Propagation{"slave", MS_SLAVE},
    Propagation{"unbindable", MS_UNBINDABLE},
    Propagation{"rprivate", MS_PRIVATE | MS_REC},
    Propagation{"rshared", MS_SHARED | MS_REC},
    Propagation{"rslave", MS_SLAVE | MS_REC},
    Propagation{"runbindable", MS_UNBINDABLE | MS_REC},
};

// What parse_mount_options() takes besides flags and propagations.
constexpr std::array<std::string_view, 7> kWords = {
    "bind", "defaults", "idmap", "rbind", "remount", "ridmap", "tmpcopyup"};

constexpr unsigned long kAtimeFlags = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;

bool is_atime(const Flag& flag) {
    return (flag.flag & kAtimeFlags) != 0;
}

void apply_attribute(const Flag& flag, std::uint64_t& set, std::uint64_t& clear) {
    if (is_atime(flag)) {
        // "atime", "nostrictatime" and "norelatime" take a value away; what is left is relatime,
        // the kernel's default.
        set &= ~kAtimeField;
        clear |= kAtimeField;
        set |= flag.clears ? 0 : flag.attr;
        return;
    }
    (flag.clears ? clear : set) |= flag.attr;
    (flag.clears ? set : clear) &= ~flag.attr;
}

const Flag* find_flag(std::string_view name) {
    const auto found = std::ranges::find(kFlags, name, &Flag::name);
    return found == kFlags.end() ? nullptr : &*found;
}

/// Whether there is an "r" form of it, for a mount and all below it.
bool has_recursive_form(const Flag& flag) {
    return flag.attr != 0 || is_atime(flag);
}

/// True when `option` was a flag, alone ("nosuid") or recursive ("rnosuid").
bool apply_flag(const std::string& option, MountOptions& out) {
    if (const Flag* flag = find_flag(option)) {
        if (is_atime(*flag) && !flag->clears) {
            out.flags &= ~kAtimeFlags;
        }
        out.flags = flag->clears ? out.flags & ~flag->flag : out.flags | flag->flag;
        if (has_recursive_form(*flag)) {
            apply_attribute(*flag, out.set, out.clear);
        } else {
            out.only_super.push_back(option);
        }
        return true;
    }
    if (option.starts_with('r')) {
        const Flag* flag = find_flag(std::string_view(option).substr(1));
        if (flag != nullptr && has_recursive_form(*flag)) {
            apply_attribute(*flag, out.rec_set, out.rec_clear);
            return true;
        }
    }
    return false;
}

}  // namespace

Result<MountOptions> parse_mount_options(const std::vector<std::string>& options) {
    MountOptions out;
    for (const std::string& option : options) {
        if (option == "defaults" || apply_flag(option, out)) {
            continue;
        }
        const auto propagation = std::ranges::find(kPropagations, option, &Propagation::name);
        if (propagation != kPropagations.end()) {
            out.propagation = propagation->flags;
        } else if (option == "bind" || option == "rbind") {
            out.bind = true;
            out.recursive = out.recursive || option == "rbind";
        } else if (option == "remount") {
            out.remount = true;
        } else if (option == "tmpcopyup") {
            out.copy_up = true;
        } else if (option == "idmap" || option == "ridmap") {
            out.idmap = true;
            out.idmap_recursive = option == "ridmap";
        } else if (option == "copy-symlink" || option == "src-nofollow" ||
                   option == "dest-nofollow" || option.starts_with("idmap=") ||
                   option.starts_with("ridmap=")) {
            return fail(Errc::unsupported,
                        "option {} is another runtime's extension, which knarr does not have",
                        option);
        } else if (!option.empty()) {
            out.data += (out.data.empty() ? "" : ",") + option;
        }
    }
    return out;
}

std::vector<std::string_view> mount_option_names() {
    // The recursive forms are spelled out nowhere else; they have to live somewhere.
    static const std::vector<std::string> kRecursive = [] {
        std::vector<std::string> out;
        for (const Flag& flag : kFlags) {
            if (has_recursive_form(flag)) {
                out.push_back("r" + std::string(flag.name));
            }
        }
        return out;
    }();
    std::vector<std::string_view> out(kWords.begin(), kWords.end());
    out.insert(out.end(), kRecursive.begin(), kRecursive.end());
    for (const Flag& flag : kFlags) {
        out.push_back(flag.name);
    }
    for (const Propagation& one : kPropagations) {
        out.push_back(one.name);
    }
    std::ranges::sort(out);
    return out;
}

Result<unsigned long> parse_propagation(const std::string& name) {
    if (name.empty()) {
        return 0UL;
    }
    const auto found = std::ranges::find(kPropagations, name, &Propagation::name);
    if (found == kPropagations.end()) {
        return fail(Errc::invalid_config,
                    "linux.rootfsPropagation: \"{}\" is not one of private, shared, slave, "
                    "unbindable, rprivate, rshared, rslave, runbindable",
                    name);
    }
    return found->flags;
}

}  // namespace knarr::runtime::native
