#include "cli/places.h"

#include "platform/disk.h"
#include "platform/spawn.h"

namespace knarr::cli {

namespace {

const Places kOfRoot{.root = "/run/knarr", .data_root = "/var/lib/knarr"};

bool is_ordinary(std::optional<bool> rootless, const Caller& caller) {
    if (rootless) {
        return *rootless;
    }
    if (caller.uid != 0 || !caller.in_user_namespace) {
        return caller.uid != 0;
    }
    const bool has_place = !caller.runtime_dir.empty() && caller.user != "root";
    return has_place || !caller.run_is_ours;
}

}  // namespace

Places default_places(std::optional<bool> rootless, const Caller& caller) {
    if (!is_ordinary(rootless, caller)) {
        return kOfRoot;
    }
    Places out;
    // In /tmp: made 0700, and refused when somebody else was there first.
    out.root = caller.runtime_dir.empty() ? fmt::format("/tmp/knarr-run-{}", caller.outer_uid)
                                          : caller.runtime_dir + "/knarr";
    out.data_root = !caller.data_home.empty() ? caller.data_home + "/knarr"
                    : !caller.home.empty()    ? caller.home + "/.local/share/knarr"
                                              : out.root + "/data";
    return out;
}

Caller probe_caller() {
    const sys::OwnUser own = sys::own_user();
    Caller caller{.uid = own.uid,
                  .in_user_namespace = own.in_user_namespace,
                  .outer_uid = own.outer_uid,
                  .run_is_ours = false,
                  .runtime_dir = {},
                  .data_home = {},
                  .home = {},
                  .user = {}};
    if (own.uid == 0 && !own.in_user_namespace) {
        return caller;  // nothing else matters for the host's root
    }
    caller.run_is_ours = sys::can_write("/run");
    caller.runtime_dir = sys::environment("XDG_RUNTIME_DIR");
    caller.data_home = sys::environment("XDG_DATA_HOME");
    caller.home = sys::environment("HOME");
    caller.user = sys::environment("USER");
    return caller;
}

}  // namespace knarr::cli
