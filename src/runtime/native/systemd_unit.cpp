#include "runtime/native/systemd_unit.h"

#include <algorithm>
#include <limits>

#include "core/ascii.h"
#include "core/text.h"
#include "runtime/native/cgroup_plan.h"
#include "runtime/native/devices.h"

namespace knarr::runtime::native {

namespace {

constexpr std::string_view kAnnotation = "org.systemd.property.";
constexpr const char* kSubgroup = "run.oci.systemd.subgroup";  // crun's
constexpr std::size_t kMaxUnitBytes = 255;
constexpr std::uint32_t kNobody = 65534;

bool is_unit_char(char c) {
    return is_alnum(c) || std::string_view(":-_.\\").find(c) != std::string_view::npos;
}

/// A name as systemd takes it: other characters as \xNN. Source: systemd.unit(5).
std::string escaped(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (is_unit_char(c) && c != '\\') {
            out += c;
        } else {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

struct UnitPath {
    std::string slice, name;
};

Result<UnitPath> parse_path(const std::string& path, const UnitOptions& options) {
    constexpr const char* kProperty = "linux.cgroupsPath";
    const std::string slice = options.rootless ? "user.slice" : "system.slice";
    if (path.empty()) {
        return UnitPath{.slice = slice, .name = escaped("knarr-" + options.id) + ".scope"};
    }
    const auto parts = split(path, ':');
    if (parts.size() != 3 || parts[2].empty()) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = fmt::format("{}: \"{}\" is not of the form "
                                                 "\"slice:prefix:name\", which systemd needs",
                                                 kProperty,
                                                 printable(path)),
                          .hint = "set linux.cgroupsPath to \"system.slice:knarr:NAME\", or use "
                                  "--cgroup-manager cgroupfs"});
    }
    if (parts[2].ends_with(".slice")) {
        return fail(Errc::invalid_config,
                    "{}: \"{}\" names a slice, which holds no processes",
                    kProperty,
                    printable(path));
    }
    const std::string prefix = parts[1].empty() ? "" : fmt::format("{}-", parts[1]);
    UnitPath out{.slice = parts[0].empty() ? slice : std::string(parts[0]),
                 .name = escaped(prefix + std::string(parts[2])) + ".scope"};
    if (out.name.size() > kMaxUnitBytes) {
        return fail(Errc::invalid_config,
                    "{}: the unit's name would be {} bytes long; systemd takes {}",
                    kProperty,
                    out.name.size(),
                    kMaxUnitBytes);
    }
    return out;
}

/// A path below the unit's cgroup: "" or "/container".
Result<std::string> sub_cgroup(const spec::RuntimeConfig& config) {
    const auto asked = config.annotations.find(kSubgroup);
    if (asked == config.annotations.end() || asked->second.empty()) {
        return std::string();
    }
    const std::string& name = asked->second;
    if (name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\n') != std::string::npos) {
        return fail(Errc::invalid_config,
                    "annotation {}: \"{}\" is not the name of a cgroup",
                    kSubgroup,
                    printable(name));
    }
    return "/" + name;
}

/// Who the caller is outside of its user namespace.
std::uint32_t outer_uid(const sys::HostFacts& host) {
    if (host.initial_user_namespace) {
        return host.uid;
    }
    for (const sys::IdRange& one : host.uid_map) {
        if (host.uid >= one.inside && host.uid - one.inside < one.size) {
            return one.outside + (host.uid - one.inside);
        }
    }
    return kNobody;
}

Result<> add_annotated(const spec::RuntimeConfig& config,
                       std::vector<rpc::UnitProperty>& properties) {
    for (const auto& [key, value] : config.annotations) {
        if (!key.starts_with(kAnnotation)) {
            continue;
        }
        rpc::UnitProperty one =
            KNARR_TRY(annotated_property(std::string_view(key).substr(kAnnotation.size()), value),
                      "annotation {}",
                      printable(key));
        std::erase_if(properties, [&](const auto& had) { return had.name == one.name; });
        properties.push_back(std::move(one));
    }
    return {};
}

/// The first rule is "deny all" and the rest allow: nothing is taken away again.
bool only_allows(const std::vector<sys::CgroupDeviceRule>& rules) {
    bool allowed = false;
    for (const sys::CgroupDeviceRule& rule : rules) {
        const bool everything = rule.type == 'a';
        if (rule.allow ? everything : (allowed || !everything)) {
            return false;
        }
        allowed |= rule.allow;
    }
    return true;
}

/// The name of a major number, "pts" for c 136; empty when the kernel has none for it.
std::string device_name(std::string_view proc_devices, char type, std::int64_t major) {
    const std::string_view section = type == 'c' ? "Character devices:" : "Block devices:";
    bool inside = false;
    for (std::string_view line : split(proc_devices, '\n')) {
        if (line.ends_with(':')) {
            inside = line == section;
            continue;
        }
        line = trimmed(line);
        const std::size_t space = line.find(' ');
        if (inside && space != std::string_view::npos &&
            parse_number(line.substr(0, space), 1U << 20U) ==
                std::optional<std::uint64_t>(static_cast<std::uint64_t>(major))) {
            return std::string(line.substr(space + 1));
        }
    }
    return {};
}

/// A device as DeviceAllow names it; empty when it cannot.
std::string device_pattern(const sys::CgroupDeviceRule& rule, std::string_view proc_devices) {
    const char* kind = rule.type == 'c' ? "char" : "block";
    if (rule.major < 0) {
        return rule.minor < 0 ? fmt::format("{}-*", kind) : std::string();
    }
    if (rule.minor >= 0) {
        return fmt::format("/dev/{}/{}:{}", kind, rule.major, rule.minor);
    }
    const std::string name = device_name(proc_devices, rule.type, rule.major);
    return name.empty() ? std::string() : fmt::format("{}-{}", kind, name);
}

}  // namespace

Result<std::string> expand_slice(const std::string& slice) {
    constexpr std::string_view kSuffix = ".slice";
    if (slice == "-.slice") {
        return std::string();
    }
    const std::string_view stem =
        slice.ends_with(kSuffix) ? std::string_view(slice).substr(0, slice.size() - kSuffix.size())
                                 : std::string_view();
    if (stem.empty() || slice.size() > kMaxUnitBytes || stem.front() == '-' || stem.back() == '-' ||
        stem.find("--") != std::string_view::npos || !std::ranges::all_of(stem, is_unit_char)) {
        return fail(Errc::invalid_config,
                    "linux.cgroupsPath: \"{}\" is not the name of a slice, such as system.slice",
                    printable(slice));
    }
    std::string path;
    for (std::size_t dash = stem.find('-'); dash != std::string_view::npos;
         dash = stem.find('-', dash + 1)) {
        path += fmt::format("/{}.slice", stem.substr(0, dash));
    }
    return fmt::format("{}/{}", path, slice);
}

std::vector<rpc::UnitProperty> device_properties(const std::vector<sys::CgroupDeviceRule>& rules,
                                                 std::string_view proc_devices) {
    const auto as = [](const char* policy, rpc::dbus::Pairs allowed) {
        return std::vector<rpc::UnitProperty>{
            {.name = "DevicePolicy", .value = std::string(policy), .also_in_files = true},
            {.name = "DeviceAllow", .value = std::move(allowed), .also_in_files = true}};
    };
    if (!only_allows(rules)) {
        return as("auto", {});
    }
    rpc::dbus::Pairs allowed;
    for (const sys::CgroupDeviceRule& rule : rules) {
        if (!rule.allow) {
            continue;
        }
        std::string pattern = device_pattern(rule, proc_devices);
        if (pattern.empty()) {
            return as("auto", {});
        }
        allowed.emplace_back(std::move(pattern), rule.access);
    }
    return as("strict", std::move(allowed));
}

Result<UnitPlan> plan_unit(const spec::RuntimeConfig& config,
                           const sys::HostFacts& host,
                           const UnitOptions& options) {
    static const spec::Linux kNothing;
    const spec::Linux& part = config.linux_ ? *config.linux_ : kNothing;
    const bool v2 = host.cgroup_layout == sys::CgroupLayout::v2;
    if (options.rootless && !v2) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "cgroups by systemd: without root they need cgroup v2, whose "
                                     "controllers can be delegated safely",
                          .hint = "boot with systemd.unified_cgroup_hierarchy=1, or use "
                                  "--cgroup-manager cgroupfs"});
    }
    UnitPath path = KNARR_TRY(parse_path(part.cgroups_path, options));
    const std::string above = KNARR_TRY(expand_slice(path.slice));
    const std::string sub = KNARR_TRY(sub_cgroup(config));
    if (!sub.empty() && !v2) {
        return fail(Errc::unsupported, "annotation {}: needs cgroup v2", kSubgroup);
    }
    UnitPlan plan;
    // A user's manager stands where systemd's user@.service puts it. The kernel is asked once the
    // unit is there.
    const std::uint32_t uid = outer_uid(host);
    const std::string base =
        options.rootless ? fmt::format("/user.slice/user-{0}.slice/user@{0}.service", uid) : "";
    plan.cgroup = base + above + "/" + path.name + sub;
    plan.unit.sub_cgroup = sub;
    rpc::ScopeUnit& scope = plan.unit.scope;
    scope.slice = std::move(path.slice);
    scope.unit = {.bus = options.rootless ? rpc::SystemdBus::user : rpc::SystemdBus::system,
                  .name = std::move(path.name),
                  .description = fmt::format("knarr container {} ({})", options.id, options.root)};
    static const spec::Resources kNoResources;
    const spec::Resources& resources = part.resources ? *part.resources : kNoResources;
    scope.properties = {
        // A scope that failed is forgotten like one that ended.
        {.name = "CollectMode", .value = std::string("inactive-or-failed"), .also_in_files = true},
        {.name = "CPUAccounting", .value = true, .also_in_files = true},
        {.name = "MemoryAccounting", .value = true, .also_in_files = true},
        {.name = "TasksAccounting", .value = true, .also_in_files = true},
        {.name = v2 ? "IOAccounting" : "BlockIOAccounting", .value = true, .also_in_files = true},
    };
    std::ranges::move(KNARR_TRY(unit_properties(resources, v2)),
                      std::back_inserter(scope.properties));
    if (!options.rootless && host.initial_user_namespace) {
        const auto rules = KNARR_TRY(device_rules(resources.devices));
        std::ranges::move(device_properties(rules, options.proc_devices),
                          std::back_inserter(scope.properties));
    }
    KNARR_TRY(add_annotated(config, scope.properties));
    return plan;
}

}  // namespace knarr::runtime::native
