#include "engine/record.h"

#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "engine/record_json.h"
#include "image/reference.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr const char* kCopyFile = "record";
constexpr const char* kNewRecordFile = ".state.json.tmp";

/// A record that speaks of the machine before it was started anew: of it, only files are left.
void leave_boot_behind(Record& record) {
    if (record.boot.empty() || boot_id().empty() || record.boot == boot_id()) {
        return;  // of this one, or nobody knows
    }
    record.before_boot = true;
    record.pid = 0;
    record.pid_start_ticks = 0;
    record.cgroup.reset();
    record.unit.reset();
    record.resctrl.reset();
    record.mounts_on_host = false;
    if (record.status == ContainerState::running) {
        record.exit_code.reset();
    }
    if (record.status != ContainerState::creating) {
        record.status = ContainerState::stopped;
    }
    if (record.life && is_pending(*record.life)) {
        record.life->restart.phase = RestartPhase::idle;
        record.exit_code.reset();
    }
}

/// Beside the container's files. It may be lost with the machine's power: then recover() says so.
Result<> keep_copy(const Record& record, std::string_view text) {
    if (!keeps_copy(record)) {
        return {};
    }
    const sys::Fd data = KNARR_TRY(sys::open_path(record.data_dir, O_RDONLY | O_DIRECTORY));
    const std::string fresh = std::string(kCopyFile) + ".new";
    KNARR_TRY(sys::make_file_at(data, fresh, text, 0600));
    return sys::rename_at(data, fresh, data, kCopyFile);
}

bool copy_is_there(const Record& record) {
    const auto data = sys::open_path(record.data_dir, O_PATH | O_DIRECTORY);
    const auto file = data ? sys::stat_at(*data, kCopyFile) : fail(data.error());
    return file && file->has_value();
}

}  // namespace

std::string image_name_of(const Record& record) {
    const bool is_known = record.life && record.life->asked && !record.life->asked->image.empty();
    return is_known ? record.life->asked->image : image::familiar_reference(record.image);
}

const std::string& boot_id() {
    static const std::string kId = [] {
        const auto text = sys::read_file("/proc/sys/kernel/random/boot_id", 64);
        return std::string(trimmed(text ? std::string_view(*text) : std::string_view()));
    }();
    return kId;
}

bool keeps_copy(const Record& record) {
    const bool lasts =
        record.status == ContainerState::running || record.status == ContainerState::stopped;
    return record.life && record.life->monitored && !record.auto_remove && lasts;
}

bool is_same_run(const Record& one, const Record& other) {
    return one.pid == other.pid && one.pid_start_ticks == other.pid_start_ticks;
}

Result<std::optional<Record>> kept_record(const std::string& data_dir) {
    const auto text = sys::read_file(data_dir + "/" + kCopyFile, limits::kMaxStateBytes);
    if (!text) {
        return text.error().sys_errno == ENOENT ? Result<std::optional<Record>>(std::nullopt)
                                                : fail(text.error());
    }
    return std::optional(KNARR_TRY(decode_record(*text), "{}/{}", data_dir, kCopyFile));
}

Result<> save_record(const LockedDir& dir, const Record& record) {
    // A container does not outlive a reboot, and neither do its cgroups: only files of its own are
    // still to be found then. An fsync takes longer than all the rest of a launch.
    const std::string text = encode_record(record);
    if (!record.data_dir.empty()) {
        // The copy first: whoever sees the record can count on one. An old one is better than a
        // container that cannot be stopped, since it has filled the disk.
        if (const Result<> kept = keep_copy(record, text); !kept && !copy_is_there(record)) {
            return kept;
        }
        return sys::replace_file(dir.fd(), kRecordFile, text, 0600, sys::Sync::file);
    }
    // Nobody else writes it: the directory is locked.
    KNARR_TRY(sys::make_file_at(dir.fd(), kNewRecordFile, text, 0600));
    return sys::rename_at(dir.fd(), kNewRecordFile, dir.fd(), kRecordFile);
}

Result<std::optional<Record>> load_record(const sys::Fd& dir, const std::string& path) {
    const auto advise = [](Error error) {
        return fail(
            std::move(error).advise("delete --force removes the container as far as possible"));
    };
    const auto text = sys::read_file_at(dir, kRecordFile, limits::kMaxStateBytes);
    if (!text) {
        if (text.error().sys_errno == ENOENT) {
            return std::nullopt;
        }
        Error error = text.error();
        error.code = error.code == Errc::limit_exceeded ? Errc::corrupt : error.code;
        return advise(std::move(error).within(path));
    }
    if (text->empty()) {
        return std::nullopt;  // the machine crashed before its content was on the disk
    }
    Result<Record> record = decode_record(*text);
    if (!record) {
        return advise(std::move(record).error().within(path));
    }
    leave_boot_behind(*record);
    return std::optional(std::move(*record));
}

std::string hook_state(const Record& record, std::string_view status, pid_t pid) {
    spec::JsonWriter json;
    json.begin_object();
    json.member("ociVersion", record.oci_version);
    json.member("id", record.id);
    json.member("status", status);
    if (pid > 0) {
        json.member("pid", pid);
    }
    json.member("bundle", record.bundle);
    json.member("annotations", record.annotations);
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::engine
