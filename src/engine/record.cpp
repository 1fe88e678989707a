#include "engine/record.h"

#include <array>
#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "image/reference.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr unsigned kVersion = 1;
constexpr const char* kCopyFile = "record";
constexpr const char* kNewRecordFile = ".state.json.tmp";

void write_hooks(spec::JsonWriter& json,
                 std::string_view name,
                 const std::vector<spec::Hook>& hooks) {
    if (hooks.empty()) {
        return;
    }
    json.key(name).begin_array();
    for (const spec::Hook& hook : hooks) {
        json.begin_object();
        json.member("path", hook.path).member("args", hook.args).member("env", hook.env);
        json.member("timeout", hook.timeout);
        json.end_object();
    }
    json.end_array();
}

Result<> read_hooks(const spec::JsonValue& root,
                    std::string_view name,
                    std::vector<spec::Hook>& hooks) {
    const auto list = root.find(name);
    if (!list) {
        return {};
    }
    KNARR_TRY(list->expect(spec::JsonKind::array));
    for (const auto& [unnamed, value] : list->children()) {
        spec::Hook& hook = hooks.emplace_back();
        KNARR_TRY(value.required("path", hook.path));
        KNARR_TRY(value.optional("args", hook.args));
        KNARR_TRY(value.optional("env", hook.env));
        KNARR_TRY(value.optional("timeout", hook.timeout));
    }
    return {};
}

void write_cgroup(spec::JsonWriter& json, const sys::CgroupPlan& plan) {
    json.key("cgroup").begin_object().member("v2", plan.v2).key("dirs").begin_array();
    for (const sys::CgroupDir& dir : plan.dirs) {
        json.begin_object();
        json.member("controllers", dir.controllers);
        json.member("mountPoint", dir.mount_point);
        json.member("path", dir.path);
        json.end_object();
    }
    json.end_array().end_object();
}

Result<> read_cgroup(const spec::JsonValue& root, std::optional<sys::CgroupPlan>& out) {
    const auto cgroup = root.find("cgroup");
    if (!cgroup) {
        return {};
    }
    sys::CgroupPlan& plan = out.emplace();
    KNARR_TRY(cgroup->required("v2", plan.v2));
    const auto dirs = cgroup->find("dirs");
    if (!dirs) {
        return fail(cgroup->error_at("dirs", "is missing"));
    }
    KNARR_TRY(dirs->expect(spec::JsonKind::array));
    for (const auto& [unnamed, value] : dirs->children()) {
        sys::CgroupDir& dir = plan.dirs.emplace_back();
        KNARR_TRY(value.required("controllers", dir.controllers));
        KNARR_TRY(value.required("mountPoint", dir.mount_point));
        KNARR_TRY(value.required("path", dir.path));
    }
    return {};
}

void write_asked(spec::JsonWriter& json, const Asked& asked) {
    json.key("asked").begin_object().member("user", asked.user);
    json.member("workdir", asked.workdir).member("implied", asked.implied);
    json.member("image", asked.image);
    json.member("entrypoint", asked.entrypoint).member("command", asked.command);
    json.member("volumes", asked.volumes).member("groups", asked.groups);
    json.member("idFile", asked.id_file);
    if (!asked.mounts.empty()) {
        json.key("mounts").begin_array();
        for (const AskedMount& mount : asked.mounts) {
            json.begin_object().member("target", mount.target).member("noCopy", mount.no_copy);
            json.member("labels", mount.labels).end_object();
        }
        json.end_array();
    }
    json.end_object();
}

Result<> read_asked(const spec::JsonValue& value, Asked& asked) {
    KNARR_TRY(value.required("user", asked.user));
    KNARR_TRY(value.required("workdir", asked.workdir));
    KNARR_TRY(value.required("implied", asked.implied));
    KNARR_TRY(value.optional("image", asked.image));
    KNARR_TRY(value.optional("entrypoint", asked.entrypoint));
    KNARR_TRY(value.optional("command", asked.command));
    KNARR_TRY(value.optional("volumes", asked.volumes));
    KNARR_TRY(value.optional("groups", asked.groups));
    KNARR_TRY(value.optional("idFile", asked.id_file));
    const auto mounts = value.find("mounts");
    if (!mounts) {
        return {};
    }
    KNARR_TRY(mounts->expect(spec::JsonKind::array));
    for (const auto& [unnamed, one] : mounts->children()) {
        AskedMount& mount = asked.mounts.emplace_back();
        KNARR_TRY(one.required("target", mount.target));
        KNARR_TRY(one.optional("noCopy", mount.no_copy));
        KNARR_TRY(one.optional("labels", mount.labels));
    }
    return {};
}

void write_unit(spec::JsonWriter& json, const rpc::UnitName& unit) {
    json.key("unit").begin_object();
    json.member("manager", rpc::name_of(unit.bus)).member("name", unit.name);
    json.member("description", unit.description);
    json.end_object();
}

Result<> read_unit(const spec::JsonValue& root, std::optional<rpc::UnitName>& out) {
    const auto value = root.find("unit");
    if (!value) {
        return {};
    }
    rpc::UnitName& unit = out.emplace();
    std::string manager;
    KNARR_TRY(value->required("manager", manager));
    if (manager != "system" && manager != "user") {
        return fail(value->error_at("manager", "is neither system nor user"));
    }
    unit.bus = manager == "user" ? rpc::SystemdBus::user : rpc::SystemdBus::system;
    KNARR_TRY(value->required("name", unit.name));
    return value->required("description", unit.description);
}

void write_resctrl(spec::JsonWriter& json, const sys::ResctrlGroup& group) {
    json.key("resctrl").begin_object();
    json.member("mountPoint", group.mount_point).member("name", group.name);
    json.member("owned", group.owned).member("monitor", group.monitor);
    json.end_object();
}

Result<> read_resctrl(const spec::JsonValue& root, std::optional<sys::ResctrlGroup>& out) {
    const auto value = root.find("resctrl");
    if (!value) {
        return {};
    }
    sys::ResctrlGroup& group = out.emplace();
    KNARR_TRY(value->required("mountPoint", group.mount_point));
    KNARR_TRY(value->required("name", group.name));
    KNARR_TRY(value->required("owned", group.owned));
    return value->required("monitor", group.monitor);
}

/// Most have none of them.
void write_names(spec::JsonWriter& json, const Life& life) {
    const auto list = [&](std::string_view name, const std::vector<std::string>& texts) {
        if (!texts.empty()) {
            json.member(name, texts);
        }
    };
    list("hosts", life.names.hosts);
    list("dns", life.names.servers);
    list("dnsSearch", life.names.search);
    list("dnsOptions", life.names.options);
    list("exposed", life.exposed);
}

void write_life(spec::JsonWriter& json, const Life& life) {
    json.key("life").begin_object();
    json.member("command", life.command).member("stopSignal", life.stop_signal);
    json.member("stopSeconds", life.stop_seconds).member("monitored", life.monitored);
    json.key("log").begin_object();
    json.member("keep", life.log.keep).member("maxBytes", life.log.max_bytes);
    if (life.log.journal) {
        json.member("journal", true);
    }
    if (!life.log.labels.empty() || !life.log.variables.empty()) {
        json.member("labels", life.log.labels).member("variables", life.log.variables);
        json.member("details", life.log_details);
    }
    json.member("maxFiles", life.log.max_files).end_object();
    json.member("started", life.started).member("finished", life.finished);
    json.member("oomKilled", life.oom_killed);
    if (!life.oom_text.empty()) {
        json.member("oomText", life.oom_text);
    }
    json.member("cgroupManager", knarr::name_of(life.cgroup_manager));
    json.member("rootless", life.rootless);
    write_restart(json, life.restart);
    write_health_check(json, life.health);
    json.member("labels", life.labels);
    write_names(json, life);
    json.member("volumes", life.volumes);
    json.member("terminal", life.terminal).member("keepsStdin", life.keeps_stdin);
    if (life.asked) {
        write_asked(json, *life.asked);
    }
    json.member("laidDown", life.laid_down);
    json.end_object();
}

Result<> read_cgroup_manager(const spec::JsonValue& life, CgroupManager& out) {
    std::string text;
    KNARR_TRY(life.optional("cgroupManager", text));
    for (const auto manager :
         {CgroupManager::cgroupfs, CgroupManager::systemd, CgroupManager::disabled}) {
        if (text.empty() || knarr::name_of(manager) == text) {
            out = manager;
            return {};
        }
    }
    return fail(life.error_at("cgroupManager", "is not known"));
}

Result<> read_life(const spec::JsonValue& root, std::optional<Life>& out) {
    const auto value = root.find("life");
    if (!value) {
        return {};
    }
    Life& life = out.emplace();
    KNARR_TRY(value->required("command", life.command));
    KNARR_TRY(value->required("stopSignal", life.stop_signal));
    KNARR_TRY(value->optional("stopSeconds", life.stop_seconds));
    KNARR_TRY(value->required("monitored", life.monitored));
    const auto log = value->find("log");
    if (!log) {
        return fail(value->error_at("log", "is missing"));
    }
    KNARR_TRY(log->required("keep", life.log.keep));
    KNARR_TRY(log->required("maxBytes", life.log.max_bytes));
    KNARR_TRY(log->required("maxFiles", life.log.max_files));
    KNARR_TRY(log->optional("journal", life.log.journal));
    KNARR_TRY(log->optional("labels", life.log.labels));
    KNARR_TRY(log->optional("variables", life.log.variables));
    KNARR_TRY(log->optional("details", life.log_details));
    KNARR_TRY(value->required("started", life.started));
    KNARR_TRY(value->required("finished", life.finished));
    KNARR_TRY(value->required("oomKilled", life.oom_killed));
    KNARR_TRY(value->optional("oomText", life.oom_text));
    KNARR_TRY(read_cgroup_manager(*value, life.cgroup_manager));
    KNARR_TRY(value->optional("rootless", life.rootless));
    KNARR_TRY(read_restart(*value, life.restart));
    KNARR_TRY(read_health_check(*value, life.health));
    KNARR_TRY(value->optional("labels", life.labels));
    KNARR_TRY(value->optional("hosts", life.names.hosts));
    KNARR_TRY(value->optional("dns", life.names.servers));
    KNARR_TRY(value->optional("dnsSearch", life.names.search));
    KNARR_TRY(value->optional("dnsOptions", life.names.options));
    KNARR_TRY(value->optional("exposed", life.exposed));
    KNARR_TRY(value->optional("volumes", life.volumes));
    KNARR_TRY(value->optional("terminal", life.terminal));
    KNARR_TRY(value->optional("keepsStdin", life.keeps_stdin));
    if (const auto asked = value->find("asked")) {
        KNARR_TRY(read_asked(*asked, life.asked.emplace()));
    }
    return value->optional("laidDown", life.laid_down);
}

Result<> read_status(const spec::JsonValue& root, ContainerState& out) {
    using enum ContainerState;
    std::string text;
    KNARR_TRY(root.required("status", text));
    for (const ContainerState state : {creating, created, running, stopped}) {
        if (knarr::name_of(state) == text) {
            out = state;
            return {};
        }
    }
    return fail(root.error_at("status", "is none of creating, created, running, stopped"));
}

Result<> read_isolation(const spec::JsonValue& root, Isolation& out) {
    std::string text;
    KNARR_TRY(root.required("isolation", text));
    const auto parsed = parse_isolation(text);
    if (!parsed) {
        return fail(root.error_at("isolation", parsed.error().message));
    }
    out = *parsed;
    return {};
}

}  // namespace

std::string image_name_of(const Record& record) {
    const bool is_known = record.life && record.life->asked && !record.life->asked->image.empty();
    return is_known ? record.life->asked->image : image::familiar_reference(record.image);
}

std::string encode_record(const Record& record) {
    spec::JsonWriter json;
    json.begin_object();
    json.member("version", kVersion);
    json.member("id", record.id);
    json.member("name", record.name);
    json.member("status", knarr::name_of(record.status));
    json.member("pid", record.pid);
    json.member("pidStartTicks", record.pid_start_ticks);
    json.member("ociVersion", record.oci_version);
    json.member("bundle", record.bundle);
    json.member("rootfs", record.rootfs);
    if (!record.config_file.empty()) {
        json.member("configFile", record.config_file);
    }
    json.member("isolation", knarr::name_of(record.isolation));
    json.member("created", record.created);
    json.member("annotations", record.annotations);
    json.member("owner", record.owner);
    json.member("ownPidNamespace", record.own_pid_namespace);
    if (record.cgroup) {
        write_cgroup(json, *record.cgroup);
    }
    if (record.unit) {
        write_unit(json, *record.unit);
    }
    if (record.resctrl) {
        write_resctrl(json, *record.resctrl);
    }
    write_hooks(json, "poststart", record.poststart);
    write_hooks(json, "poststop", record.poststop);
    json.member("image", record.image);
    json.member("dataDir", record.data_dir);
    json.member("autoRemove", record.auto_remove);
    json.member("mountsOnHost", record.mounts_on_host);
    json.member("noNewKeyring", record.no_new_keyring);
    if (record.restoring) {
        json.member("restoring", true);
    }
    json.member("exitCode", record.exit_code);
    if (record.life) {
        write_life(json, *record.life);
    }
    json.member("boot", record.boot);
    json.end_object();
    return std::move(json).text();
}

Result<Record> decode_record(std::string_view text) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(text, {.name = kRecordFile}));
    const spec::JsonValue root = document.root();
    unsigned version = 0;
    KNARR_TRY(root.required("version", version));
    if (version != kVersion) {
        Error other = root.error_at(
            "version", fmt::format("{} was written by another knarr, not {}", version, kVersion));
        return fail(std::move(other));
    }
    Record record;
    KNARR_TRY(root.required("id", record.id));
    KNARR_TRY(root.optional("name", record.name));
    KNARR_TRY(read_status(root, record.status));
    KNARR_TRY(root.required("pid", record.pid));
    KNARR_TRY(root.required("pidStartTicks", record.pid_start_ticks));
    KNARR_TRY(root.optional("ociVersion", record.oci_version));
    KNARR_TRY(root.required("bundle", record.bundle));
    KNARR_TRY(root.required("rootfs", record.rootfs));
    KNARR_TRY(root.optional("configFile", record.config_file));
    KNARR_TRY(read_isolation(root, record.isolation));
    KNARR_TRY(root.optional("created", record.created));
    KNARR_TRY(root.optional("annotations", record.annotations));
    KNARR_TRY(root.optional("owner", record.owner));
    KNARR_TRY(root.optional("ownPidNamespace", record.own_pid_namespace));
    KNARR_TRY(read_cgroup(root, record.cgroup));
    KNARR_TRY(read_unit(root, record.unit));
    KNARR_TRY(read_resctrl(root, record.resctrl));
    KNARR_TRY(read_hooks(root, "poststart", record.poststart));
    KNARR_TRY(read_hooks(root, "poststop", record.poststop));
    KNARR_TRY(root.optional("image", record.image));
    KNARR_TRY(root.optional("dataDir", record.data_dir));
    KNARR_TRY(root.optional("autoRemove", record.auto_remove));
    KNARR_TRY(root.optional("mountsOnHost", record.mounts_on_host));
    KNARR_TRY(root.optional("noNewKeyring", record.no_new_keyring));
    KNARR_TRY(root.optional("restoring", record.restoring));
    KNARR_TRY(root.optional("exitCode", record.exit_code));
    KNARR_TRY(read_life(root, record.life));
    KNARR_TRY(root.optional("boot", record.boot));
    return record;
}

namespace {

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
    {
        const sys::Fd file =
            KNARR_TRY(sys::open_at(data, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        KNARR_TRY(sys::write_all(file, text), "write {}", fresh);
    }
    return sys::rename_at(data, fresh, data, kCopyFile);
}

bool copy_is_there(const Record& record) {
    const auto data = sys::open_path(record.data_dir, O_PATH | O_DIRECTORY);
    const auto file = data ? sys::stat_at(*data, kCopyFile) : fail(data.error());
    return file && file->has_value();
}

}  // namespace

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
    {
        // Nobody else writes it: the directory is locked.
        const sys::Fd file = KNARR_TRY(sys::open_at(
            dir.fd(), kNewRecordFile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        KNARR_TRY(sys::write_all(file, text), "write {}", kNewRecordFile);
    }
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
