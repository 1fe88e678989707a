#include "platform/cgroup_files.h"

#include <algorithm>

#include <fcntl.h>

#include "core/text.h"
#include "platform/cgroup_write.h"
#include "platform/file.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20U;

std::string place_of(const CgroupDir& dir) {
    return dir.mount_point + dir.path;
}

const CgroupDir* dir_of(const CgroupPlan& plan, std::string_view controller) {
    for (const CgroupDir& dir : plan.dirs) {
        const auto controllers = split(dir.controllers, ',');
        if (plan.v2 ? dir.controllers.empty()
                    : std::ranges::find(controllers, controller) != controllers.end()) {
            return &dir;
        }
    }
    return nullptr;
}

/// The line of a keyed file that begins with this word; nothing when there is none.
std::optional<std::string_view> line_of(std::string_view text, std::string_view key) {
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ') {
            return line;
        }
    }
    return std::nullopt;
}

/// One write that is about to be done, with the file open and the text that it had.
struct Change {
    const CgroupDir* dir = nullptr;
    const CgroupWrite* write = nullptr;
    Fd file;
    std::string name, text, before;
};

Result<std::optional<Change>> prepare(const CgroupDir& dir,
                                      const CgroupWrite& write,
                                      const Reasons& reasons) {
    const Fd place = KNARR_TRY(open_path(place_of(dir), O_RDONLY | O_DIRECTORY));
    Change change{.dir = &dir,
                  .write = &write,
                  .file = {},
                  .name = write.file,
                  .text = write.text,
                  .before = {}};
    Result<Fd> opened = open_at(place, write.file, O_WRONLY);
    if (!opened && !write.other_file.empty()) {
        change.name = write.other_file;
        change.text = write.other_text;
        opened = open_at(place, change.name, O_WRONLY);
    }
    if (!opened) {
        return write.optional ? Result<std::optional<Change>>(std::nullopt)
                              : write_failed(std::move(opened).error(), dir, write, reasons);
    }
    change.file = std::move(*opened);
    // A file that can only be written has nothing to be put back.
    change.before = read_file_at(place, change.name, kMaxFileBytes).value_or("");
    return std::optional(std::move(change));
}

/// Puts back what was written, the newest first; what cannot be is said in `error`.
void put_back(std::vector<Change>& changes, std::size_t count, Error& error) {
    for (std::size_t i = count; i-- > 0;) {
        const Change& one = changes[i];
        const auto text = undo_text(one.name, one.text, one.before);
        const Result<> undone =
            text ? write_all(one.file, *text) : fail(Errc::io, "its old text is not known");
        if (!undone && !one.write->optional) {
            error.message += fmt::format("; {}/{} keeps \"{}\": {}",
                                         place_of(*one.dir),
                                         one.name,
                                         printable(one.text, 128),
                                         undone.error().message);
        }
    }
}

/// All of them, or none: what was written before the one that fails is put back.
Result<> write_changes(std::vector<Change>& changes, const Reasons& reasons) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const Change& one = changes[i];
        Result<> written = write_all(one.file, one.text);
        if (!written && !one.write->optional) {
            Error error =
                write_failed(std::move(written).error(), *one.dir, *one.write, reasons).error();
            put_back(changes, i, error);
            return fail(std::move(error));
        }
    }
    return {};
}

}  // namespace

std::optional<std::string> CgroupFiles::read(std::string_view controller,
                                             const std::string& file) const {
    const CgroupDir* dir = dir_of(plan_, controller);
    if (dir == nullptr) {
        return std::nullopt;
    }
    Result<std::string> text = read_file(fmt::format("{}/{}", place_of(*dir), file), kMaxFileBytes);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

std::optional<Fd> CgroupFiles::open(std::string_view controller, const std::string& file) const {
    return open_for(controller, file, O_RDONLY);
}

std::optional<Fd> CgroupFiles::open_to_write(std::string_view controller,
                                             const std::string& file) const {
    return open_for(controller, file, O_WRONLY);
}

std::optional<Fd> CgroupFiles::open_for(std::string_view controller,
                                        const std::string& file,
                                        int flags) const {
    const CgroupDir* dir = dir_of(plan_, controller);
    if (dir == nullptr) {
        return std::nullopt;
    }
    Result<Fd> opened = open_path(fmt::format("{}/{}", place_of(*dir), file), flags);
    return opened ? std::optional(std::move(*opened)) : std::nullopt;
}

std::optional<std::string> undo_text(const std::string& file,
                                     std::string_view written,
                                     std::string_view before) {
    const std::string_view key = written.substr(0, written.find(' '));
    const bool of_device = key.find(':') != std::string_view::npos;
    if (of_device || file == "rdma.max" || file == "net_prio.ifpriomap") {
        if (const auto line = line_of(before, key)) {
            return std::string(*line);
        }
        if (!of_device) {
            return std::nullopt;
        }
        // No line is "no bound": each kind of file has its own way to say so.
        return fmt::format("{} {}",
                           key,
                           file == "io.max"          ? "rbps=max wbps=max riops=max wiops=max"
                           : file.starts_with("io.") ? "default"
                                                     : "0");
    }
    if (const auto line = line_of(before, "default")) {
        return std::string(*line);
    }
    if (const auto line = line_of(before, "oom_kill_disable")) {
        return std::string(line->substr(line->rfind(' ') + 1));
    }
    const std::size_t end = before.find_last_not_of(" \n");
    if (end == std::string_view::npos) {
        // Only a v2 cpuset is empty, which says "as the cgroup above".
        return file.starts_with("cpuset.") ? std::optional<std::string>("\n") : std::nullopt;
    }
    return std::string(before.substr(0, end + 1));
}

Result<> update_cgroup(const CgroupPlan& plan, const std::function<Result<>()>& tell) {
    Reasons reasons;
    std::vector<Change> changes;
    for (const CgroupDir& dir : plan.dirs) {
        if (plan.v2 && !plan.enable.empty()) {
            enable_above(dir, plan.enable, reasons);
        }
        for (const CgroupWrite& write : dir.writes) {
            if (auto change = KNARR_TRY(prepare(dir, write, reasons))) {
                changes.push_back(std::move(*change));
            }
        }
    }
    KNARR_TRY(write_changes(changes, reasons));
    if (!tell) {
        return {};
    }
    if (Result<> told = tell(); !told) {
        Error error = std::move(told).error();
        put_back(changes, changes.size(), error);
        return fail(std::move(error));
    }
    return write_changes(changes, reasons);
}

}  // namespace knarr::sys
