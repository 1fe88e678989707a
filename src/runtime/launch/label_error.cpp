#include "runtime/launch/label_error.h"

#include <cerrno>

namespace knarr::runtime {

Error explain_label(Error failed, LabelOf module) {
    const bool apparmor = module == LabelOf::apparmor;
    switch (failed.sys_errno) {
        case ENOENT:
        case EINVAL:
            return std::move(failed).advise(
                apparmor ? "no profile of that name is loaded: apparmor_parser -r FILE loads one, "
                           "aa-status lists them"
                         : "the loaded policy does not know this label: semodule -l lists its "
                           "modules, container-selinux has those for containers");
        case EACCES:
        case EPERM:
            return std::move(failed).advise(
                apparmor
                    ? "the profile that knarr itself is under does not let it change to this "
                      "one, or no_new_privs is set and the new one allows more: the kernel's "
                      "log says which (apparmor=\"DENIED\")"
                    : "the policy does not let knarr's own domain change to this one: ausearch "
                      "-m avc -ts recent shows the rule that is missing");
        default:
            return failed;
    }
}

}  // namespace knarr::runtime
