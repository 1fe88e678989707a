#include "engine/names.h"

#include <utility>

#include "core/text.h"
#include "engine/event_log.h"
#include "engine/live.h"
#include "engine/operate.h"
#include "engine/resolve.h"
#include "platform/task.h"

namespace knarr::engine {

Result<sys::FileLock> lock_names(const std::string& data_root) {
    const sys::Fd dir = KNARR_TRY(sys::make_dirs(data_root + "/containers", 0700));
    return sys::FileLock::acquire(dir, ".names.lock", sys::FileLock::Kind::exclusive);
}

Result<> check_name(const Context& context, const std::string& name) {
    if (name.empty()) {
        return {};
    }
    KNARR_TRY(ContainerId::parse(name), "name");
    for (const ContainerInfo& other : KNARR_TRY(list_containers(context))) {
        if (other.name == name || other.id == name) {
            return fail(Error{.code = Errc::already_exists,
                              // docker's words, which scripts look for
                              .message = fmt::format("Conflict. The container name \"/{}\" is "
                                                     "already in use by container \"{}\"",
                                                     name,
                                                     other.id),
                              .hint = fmt::format("knarr rm {}, or choose another name", name)});
        }
    }
    return {};
}

Result<> rename_container(const Context& context,
                          const std::string& data_root,
                          const ContainerId& id,
                          const std::string& wished) {
    const std::string name(without_slash(wished));
    if (name.empty()) {
        return fail(Errc::invalid_argument, "the new name is empty");
    }
    const std::string data = KNARR_TRY(sys::absolute(data_root));
    const sys::FileLock names = KNARR_TRY(lock_names(data));
    KNARR_TRY(check_name(context, name));
    Held held = KNARR_TRY(hold(context, id));
    if (held.record.image.empty()) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} was made from a bundle: it has an "
                                                 "ID and no name",
                                                 id.text()),
                          .hint = "containers made from images have names"});
    }
    const std::string old = std::exchange(held.record.name, name);
    KNARR_TRY(save_record(held.dir, held.record));
    note_event(context, held.record, "rename", {{"oldName", old}});
    return {};
}

}  // namespace knarr::engine
