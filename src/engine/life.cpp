#include "engine/life.h"

namespace knarr::engine {

namespace {

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

}  // namespace

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

Result<> read_life(const spec::JsonValue& record, std::optional<Life>& out) {
    const auto value = record.find("life");
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

}  // namespace knarr::engine
