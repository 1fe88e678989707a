#include "engine/record_json.h"

#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr unsigned kVersion = 1;

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

}  // namespace knarr::engine
