// A launch plan for people, one line a step, and as JSON.

#include <algorithm>

#include <sched.h>

#include "core/text.h"
#include "runtime/launch/plan_describe.h"
#include "spec/json_writer.h"

namespace knarr::runtime {

namespace {

/// " key=value", quoted where a value holds blanks.
class TextFields final : public Fields {
public:
    void text(const char* name, const std::string& value) override {
        const bool plain = !value.empty() && value.find_first_of(" \"\n\t") == std::string::npos;
        out_ += plain ? fmt::format(" {}={}", name, printable(value, 4096))
                      : fmt::format(" {}=\"{}\"", name, printable(value, 4096));
    }
    void number(const char* name, std::int64_t value) override {
        out_ += fmt::format(" {}={}", name, value);
    }
    void set_flag(const char* name) override { out_ += fmt::format(" {}", name); }
    const std::string& out() const { return out_; }

private:
    std::string out_;
};

class JsonFields final : public Fields {
public:
    explicit JsonFields(spec::JsonWriter& json) : json_(json) {}
    void text(const char* name, const std::string& value) override { json_.member(name, value); }
    void number(const char* name, std::int64_t value) override { json_.member(name, value); }
    void set_flag(const char* name) override { json_.member(name, true); }

private:
    spec::JsonWriter& json_;
};

/// The hooks by the names of config.json.
template <typename Visit>
void each_hook(const spec::Hooks& hooks, Visit visit) {
    visit("prestart", hooks.prestart);
    visit("createRuntime", hooks.create_runtime);
    visit("createContainer", hooks.create_container);
    visit("startContainer", hooks.start_container);
    visit("poststart", hooks.poststart);
    visit("poststop", hooks.poststop);
}

std::string mode_text(const sys::CgroupDeviceRule& rule) {
    const auto number = [](std::int64_t n) { return n < 0 ? "*" : fmt::format("{}", n); };
    return fmt::format("{} {} {}:{} {}",
                       rule.allow ? "allow" : "deny",
                       rule.type,
                       number(rule.major),
                       number(rule.minor),
                       rule.access);
}

std::string property_text(const rpc::dbus::Value& value) {
    const auto number = [](auto n) { return fmt::format("{}", n); };
    struct Text {
        decltype(number)& plain;
        std::string operator()(bool b) const { return b ? "true" : "false"; }
        std::string operator()(std::int32_t n) const { return plain(n); }
        std::string operator()(std::uint32_t n) const { return plain(n); }
        std::string operator()(std::uint64_t n) const {
            return n == UINT64_MAX ? "infinity" : plain(n);
        }
        std::string operator()(const std::string& text) const { return printable(text); }
        std::string operator()(const std::vector<std::string>& all) const {
            return printable(fmt::format("{}", fmt::join(all, " ")));
        }
        std::string operator()(const std::vector<std::uint32_t>& all) const {
            return fmt::format("{}", fmt::join(all, " "));
        }
        std::string operator()(const rpc::dbus::Bytes& all) const {
            return fmt::format("{:02x}", fmt::join(all, " "));
        }
        std::string operator()(const rpc::dbus::Pairs& all) const {
            std::string out;
            for (const auto& [first, second] : all) {
                out += fmt::format("{}{} {}", out.empty() ? "" : ", ", first, second);
            }
            return out;
        }
    };
    return std::visit(Text{number}, value);
}

void print_unit(const SystemdUnit& unit, std::string& out) {
    const rpc::ScopeUnit& scope = unit.scope;
    out += fmt::format("unit {} in {} ({} manager of systemd)\n",
                       scope.unit.name,
                       scope.slice,
                       rpc::name_of(scope.unit.bus));
    for (const rpc::UnitProperty& one : scope.properties) {
        out += fmt::format("  {}={}\n", one.name, property_text(one.value));
    }
}

void write_unit(const SystemdUnit& unit, spec::JsonWriter& json) {
    const rpc::ScopeUnit& scope = unit.scope;
    json.key("unit").begin_object();
    json.member("name", scope.unit.name).member("slice", scope.slice);
    json.member("manager", rpc::name_of(scope.unit.bus));
    json.member("sub_cgroup", unit.sub_cgroup);
    json.key("properties").begin_object();
    for (const rpc::UnitProperty& one : scope.properties) {
        json.member(one.name, property_text(one.value));
    }
    json.end_object().end_object();
}

void print_cgroup(const sys::CgroupPlan& cgroup, std::string& out) {
    for (const sys::CgroupDir& dir : cgroup.dirs) {
        out += fmt::format("cgroup {}{}\n", dir.mount_point, dir.path);
        for (const sys::CgroupWrite& write : dir.writes) {
            out += fmt::format("  {} = {}{}\n",
                               write.file,
                               printable(write.text, 4096),
                               write.optional ? " (where it can be)" : "");
        }
    }
    for (const sys::CgroupDeviceRule& rule : cgroup.device_rules) {
        out += fmt::format("  device rule: {}\n", mode_text(rule));
    }
}

void print_resctrl(const sys::ResctrlGroup& group, std::string& out) {
    out += fmt::format("resctrl {}{}{}\n",
                       printable(group.path()),
                       group.make ? " (new)" : "",
                       group.monitor.empty() ? "" : " monitored as " + printable(group.monitor));
    for (const std::string& line : group.expected) {
        out += fmt::format("  has {}\n", printable(line, 4096));
    }
    for (const std::string& line : group.schemata) {
        out += fmt::format("  schemata = {}\n", printable(line, 4096));
    }
}

void write_resctrl(const sys::ResctrlGroup& group, spec::JsonWriter& json) {
    json.key("resctrl").begin_object();
    json.member("path", group.path());
    json.member("new", group.make);
    json.member("monitor", group.monitor);
    json.member("expected", group.expected);
    json.member("schemata", group.schemata);
    json.end_object();
}

void print_identity(const Identity& who, std::string& out) {
    out += fmt::format("user {}:{}", who.uid, who.gid);
    for (const gid_t group : who.groups) {
        out += fmt::format(",{}", group);
    }
    if (!who.set_groups) {
        out += " (groups kept)";
    }
    if (who.umask) {
        out += fmt::format(" umask {:04o}", *who.umask);
    }
    out += fmt::format(
        "\ncapabilities bounding={:x} effective={:x} permitted={:x} inheritable={:x} "
        "ambient={:x}\n",
        who.cap_bounding,
        who.cap_effective,
        who.cap_permitted,
        who.cap_inheritable,
        who.cap_ambient);
    out += fmt::format("no_new_privs {}\n", who.no_new_privs);
    if (who.seccomp) {
        out += fmt::format("seccomp {} instructions\n", who.seccomp->code.size());
    }
    if (!who.apparmor_profile.empty()) {
        out += fmt::format("apparmor {}\n", printable(who.apparmor_profile));
    }
    if (!who.selinux_label.empty()) {
        out += fmt::format("selinux {}\n", printable(who.selinux_label));
    }
}

void write_cgroup(const sys::CgroupPlan& cgroup, spec::JsonWriter& json) {
    json.key("cgroup").begin_object();
    json.member("v2", cgroup.v2);
    json.key("directories").begin_array();
    for (const sys::CgroupDir& dir : cgroup.dirs) {
        json.begin_object();
        json.member("controllers", dir.controllers);
        json.member("mount_point", dir.mount_point);
        json.member("path", dir.path);
        json.key("writes").begin_array();
        for (const sys::CgroupWrite& write : dir.writes) {
            json.begin_object();
            json.member("file", write.file);
            json.member("text", write.text);
            json.member("optional", write.optional);
            json.end_object();
        }
        json.end_array().end_object();
    }
    json.end_array();
    json.member("enable", cgroup.enable);
    json.key("device_rules").begin_array();
    for (const sys::CgroupDeviceRule& rule : cgroup.device_rules) {
        json.value(mode_text(rule));
    }
    json.end_array().end_object();
}

void write_identity(const Identity& who, spec::JsonWriter& json) {
    const auto hex = [](std::uint64_t bits) { return fmt::format("{:016x}", bits); };
    json.key("identity").begin_object();
    json.member("uid", who.uid);
    json.member("gid", who.gid);
    json.member("groups", who.groups);
    json.member("set_groups", who.set_groups);
    json.member("umask", who.umask);
    json.key("capabilities").begin_object();
    json.member("bounding", hex(who.cap_bounding));
    json.member("effective", hex(who.cap_effective));
    json.member("permitted", hex(who.cap_permitted));
    json.member("inheritable", hex(who.cap_inheritable));
    json.member("ambient", hex(who.cap_ambient));
    json.end_object();
    json.member("no_new_privs", who.no_new_privs);
    if (who.seccomp) {
        json.key("seccomp").begin_object();
        json.member("instructions", who.seccomp->code.size());
        json.member("flags", who.seccomp->flags);
        json.member("listener_path", who.seccomp_listener_path);
        json.end_object();
    }
    json.member("apparmor_profile", who.apparmor_profile);
    json.member("selinux_label", who.selinux_label);
    json.end_object();
}

void write_maps(const char* name,
                const std::vector<spec::IdMapping>& maps,
                spec::JsonWriter& json) {
    json.key(name).begin_array();
    for (const spec::IdMapping& one : maps) {
        json.begin_object();
        json.member("container_id", one.container_id);
        json.member("host_id", one.host_id);
        json.member("size", one.size);
        json.end_object();
    }
    json.end_array();
}

std::string print_steps(const std::vector<Step>& steps) {
    std::string out;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        TextFields fields;
        describe_step(steps[i].operation, fields);
        out += fmt::format("{:4} {}{}\n", i + 1, kind_of(steps[i].operation), fields.out());
    }
    return out;
}

void write_steps(const char* name, const std::vector<Step>& steps, spec::JsonWriter& json) {
    json.key(name).begin_array();
    for (const Step& one : steps) {
        json.begin_object();
        json.member("name", one.name);
        json.member("kind", kind_of(one.operation));
        JsonFields fields(json);
        describe_step(one.operation, fields);
        json.end_object();
    }
    json.end_array();
}

std::string mask_text(const std::vector<std::uint64_t>& words) {
    std::string out;
    for (const std::uint64_t word : words) {
        out += fmt::format("{}0x{:x}", out.empty() ? "" : ",", word);
    }
    return out;
}

std::string print_join(const JoinContainer& join) {
    std::string out = fmt::format(
        "enter namespaces of process {}: {}\n", join.pid, namespace_names(join.namespaces));
    if (!join.root.empty()) {
        out += fmt::format("root {}\n", printable(join.root));
    }
    if (!join.initial_cpus.empty()) {
        out += fmt::format("CPUs before the cgroup: {}\n", mask_text(join.initial_cpus));
    }
    if (!join.final_cpus.empty()) {
        out += fmt::format("CPUs in the cgroup: {}\n", mask_text(join.final_cpus));
    }
    return out + (join.outside.empty() ? "" : "steps outside:\n" + print_steps(join.outside));
}

void write_join(const JoinContainer& join, spec::JsonWriter& json) {
    json.key("join").begin_object();
    json.member("pid", join.pid);
    json.member("namespaces", namespace_names(join.namespaces));
    json.member("root", join.root);
    json.member("sub_cgroup", join.sub_cgroup);
    json.member("initial_cpus", mask_text(join.initial_cpus));
    json.member("final_cpus", mask_text(join.final_cpus));
    write_steps("outside", join.outside, json);
    json.end_object();
}

}  // namespace

bool LaunchPlan::own_user_namespace() const {
    return (new_namespaces & CLONE_NEWUSER) != 0 || joins_user_namespace();
}

bool LaunchPlan::joins_user_namespace() const {
    return std::ranges::find(joins, CLONE_NEWUSER, &JoinNamespace::type) != joins.end();
}

std::string plan_text(const LaunchPlan& plan) {
    std::string out = fmt::format("container {}\n", plan.id);
    for (const std::string& warning : plan.warnings) {
        out += fmt::format("warning: {}\n", warning);
    }
    out += fmt::format("new namespaces: {}\n", namespace_names(plan.new_namespaces));
    if (plan.join) {
        out += print_join(*plan.join);
    }
    for (const JoinNamespace& join : plan.joins) {
        out +=
            fmt::format("join {} namespace {}\n", namespace_names(join.type), printable(join.path));
    }
    if (plan.id_maps) {
        out += fmt::format("uid map {}{}\ngid map {}{}{}\n",
                           mapping_text(plan.id_maps->uids),
                           plan.id_maps->uids_by_helper ? " (by newuidmap)" : "",
                           mapping_text(plan.id_maps->gids),
                           plan.id_maps->gids_by_helper ? " (by newgidmap)" : "",
                           plan.id_maps->deny_setgroups ? " (setgroups denied)" : "");
    }
    if (plan.unit) {
        print_unit(*plan.unit, out);
    }
    if (plan.cgroup) {
        print_cgroup(*plan.cgroup, out);
    }
    if (plan.resctrl) {
        print_resctrl(*plan.resctrl, out);
    }
    for (const NetDevice& device : plan.net_devices) {
        out += fmt::format(
            "network interface {} as {}\n", printable(device.host_name), printable(device.name));
    }
    out += "steps:\n" + print_steps(plan.steps);
    each_hook(plan.hooks, [&](const char* point, const std::vector<spec::Hook>& hooks) {
        for (const spec::Hook& hook : hooks) {
            out += fmt::format("hook {} {}\n", point, printable(hook.path));
        }
    });
    print_identity(plan.identity, out);
    out += fmt::format("cwd {}\nexec", printable(plan.program.cwd));
    for (const std::string& argument : plan.program.args) {
        out += fmt::format(" {}", printable(argument, 4096));
    }
    out += '\n';
    return out;
}

std::string plan_json(const LaunchPlan& plan) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object();
    json.member("id", plan.id);
    json.member("warnings", plan.warnings);
    json.key("new_namespaces").begin_array();
    const std::string names = namespace_names(plan.new_namespaces);
    for (const std::string_view name : split(names, ',')) {
        if (!name.empty()) {
            json.value(name);
        }
    }
    json.end_array();
    json.key("joined_namespaces").begin_array();
    for (const JoinNamespace& join : plan.joins) {
        json.begin_object();
        json.member("type", namespace_names(join.type));
        json.member("path", join.path);
        json.end_object();
    }
    json.end_array();
    if (plan.join) {
        write_join(*plan.join, json);
    }
    if (plan.id_maps) {
        write_maps("uid_map", plan.id_maps->uids, json);
        write_maps("gid_map", plan.id_maps->gids, json);
        json.member("deny_setgroups", plan.id_maps->deny_setgroups);
        json.member("uids_by_helper", plan.id_maps->uids_by_helper);
        json.member("gids_by_helper", plan.id_maps->gids_by_helper);
    }
    if (plan.unit) {
        write_unit(*plan.unit, json);
    }
    if (plan.cgroup) {
        write_cgroup(*plan.cgroup, json);
    }
    if (plan.resctrl) {
        write_resctrl(*plan.resctrl, json);
    }
    if (!plan.net_devices.empty()) {
        json.key("net_devices").begin_object();
        for (const NetDevice& device : plan.net_devices) {
            json.member(device.host_name, device.name);
        }
        json.end_object();
    }
    write_steps("steps", plan.steps, json);
    json.key("hooks").begin_object();
    each_hook(plan.hooks, [&](const char* point, const std::vector<spec::Hook>& hooks) {
        json.key(point).begin_array();
        for (const spec::Hook& hook : hooks) {
            json.value(hook.path);
        }
        json.end_array();
    });
    json.end_object();
    write_identity(plan.identity, json);
    json.key("program").begin_object();
    json.member("args", plan.program.args);
    json.member("env", plan.program.env);
    json.member("cwd", plan.program.cwd);
    json.member("preserve_fds", plan.program.preserve_fds);
    if (plan.program.listen_fds > 0) {
        json.member("listen_fds", plan.program.listen_fds);
    }
    json.end_object();
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::runtime
