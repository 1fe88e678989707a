#include "engine/names.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>

#include "core/text.h"
#include "engine/event_log.h"
#include "engine/generated_name.h"
#include "engine/live.h"
#include "engine/resolve.h"
#include "platform/disk.h"
#include "platform/node.h"

namespace knarr::engine {

namespace {

constexpr const char* kNamesDir = ".names";
constexpr const char* kLockFile = ".lock";  // no name: none begins with a dot
constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/// Nothing when no container has had a name yet.
Result<std::optional<sys::Fd>> open_names(const Context& context) {
    Result<sys::Fd> dir = sys::open_at(context.root.fd(), kNamesDir, kDirFlags);
    if (!dir && dir.error().sys_errno == ENOENT) {
        return std::nullopt;
    }
    return KNARR_TRY(std::move(dir), "names of containers");
}

/// The directory of links, held against others who change it. Held for a few calls: nobody who has
/// it waits for a container's lock.
struct HeldNames {
    sys::Fd dir;
    sys::FileLock lock;
};

Result<HeldNames> hold_names(const Context& context) {
    auto dir = KNARR_TRY(open_names(context));
    if (!dir) {
        Result<> made = sys::make_dir_at(context.root.fd(), kNamesDir, 0700);
        if (!made && made.error().sys_errno != EEXIST) {
            return fail(std::move(made).error().within("names of containers"));
        }
        dir = KNARR_TRY(open_names(context));
    }
    if (!dir) {
        return fail(Errc::io, "names of containers: somebody removes {}", kNamesDir);
    }
    auto lock = KNARR_TRY(sys::FileLock::acquire(*dir, kLockFile, sys::FileLock::Kind::exclusive),
                          "names of containers");
    return HeldNames{.dir = std::move(*dir), .lock = std::move(lock)};
}

/// The container that a link stands for.
Result<std::optional<ContainerId>> bearer(const Context& context,
                                          const sys::Fd& names,
                                          std::string_view name) {
    Result<std::string> target = sys::read_link_at(names, std::string(name));
    if (!target && target.error().sys_errno == ENOENT) {
        return std::nullopt;
    }
    const std::string text = KNARR_TRY(std::move(target), "name {}", name);
    const Result<ContainerId> id = ContainerId::parse(text);
    if (!id) {
        return std::nullopt;
    }
    Result<sys::Fd> opened = context.root.open_dir(*id);
    if (!opened && opened.error().code == Errc::not_found) {
        return std::nullopt;
    }
    const sys::Fd dir = KNARR_TRY(std::move(opened), "name {}", name);
    const auto record = load_record(dir, path_of(context, id->text()));
    if (!record && record.error().code != Errc::corrupt) {
        return fail(record.error());
    }
    const bool is_called_so = !record || (*record && (*record)->name == name);
    return is_called_so ? std::optional(*id) : std::nullopt;
}

std::unexpected<Error> taken(std::string_view name, std::string_view id) {
    // docker's words, which scripts look for
    return fail(Error{.code = Errc::already_exists,
                      .message = fmt::format("Conflict. The container name \"/{}\" is already in "
                                             "use by container \"{}\"",
                                             name,
                                             id),
                      .hint = fmt::format("knarr rm {}, or choose another name", name)});
}

/// No other container is called so, or has it as its ID. `asker` (an ID) may have it already:
/// recover() links a name as soon as it is recorded. Errors: already_exists.
Result<> check_free(const Context& context,
                    const sys::Fd* names,
                    const std::string& name,
                    std::string_view asker = {}) {
    const ContainerId as_id = KNARR_TRY(ContainerId::parse(name), "name");
    const auto other = names != nullptr ? KNARR_TRY(bearer(context, *names, name)) : std::nullopt;
    if (other && other->text() != asker) {
        return taken(name, other->text());
    }
    return context.root.open_dir(as_id) ? taken(name, name) : Result<>{};
}

/// The link's place may be that of one that stands for nothing.
Result<> link_name(const HeldNames& names, const std::string& name, const std::string& id) {
    Result<> made = sys::make_symlink_at(names.dir, name, id);
    if (!made && made.error().sys_errno == EEXIST) {
        KNARR_TRY(sys::unlink_at(names.dir, name), "name {}", name);
        made = sys::make_symlink_at(names.dir, name, id);
    }
    KNARR_TRY(std::move(made), "name {}", name);
    return {};
}

/// Errors: already_exists.
Result<> take_name(const Context& context, const Record& record) {
    const HeldNames names = KNARR_TRY(hold_names(context));
    KNARR_TRY(check_free(context, &names.dir, record.name, record.id));
    return link_name(names, record.name, record.id);
}

void unlink_if_of(const sys::Fd& names, const std::string& name, std::string_view id) {
    const Result<std::string> target = sys::read_link_at(names, name);
    if (target && *target == id) {
        static_cast<void>(sys::unlink_at(names, name));
    }
}

}  // namespace

Result<std::optional<ContainerId>> find_name(const Context& context, std::string_view name) {
    const auto names = KNARR_TRY(open_names(context));
    return names ? bearer(context, *names, name) : std::nullopt;
}

Result<> check_name(const Context& context, const std::string& name) {
    const auto names = KNARR_TRY(open_names(context));
    return check_free(context, names ? &*names : nullptr, name);
}

Result<> save_named(const Context& context, const LockedDir& dir, Record& record, Random& random) {
    if (record.image.empty() || !record.name.empty()) {
        KNARR_TRY(save_record(dir, record));
        return record.name.empty() ? Result<>{} : take_name(context, record);
    }
    constexpr unsigned kDraws = 100;  // one in 1,000,000,000 is taken of those with a number
    Result<> done = fail(Errc::internal, "no name was drawn");
    for (unsigned draw = 0; draw < kDraws; ++draw) {
        std::uint64_t drawn = 0;
        random.fill(std::as_writable_bytes(std::span(&drawn, 1)));
        record.name = generated_name(drawn, draw);
        done = check_name(context, record.name);
        if (done) {
            KNARR_TRY(save_record(dir, record));
            done = take_name(context, record);
        }
        if (done || done.error().code != Errc::already_exists) {
            return done;
        }
    }
    return done;
}

void release_name(const Context& context, const Record& record) {
    if (record.name.empty()) {
        return;
    }
    // Whatever fails here leaves a link that stands for nothing, once the record is gone.
    if (const auto names = hold_names(context)) {
        unlink_if_of(names->dir, record.name, record.id);
    }
}

void release_names_of(const Context& context, const std::string& id) {
    const auto names = hold_names(context);
    const auto all = names ? sys::list_dir(names->dir) : fail(names.error());
    if (all) {
        for (const std::string& name : *all) {
            unlink_if_of(names->dir, name, id);
        }
    }
}

Result<> rename_container(const Context& context,
                          const ContainerId& id,
                          const std::string& wished) {
    const std::string name(without_slash(wished));
    if (name.empty()) {
        return fail(Errc::invalid_argument, "the new name is empty");
    }
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
    {
        const HeldNames names = KNARR_TRY(hold_names(context));
        KNARR_TRY(check_free(context, &names.dir, name));
        KNARR_TRY(link_name(names, name, id.text()));
        if (Result<> saved = save_record(held.dir, held.record); !saved) {
            unlink_if_of(names.dir, name, id.text());
            return saved;
        }
        unlink_if_of(names.dir, old, id.text());
    }
    note_event(context, held.record, "rename", {{"oldName", old}});
    return {};
}

Result<> mend_names(const Context& context) {
    const auto any = KNARR_TRY(open_names(context));
    const std::vector<std::string> ids = KNARR_TRY(context.root.ids());
    if (!any && ids.empty()) {
        return {};
    }
    const HeldNames names = KNARR_TRY(hold_names(context));
    for (const std::string& name : KNARR_TRY(sys::list_dir(names.dir))) {
        if (name != kLockFile && !KNARR_TRY(bearer(context, names.dir, name))) {
            KNARR_TRY(sys::unlink_at(names.dir, name), "name {}", name);
        }
    }
    for (const std::string& text : ids) {
        const ContainerId id = KNARR_TRY(ContainerId::parse(text));
        const auto dir = context.root.open_dir(id);
        const auto record = dir ? load_record(*dir, path_of(context, text)) : fail(dir.error());
        const bool has_name = record && *record && !(*record)->name.empty();
        if (has_name && !KNARR_TRY(bearer(context, names.dir, (*record)->name))) {
            KNARR_TRY(link_name(names, (*record)->name, text));
        }
    }
    return {};
}

}  // namespace knarr::engine
